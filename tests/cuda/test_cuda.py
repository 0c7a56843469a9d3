"""What PyTorch scripts ask of devices that are not there; the scripts of `parity` ask it too."""

from __future__ import annotations

import pytest

import byhand
from byhand import accelerator, amp, backends, cuda, jit, nn, optim
from byhand.backends import cudnn
from byhand.core.errors import UsageError


def test_there_is_no_gpu() -> None:
    assert not cuda.is_available() and not backends.mps.is_available() and not accelerator.is_available()
    assert cuda.device_count() == accelerator.device_count() == cuda.memory_allocated() == 0
    assert accelerator.current_accelerator() is None and not cudnn.is_available()
    assert not hasattr(cuda, "current_stream")
    with pytest.raises(AttributeError, match=r"byhand\.cuda has no 'current_device': byhand computes on the CPU"):
        cuda.current_device()


def test_what_only_tidies_up_does_nothing() -> None:
    cuda.manual_seed_all(0)
    cuda.empty_cache()
    cuda.synchronize()
    accelerator.synchronize()
    cudnn.benchmark = True


def test_mixed_precision_changes_nothing() -> None:
    model = nn.Linear(2, 1)
    optimizer, scaler = optim.SGD(model.parameters(), lr=0.1), amp.GradScaler()
    before = model.weight.clone()
    with byhand.autocast("cpu", dtype=byhand.float16), cuda.amp.autocast():
        loss = model(byhand.ones(3, 2)).mean()
    assert loss.dtype == byhand.float32 and scaler.get_scale() == 1 and not scaler.is_enabled()
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    scaler.step(optimizer)
    scaler.update()
    scaler.load_state_dict(scaler.state_dict())
    assert (model.weight - before).tolist() == [[pytest.approx(-0.1), pytest.approx(-0.1)]]
    with pytest.raises(UsageError, match="cuda"):
        amp.autocast("cuda")
    assert amp.autocast("cuda", enabled=False) is not None


def test_functions_are_decorated_without_effect() -> None:
    assert amp.custom_fwd(len) is len and amp.custom_fwd(device_type="cpu")(len) is len
    assert amp.autocast("cpu")(lambda: 3)() == 3 and not amp.is_autocast_available("cpu")
    assert jit.ignore(len) is len and not jit.is_scripting()


def test_torchscript_is_refused_with_what_there_is() -> None:
    with pytest.raises(UsageError, match=r"no TorchScript; byhand\.compile"):
        jit.script(len)


def test_settings_are_accepted() -> None:
    byhand.use_deterministic_algorithms(True)
    byhand.set_float32_matmul_precision("high")
    byhand.set_default_device("cpu")
    assert byhand.are_deterministic_algorithms_enabled() and byhand.get_float32_matmul_precision() == "highest"
    assert str(byhand.get_default_device()) == "cpu"
    with pytest.raises(UsageError, match="no device 'cuda'"):
        byhand.set_default_device("cuda")
    state = byhand.get_rng_state()
    first = byhand.rand(3).tolist()
    byhand.set_rng_state(state)
    assert byhand.rand(3).tolist() == first

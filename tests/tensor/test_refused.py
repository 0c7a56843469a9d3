"""What byhand leaves out on purpose: a name that says why, and what to write instead."""

from __future__ import annotations

import pytest

import byhand
from byhand import nn
from byhand.core import scope
from byhand.core.errors import DtypeError, UsageError
from byhand.tensor.refused import REASONS


@pytest.mark.parametrize("reason", REASONS)
def test_methods_say_why(reason: str) -> None:
    for name in REASONS[reason].split():
        with pytest.raises(UsageError, match=f"Tensor.{name}: ") as error:
            getattr(byhand.zeros(2), name)()
        assert reason in str(error.value)


def test_names_say_why() -> None:
    for reason, names in scope.OUT.items():
        for name in names.split():
            with pytest.raises(AttributeError) as error:
                getattr(byhand, name)
            assert str(error.value) == f"byhand has no {name!r}: {reason}"
    with pytest.raises(AttributeError, match=r"^byhand has no 'nonsense'$"):
        byhand.nonsense


def test_a_dtype_that_can_be_named_only() -> None:
    assert {"bfloat16": byhand.bfloat16}  # as in a table of dtypes at a script's beginning
    for use in (lambda: byhand.zeros(2, dtype=byhand.bfloat16), lambda: byhand.zeros(2).to(byhand.bfloat16)):
        with pytest.raises(DtypeError, match=r"bfloat16, which NumPy has not, is no dtype; use byhand\.float32"):
            use()
    with byhand.autocast("cpu", dtype=byhand.bfloat16):
        assert nn.Linear(2, 2)(byhand.zeros(1, 2)).dtype == byhand.float32


def test_one_process_on_one_machine() -> None:
    from byhand import distributed
    from byhand.nn.parallel import DistributedDataParallel

    assert not distributed.is_available() and not distributed.is_initialized()
    assert (distributed.get_rank(), distributed.get_world_size()) == (0, 1)
    with pytest.raises(UsageError, match="computes in one process"):
        distributed.init_process_group("gloo")
    with pytest.raises(UsageError, match="use the module as it is"):
        DistributedDataParallel(nn.Linear(1, 1))
    with pytest.raises(UsageError, match="there are no devices"):
        nn.DataParallel(nn.Linear(1, 1), device_ids=[0, 1])
    wrapped = nn.DataParallel(nn.Linear(2, 1))
    x = byhand.randn(3, 2)
    assert byhand.equal(wrapped(x), wrapped.module(x))
    assert list(wrapped.state_dict()) == ["module.weight", "module.bias"]


def test_old_names_warn_and_work() -> None:
    layer = nn.Linear(2, 2)
    with pytest.warns(FutureWarning, match="nn.init.constant is called nn.init.constant_ now"):
        nn.init.constant(layer.weight, 3.0)
    assert layer.weight.tolist() == [[3.0, 3.0], [3.0, 3.0]]
    with pytest.raises(AttributeError):
        nn.init.nothing
    layer(byhand.ones(1, 2)).sum().backward()
    with pytest.warns(FutureWarning, match="is called clip_grad_norm_ now"):
        nn.utils.clip_grad_norm(layer.parameters(), 1.0)
    assert nn.utils.get_total_norm([p.grad for p in layer.parameters()]).item() == pytest.approx(1.0, abs=1e-5)
    x = byhand.zeros(2, dtype=byhand.float64)
    assert x.new(3, 4).shape == (3, 4) and x.new([1, 2]).tolist() == [1.0, 2.0] and x.new(3, 4).dtype == x.dtype


def test_what_scripts_ask_for() -> None:
    from byhand.utils.checkpoint import checkpoint, checkpoint_sequential
    from byhand.utils.data import get_worker_info

    assert get_worker_info() is None
    layer = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    x = byhand.randn(3, 2)
    assert byhand.equal(checkpoint(layer, x, use_reentrant=False), layer(x))
    assert byhand.equal(checkpoint_sequential(layer, 2, x), layer(x))
    assert not x.is_pinned() and not x.is_shared()
    assert byhand.can_cast(byhand.int64, byhand.float32) and not byhand.can_cast(byhand.float32, byhand.int64)
    byhand.manual_seed(0)
    with byhand.random.fork_rng():
        first = byhand.rand(2)
    assert byhand.equal(byhand.rand(2), first)
    with byhand.random.fork_rng(enabled=False):
        byhand.rand(2)
    assert not byhand.equal(byhand.rand(2), first)


def test_anomalies_are_found_where_they_arise() -> None:
    x = byhand.zeros(1, requires_grad=True)
    with pytest.raises(FloatingPointError, match="invalid value"), byhand.autograd.detect_anomaly():
        (x.sqrt() * 0).backward()
    with byhand.autograd.set_detect_anomaly(False):
        assert byhand.ones(1).log().item() == 0
    byhand.autograd.set_detect_anomaly(True)
    with pytest.raises(FloatingPointError):
        byhand.zeros(1) / byhand.zeros(1)
    byhand.autograd.set_detect_anomaly(False)


def test_longer_paths() -> None:
    """As in older scripts, from the file in which PyTorch has it."""
    from byhand.distributions.categorical import Categorical as Again
    from byhand.distributions.kl import kl_divergence as divergence
    from byhand.nn.modules import Module
    from byhand.nn.modules.loss import CrossEntropyLoss
    from byhand.utils.data.dataloader import DataLoader
    from byhand.utils.data.dataset import Dataset

    from byhand.distributions import Categorical, kl_divergence

    assert (Again, divergence) == (Categorical, kl_divergence)
    assert (Module, CrossEntropyLoss) == (nn.Module, nn.CrossEntropyLoss)
    assert (DataLoader, Dataset) == (byhand.utils.data.DataLoader, byhand.data.Dataset)
    assert nn.modules.conv.Conv2d is nn.Conv2d and nn.modules.Linear is nn.Linear
    assert not hasattr(nn.modules, "paths")


def test_close_and_not() -> None:
    from byhand.testing import assert_close

    x = byhand.ones(3)
    assert_close({"a": [x, 1.0]}, {"a": [x + 1e-6, 1.0]})
    assert_close(x, x.double(), check_dtype=False)
    assert_close(byhand.tensor([float("nan")]), byhand.tensor([float("nan")]), equal_nan=True)
    for actual, expected, message in (
        (x, x + 1e-4, r"3 of 3 values are not close: the largest difference is 0\.0001"),
        (x, x.double(), "the dtypes differ: float32 and float64"),
        (x, x[:2], r"the shapes differ: \(3,\) and \(2,\)"),
        ([x], [x, x], "the lengths differ: 1 and 2"),
        ({"a": x}, {"b": x}, "the keys differ"),
        (byhand.tensor([1, 2]), byhand.tensor([1, 3]), "1 of 2 values"),
        (byhand.tensor([float("nan")]), byhand.tensor([float("nan")]), "1 of 1 values"),
    ):
        with pytest.raises(AssertionError, match=message):
            assert_close(actual, expected)
    with pytest.raises(AssertionError, match="mine: 3 of 3"):
        assert_close(x, 2 * x, msg=lambda found: f"mine: {found}")
    with pytest.raises(UsageError, match="both rtol and atol"):
        assert_close(x, x, rtol=0.1)


def test_switches_without_effect() -> None:
    byhand.set_num_interop_threads(4)
    assert byhand.get_num_interop_threads() == 1 and not byhand.set_flush_denormal(True)

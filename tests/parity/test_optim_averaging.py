"""`swa_utils` against PyTorch's: averaged models, their buffers, `update_bn` and the schedule `SWALR`."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import byhand  # noqa: E402
from byhand.core.errors import CheckpointError, UsageError  # noqa: E402

LIBRARIES = byhand, torch
WIDTH = 3


def network(library):
    nn = library.nn
    return nn.Sequential(nn.Linear(WIDTH, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 2)).double()


def fill(model, rng):
    for x in [*model.parameters(), *model.buffers()]:
        value = (
            rng.uniform(0.1, 2.0, tuple(x.shape)) if "float" in str(x.dtype) else rng.integers(0, 1000, tuple(x.shape))
        )
        x.data.copy_((byhand if isinstance(x, byhand.Tensor) else torch).tensor(value))


def state(model):
    return {key: value.detach().numpy() for key, value in model.state_dict().items()}


def assert_same(ours, theirs):
    mine, reference = state(ours), state(theirs)
    assert list(mine) == list(reference)
    for key in mine:
        np.testing.assert_allclose(mine[key], reference[key], rtol=1e-12, atol=1e-12, err_msg=key)


@pytest.fixture(autouse=True)
def pytorch_divides_counts_in_float64():
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


KINDS = {
    "mean": lambda swa: {},
    "swa_avg_fn": lambda swa: {"avg_fn": swa.get_swa_avg_fn()},
    "ema_avg_fn": lambda swa: {"avg_fn": swa.get_ema_avg_fn(0.7)},
    "swa_multi": lambda swa: {"multi_avg_fn": swa.get_swa_multi_avg_fn()},
    "ema_multi": lambda swa: {"multi_avg_fn": swa.get_ema_multi_avg_fn()},
    "own": lambda swa: {"avg_fn": lambda averaged, current, count: 0.1 * averaged + 0.9 * current + 0 * count},
}


@pytest.mark.parametrize("use_buffers", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_an_averaged_model_equals_pytorchs(kind, use_buffers):
    if kind == "swa_multi" and use_buffers:
        pytest.skip("PyTorch cannot average integer buffers this way")
    averaged = []
    for library in LIBRARIES:
        swa, rng = library.optim.swa_utils, np.random.default_rng(0)
        model = network(library)
        fill(model, rng)
        average = swa.AveragedModel(model, use_buffers=use_buffers, **KINDS[kind](swa))
        for _ in range(5):
            fill(model, rng)
            average.update_parameters(model)
        averaged.append(average)
    assert averaged[0].n_averaged.item() == 5
    assert_same(*averaged)
    x = np.random.default_rng(1).normal(size=(5, WIDTH))
    ours, theirs = (a.eval()(library.tensor(x)) for a, library in zip(averaged, LIBRARIES, strict=True))
    np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-10)


def test_the_average_is_saved_and_the_model_is_left_alone():
    swa = byhand.optim.swa_utils
    model = network(byhand)
    average, twin = swa.AveragedModel(model), swa.AveragedModel(network(byhand))
    for _ in range(3):
        fill(model, np.random.default_rng(_))
        average.update_parameters(model)
    before = {key: value.copy() for key, value in state(model).items()}
    twin.load_state_dict(average.state_dict())
    for a in (average, twin):
        a.update_parameters(model)
    assert all(np.array_equal(x, y) for x, y in zip(state(average).values(), state(twin).values(), strict=True))
    assert all(np.array_equal(x, y) for x, y in zip(state(model).values(), before.values(), strict=True))
    with pytest.raises(CheckpointError, match="missing 'n_averaged'"):
        average.load_state_dict(model.state_dict())


@pytest.mark.parametrize("paired", [False, True])
def test_update_bn_equals_pytorchs(paired):
    models = []
    for library in LIBRARIES:
        rng = np.random.default_rng(0)
        model = network(library)
        fill(model, rng)
        batches = [library.tensor(rng.normal(size=(6, WIDTH)) + i) for i in range(4)]
        model.eval()
        library.optim.swa_utils.update_bn([(x, 0) for x in batches] if paired else batches, model)
        models.append(model)
    assert_same(*models)
    assert not models[0].training and models[0][1].momentum == 0.1


def test_update_bn_of_a_model_without_any_reads_nothing():
    byhand.optim.swa_utils.update_bn(iter(lambda: 1 / 0, None), byhand.nn.Linear(1, 1))


@pytest.mark.parametrize(
    "options",
    [
        {"swa_lr": 0.05},
        {"swa_lr": [0.05, 0.5], "anneal_epochs": 4},
        {"swa_lr": 0.3, "anneal_epochs": 7, "anneal_strategy": "linear"},
        {"swa_lr": 0.3, "anneal_epochs": 0},
        {"swa_lr": 0.3, "anneal_epochs": 1, "anneal_strategy": "linear"},
    ],
)
@pytest.mark.parametrize("chained", [False, True])
def test_swalr_equals_pytorchs(options, chained):
    rates = []
    for library in LIBRARIES:
        groups = [{"params": [library.ones(1, requires_grad=True)], "lr": lr} for lr in (0.1, 0.7)]
        optimizer = library.optim.SGD(groups, lr=1.0)
        other = library.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
        swa = library.optim.swa_utils.SWALR(optimizer, **options)
        path = []
        for i in range(15):
            optimizer.step()
            (other if chained and i < 3 else swa).step()
            path.append([group["lr"] for group in optimizer.param_groups])
            if library is byhand and i == 6:  # continued from a saved state
                saved = swa.state_dict()
                swa = byhand.optim.swa_utils.SWALR(optimizer, **options)
                swa.load_state_dict(saved)
                for group, lr in zip(optimizer.param_groups, path[-1], strict=True):
                    group["lr"] = lr
        rates.append(path)
        if library is byhand:
            assert swa.get_last_lr() == path[-1]
    np.testing.assert_allclose(*rates, rtol=1e-12)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"swa_lr": [0.1]}, "swa_lr has 1 values"),
        ({"swa_lr": 0.1, "anneal_strategy": "exp"}, "'cos' or 'linear'"),
        ({"swa_lr": 0.1, "anneal_epochs": -1}, "anneal_epochs must be"),
        ({"swa_lr": -0.1}, "swa_lr must be"),
    ],
)
def test_swalr_refuses(options, message):
    groups = [{"params": [byhand.ones(1, requires_grad=True)]} for _ in range(2)]
    with pytest.raises(UsageError, match=message):
        byhand.optim.swa_utils.SWALR(byhand.optim.SGD(groups, lr=1.0), **options)


def test_both_functions_and_impossible_decays_are_refused():
    swa = byhand.optim.swa_utils
    with pytest.raises(UsageError, match="only one of avg_fn and multi_avg_fn"):
        swa.AveragedModel(network(byhand), avg_fn=swa.get_swa_avg_fn(), multi_avg_fn=swa.get_swa_multi_avg_fn())
    for make in (swa.get_ema_avg_fn, swa.get_ema_multi_avg_fn):
        with pytest.raises(UsageError, match="0 <= decay <= 1"):
            make(1.5)


@pytest.mark.parametrize("name", torch.optim.swa_utils.__all__)
def test_names_and_arguments_are_those_of_pytorch(name):
    assert name in byhand.optim.swa_utils.__all__
    ours, theirs = (inspect.signature(getattr(library.optim.swa_utils, name)).parameters for library in LIBRARIES)
    assert [(p.name, p.default) for p in ours.values()] == [(p.name, p.default) for p in theirs.values()]

"""PyTorch's own questions about optimisers, its `optim_db`: the same trajectories and states, and the same refusals."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("expecttest", reason="PyTorch's databases of samples need it")

import byhand  # noqa: E402
from byhand.core.errors import UsageError  # noqa: E402
from parity.databases.optimizers import REFUSED, ask, assert_same, entries, in_float64, plain, started  # noqa: E402

NO_ERROR_HERE = "complex", "foreach", "Tensors"  # no such tensors, one kernel, and tensors of one element are read
INPUTS = [
    (name, given)
    for name, info in entries().items()
    for given in info.optim_inputs_func(device="cpu")
    if name not in REFUSED
]
ERRORS = [
    (name, error)
    for name, info in entries().items()
    for error in info.optim_error_inputs_func(device="cpu", dtype=torch.float64)
    if name not in REFUSED and not any(word in error.optimizer_error_input.desc for word in NO_ERROR_HERE)
]


@pytest.fixture(autouse=True)
def both_in_float64():
    with in_float64():
        yield


@pytest.mark.parametrize("name", sorted(entries()))
def test_trajectories_and_states_equal_pytorchs(name):
    outcome = ask(entries()[name])
    assert outcome.status == ("refused" if name in REFUSED else "pass"), outcome.detail


@pytest.mark.parametrize("name, given", INPUTS, ids=[f"{name}-{given.desc}" for name, given in INPUTS])
def test_a_state_of_pytorch_is_continued(name, given):
    ours, theirs = (started(library, name, given.kwargs) for library in (byhand, torch))
    theirs[0].advance(theirs[1], 3)
    saved = theirs[1].state_dict()
    convert = lambda x: byhand.tensor(x.detach().numpy()) if isinstance(x, torch.Tensor) else x  # noqa: E731
    state = {
        i: {k: [*map(convert, v)] if isinstance(v, list) else convert(v) for k, v in entries.items()}
        for i, entries in saved["state"].items()
    }
    ours[1].load_state_dict({"state": state, "param_groups": saved["param_groups"]})
    for p, reference in zip(ours[0].params, theirs[0].params, strict=True):
        p.data = byhand.tensor(reference.detach().numpy().copy())
    for problem, optimizer in (ours, theirs):
        problem.advance(optimizer, 3)
    assert_same(ours, theirs)


@pytest.mark.parametrize("name, error", ERRORS, ids=[f"{n}-{e.optimizer_error_input.desc}" for n, e in ERRORS])
def test_what_pytorch_refuses_is_refused(name, error):
    made = {}

    def ours(value):
        if isinstance(value, torch.Tensor):
            tensor = byhand.tensor(value.detach().numpy(), requires_grad=value.requires_grad)
            return made.setdefault(id(value), tensor)
        if isinstance(value, dict):
            return {key: ours(entry) for key, entry in value.items()}
        return type(value)(map(ours, value)) if isinstance(value, (list, tuple)) else value

    given = error.optimizer_error_input
    shape = (2, 2) if name == "Muon" else (3,)
    params = [byhand.ones(*shape, requires_grad=True)] if given.params is None else ours(given.params)
    with pytest.raises((UsageError, TypeError)):
        getattr(byhand.optim, name)(params, **plain(given.kwargs) if given.params is not None else ours(given.kwargs))


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_is_out_of_scope_says_so(name):
    with pytest.raises(UsageError, match=f"{name}: .* out of this library's scope; use Adam"):
        getattr(byhand.optim, name)([byhand.ones(2, requires_grad=True)])


def test_no_optimiser_of_pytorch_is_missing():
    assert set(entries()) <= set(byhand.optim.__all__)
    classes = {n for n in dir(torch.optim) if isinstance(getattr(torch.optim, n), type)}
    assert classes == {n for n in dir(byhand.optim) if isinstance(getattr(byhand.optim, n), type)}


def rosenbrock(library, **options):
    x = library.tensor([-1.2, 1.0, -0.5, 0.8], requires_grad=True)
    optimizer = library.optim.LBFGS([x], **options)
    path, evaluations = [], 0

    def closure():
        nonlocal evaluations
        evaluations += 1
        optimizer.zero_grad()
        loss = (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()
        loss.backward()
        return loss

    for _ in range(12):
        optimizer.step(closure)
        path.append(x.detach().numpy().copy())
    return path, evaluations


@pytest.mark.parametrize(
    "options",
    [
        {"line_search_fn": "strong_wolfe", "max_iter": 5},
        {"line_search_fn": "strong_wolfe", "max_iter": 4, "history_size": 2, "max_eval": 7},
        {"line_search_fn": "strong_wolfe", "lr": 100.0, "max_iter": 3, "tolerance_change": 1e-5},
        {"line_search_fn": "strong_wolfe", "lr": 1e-4, "max_iter": 2, "max_eval": 3},
        {"line_search_fn": "strong_wolfe", "max_iter": 20, "tolerance_grad": 1e-2},
        {"lr": 0.1, "max_iter": 3, "history_size": 3},
        {"lr": 0.3, "max_iter": 8, "max_eval": 5, "tolerance_change": 1e-3},
    ],
)
def test_lbfgs_takes_pytorchs_path_through_a_valley(options):
    """The path, and how often the closure was called: the line search decides the same at every turn."""
    byhand.set_default_dtype(byhand.float64)
    try:
        (path, evaluations), (expected, count) = (rosenbrock(library, **options) for library in (byhand, torch))
    finally:
        byhand.set_default_dtype(byhand.float32)
    assert evaluations == count
    np.testing.assert_allclose(path, expected, rtol=1e-6, atol=1e-8)

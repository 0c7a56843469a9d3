"""Every optimiser's trajectory against PyTorch's, over 100 steps in float64."""

from __future__ import annotations

import inspect
import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import byhand  # noqa: E402

STEPS = 100

CASES = [
    ("SGD", {}),
    ("SGD", {"lr": 0.1, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.05, "momentum": 0.8, "dampening": 0.3, "weight_decay": 0.02}),
    ("SGD", {"lr": 0.05, "momentum": 0.9, "nesterov": True}),
    ("SGD", {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 0.02}),
    ("SGD", {"lr": 0.001, "maximize": True, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.001, "momentum": 0.5, "dampening": 0.1, "weight_decay": 0.1, "maximize": True}),
    ("SGD", {"lr": 0.001, "momentum": 0.5, "nesterov": True, "weight_decay": 0.1, "maximize": True}),
    ("Adagrad", {}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.01, "weight_decay": 0.1}),
    ("Adagrad", {"lr": 0.1, "initial_accumulator_value": 0.2, "eps": 1e-4, "maximize": True}),
    ("RMSprop", {}),
    ("RMSprop", {"lr": 0.01, "momentum": 0.9, "weight_decay": 0.1}),
    ("RMSprop", {"lr": 0.003, "alpha": 0.9, "centered": True, "eps": 1e-3}),
    ("RMSprop", {"lr": 0.003, "alpha": 0.9, "centered": True, "momentum": 0.5, "eps": 1e-3, "maximize": True}),
    ("Adadelta", {}),
    ("Adadelta", {"lr": 0.5, "rho": 0.8, "weight_decay": 0.1}),
    ("Adadelta", {"lr": 0.1, "eps": 1e-3, "maximize": True}),
    ("Adam", {}),
    ("Adam", {"lr": 0.05, "betas": (0.8, 0.99), "weight_decay": 0.1}),
    ("Adam", {"lr": 0.01, "amsgrad": True, "eps": 1e-4}),
    ("Adam", {"lr": 0.01, "weight_decay": 0.1, "maximize": True, "amsgrad": True}),
    ("Adam", {"lr": 0.002, "betas": (0.0, 0.9), "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("AdamW", {}),
    ("AdamW", {"lr": 0.05, "weight_decay": 0.3, "amsgrad": True}),
    ("AdamW", {"lr": 0.01, "maximize": True}),
    ("NAdam", {}),
    ("NAdam", {"lr": 0.05, "weight_decay": 0.1, "momentum_decay": 0.05}),
    ("NAdam", {"lr": 0.01, "weight_decay": 0.1, "decoupled_weight_decay": True, "betas": (0.8, 0.99)}),
    ("NAdam", {"lr": 0.01, "maximize": True}),
    ("Adamax", {}),
    ("Adamax", {"lr": 0.01, "betas": (0.8, 0.9), "weight_decay": 0.1, "eps": 1e-3}),
    ("Adamax", {"lr": 0.01, "maximize": True}),
    ("ASGD", {}),
    ("ASGD", {"lr": 0.05, "lambd": 0.01, "alpha": 0.6, "t0": 20, "weight_decay": 0.1}),
    ("ASGD", {"lr": 0.01, "t0": 0.0, "maximize": True}),
    ("RAdam", {}),
    ("RAdam", {"lr": 0.05, "betas": (0.8, 0.9), "weight_decay": 0.1}),
    ("RAdam", {"lr": 0.01, "weight_decay": 0.1, "decoupled_weight_decay": True, "eps": 1e-3}),
    ("RAdam", {"lr": 0.01, "betas": (0.9, 0.5), "maximize": True}),
    ("Rprop", {}),
    ("Rprop", {"lr": 0.1, "etas": (0.7, 1.5), "step_sizes": (0.001, 0.2)}),
    ("Rprop", {"lr": 0.001, "maximize": True, "step_sizes": (1e-6, 0.01)}),
    ("Adafactor", {}),
    ("Adafactor", {"lr": 0.5, "beta2_decay": -0.5, "eps": (1e-8, 0.1), "d": 2.0, "weight_decay": 0.01}),
    ("Adafactor", {"lr": 0.003, "maximize": True}),
]
IDS = [f"{i}-{name}" for i, (name, _) in enumerate(CASES)]
NAMES = sorted({name for name, _ in CASES})


@pytest.fixture(autouse=True)
def pytorch_keeps_its_scalars_in_float64():
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


class Bowl:
    """Three parameters under f = Σ (A a)² / 2 + Σ sin(b) + (c − 3)², with the gradient written out in NumPy."""

    def __init__(self, library):
        rng = np.random.default_rng(0)
        self.A = rng.normal(size=(4, 4))
        start = rng.normal(size=(4, 3)), rng.normal(size=5), np.array(0.5)
        self.library = library
        self.params = [library.tensor(x, requires_grad=True) for x in start]

    def groups(self, lr):
        a, b, c = self.params
        return [{"params": [a, c]}, {"params": [b], "lr": lr / 4}]

    def values(self):
        return [p.detach().numpy().copy() for p in self.params]

    def differentiate(self):
        a, b, c = self.values()
        for p, g in zip(self.params, (self.A.T @ self.A @ a, np.cos(b), 2 * (c - 3)), strict=True):
            p.grad = self.library.tensor(np.asarray(g))


def start(library, name, options):
    bowl = Bowl(library)
    return bowl, getattr(library.optim, name)(bowl.groups(options.get("lr", 0.01)), **options)


def advance(bowl, optimizer, steps):
    for _ in range(steps):
        bowl.differentiate()
        optimizer.step()


def assert_equal(ours, theirs):
    for x, reference in zip(ours.values(), theirs.values(), strict=True):
        np.testing.assert_allclose(x, reference, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name, options", CASES, ids=IDS)
def test_trajectory_equals_pytorch(name, options):
    (ours, optimizer), (theirs, reference) = (start(library, name, options) for library in (byhand, torch))
    before = ours.values()
    for _ in range(STEPS):
        advance(ours, optimizer, 1)
        advance(theirs, reference, 1)
        assert_equal(ours, theirs)
    assert all(np.all(x != y) for x, y in zip(ours.values(), before, strict=True))


@pytest.mark.parametrize("name, options", CASES, ids=IDS)
def test_state_dict_equals_pytorch(name, options):
    (ours, optimizer), (theirs, reference) = (start(library, name, options) for library in (byhand, torch))
    advance(ours, optimizer, 7)
    advance(theirs, reference, 7)
    saved, expected = optimizer.state_dict(), reference.state_dict()
    assert saved["param_groups"] == expected["param_groups"]
    assert saved["state"].keys() == expected["state"].keys()
    for entries, wanted in zip(saved["state"].values(), expected["state"].values(), strict=True):
        assert entries.keys() == wanted.keys()
        for key, value in entries.items():
            number = value.detach().numpy() if isinstance(value, byhand.Tensor) else value
            np.testing.assert_allclose(number, wanted[key].numpy(), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name, options", CASES, ids=IDS)
def test_a_state_of_pytorch_is_continued(name, options):
    theirs, reference = start(torch, name, options)
    advance(theirs, reference, 30)
    ours, optimizer = start(byhand, name, options)
    for p, value in zip(ours.params, theirs.values(), strict=True):
        p.data = byhand.tensor(value)
    saved = reference.state_dict()
    state = {
        i: {key: byhand.tensor(value.numpy()) for key, value in entries.items()}
        for i, entries in saved["state"].items()
    }
    groups = json.loads(json.dumps(saved["param_groups"]))
    optimizer.load_state_dict({"state": state, "param_groups": groups})
    for _ in range(30):
        advance(ours, optimizer, 1)
        advance(theirs, reference, 1)
        assert_equal(ours, theirs)


@pytest.mark.parametrize("name", NAMES)
def test_float32_stays_near_pytorch(name):
    finals = []
    for library in (byhand, torch):
        bowl = Bowl(library)
        bowl.params = [library.tensor(x.astype(np.float32), requires_grad=True) for x in bowl.values()]
        bowl.A = bowl.A.astype(np.float32)
        advance(bowl, getattr(library.optim, name)(bowl.params, lr=0.01), 50)
        finals.append(bowl.values())
    for x, reference in zip(*finals, strict=True):
        assert x.dtype == np.float32
        np.testing.assert_allclose(x, reference, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("name", NAMES)
def test_arguments_and_defaults_are_those_of_pytorch(name):
    ours, theirs = (inspect.signature(getattr(library.optim, name)).parameters for library in (byhand, torch))
    assert [(p.name, p.kind) for p in ours.values()] == [(p.name, p.kind) for p in theirs.values()]
    assert [p.default for p in ours.values()] == [p.default for p in theirs.values()]


SCHEDULES = [name for name in byhand.optim.lr_scheduler.__all__ if name != "LRScheduler"]


def test_no_schedule_of_pytorch_is_missing():
    public = {name for name in torch.optim.lr_scheduler.__all__ if not name.startswith("_")}
    assert set(byhand.optim.lr_scheduler.__all__) == public


@pytest.mark.parametrize("name", SCHEDULES)
def test_arguments_and_defaults_of_schedules_are_those_of_pytorch(name):
    ours, theirs = (
        inspect.signature(getattr(library.optim.lr_scheduler, name)).parameters for library in (byhand, torch)
    )
    assert list(ours) == list(theirs)
    assert [p.default for p in ours.values()] == [p.default for p in theirs.values()]


def test_repr_reads_like_pytorch():
    (_, optimizer), (_, reference) = (start(library, "AdamW", {}) for library in (byhand, torch))
    assert repr(optimizer) == repr(reference)

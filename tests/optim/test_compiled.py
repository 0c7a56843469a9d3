"""A compiled step with each optimiser is the eager one, in every dialect, over several steps."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

import byhand
from byhand import nn, optim
from byhand.core.errors import CaptureError
from byhand.nn import functional as F

DIALECTS = ["planned", "longhand", "loops"] if find_spec("llvmlite") else ["planned", "longhand"]

CASES = [  # and how many programs it is: branches that Python takes by numbers are guards
    (optim.Adamax, {"weight_decay": 0.1}, 1),
    (optim.Adamax, {"maximize": True}, 1),
    (optim.RAdam, {"lr": 0.1, "weight_decay": 0.1}, 2),
    (optim.RAdam, {"betas": (0.9, 0.7), "decoupled_weight_decay": True, "weight_decay": 0.1}, 1),
    (optim.ASGD, {}, 1),
    (optim.ASGD, {"t0": 2, "weight_decay": 0.1}, 3),
    (optim.Rprop, {}, 1),
    (optim.Adafactor, {}, 1),
    (optim.Adafactor, {"lr": 0.9, "weight_decay": 0.1, "eps": (1e-30, 1e-3), "maximize": True}, 2),
    (optim.Muon, {}, 1),
    (optim.Muon, {"adjust_lr_fn": "match_rms_adamw", "nesterov": False, "ns_steps": 2}, 1),
    (optim.Adam, {"amsgrad": True, "weight_decay": 0.1}, 1),
]


def training(cls, options):
    byhand.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 5, bias=False), nn.Tanh(), nn.Linear(5, 3, bias=False)).double()
    optimizer = cls(model.parameters(), **options)

    def step(x, y):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return model, optimizer, step


def trained(model, optimizer, step):
    rng = np.random.default_rng(0)
    for i in range(8):
        optimizer.param_groups[0]["lr"] *= 0.9 if i < 4 else 1  # what a schedule does
        x, y = byhand.tensor(rng.normal(size=(6, 4))), byhand.tensor(rng.integers(0, 3, 6))
        step(x, y)
    state = optimizer.state_dict()["state"]
    entries = [value for i in state for value in state[i].values()]
    return [
        np.asarray(x.detach().numpy() if isinstance(x, byhand.Tensor) else x) for x in [*model.parameters(), *entries]
    ]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("cls, options, programs", CASES)
def test_compiled_equals_eager(cls, options, programs, dialect):
    eager = trained(*training(cls, options))
    model, optimizer, step = training(cls, options)
    compiled = byhand.compile(step, dialect=dialect)
    for x, reference in zip(trained(model, optimizer, compiled), eager, strict=True):
        np.testing.assert_allclose(x, reference, rtol=1e-9, atol=1e-12)
    assert f"{programs} program" in repr(compiled)


def test_a_step_of_lbfgs_is_refused():
    _, optimizer, _ = training(optim.LBFGS, {})
    compiled = byhand.compile(lambda: optimizer.step(lambda: None))
    with pytest.raises(CaptureError, match="a step of LBFGS"):
        compiled()


def test_lbfgs_falls_back_to_eager():
    w = byhand.tensor([3.0, -2.0], requires_grad=True)
    optimizer = optim.LBFGS([w])

    def closure():
        optimizer.zero_grad()
        loss = (w * w).sum()
        loss.backward()
        return loss

    @byhand.compile(fallback="eager")
    def step():
        return optimizer.step(closure)

    with pytest.warns(UserWarning, match="runs eagerly: .*a step of LBFGS"):
        assert step().item() == 13.0
    assert np.abs(w.detach().numpy()).max() < 1e-5

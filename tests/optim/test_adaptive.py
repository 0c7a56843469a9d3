"""First steps by hand and options switched on later, for the optimisers that scale each weight's step.

Mirrors adagrad.py, rmsprop.py, adadelta.py, adam.py and nadam.py; the trajectories are compared in tests/parity.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

import byhand
from byhand import optim


def parameter(value, gradient):
    p = byhand.tensor([value], dtype=byhand.float64, requires_grad=True)
    p.grad = byhand.tensor([gradient], dtype=byhand.float64)
    return p


@pytest.mark.parametrize(
    "cls, options, step",
    [
        (optim.Adagrad, {"lr": 0.5}, 0.5),
        (optim.Adagrad, {"lr": 0.5, "initial_accumulator_value": 7.0}, 0.375),
        (optim.RMSprop, {"lr": 0.5, "alpha": 0.75}, 1.0),
        (optim.Adadelta, {"eps": 1e-4, "rho": 0.9}, math.sqrt(1e-4 / (0.9 + 1e-4)) * 3),
        (optim.Adam, {"lr": 0.5}, 0.5),
        (optim.AdamW, {"lr": 0.5, "weight_decay": 0.1}, 0.5 + 0.05 * 2),
        (optim.NAdam, {"lr": 0.5, "momentum_decay": 0.0, "betas": (0.8, 0.9)}, None),
    ],
)
def test_first_step_by_hand(cls, options, step):
    w = parameter(2.0, 3.0)
    cls([w], **options).step()
    if cls is optim.NAdam:  # μ₁ = μ₂ = 0.4, m = 0.6, v̂ = 9
        step = 0.5 * (0.6 / 0.6 * 3 + 0.4 / (1 - 0.16) * 0.6) / 3
    assert 2.0 - w.item() == pytest.approx(step, rel=1e-7)


def test_amsgrad_switched_on_later():
    w = parameter(1.0, 1.0)
    optimizer = optim.Adam([w], lr=0.1)
    optimizer.step()
    optimizer.param_groups[0]["amsgrad"] = True
    optimizer.step()
    assert optimizer.state[w]["max_exp_avg_sq"].tolist() == optimizer.state[w]["exp_avg_sq"].tolist()
    w.grad = byhand.zeros(1, dtype=byhand.float64)
    optimizer.step()
    assert optimizer.state[w]["max_exp_avg_sq"].item() > optimizer.state[w]["exp_avg_sq"].item()


def test_rmsprops_options_switched_on_later():
    w = parameter(1.0, 1.0)
    optimizer = optim.RMSprop([w], lr=0.1)
    optimizer.step()
    optimizer.param_groups[0].update(momentum=0.9, centered=True)
    optimizer.step()
    assert {"momentum_buffer", "grad_avg"} <= optimizer.state[w].keys()
    assert np.isfinite(w.item())


def test_adamw_is_decoupled_whatever_a_checkpoint_says():
    w = parameter(1.0, 1.0)
    saved = optim.Adam([w]).state_dict()
    optimizer = optim.AdamW([w])
    optimizer.load_state_dict(saved)
    assert optimizer.param_groups[0]["decoupled_weight_decay"] is True


def test_adagrad_has_its_state_from_the_start():
    w = parameter(1.0, 1.0)
    optimizer = optim.Adagrad([w], initial_accumulator_value=0.25)
    state = optimizer.state_dict()["state"][0]
    assert (state["step"], state["sum"].tolist()) == (0, [0.25])


def test_a_step_count_past_the_range_of_small_floats():
    w = parameter(1.0, 1.0)
    optimizer = optim.Adam([w], lr=0.1)
    optimizer.step()
    optimizer.state[w]["step"] = 2**24 + 1  # a float32 would stay there
    optimizer.step()
    assert optimizer.state[w]["step"] == 2**24 + 2

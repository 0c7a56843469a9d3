"""What is special to SGD; the trajectories are compared with PyTorch's in tests/parity."""

from __future__ import annotations

import pytest

import byhand
from byhand.core.errors import UsageError
from byhand.optim import SGD


def parameter(value):
    p = byhand.tensor([value], dtype=byhand.float64, requires_grad=True)
    p.grad = byhand.ones(1, dtype=byhand.float64)
    return p


def test_momentum_by_hand():
    w = parameter(0.0)
    optimizer = SGD([w], lr=1.0, momentum=0.5)
    path = []
    for _ in range(3):
        optimizer.step()
        path.append(w.item())
    assert path == [-1.0, -2.5, -4.25]  # velocities 1, 1.5, 1.75


def test_plain_sgd_keeps_no_state():
    w = parameter(1.0)
    optimizer = SGD([w], lr=0.1)
    optimizer.step()
    assert optimizer.state_dict()["state"] == {}


@pytest.mark.parametrize("options", [{}, {"momentum": 0.9, "dampening": 0.1}])
def test_nesterov_needs_momentum_without_dampening(options):
    with pytest.raises(UsageError, match="nesterov=True needs momentum > 0 and dampening = 0; got momentum="):
        SGD([parameter(1.0)], nesterov=True, **options)


def test_momentum_that_is_cycled_through_zero():
    w = parameter(0.0)
    optimizer = SGD([w], lr=1.0, momentum=0.5)
    optimizer.step()
    optimizer.param_groups[0]["momentum"] = 0
    optimizer.step()
    assert w.item() == -2.0

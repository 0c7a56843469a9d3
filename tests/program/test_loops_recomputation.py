"""What backward computes again: the results stay the same, less is kept, and what is dear or needed is kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite")

import byhand
from byhand import nn
from byhand.nn import functional as F
from byhand.program.loops import placement, recomputation
from byhand.program.loops.bounds import Bounds
from program.lowered import Lowered


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm, self.inner, self.outer = nn.LayerNorm(16), nn.Linear(16, 48), nn.Linear(16, 16)

    def forward(self, x: Any) -> Any:
        q, k, v = self.inner(self.norm(x)).split(16, dim=-1)
        return x + self.outer(F.scaled_dot_product_attention(q, k, v, is_causal=True))


def trained(monkeypatch: pytest.MonkeyPatch, least: int, dialect: str) -> tuple[list[Any], Any]:
    monkeypatch.setattr(recomputation, "LEAST", least)
    monkeypatch.setattr(placement, "LARGE", least)
    byhand.manual_seed(0)
    model = nn.Sequential(Block(), Block(), Block()).double()
    optimizer, x = byhand.optim.SGD(model.parameters(), lr=0.1), byhand.randn(4, 24, 16, dtype=byhand.float64)

    def step(x: Any) -> Any:
        optimizer.zero_grad()
        loss = (model(x) ** 2).mean()
        loss.backward()
        optimizer.step()
        return loss

    run = step if dialect == "eager" else byhand.compile(step, dialect=dialect)
    losses = [run(x).item() for _ in range(4)]
    return [losses, *[p.array.copy() for p in model.parameters()]], run


def test_a_transformer_keeps_less_and_trains_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    eager, _ = trained(monkeypatch, 1, "eager")
    found, frugal = trained(monkeypatch, 1, "loops")
    for mine, wanted in zip(found, eager, strict=True):
        np.testing.assert_allclose(mine, wanted, 1e-9, 1e-12)
    _, lavish = trained(monkeypatch, 1 << 40, "loops")
    sizes = [step.latest.executable.nbytes for step in (frugal, lavish)]
    assert sizes[0] < 0.9 * sizes[1]


@pytest.mark.parametrize(
    ("function", "count"),
    [
        (lambda x: (2 * x + 1).sin(), 1),  # x is there, and 2x + 1 costs nothing
        (lambda x: x.exp().sin(), 0),  # an exponential is dear
        (lambda x: x.tanh(), 0),
        (lambda x: (x @ x.T + 1).sin(), 0),  # nobody else needs the product, which is dear
    ],
)
def test_what_is_dear_is_kept(function: Any, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recomputation, "LEAST", 1)
    plan, plans = recomputation._Plan, []
    monkeypatch.setattr(recomputation, "_Plan", lambda program: plans.append(plan(program)) or plans[-1])
    x = byhand.randn(20, 30, dtype=byhand.float64).requires_grad_()
    step = byhand.compile(lambda x: byhand.autograd.grad(function(x).sum(), x)[0], dialect="loops")
    step(x)
    assert sum(len(each.again) for each in plans) == count
    np.testing.assert_allclose(step(x).array, byhand.autograd.grad(function(x).sum(), x)[0].array, 1e-12)


def test_constants_are_rows_for_certain() -> None:
    p = Lowered()
    x, rows = p.argument(np.ones((5, 3), np.float32)), p.constant(np.array([0, 4, 2]))
    bounds = Bounds(p.done(p("sin", x)))
    assert bounds.within(rows, 5) and not bounds.within(rows, 4)
    assert not bounds.within(p.constant(np.array([-1, 2])), 5)

"""The largest of windows is taken before the larger of that and 0, where nobody needs what is in between."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import byhand
from byhand.nn import functional as F
from byhand.tensor import Tensor

WINDOWS = [(2, 2, 0), (3, 2, 1), (3, 1, 0)]


def swapped(step: Any) -> bool:
    """Whether a compiled step's `relu` reads what `max_pool` gives."""
    text = step.text("lowered")
    shapes = [line.split(": f64")[1].split(" = ")[0] for line in text.splitlines() if " = maximum(0, " in line]
    assert len(shapes) == 1, text
    return shapes != ["[2,3,8,8]"]


def compared(function: Callable[[Tensor], list[Tensor]]) -> bool:
    """Run a function eagerly and compiled, on values of which many are equal; say whether the ops were swapped."""
    x = byhand.tensor(np.random.default_rng(0).integers(-2, 3, (2, 3, 8, 8)).astype(float), requires_grad=True)
    step = byhand.compile(function, dialect="planned")
    step(x)
    for mine, theirs in zip(step(x), function(x), strict=True):
        np.testing.assert_array_equal(mine.array, theirs.array)
    return swapped(step)


@pytest.mark.parametrize("window", WINDOWS)
def test_forward_alone(window: Any) -> None:
    assert compared(lambda x: [F.max_pool2d(x.relu(), *window)])


@pytest.mark.parametrize("window", WINDOWS)
def test_with_the_gradient(window: Any) -> None:
    def step(x: Tensor) -> list[Tensor]:
        y = F.max_pool2d((x * 1.0).relu(), *window)
        return [y, *byhand.autograd.grad((y * y).sum(), x)]

    assert compared(step)


def test_what_somebody_else_needs_stays() -> None:
    def shown(x: Tensor) -> list[Tensor]:
        before = x.relu()
        return [F.max_pool2d(before, 2), before]

    def added(x: Tensor) -> list[Tensor]:
        before = (x * 1.0).relu()
        y = F.max_pool2d(before, 2)
        return byhand.autograd.grad((y * y).sum() + (before * before).sum(), x)

    def twice(x: Tensor) -> list[Tensor]:
        before = (x * 1.0).relu()
        y = F.max_pool2d(before, 2)
        z = F.max_pool2d(before, 3)
        return byhand.autograd.grad((y * y).sum() + z.sum(), x)

    assert not compared(shown)
    assert not compared(added)
    assert not compared(twice)


def test_higher_derivatives() -> None:
    def step(x: Tensor) -> list[Tensor]:
        y = F.max_pool2d((x * x).relu(), 2)
        (slope,) = byhand.autograd.grad((y * y).sum(), x, create_graph=True)
        return [slope, *byhand.autograd.grad((slope * slope).sum(), x)]

    compared(step)

"""Eager = longhand = planned = loops over 200 random training steps: operations, views, in-place changes, updates."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import byhand
from byhand.tensor import Tensor
from program.random_steps import Code, Example, codes

RUNS = 3  # the first records, the others run the program
TOGETHER = 8  # steps in one program of loops, since a compilation costs a second
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]


def _agree(code: Code, dialect: str, tolerance: float) -> None:
    eager, compiled = Example(code), Example(code)
    step = byhand.compile(compiled.step, dialect=dialect)
    with np.errstate(all="ignore"):
        for _ in range(RUNS):
            expected = eager.values(eager.step(eager.x))
            _same(compiled.values(step(compiled.x)), expected, tolerance)


def _same(found: list[Any], expected: list[Any], tolerance: float) -> None:
    for mine, theirs in zip(found, expected, strict=True):
        assert mine.shape == theirs.shape
        assert mine.dtype == theirs.dtype
        np.testing.assert_allclose(mine, theirs, rtol=tolerance, atol=tolerance)


@given(codes())
@settings(max_examples=200, deadline=None, suppress_health_check=SLOW)
def test_planned_is_eager(code: Code) -> None:
    _agree(code, "planned", 1e-13)


@given(codes())
@settings(max_examples=200, deadline=None, suppress_health_check=SLOW)
def test_longhand_is_eager(code: Code) -> None:
    _agree(code, "longhand", 1e-10)


@given(st.lists(codes(8), min_size=TOGETHER, max_size=TOGETHER))
@settings(max_examples=200 // TOGETHER, deadline=None, suppress_health_check=SLOW)
def test_loops_are_eager(several: list[Code]) -> None:
    pytest.importorskip("llvmlite")
    eager, compiled = [Example(code) for code in several], [Example(code) for code in several]

    @byhand.compile(dialect="loops")
    def step(x: Tensor) -> list[Any]:
        return [example.step(x) for example in compiled]

    with np.errstate(all="ignore"):
        for _ in range(RUNS):
            results = step(eager[0].x)
            for mine, theirs, result in zip(compiled, eager, results, strict=True):
                _same(mine.values(result), theirs.values(theirs.step(theirs.x)), 1e-9)

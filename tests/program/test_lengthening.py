"""Planned programs give NumPy long runs: rows are taken together, short runs moved as elements. Bits stay the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from program.lowered import Lowered, Ran, values

LAST = (0, 3, 1, 2)


def images(p: Lowered, *shape: int, order: tuple[int, ...] = LAST) -> Any:
    """Images (N, C, H, W), computed, whose channels come last in memory."""
    x = p.argument(values(*shape).astype(np.float32))
    return p("multiply", p("transpose", x, axes=order), np.float32(2))


def checked(p: Lowered, *outputs: Any, writes: Any = ()) -> str:
    """The text of the step, which does what the interpreter does."""
    ran = Ran(p, p.done(*outputs, writes=writes))
    ran.agree()
    return ran.planned.source.partition("def step(")[2]


@pytest.mark.parametrize("shape", [(8, 32, 32, 16), (64, 31, 37, 8)])
def test_rows_are_taken_together(shape: Any) -> None:
    p = Lowered()
    x, row = images(p, *shape), p.state(values(shape[-1]).astype(np.float32), "bias")
    high = p("reshape", row, shape=(shape[-1], 1, 1))
    y = p("add", p("multiply", p("subtract", x, high), high), high)
    source = checked(p, p("tanh", y))
    assert all(len(call.split("f32[")[1].split(",")) == 2 for call in source.splitlines() if "subtract(" in call)
    assert source.count("copyto(") == 3  # of the row, repeated


def test_rows_of_few_or_wide_values_are_left_alone() -> None:
    for shape in ((8, 4, 4, 16), (8, 8, 8, 512)):
        p = Lowered()
        row = p.state(values(shape[-1]).astype(np.float32), "bias")
        y = p("add", images(p, *shape), p("reshape", row, shape=(shape[-1], 1, 1)))
        assert "copyto(" not in checked(p, p("tanh", y))


def test_short_runs_are_copied_first() -> None:
    p = Lowered()
    x = images(p, 16, 32, 32, 16)
    quarters = [p("slice", x, index=(..., slice(i, None, 2), slice(j, None, 2))) for i in (0, 1) for j in (0, 1)]
    largest = quarters[0]
    for quarter in quarters[1:]:
        largest = p("maximum", largest, quarter)
    source = checked(p, p("tanh", largest))
    assert source.count("_runs") == 8


@pytest.mark.parametrize(("count", "channels"), [(16, 16), (1, 256), (64, 1)])
def test_parts_are_put_in_runs(count: int, channels: int) -> None:
    p = Lowered()
    part = images(p, count, 16, 16, channels)
    whole = p("copy", 0.0, shape=(count, channels, 32, 32), order=(0, 2, 3, 1), dtype=np.float32)
    for i in (0, 1):
        for j in (0, 1):
            whole = p("assign", whole, part, index=(..., slice(i, None, 2), slice(j, None, 2)))
    source = checked(p, p("tanh", whole))
    assert source.count("_runs") == (8 if channels == 16 else 0)
    assert "[...] =" not in source  # every place is written


def test_what_is_not_covered_is_filled() -> None:
    p = Lowered()
    part = images(p, 4, 8, 8, 3)
    whole = p("copy", 0.0, shape=(4, 3, 10, 10), order=(0, 2, 3, 1), dtype=np.float32)
    assert "[...] =" in checked(p, p("tanh", p("assign", whole, part, index=(..., slice(1, 9), slice(1, 9)))))


def test_what_is_read_before_it_is_covered_is_filled() -> None:
    p = Lowered()
    part = p("multiply", p.argument(values(4, 3)), 2.0)
    whole = p("copy", 0.0, shape=(8, 3), dtype=np.float64)
    first = p("assign", whole, part, index=(slice(0, 4),))
    second = p("assign", first, part, index=(slice(4, 8),))
    checked(p, p("tanh", second), p("exp", first))

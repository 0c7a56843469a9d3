"""Copies as lines of NumPy: runs of values that lie in one piece in both arrays are moved as one element each.

So `copyto` takes 48 µs for 12,544 runs of 16 float32, and 80 number by number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from byhand.ops.runs import LEAST, LONGEST
from byhand.program.ir import Value
from byhand.program.planned.names import LoopNames, Names


def copied(out: Value, x: Value, names: Names, index: tuple[Any, ...] | None = None) -> tuple[str, str] | None:
    """The names of `out`, or of its part at a basic index, and of x as arrays of runs; None if that gains nothing."""
    lies = names.plan.layouts
    if isinstance(names, LoopNames) or out not in lies or x not in lies or out.size < LEAST or x.dtype != out.dtype:
        return None
    if not (names.is_static(out) and names.is_static(x)):
        return None
    itemsize = out.dtype.itemsize  # type: ignore[union-attr]
    shape, strides = lies[out].shape, lies[out].strides
    if index is not None:
        part = as_strided(np.empty(1, out.dtype), shape, strides)[index]
        shape, strides = part.shape, part.strides
    if shape != x.shape:
        return None
    order = sorted(range(len(shape)), key=lambda axis: -strides[axis])
    lead, size = _run(shape, (strides, lies[x].strides), order, itemsize)
    if size == 1 or size * itemsize > LONGEST:
        return None
    axes = "" if order == list(range(len(shape))) else f".transpose({order})"
    text = f'{axes}.reshape({(*[shape[axis] for axis in order[:lead]], size)}).view("V{size * itemsize}")'
    taken = "{}" if index is None else f"{{}}[{names.index(index)}]"
    return names.derived(out, "runs", taken + text), names.derived(x, "runs", "{}" + text)


def _run(
    shape: Sequence[int], strides: Sequence[Sequence[int]], order: Sequence[int], itemsize: int
) -> tuple[int, int]:
    """How many axes come before those that lie in one piece in all arrays, and how many values that is."""
    lead, size = len(order), 1
    while lead:
        axis = order[lead - 1]
        if shape[axis] != 1 and any(steps[axis] != size * itemsize for steps in strides):
            break
        lead, size = lead - 1, size * shape[axis]
    return lead, size

"""Longer runs for NumPy's loops, where channels come last and are few. Called by convolution, pooling, normalisation.

NumPy copies a view of 12,544 runs of 16 float32 in 80 µs, and in 48 if each run is one element of 64 bytes. Its ufuncs
copy such operands first, too, and no faster. And a row that is added to each row of (50176, 16) takes them 350 µs, in
runs of a thousand numbers 130, of more than fit their buffer (8192) 85. A program's symbols are left alone: dialects
copy as they like.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np

from byhand.core.variable import Array

LONGEST = 512  # bytes of a run: longer ones are copied as fast number by number
LEAST = 1 << 14  # values of an array: with less the views cost more than they save
WIDEST = 1 << 14  # values of a row that stands for several
PLENTY = 1 << 16  # values from which rows are taken together
NARROW = 256  # values of a row: longer ones gain nothing


class _Runs(NamedTuple):
    """How an array is seen as runs.

    order   its axes from the slowest to the fastest in memory
    shape   with the axes that make up a run as one
    dtype   of a run
    """

    order: tuple[int, ...]
    shape: tuple[int, ...]
    dtype: Any


def in_order(x: Any) -> Any:
    """A view of x, whose axes are in the order that is wanted of a copy, with each run as one element; or x itself."""
    found = _runs(x.shape, x.strides, x.itemsize, tuple(range(x.ndim))) if isinstance(x, np.ndarray) else None
    return x if found is None else x.reshape(found.shape).view(found.dtype)[..., 0]


def gathered(x: Any) -> Any:
    """A view of short runs in one piece, its axes in the same order of memory; any other array as it is."""
    found = _runs(x.shape, x.strides, x.itemsize) if isinstance(x, np.ndarray) else None
    if found is None:
        return x
    out = np.empty_like(x)
    _copy(x, out, found)
    return out


def moved(x: Any, out: Any) -> None:
    """Write x to a view of its shape and dtype, by runs if it lies in the same order."""
    found = _runs(out.shape, out.strides, out.itemsize) if isinstance(out, np.ndarray) else None
    if found is None or x.strides[found.order[-1]] != x.itemsize:
        out[...] = x
    else:
        _copy(x, out, found)


def _copy(x: Array, out: Array, found: _Runs) -> None:
    here, there = [v.transpose(found.order).reshape(found.shape).view(found.dtype) for v in (x, out)]
    there[...] = here


def is_long(x: Array) -> bool:
    """Whether there are many rows of few values."""
    return x.size >= PLENTY and x.shape[-1] <= NARROW


def by_row(ufunc: Any, x: Any, row: Array, out: Any = None) -> Any:
    """ufunc(x, row) for x (…, C) and one row of C values, in longer runs than C."""
    width = x.shape[-1]
    k = together(x.size // width, width) if isinstance(x, np.ndarray) and is_long(x) and x.flags.c_contiguous else 1
    if k == 1:
        return ufunc(x, row, out=out)
    wide, into = x.reshape(-1, k * width), out if out is None else out.reshape(-1, k * width)
    return ufunc(wide, np.broadcast_to(row.reshape(-1), (k, width)).reshape(-1), out=into).reshape(x.shape)


@functools.lru_cache(maxsize=256)
def together(n: int, width: int) -> int:
    """How many of n rows of so many values are taken as one: as many as stay short enough for the cache."""
    return next((k for k in range(min(WIDEST // width, n), 1, -1) if n % k == 0), 1)


@functools.lru_cache(maxsize=256)
def _runs(
    shape: tuple[int, ...], strides: tuple[int, ...], itemsize: int, order: tuple[int, ...] | None = None
) -> _Runs | None:
    """The runs of such an array, or None if it is as well copied number by number."""
    if order is None:
        order = tuple(sorted(range(len(shape)), key=lambda axis: -strides[axis]))
    size, axes = 1, list(order)
    while axes and (shape[axes[-1]] == 1 or strides[axes[-1]] == size * itemsize):
        size *= shape[axes.pop()]
    if size == 1 or size * itemsize > LONGEST or np.prod(shape) < LEAST:
        return None
    return _Runs(order, (*[shape[axis] for axis in axes], size), np.dtype((np.void, size * itemsize)))

"""What a planned program calls besides NumPy: its arena, and the few steps that are more than one call."""

from __future__ import annotations

from typing import Any

import numpy as np

from byhand.core.variable import Array
from byhand.program.packing import ALIGNMENT

largest = np.maximum.reduce


def arena(nbytes: int) -> Array:
    """That many bytes, which begin with a cache line."""
    whole: Array = np.empty(nbytes + ALIGNMENT, np.uint8)
    start = -whole.__array_interface__["data"][0] % ALIGNMENT
    return whole[start : start + nbytes]


def place(
    memory: Array, offset: int, shape: tuple[int, ...], dtype: str, order: tuple[int, ...] | None = None
) -> Array:
    """The array of this shape and dtype at an offset of the arena; its axes lie from the slowest to the fastest."""
    order = tuple(range(len(shape))) if order is None else order
    lengths = [shape[axis] for axis in order]
    count = int(np.prod(lengths, dtype=np.int64)) * np.dtype(dtype).itemsize
    return memory[offset : offset + count].view(dtype).reshape(lengths).transpose(np.argsort(order))


def fresh(shape: tuple[int, ...], dtype: str, order: tuple[int, ...]) -> Array:
    """A new array of this shape and dtype; its axes lie from the slowest to the fastest."""
    return np.empty([shape[axis] for axis in order], dtype).transpose(np.argsort(order))


def blocks(rows: int, step: int) -> list[slice]:
    """The rows in blocks."""
    return [slice(i, min(i + step, rows)) for i in range(0, rows, step)]


def own(result: Any, *operands: Any) -> Array:
    """What a kernel returned, as an array that does not share the memory of the kernel's operands."""
    array = np.asarray(result)
    if any(isinstance(x, np.ndarray) and np.may_share_memory(array, x) for x in operands):
        return array.copy("K")
    return array


def pick(x: Array, places: Array, axis: int, out: Array) -> None:
    """Write the slices of x at these places of an axis to `out`.

    `take` needs no memory only if it need not ask whether places are valid: so they are asked here, all at once, for as
    unsigned numbers negative ones are large.
    """
    if largest(places.view(np.uint64), None) < x.shape[axis]:
        x.take(places, axis, out, "clip")
    else:
        out[...] = x[(slice(None),) * axis + (places,)]


def pick_each(
    x: Array, index: tuple[Array, ...], axis: int, step: Array, rest: Array, places: Array, out: Array
) -> None:
    """Write x[index] to `out`, for index arrays along all axes of which only the one along `axis` is not constant.

    step    of that axis in the flattened x
    rest    what the others add to the places there
    places  memory for them
    """
    moving = index[axis]
    if largest(moving.view(np.uint64), None) < x.shape[axis]:
        np.multiply(moving, step, places)
        np.add(places, rest, places)
        x.reshape(-1).take(places, None, out, "clip")
    else:
        out[...] = x[index]

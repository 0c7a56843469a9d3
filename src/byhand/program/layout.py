"""How the values of a program lie in memory: which value's memory a view looks at, and with what strides.

NumPy itself is asked: views are taken of an array like the value, whose memory is never touched. Read by `schedule`
and `memory`, and by the dialects, which need to know whether two values lie alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from byhand.core.variable import Array
from byhand.program.ir import CONSTANT, STATE, Node, Program, Value
from byhand.program.primitives import BROADCAST, RESHAPE, TRANSPOSE, VIEW, WINDOWS

Layouts = Mapping[Value, "Layout"]


@dataclass(frozen=True)
class Layout:
    """Where the numbers of a value are.

    root     the value whose memory this is: the value itself unless it is a view
    shape, strides, offset   in bytes from the start of the root's memory; axes of size 1 have stride 0
    repeated                 whether it is a broadcast, or a view of one, which NumPy lets nobody write to
    """

    root: Value
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int = 0
    repeated: bool = False

    def alike(self, other: Layout) -> bool:
        """Whether both put the same index at the same distance from the start of their roots."""
        return self.place == other.place

    @property
    def place(self) -> tuple[Any, ...]:
        """All but the root."""
        return self.shape, self.strides, self.offset, self.repeated


def layouts(program: Program) -> dict[Value, Layout]:
    """The layout of every array of the program."""
    found: dict[Value, Layout] = {}
    ground = _Ground()
    arrays: dict[Value, Array] = {}
    for value in program.given:
        if value.dtype is not None:
            arrays[value] = ground.array(value)
            found[value] = Layout(value, value.shape, _strides(arrays[value]))
    for node in program.nodes:
        for out in node.outputs:
            if out.dtype is None:
                continue
            if node.op.kind == VIEW:
                x = node.inputs[0]
                arrays[out] = seen(arrays[x], node)
                offset = found[x].offset + address(arrays[out]) - address(arrays[x])
                repeated = found[x].repeated or node.op in (BROADCAST, WINDOWS)
                found[out] = Layout(found[x].root, out.shape, _strides(arrays[out]), offset, repeated)
            else:
                arrays[out] = ground.array(out)
                found[out] = Layout(out, out.shape, _strides(arrays[out]))
    return found


def seen(array: Array, node: Node) -> Array:
    """The view of an array that a node of kind VIEW takes."""
    op, attrs = node.op, node.attrs
    if op is TRANSPOSE:
        return array.transpose(attrs["axes"])
    if op is RESHAPE:
        return array.reshape(attrs["shape"])
    if op is BROADCAST:
        return np.broadcast_to(array, attrs["shape"])
    if op is WINDOWS:
        return sliding_window_view(array, attrs["sizes"], attrs["axes"])
    index = attrs["index"]
    view: Array = array[index if Ellipsis in index else (*index, Ellipsis)]  # of a number, too, a view
    return view


def is_dense(layout: Layout, order: tuple[int, ...], itemsize: int) -> bool:
    """Whether the numbers lie one after another, the axes in this order."""
    return layout.strides == dense(layout.shape, order, itemsize)


def dense(shape: tuple[int, ...], order: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """The strides of an array without gaps; 0 where an axis has size 1."""
    strides, step = [0] * len(shape), itemsize
    for axis in reversed(order):
        strides[axis] = step if shape[axis] != 1 else 0
        step *= max(shape[axis], 1)
    return tuple(strides)


class _Ground:
    """Memory that is never touched, and so costs nothing; arrays over it have addresses and strides."""

    def __init__(self) -> None:
        self._bytes: Array = np.empty(1 << 12, np.uint8)

    def array(self, value: Value) -> Array:
        """An array that lies as the value will."""
        if value.origin in (CONSTANT, STATE) and isinstance(value.data, np.ndarray):
            return value.data
        dtype: np.dtype[Any] = value.dtype  # type: ignore[assignment]
        if value.nbytes > self._bytes.nbytes:
            self._bytes = np.empty(2 * value.nbytes, np.uint8)
        return np.ndarray(
            value.shape, dtype, self._bytes, strides=dense(value.shape, value.order, dtype.itemsize)
        )  # stride 0 is NumPy's own for size 1 only where relaxed; no address depends on it


def _strides(array: Array) -> tuple[int, ...]:
    return tuple(0 if n == 1 else stride for n, stride in zip(array.shape, array.strides, strict=True))


def address(array: Array) -> int:
    """Where its first number is in memory."""
    return int(array.__array_interface__["data"][0])

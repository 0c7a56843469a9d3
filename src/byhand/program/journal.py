"""The log that symbols write: one node a NumPy call, with the shape, dtype and memory order NumPy gives its result.

Nothing of that is computed here. Each value has a *likeness*, an array of its shape, dtype and strides over memory that
means nothing, and NumPy itself is asked: views are taken of the likeness, and calls are made on its *corner*, the first
two places along every axis, which costs microseconds and settles the dtype and the order of the axes.
Called by `symbol`; `lowering` keeps the books.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from byhand.core.variable import Array
from byhand.ops.index import SLOT, filled
from byhand.program.ir import CONSTANT, Node, Value, order_of
from byhand.program.primitives import (
    ADD_AT,
    ARITHMETIC,
    ASSIGN,
    BROADCAST,
    CAST,
    COPY,
    INDEX,
    MATMUL,
    RESHAPE,
    SLICE,
    TRANSPOSE,
    WINDOWS,
    Primitive,
    elementwise,
    fold,
)

LARGEST = 1 << 16  # values of a constant: what is larger would weigh on every program that holds it

Axes = tuple[int, ...]


class UnseenError(Exception):
    """A kernel asks for more than a symbol can tell; its op stays whole."""


class Journal:
    """The nodes written so far.

    source            the node that is being lowered: what is written gets its section, rule and place
    nodes             what was written
    limit             how many there may be: a kernel that writes more is a loop, and better off as one
    ufunc_called      what answers NumPy where a symbol is the operand of a ufunc; `dispatch` sets it,
    function_called   and this, for other functions
    """

    source: Node
    ufunc_called: Callable[..., Any]
    function_called: Callable[..., Any]

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.limit = 0
        self._likenesses: dict[Value, Array] = {}
        self._constants: dict[Any, Value] = {}
        self._ground = np.zeros(1 << 12, np.uint8)

    # likenesses

    def likeness(self, value: Value) -> Array:
        """An array like the value."""
        found = self._likenesses.get(value)
        if found is None:
            own = value.origin == CONSTANT and isinstance(value.data, np.ndarray)
            found = value.data if own else self.alike(value.shape, value.dtype, value.order)
            self._likenesses[value] = found
        return found

    def alike(self, shape: tuple[int, ...], dtype: Any, order: Axes) -> Array:
        """A dense array of these facts."""
        strides, step = [0] * len(shape), np.dtype(dtype).itemsize
        for axis in reversed(order):
            strides[axis] = step
            step *= max(shape[axis], 1)
        if step > self._ground.nbytes:
            self._ground = np.zeros(2 * step, np.uint8)  # not touched, so it costs no memory
        return np.ndarray(shape, dtype, self._ground, strides=strides)

    def constants(self, results: Iterable[Any] = ()) -> list[Value]:
        """The constants that some node reads, or that are among the results."""
        read = {x for node in self.nodes for x in node.values} | {x for x in results if isinstance(x, Value)}
        return [value for value in self._constants.values() if value in read]

    # writing

    def write(self, op: Primitive, inputs: Sequence[Any], attrs: dict[str, Any], like: Array) -> Value:
        """One node; its result is like `like`."""
        if len(self.nodes) >= self.limit:
            raise UnseenError("a kernel makes too many calls")
        value = Value(like.shape, like.dtype, order_of(like))
        self._likenesses[value] = like
        at = self.source
        self.nodes.append(Node(op, tuple(inputs), attrs, (value,), at.section, at.rule, at.place))
        return value

    def number(self, name: str, inputs: Sequence[Any]) -> Value:
        """Arithmetic of Python numbers."""
        value = Value((), None)
        at = self.source
        self.nodes.append(Node(ARITHMETIC[name], tuple(inputs), {}, (value,), at.section, at.rule, at.place))
        return value

    def constant(self, array: Array) -> Value:
        """An array that does not depend on the inputs; equal ones are one."""
        if array.size > LARGEST:
            raise UnseenError(f"a constant of {array.size} values")
        array = array.copy("K")
        key = (array.dtype, array.shape, order_of(array), array.tobytes())
        value = self._constants.get(key)
        if value is None:
            value = self._constants[key] = Value(array.shape, array.dtype, order_of(array), CONSTANT, data=array)
        return value

    def filled(self, shape: tuple[int, ...], scalar: Any, order: Axes) -> Value:
        """An array that holds one scalar everywhere."""
        return self.write(COPY, [scalar], {}, self.alike(shape, scalar.dtype, order))

    def mapped(self, op: Primitive, call: Callable[..., Any], operands: Sequence[Any], order: Axes | None) -> Value:
        """A call value by value. `operands` are values and scalars; the result lies as NumPy lays it, or in `order`."""
        shapes = {x.shape for x in operands if isinstance(x, Value)} - {()}
        shape = shapes.pop() if len(shapes) == 1 else np.broadcast_shapes(*shapes)
        sample = self._sample(call, operands)
        if order is None or len(order) != len(shape):
            order = order_of(sample)
        return self.write(op, operands, {}, self.alike(shape, sample.dtype, order))

    def computed(self, ufunc: Any, operands: Sequence[Any], order: Axes | None = None) -> Value:
        """A ufunc value by value."""
        return self.mapped(elementwise(ufunc), ufunc, operands, order)

    def folded(self, ufunc: Any, x: Value, axes: Axes, keepdims: bool) -> Value:
        """A ufunc reduced over axes."""
        kept = [(1 if axis in axes else n) for axis, n in enumerate(x.shape) if keepdims or axis not in axes]
        sample = self._sample(lambda x: ufunc.reduce(x, axis=axes, keepdims=keepdims), [x])
        like = self.alike(tuple(kept), sample.dtype, order_of(sample))
        return self.write(fold(ufunc), [x], {"axis": axes, "keepdims": keepdims}, like)

    def product(self, x: Value, y: Value) -> Value:
        """x @ y."""
        sample = self._sample(np.matmul, [x, y])
        rows = x.shape[-2:-1]
        columns = y.shape[-1:] if len(y.shape) > 1 else ()
        shape = (*np.broadcast_shapes(x.shape[:-2], y.shape[:-2]), *rows, *columns)
        if x.shape[-1:] != y.shape[-2:][:1]:
            raise UnseenError(f"a product of {x.shape} and {y.shape}")
        return self.write(MATMUL, [x, y], {}, self.alike(shape, sample.dtype, order_of(sample)))

    def _sample(self, call: Callable[..., Any], operands: Sequence[Any]) -> Array:
        """What the call gives on the corners of its operands: the right dtype, and the right order of the axes."""
        with np.errstate(all="ignore"):
            return np.asarray(call(*map(self._corner, operands)))

    def _corner(self, x: Any) -> Any:
        if not isinstance(x, Value):
            return x
        return 1.0 if x.dtype is None else self.likeness(x)[(slice(2),) * len(x.shape)]

    # views

    def seen(self, op: Primitive, x: Value, attrs: dict[str, Any]) -> Value:
        """A view of x; a reshape copies first if it must."""
        like = self.likeness(x)
        after = view_of(like, op, attrs)
        if op is RESHAPE and after.size and not np.may_share_memory(after, like):
            x = self.copied(x, tuple(range(len(x.shape))))
            after = view_of(self.likeness(x), op, attrs)
        return x if op is not SLICE and _same(after, like) else self.write(op, [x], attrs, after)

    # copies

    def copied(self, x: Any, order: Axes, shape: tuple[int, ...] | None = None) -> Value:
        """x anew in this order of memory, and broadcast to `shape`; x itself if it lies so already."""
        like = self.alike(x.shape if shape is None else shape, x.dtype, order)
        return x if _same(like, self.likeness(x)) else self.write(COPY, [x], {}, like)

    def cast(self, x: Value, dtype: Any, order: Axes | None = None) -> Value:
        """x in another dtype, in the order that NumPy keeps."""
        if x.dtype == dtype:
            return x
        order = order or order_of(self._sample(lambda x: np.asarray(x).astype(dtype), [x]))
        return self.write(CAST, [x], {}, self.alike(x.shape, dtype, order))

    def spread(self, x: Any, shape: tuple[int, ...], dtype: Any, order: Axes) -> Value:
        """x, a value or a scalar, as what stands in an array of this shape, dtype and order that it is written to."""
        if not isinstance(x, Value):
            return self.filled(shape, np.asarray(x).astype(dtype)[()], order)
        if x.dtype is None:
            return self.write(COPY, [x], {}, self.alike(shape, dtype, order))
        if len(x.shape) > len(shape):
            x = self.seen(RESHAPE, x, {"shape": x.shape[len(x.shape) - len(shape) :]})
        x = self.cast(x, dtype, order if x.shape == shape else None)
        return self.copied(x, order, shape)

    # indices

    def taken(self, x: Value, index: tuple[Any, ...], arrays: Sequence[Value]) -> Value:
        """x at index arrays."""
        where = self._where(index, arrays)
        if any(a.dtype == bool and a.origin != CONSTANT for a in arrays):
            raise UnseenError("how many values a mask takes")
        sample = np.asarray(self.likeness(x)[where])
        like = self.alike(sample.shape, sample.dtype, order_of(sample))
        return self.write(INDEX, [x, *arrays], {"index": index}, like)

    def put(self, x: Value, y: Any, index: tuple[Any, ...], arrays: Sequence[Value], add: bool = False) -> Value:
        """x with y written, or added, at an index."""
        inputs = [x, y, *arrays]
        return self.write(ADD_AT if add else ASSIGN, inputs, {"index": index}, self._dense(x))

    def _where(self, index: tuple[Any, ...], arrays: Sequence[Value]) -> tuple[Any, ...]:
        return filled(index, [a.data if a.origin == CONSTANT else self.likeness(a) for a in arrays])

    def _dense(self, x: Value) -> Array:
        return self.alike(x.shape, x.dtype, x.order)


def view_of(array: Array, op: Primitive, attrs: dict[str, Any]) -> Array:
    """The view of an array that a primitive takes."""
    if op is TRANSPOSE:
        return array.transpose(attrs["axes"])
    if op is RESHAPE:
        return array.reshape(attrs["shape"])
    if op is BROADCAST:
        return np.broadcast_to(array, attrs["shape"])
    if op is WINDOWS:
        return sliding_window_view(array, attrs["sizes"], attrs["axes"])
    view: Array = array[attrs["index"]]
    return view


def _same(x: Array, y: Array) -> bool:
    """Whether both have the same values in the same places of memory."""
    return x.shape == y.shape and all(a == b for n, a, b in zip(x.shape, x.strides, y.strides, strict=True) if n > 1)


__all__ = ["LARGEST", "SLOT", "Journal", "UnseenError", "view_of"]

"""What becomes a loop although it looks like something else: small products, sums by ones, picking by labels.

Each rule writes ordinary primitives, so that fusion sees only elementwise nodes and folds; the interpreter runs the
result as well. Products that stay are for BLAS.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from byhand.core.variable import Array
from byhand.ops.index import SLOT
from byhand.program.ir import CHECK, CONSTANT, Node, Program, Value
from byhand.program.loops.bounds import Bounds
from byhand.program.passes.dead_code import dead_code
from byhand.program.primitives import (
    ADD_AT,
    ASSIGN,
    CAST,
    COPY,
    INDEX,
    MAP,
    MATMUL,
    PUT,
    RESHAPE,
    TRANSPOSE,
    WHERE,
    Primitive,
    elementwise,
    fold,
)

NARROW = 8
"""Two of a product's three sizes are at most this: the loops over them are written out, and the values between stay in
registers. (400, 2) · (2, 4) takes 1.3 µs as a call of BLAS and 0.2 as part of a nest."""

LIGHT = 1 << 15
"""Multiplications of a product that is a loop; beyond that BLAS, which uses two threads, is faster."""

LONG = 1 << 20
"""The same where one of the sizes is 1: a matrix times a vector reads each value once, which loops do as fast."""

MANY_CLASSES = 1 << 12
"""Comparing with each class costs a comparison a value in a loop that runs over them anyway."""

ADD, MULTIPLY, SUM, ANY = elementwise(np.add), elementwise(np.multiply), fold(np.add), fold(np.logical_or)
FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
DTYPES = tuple(map(np.dtype, ("f4", "f8", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "?")))
"""All that loops know."""


GATHER = Primitive("gather", MAP)
"""inputs: row numbers, with axes of size 1 for all axes of a row, and x; rows of x. What `INDEX` is at its simplest."""

SCATTER = Primitive("scatter", PUT)
"""inputs: x, y and row numbers: x with rows added. What `ADD_AT` is at its simplest."""


def rewritten(program: Program) -> Program:
    """The program in the primitives that loops are made of."""
    rules = _Rules(Bounds(program))
    for node in program.nodes:
        rules.rewrite(node)
    changed = program.replaced(rules.nodes, rules.renamed)
    changed.constants = [*program.constants, *rules.constants]
    return without_dead_code(changed)


def without_dead_code(program: Program) -> Program:
    """The program without what nobody needs; what it is given stays as it is."""
    given = program.arguments, program.numbers, program.states
    return dataclasses.replace(dead_code(program), arguments=given[0], numbers=given[1], states=given[2])


class _Rules:
    """The rules, what they have written so far, and what is known of labels."""

    def __init__(self, bounds: Bounds) -> None:
        self.nodes: list[Node] = []
        self.renamed: dict[Value, Value] = {}
        self.constants: list[Value] = []
        self.bounds = bounds

    def rewrite(self, node: Node) -> None:
        """Write the node, or what is to stand in its place."""
        inputs = tuple(self.renamed.get(x, x) if isinstance(x, Value) else x for x in node.inputs)
        node = dataclasses.replace(node, inputs=inputs)
        result = None
        if node.op is MATMUL:
            result = self._product(node)
        elif node.op is INDEX:
            result = self._picked(node) or self._gathered(node)
        elif node.op is ADD_AT and (rows := self._rows(node, node.inputs[2:])) is not None:
            result = self._planted(node) or self._scattered(node, rows)
        elif node.op in (ASSIGN, ADD_AT):
            result = self._planted(node)
        elif node.op is COPY and not isinstance(node.inputs[0], Value):
            result = self._constant(np.broadcast_to(np.asarray(node.inputs[0], node.out.dtype), node.out.shape))
        if result is None:
            self.nodes.append(node)
        else:
            self.renamed[node.out] = result

    def emit(
        self, node: Node, op: Any, inputs: tuple[Any, ...], shape: tuple[int, ...], dtype: Any, /, **attrs: Any
    ) -> Value:
        """A new node; its result."""
        out = Value(shape, np.dtype(dtype))
        self.nodes.append(Node(op, inputs, attrs, (out,), node.section, node.rule, node.place))
        return out

    def _product(self, node: Node) -> Value | None:
        x, y, dtype = *node.inputs, node.out.dtype
        if not (isinstance(x, Value) and isinstance(y, Value)) or dtype not in FLOATS or not x.size or not y.size:
            return None
        x, y = (self._cast(node, operand) for operand in (x, y))
        if max(len(x.shape), len(y.shape)) > 2:
            return self._call(node, x, y)
        shape = node.out.shape
        for ones, other, axis, of_ones in ((x, y, 0, 0), (y, x, len(x.shape) - 1, -1)):
            if _all_ones(ones) and len(other.shape) == 2 and (len(ones.shape) == 1 or ones.shape[of_ones] == 1):
                keepdims = len(ones.shape) == 2
                return self.emit(node, SUM, (other,), shape, dtype, axis=(axis,), keepdims=keepdims)
        if len(x.shape) == len(y.shape) == 2 and not _small(x.shape[0], x.shape[1], y.shape[1]):
            return self._call(node, x, y)
        k = x.shape[-1]
        if len(x.shape) == len(y.shape) == 2 and k == 1:
            return self.emit(node, MULTIPLY, (x, y), shape, dtype)
        if len(y.shape) == 2:
            y = self.emit(node, TRANSPOSE, (y,), y.shape[::-1], dtype, axes=(1, 0))
            if len(x.shape) == 2:
                x = self.emit(node, RESHAPE, (x,), (x.shape[0], 1, k), dtype, shape=(x.shape[0], 1, k))
        terms = self.emit(node, MULTIPLY, (x, y), (*shape, k), dtype)
        terms.order = tuple(sorted(range(len(terms.shape)), key=lambda axis: -terms.shape[axis]))
        return self.emit(node, SUM, (terms,), shape, dtype, axis=(len(shape),), keepdims=False)

    def _cast(self, node: Node, x: Value) -> Value:
        """An operand in the dtype of the product, in which BLAS wants both."""
        return x if x.dtype == node.out.dtype else self.emit(node, CAST, (x,), x.shape, node.out.dtype)

    def _call(self, node: Node, x: Value, y: Value) -> Value | None:
        """A product that is for BLAS."""
        if (x, y) == node.inputs:
            return None
        out = Value(node.out.shape, node.out.dtype, node.out.order, name=node.out.name)
        self.nodes.append(dataclasses.replace(node, inputs=(x, y), outputs=(out,)))
        return out

    def _picked(self, node: Node) -> Value | None:
        """x[label, 0…n−1] = Σ over classes of (x where class = label, else 0)."""
        x = node.inputs[0]
        chosen = _one_a_row(x, node)
        if chosen is None or x.dtype not in FLOATS:
            return None
        axis, labels = chosen
        hits = self._hits(node, labels, axis, x.shape)
        alone = self.emit(node, WHERE, (hits, x, 0.0), x.shape, x.dtype)
        return self.emit(node, SUM, (alone,), node.out.shape, x.dtype, axis=(axis,), keepdims=False)

    def _planted(self, node: Node) -> Value | None:
        """x with y at [label, 0…n−1]: y where class = label, else x."""
        x, y = node.inputs[:2]
        chosen = _one_a_row(x, node)
        if chosen is None or x.dtype not in FLOATS:
            return None
        axis, labels = chosen
        if isinstance(y, Value):
            if y.dtype != x.dtype or y.shape not in ((), labels.shape):
                return None
            if y.shape and axis == 1:
                y = self.emit(node, RESHAPE, (y,), (*y.shape, 1), y.dtype, shape=(*y.shape, 1))
        hits = self._hits(node, labels, axis, x.shape)
        if node.op is ADD_AT:
            y = self.emit(node, ADD, (x, y), x.shape, x.dtype)
        return self.emit(node, WHERE, (hits, y, x), x.shape, x.dtype)

    def _gathered(self, node: Node) -> Value | None:
        """x[rows], the rows anywhere and any number of times."""
        x = node.inputs[0]
        rows = self._rows(node, node.inputs[1:])
        if rows is None or not node.out.size or x.dtype not in DTYPES:
            return None
        rows = self._within(node, rows, x.shape[0])
        shape = (*rows.shape, *[1] * (len(x.shape) - 1))
        spread = self.emit(node, RESHAPE, (rows,), shape, rows.dtype, shape=shape)
        return self.emit(node, GATHER, (spread, x), node.out.shape, x.dtype)

    def _scattered(self, node: Node, rows: Value) -> Value | None:
        """x with y added to rows."""
        x, y = node.inputs[:2]
        if not isinstance(y, Value) or y.dtype != x.dtype or x.dtype not in FLOATS or not y.size:
            return None
        if y.shape != (*rows.shape, *x.shape[1:]):
            return None
        return self.emit(node, SCATTER, (x, y, self._within(node, rows, x.shape[0])), x.shape, x.dtype)

    def _rows(self, node: Node, arrays: Any) -> Value | None:
        """The index array, if the index is one along the first axis and takes all of the others."""
        index, x = node.attrs["index"], node.inputs[0]
        plain = all(part is Ellipsis or part == slice(None) for part in index[1:])
        if not isinstance(x, Value) or len(arrays) != 1 or not x.size or index[0] is not SLOT or not plain:
            return None
        rows = arrays[0]
        return rows if rows.dtype.kind in "iu" and rows.size else None

    def _within(self, node: Node, rows: Value, count: int) -> Value:
        """Row numbers that are rows for certain: negative ones counted from the end, and no others let through."""
        known = self.bounds.within(rows, count)
        if rows.dtype != np.int64:
            rows = self.emit(node, CAST, (rows,), rows.shape, np.int64)
        rows = rows if known else self._wrapped(node, rows, count)
        rows = self.emit(node, elementwise(np.maximum), (rows, 0), rows.shape, rows.dtype)
        return self.emit(node, elementwise(np.minimum), (rows, count - 1), rows.shape, rows.dtype)

    def _wrapped(self, node: Node, labels: Value, count: int) -> Value:
        """Indices counted from the front, after a check that they are within bounds."""
        if self.bounds.within(labels, count):
            return labels
        self._check(node, labels, count)
        below = self.emit(node, elementwise(np.less), (labels, 0), labels.shape, bool)
        from_end = self.emit(node, ADD, (labels, count), labels.shape, labels.dtype)
        return self.emit(node, WHERE, (below, from_end, labels), labels.shape, labels.dtype)

    def _hits(self, node: Node, labels: Value, axis: int, shape: tuple[int, ...]) -> Value:
        """Where in `shape` the class, which runs along the axis, is the label."""
        count = shape[axis]
        labels = self._wrapped(node, labels, count)
        classes = np.arange(count, dtype=labels.dtype)
        if axis == 0:
            classes = classes[:, None]
        else:
            labels = self.emit(node, RESHAPE, (labels,), (*labels.shape, 1), labels.dtype, shape=(*labels.shape, 1))
        return self.emit(node, elementwise(np.equal), (labels, self._constant(classes)), shape, bool)

    def _constant(self, array: Array) -> Value:
        self.constants.append(Value(array.shape, array.dtype, None, CONSTANT, data=array))
        return self.constants[-1]

    def _check(self, node: Node, labels: Value, count: int) -> None:
        below = self.emit(node, elementwise(np.less), (labels, -count), labels.shape, bool)
        above = self.emit(node, elementwise(np.greater_equal), (labels, count), labels.shape, bool)
        either = self.emit(node, elementwise(np.logical_or), (below, above), labels.shape, bool)
        axes = tuple(range(len(labels.shape)))
        wrong = self.emit(node, ANY, (either,), (), bool, axis=axes, keepdims=False)
        message = f"an index is out of bounds for an axis of size {count}"
        complain = {"complain": lambda: IndexError(message)}
        self.nodes.append(Node(CHECK, (wrong,), complain, (), node.section, node.rule, node.place))


def _one_a_row(x: Any, node: Node) -> tuple[int, Value] | None:
    """(axis, labels) if the index of a matrix is (labels, 0…n−1) or the other way round."""
    index, arrays = node.attrs["index"], [a for a in node.inputs[1:] if isinstance(a, Value)]
    if not isinstance(x, Value) or len(x.shape) != 2 or len(index) != 2 or any(part is not SLOT for part in index):
        return None
    first, second = arrays[-2:]
    for axis, labels, rows in ((0, first, second), (1, second, first)):
        whole = _counts_up(rows) and rows.shape == (x.shape[1 - axis],)
        if whole and labels.shape == rows.shape and labels.dtype == np.int64 and 0 < x.shape[axis] <= MANY_CLASSES:
            return axis, labels
    return None


def _counts_up(x: Value) -> bool:
    return x.origin == CONSTANT and len(x.shape) == 1 and bool(np.array_equal(x.data, np.arange(len(x.data))))


def _all_ones(x: Value) -> bool:
    return x.origin == CONSTANT and bool(np.all(x.data == 1))


def _small(m: int, k: int, n: int) -> bool:
    sizes = sorted((m, k, n))
    return m * k * n <= (LONG if sizes[0] == 1 else LIGHT if sizes[1] <= NARROW else 0)

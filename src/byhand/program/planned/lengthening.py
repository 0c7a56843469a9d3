"""Longer runs for NumPy's ufuncs, which take 8 ns for each run of an operand before they compute anything.

An operand of short runs, such as every second place of images whose channels come last, is copied first: copies move a
run as one element (see `moves`). And a row that meets each row of an operand is repeated, so that several rows are one:
(50176, 16) + (16,) takes 90 µs in place of 350. Called by `Planned`, before the nodes are ordered.
"""

from __future__ import annotations

import math
from typing import Any

from byhand.ops.runs import LEAST, LONGEST, PLENTY, together
from byhand.program.ir import Node, Program, Value
from byhand.program.layout import Layouts, is_dense, layouts
from byhand.program.primitives import BROADCAST, COPY, MAP, RESHAPE, TRANSPOSE

NARROW = 64  # values of a row: with more, blocks that stay in the cache (see `tiling`) gain as much


def lengthened(program: Program) -> Program:
    """The program with copies before elementwise nodes that read short runs, and with rows taken together."""
    large = any(node.op.kind == MAP and node.out.size >= LEAST for node in program.nodes)
    return _Lengthening(program).program if large else program


class _Lengthening:
    """One walk over the nodes.

    wide   of what has been computed as longer rows, by the value: these
    """

    def __init__(self, program: Program) -> None:
        self.lies: Layouts = layouts(program)
        self.kept = set(program.roots)
        self.nodes: list[Node] = []
        self.wide: dict[Value, Value] = {}
        for node in program.nodes:
            if node.op.kind == MAP and node.op.ufunc is not None and len(node.outputs) == 1:
                node = self._longer(node)
            self.nodes.append(node)
        self.program = program.replaced(self.nodes)

    def _longer(self, node: Node) -> Node:
        """The node with longer runs; what it needs is written before it."""
        if len(node.inputs) == 2 and node.out not in self.kept and self._has_row(node):
            return self._in_long_rows(node)
        inputs = tuple([self._gathered(x, node) if self._is_short(x, node.out) else x for x in node.inputs])
        return node if inputs == node.inputs else Node(
            node.op, inputs, node.attrs, node.outputs, node.section, node.rule, node.place
        )  # fmt: skip

    def _write(self, op: Any, x: Value, attrs: dict[str, Any], out: Value, like: Node) -> Value:
        self.nodes.append(Node(op, (x,), attrs, (out,), like.section, like.rule, like.place))
        return out

    # Short runs.

    def _is_short(self, x: Any, out: Value) -> bool:
        """Whether an operand is a view of runs that are short, but no single values."""
        if not isinstance(x, Value) or x not in self.lies or x.shape != out.shape or x.size < LEAST:
            return False
        itemsize, strides = x.dtype.itemsize, self.lies[x].strides  # type: ignore[union-attr]
        size = 1
        for axis in reversed(out.order):
            if x.shape[axis] != 1 and strides[axis] != size * itemsize:
                break
            size *= x.shape[axis]
        rest = [stride for n, stride in zip(x.shape, strides, strict=True) if n > 1]
        return 1 < size < x.size and size * itemsize <= LONGEST and all(rest)

    def _gathered(self, x: Value, node: Node) -> Value:
        return self._write(COPY, x, {}, Value(x.shape, x.dtype, node.out.order), node)

    # Rows.

    def _has_row(self, node: Node) -> bool:
        """Whether one operand is dense, and the other one a row for the axis that lies in one piece."""
        out = node.out
        if out.size < PLENTY or not out.shape or out.shape[out.order[-1]] > NARROW:
            return False
        return sorted(map(self._part, node.inputs, [out] * 2)) == ["row", "whole"]

    def _part(self, x: Any, out: Value) -> str:
        if not isinstance(x, Value) or x not in self.lies:
            return "other"
        if x.shape == out.shape and x.dtype == out.dtype:
            return "whole" if is_dense(self.lies[x], out.order, x.dtype.itemsize) else "other"  # type: ignore[union-attr]
        place = out.order[-1] - (len(out.shape) - len(x.shape))
        width = out.shape[out.order[-1]]
        return "row" if place >= 0 and x.size == x.shape[place] == width > 1 else "other"

    def _in_long_rows(self, node: Node) -> Node:
        """The node on a matrix of long rows; what it computes is a view of that."""
        out = node.out
        lengths, width = tuple([out.shape[axis] for axis in out.order]), out.shape[out.order[-1]]
        k = together(out.size // width, width)
        if k == 1:
            return node
        shape = out.size // (k * width), k * width
        inputs = tuple([
            self._row(x, k, width, node) if self._part(x, out) == "row" else self._matrix(x, out, shape, node)
            for x in node.inputs
        ])  # fmt: skip
        wide = Value(shape, out.dtype, (0, 1), name=out.name)
        self.nodes.append(Node(node.op, inputs, node.attrs, (wide,), node.section, node.rule, node.place))
        self.wide[out] = wide
        back = tuple([out.order.index(axis) for axis in range(len(lengths))])
        if back == tuple(range(len(lengths))):
            return Node(RESHAPE, (wide,), {"shape": lengths}, (out,), node.section, node.rule, node.place)
        seen = self._write(RESHAPE, wide, {"shape": lengths}, Value(lengths, out.dtype), node)
        return Node(TRANSPOSE, (seen,), {"axes": back}, (out,), node.section, node.rule, node.place)

    def _matrix(self, x: Value, out: Value, shape: tuple[int, int], node: Node) -> Value:
        found = self.wide.get(x)
        if found is not None and found.shape == shape:
            return found
        if out.order != tuple(range(len(out.order))):
            lengths = tuple([x.shape[axis] for axis in out.order])
            x = self._write(TRANSPOSE, x, {"axes": out.order}, Value(lengths, x.dtype), node)
        return self._write(RESHAPE, x, {"shape": shape}, Value(shape, x.dtype), node)

    def _row(self, x: Value, k: int, width: int, node: Node) -> Value:
        x = self._write(RESHAPE, x, {"shape": (width,)}, Value((width,), x.dtype), node)
        x = self._write(BROADCAST, x, {"shape": (k, width)}, Value((k, width), x.dtype), node)
        x = self._write(COPY, x, {}, Value((k, width), x.dtype), node)
        return self._write(RESHAPE, x, {"shape": (math.prod(x.shape),)}, Value((k * width,), x.dtype), node)

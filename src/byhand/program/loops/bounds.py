"""What the checks of a program say of integers: labels that are checked already are places of an axis for certain."""

from __future__ import annotations

from typing import Any

import numpy as np

from byhand.program.ir import CHECK, CONSTANT, Node, Program, Value
from byhand.program.primitives import BROADCAST, CAST, RESHAPE, SLICE, TRANSPOSE

EITHER = ("bitwise_or", "logical_or", "logical_or.reduce")
LEAST = {"less": 0, "less_equal": 1}
"""Comparisons that must not hold: then all values are at least the number on the right, or one more."""
BELOW = {"greater_equal": 0, "greater": 1}
"""The same for what all values are less than."""
WHOLE = (slice(None), None, Ellipsis)


class Bounds:
    """The bounds of arrays of integers, as far as a program checks them before it does anything."""

    def __init__(self, program: Program) -> None:
        self._makers = program.producers()
        self._least: dict[Value, int] = {}
        self._below: dict[Value, int] = {}
        for node in program.nodes:
            if node.op is CHECK:
                self._not(node.inputs[0])

    def within(self, x: Value, count: int) -> bool:
        """Whether all values of x are known to be at least 0 and less than `count`."""
        at_least_0 = below = False
        part: Value | None = x
        while part is not None:
            part = self._same_values(part)
            if part.origin == CONSTANT:
                return bool(part.data.size and part.data.min() >= 0 and part.data.max() < count)
            at_least_0 |= self._least.get(part, -1) >= 0 or (part.dtype is not None and part.dtype.kind == "u")
            below |= self._below.get(part, count + 1) <= count
            maker = self._makers.get(part)
            part = maker.inputs[0] if maker is not None and maker.op is SLICE else None
        return at_least_0 and below

    def _not(self, condition: Any) -> None:
        """Note what follows if the condition of a check does not hold."""
        maker = self._makers.get(condition) if isinstance(condition, Value) else None
        if maker is None:
            return
        if maker.op.name in EITHER:
            for x in maker.inputs:
                self._not(x)
        elif maker.op.name in (*LEAST, *BELOW):
            self._compared(maker)

    def _compared(self, node: Node) -> None:
        x, limit = node.inputs
        if not isinstance(x, Value) or x.dtype is None or x.dtype.kind not in "iu":
            return
        if isinstance(limit, bool) or not isinstance(limit, int | np.integer):
            return
        maker = self._makers.get(x)
        if maker is not None and maker.op.name == ("minimum.reduce" if node.op.name in LEAST else "maximum.reduce"):
            x = maker.inputs[0]  # of the whole array, or of many parts that are compared one by one
        x = self._same_values(x)
        if node.op.name in LEAST:
            self._least[x] = max(int(limit) + LEAST[node.op.name], self._least.get(x, -1))
            return
        limit = int(limit) + BELOW[node.op.name]
        self._below[x] = min(limit, self._below.get(x, limit))
        if (signed := self._before_wrapping(x)) is not None and limit < 2**63:
            self._least[signed] = max(0, self._least.get(signed, 0))
            self._below[signed] = min(limit, self._below.get(signed, limit))

    def _before_wrapping(self, x: Value) -> Value | None:
        """What x is as uint64, where negative numbers are very large."""
        maker = self._makers.get(x)
        found = maker is not None and maker.op is CAST and x.dtype == np.uint64 and maker.inputs[0].dtype.kind == "i"
        return self._same_values(maker.inputs[0]) if maker is not None and found else None

    def _same_values(self, x: Value) -> Value:
        """The array that x is a view of, with the very same values."""
        while (maker := self._makers.get(x)) is not None:
            whole = maker.op is SLICE and all(part in WHOLE for part in maker.attrs["index"])
            if not (whole or maker.op in (RESHAPE, TRANSPOSE, BROADCAST)):
                break
            x = maker.inputs[0]
        return x

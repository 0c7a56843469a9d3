"""The matrix products of a compiled step and nothing else: only what takes longer is a compiler's to gain."""

from __future__ import annotations

import numpy as np

from byhand.bench.networks import Step
from byhand.core.variable import Array
from byhand.program.ir import Program, Value
from byhand.program.layout import seen
from byhand.program.planned.runtime import arena, place
from byhand.program.primitives import PRODUCT, VIEW


def products_alone(program: Program) -> Step:
    """The products of a lowered program in its order, on made-up numbers; memory is its own, and each array aligned.

    Operands have the program's shapes and layouts, and those that share memory there share it here. Products with a
    vector are left out: they are the column sums that biases need, which loops do not compute as products.
    """
    memory = _Memory(program)
    calls = [
        (node.op.ufunc, memory.array(node.inputs[0]), memory.array(node.inputs[1]), memory.array(node.out))
        for node in program.nodes
        if node.op.kind == PRODUCT and min(len(x.shape) for x in node.values) > 1
    ]

    def step() -> None:
        for multiply, x, y, out in calls:
            multiply(x, y, out)

    return step


class _Memory:
    """An array for each value that is asked for: a view where the program has one, else one of its own."""

    def __init__(self, program: Program) -> None:
        self._views = {node.out: node for node in program.nodes if node.op.kind == VIEW}
        self._arrays: dict[Value, Array] = {}
        self._random = np.random.default_rng(0)

    def array(self, value: Value) -> Array:
        """The array of a value, the same each time."""
        if value not in self._arrays:
            node = self._views.get(value)
            self._arrays[value] = self._own(value) if node is None else seen(self.array(node.inputs[0]), node)
        return self._arrays[value]

    def _own(self, value: Value) -> Array:
        """Standard-normal numbers, aligned to a cache line and in the value's order."""
        array = place(arena(value.nbytes), 0, value.shape, str(value.dtype), value.order)
        array[...] = self._random.standard_normal(value.shape)
        return array

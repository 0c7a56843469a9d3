"""Programs written by hand for the tests of passes: each op runs on example arrays, which say what results are like."""

from __future__ import annotations

from typing import Any

import numpy as np

from byhand.core.op import OPS
from byhand.program import interpreter
from byhand.program.ir import (
    ARGUMENT,
    CHECK,
    CONSTANT,
    DRAW,
    FORWARD,
    NUMBER,
    STATE,
    Node,
    Program,
    Value,
    order_of,
    verify,
)


class Draft:
    """A program in the making: `d("mul", x, 2)` adds a node and returns its value."""

    def __init__(self) -> None:
        self.program = Program()
        self.examples: dict[Value, Any] = {}
        self.section = FORWARD

    def _given(self, values: list[Value], array: Any, origin: str, name: str) -> Value:
        data = array if origin in (CONSTANT, STATE) else None
        value = Value(array.shape, array.dtype, order_of(array), origin, name, data)
        values.append(value)
        self.examples[value] = array
        return value

    def argument(self, array: Any, name: str = "x") -> Value:
        return self._given(self.program.arguments, np.asarray(array), ARGUMENT, name)

    def state(self, array: Any, name: str = "w") -> Value:
        return self._given(self.program.states, np.asarray(array), STATE, name)

    def constant(self, array: Any, name: str = "") -> Value:
        return self._given(self.program.constants, np.asarray(array), CONSTANT, name)

    def number(self, example: float, name: str = "lr") -> Value:
        value = Value((), None, origin=NUMBER, name=name)
        self.program.numbers.append(value)
        self.examples[value] = example
        return value

    def __call__(self, name: str, *inputs: Any, **attrs: Any) -> Any:
        op, given = OPS[name], [self.examples[x] if isinstance(x, Value) else x for x in inputs]
        if name in interpreter.NUMBERS and not any(isinstance(x, np.ndarray) for x in given):
            results = [interpreter.NUMBERS[name](*given)]
            outputs = [Value((), None)]
        else:
            with np.errstate(all="ignore"):
                result = op.kernel(*given, **attrs)
            results = [np.asarray(x) for x in (result if op.residuals else (result,))]
            outputs = [Value(x.shape, x.dtype, order_of(x)) for x in results]
        self.examples.update(zip(outputs, results, strict=True))
        self.program.nodes.append(Node(op, inputs, attrs, tuple(outputs), self.section))
        return tuple(outputs) if op.residuals else outputs[0]

    def draw(self, shape: tuple[int, ...]) -> Value:
        value = Value(shape, np.dtype(np.float64))
        attrs = {"generator": None, "method": "random", "arguments": {"size": shape}}
        self.examples[value] = np.zeros(shape)
        self.program.nodes.append(Node(DRAW, (), attrs, (value,), self.section))
        return value

    def check(self, wrong: Value) -> None:
        self.program.nodes.append(Node(CHECK, (wrong,), {"complain": ValueError}, (), self.section))

    def done(self, *outputs: Any, writes: Any = (), number_writes: Any = ()) -> Program:
        self.program.outputs = list(outputs)
        self.program.writes, self.program.number_writes = list(writes), list(number_writes)
        return verify(self.program)

    def run(self, program: Program) -> list[Any]:
        """Outputs, new states and new numbers of a program with the same arguments, whatever it has dropped."""
        states = [np.array(self.examples[x]) for x in program.states]
        numbers = [self.examples[x] for x in program.numbers]
        with np.errstate(all="ignore"):
            outputs, new = interpreter.run(program, [self.examples[x] for x in program.arguments], numbers, states)
        after = dict(zip(program.states, states, strict=True))
        return [*outputs, *[after.get(x, self.examples[x]) for x in self.program.states], *new]


def assert_same_bits(found: list[Any], expected: list[Any]) -> None:
    """Equal dtypes, shapes and values, the signs of zeros included; NaN is NaN."""
    assert len(found) == len(expected)
    for mine, theirs in zip(found, expected, strict=True):
        a, b = np.asarray(mine), np.asarray(theirs)
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        np.testing.assert_array_equal(a, b)
        if a.dtype.kind == "f":
            real = ~np.isnan(a)
            np.testing.assert_array_equal(np.signbit(a)[real], np.signbit(b)[real])


def names(program: Program) -> list[str]:
    """The names of its nodes."""
    return [node.op.name for node in program.nodes]

"""Random lowered programs: a list of small integers is read as nodes, so that hypothesis can shrink it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

from byhand.ops.index import SLOT
from byhand.program.ir import Program, Value
from program.lowered import Lowered

Code = Sequence[tuple[int, int, int]]

UNARY = ("tanh", "negative", "absolute", "square", "exp", "sqrt", "sign", "logical_not")
BINARY = ("add", "subtract", "multiply", "maximum", "minimum", "true_divide", "greater", "less_equal")
SCALARS = (0.5, 2, -1.5, np.float64(0.25), float("inf"))
DTYPES = (np.float32, np.float64, np.int64, np.bool_)
MOST = 300  # values in an array


def codes(longest: int = 16) -> Any:
    """Programs of up to this many instructions."""
    return st.lists(st.tuples(st.integers(0, 19), st.integers(0, 40), st.integers(0, 40)), min_size=2, max_size=longest)


class Writer:
    """Writes nodes as the code says, over a pool of values."""

    def __init__(self) -> None:
        self.p = p = Lowered()
        random = np.random.default_rng(1)

        def array(*shape: int, dtype: Any = np.float64) -> Any:
            return random.uniform(-2, 2, shape).astype(dtype)

        self.pool = [
            p.argument(array(4, 6)), p.argument(array(6, dtype=np.float32), "y"), p.state(array(6, 4).T, "w"),
            p.state(array(4, 6), "v"), p.state(array(6), "b"), p.constant(array(4, 1)),
        ]  # fmt: skip
        self.places = [p.argument(random.integers(-4, 4, 4), "i"), p.constant(random.integers(0, 4, 4))]
        self.numbers = [p.number(0.01), p.number(3, "t")]
        self.new: dict[Value, Value] = {}

    def run(self, code: Code) -> Program:
        for kind, a, b in code:
            x = self.pool[-1 - a % len(self.pool)]
            made = self.instruction(kind, x, a, b)
            if made is not None and made.size <= MOST:
                self.pool.append(made)
        outputs = [self.pool[-1], *([self.pool[code[0][1] % len(self.pool)]] if code[0][2] % 2 else [])]
        number_writes = [(self.numbers[1], self.p("number", self.numbers[1], 1, op="add"))]
        return self.p.done(*outputs, 7.0, writes=list(self.new.items()), number_writes=number_writes)

    def instruction(self, kind: int, x: Value, a: int, b: int) -> Value | None:
        p = self.p
        match kind:
            case 0 | 1:
                return self.unary(x, b)
            case 2 | 3 | 4:
                return self.binary(x, a, b)
            case 5:
                y = self.beside(x, b)
                return p("where", self.truth(self.beside(y, a)), x, y if b % 2 else 0.0)
            case 6:
                return p("cast", x, dtype=DTYPES[b % 4])
            case 7:
                order = tuple(np.random.default_rng(b).permutation(len(x.shape)).tolist())
                return p("copy", x, order=order) if b % 3 else p("copy", x, shape=(2, *x.shape))
            case 8 | 9:
                return self.folded(x, b)
            case 10:
                return self.product(x, b)
            case 11 | 12 | 13:
                return self.view(x, b)
            case 14:
                return self.taken(x, b)
            case 15:
                return self.put(x, a, b)
            case 16:
                return self.kernel(x, b)
            case 17:
                rate = p("number", self.numbers[b % 2], 2.0, op="mul")
                return p("multiply", x, rate) if x.dtype.kind == "f" else p("add", x, self.numbers[0])
            case 18:
                if b % 3 == 0:
                    p.check(p("greater", p("maximum.reduce", p("absolute", p.constant(np.ones(3))), axis=(0,)), 2.0))
                    return None
                dtype = np.float32 if b % 2 else np.float64
                shape = ((4, 6), (6,))[b % 2]
                return p.draw("random" if b % 5 else "standard_normal", shape, dtype, {"size": shape, "dtype": dtype})
            case _:
                return self.update(a, b)

    def truth(self, x: Value) -> Value:
        return x if x.dtype == bool else self.p("greater", x, 0.1)

    def beside(self, x: Value, k: int) -> Value:
        """A value that broadcasts with x to the shape of x."""
        fitting = [y for y in self.pool if _fits(y.shape, x.shape)]
        return fitting[-1 - k % len(fitting)]

    def unary(self, x: Value, b: int) -> Value | None:
        name = UNARY[b % len(UNARY)]
        if x.dtype == bool and name in ("negative", "sign"):
            return None
        return self.p(name, self.p("cast", x, dtype=np.float32) if x.dtype.kind != "f" and b % 8 < 6 else x)

    def binary(self, x: Value, a: int, b: int) -> Value:
        name = BINARY[b % len(BINARY)]
        y = SCALARS[a % len(SCALARS)] if b % 3 == 0 and x.dtype.kind == "f" else self.beside(x, b)
        if isinstance(y, Value) and x.dtype == y.dtype == bool and name == "subtract":
            name = "logical_and"
        return self.p(name, x, y) if a % 2 or not isinstance(y, Value) else self.p(name, y, x)

    def folded(self, x: Value, b: int) -> Value:
        name = ("add.reduce", "maximum.reduce")[b % 2]
        axes = (tuple(range(len(x.shape))), (0,), (len(x.shape) - 1,))[b % 3] if x.shape else ()
        return self.p(name, x, axis=axes, keepdims=bool(b % 5 == 0))

    def product(self, x: Value, b: int) -> Value | None:
        fitting = [y for y in self.pool if len(y.shape) in (1, 2) and y.dtype.kind == "f" and x.dtype.kind == "f"]
        fitting = [y for y in fitting if len(x.shape) in (1, 2) and x.shape[-1] == y.shape[0]]
        if fitting:
            return self.p("matmul", x, fitting[-1 - b % len(fitting)])
        return self.p("matmul", x, self.p("transpose", x, axes=(1, 0))) if len(x.shape) == 2 else None

    def view(self, x: Value, b: int) -> Value | None:
        p, n = self.p, len(x.shape)
        if b % 4 == 0 and n:
            return p("transpose", x, axes=tuple(range(n))[::-1])
        if b % 4 == 1:
            array = self.p.examples[x]
            x = x if np.shares_memory(array.reshape(-1), array) and array.size else p("copy", x)
            return p("reshape", x, shape=(x.size,) if b % 8 == 1 else (*x.shape, 1))
        if b % 4 == 2 and x.size < MOST // 2:
            return p("broadcast", x, shape=(2, *x.shape))
        if n and x.shape[0] > 1:
            return p(
                "slice", x, index=((slice(1, None), slice(None, None, 2), slice(None, -1), b % 2)[b // 4 % 4], ...)
            )
        return None

    def taken(self, x: Value, b: int) -> Value | None:
        if not x.shape or x.shape[0] < 4:
            return None
        if b % 2 and len(x.shape) == 2 and x.shape[1] >= 4:
            return self.p("index", x, *(self.places if b % 4 == 1 else self.places[::-1]), index=(SLOT, SLOT))
        axis = b // 2 % 2 if len(x.shape) > 1 and x.shape[1] >= 4 else 0
        return self.p("index", x, self.places[b // 4 % 2], index=(*[slice(None)] * axis, SLOT))

    def put(self, x: Value, a: int, b: int) -> Value | None:
        if not x.shape or x.shape[0] < 4 or not x.size:
            return None
        name = ("assign", "add_at")[b % 2]
        if x.dtype.kind != "f":
            return self.p("assign", x, 1, index=(slice(1, 3),))
        if b % 3 == 0:
            return self.p(name, x, 0.5, self.places[b // 3 % 2], index=(SLOT,))
        y = self.p("slice", x, index=(slice(0, 2), ...)) if a % 2 else 0.25
        return self.p(name, x, y, index=(slice(2, 4),))

    def kernel(self, x: Value, b: int) -> Value | None:
        if x.dtype.kind != "f" or not x.shape or not x.size:
            return None
        if b % 3 == 0:
            return self.p("softmax", x, axis=0, kernel=True)
        if b % 3 == 1:
            return self.p("reshape", x, shape=x.shape, kernel=True)  # returns a view of its operand
        return self.p("flip", x, axis=(0,), kernel=True)

    def update(self, a: int, b: int) -> Value | None:
        """A new value for a state: a step of descent, a copy of another state's, or whatever fits."""
        state = self.p.program.states[b % 3]
        if state in self.new:
            return None
        fitting = [y for y in self.pool if y.shape == state.shape and y.dtype == state.dtype]
        y = fitting[-1 - a % len(fitting)]
        if b % 2:
            self.new[state] = y
            return None
        shrunk = self.p("multiply", state, 0.75)
        self.new[state] = self.p("subtract", shrunk, self.p("multiply", y, self.numbers[0]))
        return self.new[state]


def _fits(shape: tuple[int, ...], other: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(shape, other) == other
    except ValueError:
        return False

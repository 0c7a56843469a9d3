"""Lowered programs written by hand: every node runs on example arrays, which say what its result is like."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

import byhand
from byhand.bench import networks
from byhand.core.generator import default_generator
from byhand.core.op import OPS
from byhand.program import interpreter, tiling
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
from byhand.program.planned import Planned, lengthening, moves, runtime
from byhand.program.primitives import (
    ADD_AT,
    ARITHMETIC,
    ASSIGN,
    BROADCAST,
    CAST,
    COPY,
    INDEX,
    KERNEL,
    MAP,
    MATMUL,
    RESHAPE,
    SLICE,
    TRANSPOSE,
    WHERE,
    elementwise,
    fold,
)

NAMED = {
    op.name: op
    for op in (ADD_AT, ASSIGN, BROADCAST, CAST, COPY, INDEX, MATMUL, RESHAPE, SLICE, TRANSPOSE, WHERE)
}  # fmt: skip

TINY = {
    tiling: {"SMALLEST": 32, "LEAST": 32, "PART": 16, "WORTH_IT": 64, "LARGEST": 64, "MULTIPLE": 2},
    lengthening: {"LEAST": 4, "PLENTY": 4},
    moves: {"LEAST": 4},
}


@contextlib.contextmanager
def tiny_tiles() -> Iterator[None]:
    """Within, even the small arrays of a test are worth a tile, and copies in runs."""
    with pytest.MonkeyPatch.context() as patch:
        for module, sizes in TINY.items():
            for name, value in sizes.items():
                patch.setattr(module, name, value)
        yield


class Lowered:
    """A program in the making: `p("matmul", x, w)` adds a node and returns its value."""

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
        return self._given(self.program.arguments, np.ascontiguousarray(array), ARGUMENT, name)

    def state(self, array: Any, name: str = "w") -> Value:
        return self._given(self.program.states, array, STATE, name)

    def constant(self, array: Any, name: str = "") -> Value:
        return self._given(self.program.constants, array, CONSTANT, name)

    def number(self, example: float, name: str = "lr") -> Value:
        value = Value((), None, origin=NUMBER, name=name)
        self.program.numbers.append(value)
        self.examples[value] = example
        return value

    def node(
        self, op: Any, inputs: Sequence[Any], attrs: dict[str, Any], outputs: Sequence[Value] | None = None
    ) -> Any:
        given = [self.examples[x] if isinstance(x, Value) else x for x in inputs]
        with np.errstate(all="ignore"):
            if outputs is None and op.kind == MAP:
                outputs = [_like(op.ufunc(*given) if op.ufunc else np.where(*given))]
            blank = [Value((), np.dtype(float))] * 9
            results = interpreter.evaluate(Node(op, (), attrs, tuple(outputs or blank)), given)
        outputs = outputs or list(map(_like, results))
        self.examples.update(zip(outputs, results, strict=True))
        self.program.nodes.append(Node(op, tuple(inputs), attrs, tuple(outputs), self.section))
        return outputs[0] if len(outputs) == 1 else tuple(outputs)

    def __call__(self, name: str, *inputs: Any, **attrs: Any) -> Any:
        """A node by the name of its primitive or ufunc: "add", "add.reduce", "transpose", …"""
        if name == "cast":
            x = self.examples[inputs[0]]
            out = Value(x.shape, np.dtype(attrs["dtype"]), order_of(np.empty_like(x, attrs["dtype"])))
            return self.node(CAST, inputs, {}, [out])
        if name == "copy":
            x = np.asarray(self.examples[inputs[0]] if isinstance(inputs[0], Value) else inputs[0])
            shape = attrs.get("shape", x.shape)
            order = attrs.get("order", tuple(range(len(shape))))
            return self.node(COPY, inputs, {}, [Value(shape, np.dtype(attrs.get("dtype", x.dtype)), order)])
        if name == "number":
            return self.node(ARITHMETIC[attrs["op"]], inputs, {}, [Value((), None)])
        if name in OPS and attrs.pop("kernel", False):
            return self.node(KERNEL, inputs, {"op": OPS[name], "attrs": attrs})
        if name.endswith(".reduce"):
            return self.node(fold(getattr(np, name.split(".")[0])), inputs, {"keepdims": False, **attrs})
        return self.node(NAMED[name] if name in NAMED else elementwise(getattr(np, name)), inputs, attrs)

    def draw(self, method: str, shape: tuple[int, ...], dtype: Any, arguments: dict[str, Any]) -> Value:
        attrs = {"generator": None, "method": method, "arguments": arguments}
        value = Value(shape, np.dtype(dtype))
        self.examples[value] = np.ones(shape, dtype)
        self.program.nodes.append(Node(DRAW, (), attrs, (value,), self.section))
        return value

    def check(self, wrong: Value, complain: Any = ValueError, *arrays: Value) -> None:
        self.program.nodes.append(Node(CHECK, (wrong, *arrays), {"complain": complain}, (), self.section))

    def done(self, *outputs: Any, writes: Any = (), number_writes: Any = ()) -> Program:
        self.program.outputs = list(outputs)
        self.program.writes, self.program.number_writes = list(writes), list(number_writes)
        return verify(self.program)


def _like(x: Any) -> Value:
    array = np.asarray(x)
    return Value(array.shape, array.dtype, order_of(array))


class Ran:
    """A planned program, bound to copies of a draft's states, and the same states for the interpreter."""

    def __init__(self, draft: Lowered, program: Program) -> None:
        self.program, self.planned = program, Planned(program)
        self.states = [draft.examples[x].copy(order="K") for x in program.states]
        self.expected = [draft.examples[x].copy(order="K") for x in program.states]
        self.arguments = [draft.examples[x] for x in program.arguments]
        self.numbers = [draft.examples[x] for x in program.numbers]
        with pytest.MonkeyPatch.context() as patch, np.errstate(all="ignore"):
            arenas: list[Any] = []
            patch.setattr(runtime, "arena", _recorded(runtime.arena, arenas))
            self.run = self.planned.bind(self.states)
        (self.arena,) = arenas

    def poison(self) -> None:
        """Fill the arena with NaN, for integers with −1."""
        self.arena[...] = 255

    def step(self) -> tuple[list[Any], list[Any]]:
        """What a run gives and leaves in the states, planned and interpreted; both draw the same random numbers."""
        kept, stream = [x.copy() for x in self.arguments], default_generator.get_state()
        self.poison()
        outputs = self.run(*self.arguments, *self.numbers)
        default_generator.set_state(stream)
        for x, before in zip(self.arguments, kept, strict=True):
            np.testing.assert_array_equal(x, before)
        self._separate(outputs)
        found = [*outputs, *[x.copy() for x in self.states]]
        self.poison()  # what was returned shares nothing with the arena
        with np.errstate(all="ignore"):
            outputs, numbers = interpreter.run(self.program, self.arguments, self.numbers, self.expected)
        return found, [*outputs, *numbers, *self.expected]

    def agree(self, times: int = 3, tolerance: float = 0.0) -> None:
        """Several runs are the interpreter's, bit for bit unless there is a tolerance."""
        for _ in range(times):
            assert_same(*self.step(), tolerance)

    def _separate(self, outputs: Sequence[Any]) -> None:
        held = [self.arena, *self.states, *self.arguments, *[x.data for x in self.program.constants]]
        for i, x in enumerate(outputs):
            if isinstance(x, np.ndarray):
                for other in [*held, *[y for y in outputs[:i] if isinstance(y, np.ndarray)]]:
                    assert not np.may_share_memory(x, other)
            else:
                assert isinstance(x, (int, float))


def _recorded(function: Any, made: list[Any]) -> Any:
    def call(*arguments: Any) -> Any:
        made.append(function(*arguments))
        return made[-1]

    return call


def assert_same(found: Sequence[Any], expected: Sequence[Any], tolerance: float = 0.0) -> None:
    """Equal shapes, dtypes and values; NaN is NaN."""
    assert len(found) == len(expected)
    for mine, theirs in zip(found, expected, strict=True):
        a, b = np.asarray(mine), np.asarray(theirs)
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        if tolerance:
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)
        else:
            np.testing.assert_array_equal(a, b)


# Examples.

RANDOM = np.random.default_rng(0)


def values(*shape: int, dtype: Any = np.float32) -> Any:
    """Random values from -1 to 1."""
    return RANDOM.uniform(-1, 1, shape).astype(dtype)


def sgd(rows: int = 50, inputs: int = 240, outputs: int = 64, dtype: Any = np.float32) -> Lowered:
    """A layer of weights (outputs, inputs), in memory (inputs, outputs), with a gradient and its update."""
    p = Lowered()
    x, d = p.argument(values(rows, inputs, dtype=dtype)), p.argument(values(rows, outputs, dtype=dtype), "d")
    w = p.state(values(inputs, outputs, dtype=dtype).T)
    lr = p.number(0.1)
    scores = p("matmul", x, p("transpose", w, axes=(1, 0)))
    loss = p("add.reduce", p("multiply", scores, d), axis=(0, 1))
    g = p("transpose", p("matmul", p("transpose", x, axes=(1, 0)), d), axes=(1, 0))
    new = p("subtract", p("multiply", w, 0.99), p("multiply", g, lr))
    p.done(loss, writes=[(w, new)])
    return p


def compiled_step(network: networks.Network) -> tuple[Any, Any]:
    """The training step of a network of the benchmark, planned: a function without arguments, and what it calls."""
    model, loss_function, optimizer = networks.build(byhand, network)
    networks._load(byhand, model, networks.initial_weights(network))
    x, labels = map(byhand.from_numpy, networks.made_up_batch(network))

    def step(x: Any, labels: Any) -> Any:
        optimizer.zero_grad()
        loss = loss_function(model(x), labels)
        loss.backward()
        optimizer.step()
        return loss

    compiled = byhand.compile(step, dialect="planned")
    return (lambda: compiled(x, labels)), compiled

"""The pass `algebra`, rule by rule: what becomes of a small program, and that its results keep their bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from byhand.program.ir import Program, Value, verify
from byhand.program.lowering import lower
from byhand.program.passes import optimise
from byhand.program.passes.algebra import algebra
from byhand.program.passes.dead_code import dead_code
from byhand.program.passes.scalars import literal, only
from program.draft import Draft, assert_same_bits, names

F4 = np.dtype("f4")
X = np.array([[0.0, -0.0, 1.5], [-2.0, np.inf, np.nan]], F4)
Y = np.array([[3.0, 0.0, -0.0], [1e-40, 0.1, 7.0]], F4)


def simplified(program: Program) -> Program:
    """After the pass, without what it left unused."""
    return dead_code(verify(algebra(program)))


def formula(node: Any, labels: dict[Any, str]) -> str:
    return f"{node.op.name} {' '.join(labels.get(x, 'v') if isinstance(x, Value) else repr(x) for x in node.inputs)}"


def formulas(program: Program) -> list[str]:
    """`mul x 2`, with v for whatever is computed."""
    labels = {x: x.name for x in program.given if x.name}
    return [formula(node, labels) for node in program.nodes]


Build = Callable[[Draft, Value, Value, Value], Any]


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        pytest.param(lambda d, x, y, s: d("mul", x, 1), [], id="x·1"),
        pytest.param(lambda d, x, y, s: d("mul", 1.0, x), [], id="1·x"),
        pytest.param(lambda d, x, y, s: d("true_divide", x, 1), [], id="x/1"),
        pytest.param(lambda d, x, y, s: d("sub", x, 0), [], id="x-0"),
        pytest.param(lambda d, x, y, s: d("add", x, -0.0), [], id="x+(-0)"),
        pytest.param(lambda d, x, y, s: d("add", x, 0.0), ["add x 0.0"], id="x+0 has another zero"),
        pytest.param(lambda d, x, y, s: d("sub", x, -0.0), ["sub x -0.0"], id="x-(-0) has another zero"),
        pytest.param(lambda d, x, y, s: d("add", 0, d("square", x)), ["square x"], id="0+x²"),
        pytest.param(
            lambda d, x, y, s: d("add", d("mul", d("square", x), -2.0), 0),
            ["square x", "mul v 2.0", "sub 0 v"], id="-2x²+0 has another zero",
        ),
        pytest.param(lambda d, x, y, s: d("add", 0, d("neg", d("square", x))), ["square x", "sub 0 v"], id="0-x²"),
        pytest.param(lambda d, x, y, s: d("mul", x, -1), ["neg x"], id="x·(-1)"),
        pytest.param(lambda d, x, y, s: d("true_divide", x, -1.0), ["neg x"], id="x/(-1)"),
        pytest.param(lambda d, x, y, s: d("neg", d("neg", x)), [], id="-(-x)"),
        pytest.param(lambda d, x, y, s: d("add", x, d("neg", y)), ["sub x y"], id="x+(-y)"),
        pytest.param(lambda d, x, y, s: d("add", d("neg", x), y), ["sub y x"], id="-x+y"),
        pytest.param(lambda d, x, y, s: d("sub", x, d("neg", y)), ["add x y"], id="x-(-y)"),
        pytest.param(lambda d, x, y, s: d("add", x, -2.5), ["sub x 2.5"], id="x+(-2.5)"),
        pytest.param(lambda d, x, y, s: d("mul", d("neg", x), d("neg", y)), ["mul x y"], id="(-x)(-y)"),
        pytest.param(
            lambda d, x, y, s: d("add", x, d("mul", y, d("neg", s))), ["mul y lr", "sub x v"], id="x+y(-s)"
        ),
        pytest.param(
            lambda d, x, y, s: d("add", x, d("mul", d("true_divide", d("neg", s), 3.0), y)),
            ["true_divide lr 3.0", "mul v y", "sub x v"], id="x+((-s)/3)y",
        ),
        pytest.param(lambda d, x, y, s: d("add", x, d("mul", y, -0.5)), ["mul y 0.5", "sub x v"], id="x+y(-0.5)"),
        pytest.param(lambda d, x, y, s: d("neg", d("mul", d("neg", x), y)), ["mul x y"], id="-((-x)y)"),
        pytest.param(lambda d, x, y, s: d("neg", d("sub", x, y)), ["sub x y", "neg v"], id="-(x-y) has another zero"),
        pytest.param(lambda d, x, y, s: d("mul", 0.02, d("mul", 2, x)), ["mul 0.04 x"], id="0.02(2x)"),
        pytest.param(
            lambda d, x, y, s: d("mul", 0.02, d("mul", 3, x)), ["mul 3 x", "mul 0.02 v"], id="0.02(3x) is rounded twice"
        ),
        pytest.param(
            lambda d, x, y, s: d("mul", 3e38, d("mul", 4.0, y)), ["mul 4.0 y", "mul 3e+38 v"], id="4 · 3e38 is infinite"
        ),
        pytest.param(
            lambda d, x, y, s: d("mul", 1e-40, d("mul", 4.0, y)), ["mul 4.0 y", "mul 1e-40 v"], id="1e-40 has few bits"
        ),
        pytest.param(
            lambda d, x, y, s: d("mul", d.constant(np.full((2, 3), 0.1, F4)), x), ["mul 0.1 x"], id="full(0.1)·x"
        ),
        pytest.param(lambda d, x, y, s: d("mul", d.constant(np.ones((), F4)), x), [], id="ones·x"),
        pytest.param(
            lambda d, x, y, s: d("mul", d("expand", d.constant(np.ones((), F4)), shape=(2, 3)), x), [],
            id="expand(1)·x",
        ),
        pytest.param(
            lambda d, x, y, s: d("mul", d.constant(np.full((), 2.0)), x), ["mul v x"], id="a float64 is no literal"
        ),
        pytest.param(
            lambda d, x, y, s: d("mul", d.constant(np.full((4, 2, 3), 2, F4)), x), ["mul v x"],
            id="the shape is the constant's",
        ),
        pytest.param(lambda d, x, y, s: d("where", d("gt", x, y), x, x), [], id="where(c,x,x)"),
        pytest.param(
            lambda d, x, y, s: d("where", d.constant(np.ones((2, 3), bool)), x, y), [], id="where(true,x,y)"
        ),
        pytest.param(lambda d, x, y, s: d("clone", x), [], id="clone"),
        pytest.param(lambda d, x, y, s: d("contiguous", x), [], id="contiguous"),
        pytest.param(
            lambda d, x, y, s: d("contiguous", d("permute", x, axes=(1, 0))), ["permute x", "contiguous v"],
            id="contiguous makes another order",
        ),
        pytest.param(lambda d, x, y, s: d("cast", x, dtype=F4), [], id="cast to its own dtype"),
        pytest.param(
            lambda d, x, y, s: d("cast", d("cast", x, dtype=np.dtype("f8")), dtype=F4), [], id="float32 by float64"
        ),
        pytest.param(
            lambda d, x, y, s: d("cast", d("cast", y, dtype=np.dtype("i4")), dtype=F4), ["cast y", "cast v"],
            id="float32 by int32",
        ),
        pytest.param(lambda d, x, y, s: d("permute", d("permute", x, axes=(1, 0)), axes=(1, 0)), [], id="(xᵀ)ᵀ"),
        pytest.param(lambda d, x, y, s: d("permute", x, axes=(0, 1)), [], id="no permutation"),
        pytest.param(lambda d, x, y, s: d("reshape", x, shape=(2, 3)), [], id="its own shape"),
        pytest.param(
            lambda d, x, y, s: d("reshape", d("reshape", x, shape=(6,)), shape=(3, 2)), ["reshape x"], id="two reshapes"
        ),
        pytest.param(
            lambda d, x, y, s: d("expand", d("expand", x, shape=(1, 2, 3)), shape=(4, 2, 3)), ["expand x"],
            id="two expansions",
        ),
        pytest.param(lambda d, x, y, s: d("narrow", x, axis=0, start=0, stop=2), [], id="all of it"),
        pytest.param(lambda d, x, y, s: d("copied", x, y), [], id="x.copy_(y)"),
        pytest.param(
            lambda d, x, y, s: d("copied", d("cast", x, dtype=np.dtype("f8")), y), ["cast y"], id="copy_ from float32"
        ),
        pytest.param(
            lambda d, x, y, s: d("view_written", x, d("reshape", y, shape=(6,)), view="reshape", attrs={"shape": (6,)}),
            [], id="x.view(-1).copy_(y)",
        ),
    ],
)  # fmt: skip
def test_rules(build: Build, expected: list[str]) -> None:
    d = Draft()
    x, y, s = d.argument(X, "x"), d.argument(Y, "y"), d.number(0.25)
    program = d.done(build(d, x, y, s))
    after = simplified(program)
    assert formulas(after) == expected
    assert_same_bits(d.run(after), d.run(program))
    low = lower(program)
    assert_same_bits(d.run(optimise(low, check=True)), d.run(program))


def test_rules_on_primitives() -> None:
    d = Draft()
    x, s = d.argument(X), d.number(0.25)
    step = d("mul", d("permute", d("permute", x, axes=(1, 0)), axes=(1, 0)), d("neg", d("mul", s, 1)))
    program = lower(d.done(d("add", d("mul", x, 1), step)))
    after = simplified(program)
    assert names(after) == ["multiply", "subtract"]
    assert_same_bits(d.run(after), d.run(program))


def test_numbers() -> None:
    """An int stays an int, so n · 1 is n and n · 1.0 is not."""
    d = Draft()
    n = d.number(3, "n")
    program = d.done(d("mul", n, 1), d("sub", n, 0), d("neg", d("neg", n)), d("mul", n, 1.0), d("true_divide", n, 1))
    after = simplified(program)
    assert formulas(after) == ["mul n 1.0", "true_divide n 1"]
    assert list(map(type, d.run(after))) == [int, int, int, float, float]


def test_a_sign_stays_in_integers() -> None:
    """−(−128) is no int8."""
    d = Draft()
    x = d.argument(np.array([-128, 5], np.int8))
    program = d.done(d("add", x, d("neg", x)), d("neg", d("neg", x)))
    after = simplified(program)
    assert names(after) == ["neg", "add", "neg", "neg"]
    assert_same_bits(d.run(after), d.run(program))


def test_a_product_that_others_read_keeps_its_sign() -> None:
    d = Draft()
    x, y = d.argument(X), d.argument(Y, "y")
    product = d("mul", d("neg", x), y)
    assert names(simplified(d.done(d("add", y, product), product))) == ["neg", "mul", "add"]


NOTHING: list[tuple[str, Callable[[Draft, Value], Value]]] = [
    ("clone", lambda d, x: d("clone", x)),
    ("mul", lambda d, x: d("mul", x, 1)),
    ("true_divide", lambda d, x: d("true_divide", x, 1)),
    ("sub", lambda d, x: d("sub", x, 0)),
    ("copied", lambda d, x: d("copied", d.argument(np.zeros(x.shape, F4), "old"), x)),
]


@pytest.mark.parametrize(("name", "nothing"), NOTHING, ids=[name for name, _ in NOTHING])
def test_what_closes_gaps_in_memory_stays(name: str, nothing: Callable[[Draft, Value], Value]) -> None:
    """A sum along memory with gaps is rounded otherwise; what reads value by value does not notice."""
    data = np.random.default_rng(0).random((40, 30), F4)
    for given in (lambda d: d("narrow", d.argument(data), axis=1, start=0, stop=7), lambda d: d.state(data[:, :7])):
        d = Draft()
        program = d.done(d("sum", nothing(d, given(d)), axis=(0, 1), keepdims=False))
        assert names(simplified(program))[-2:] == [name, "sum"]
        d = Draft()
        program = d.done(d("relu", nothing(d, given(d))))
        assert name not in names(simplified(program))


def test_integers_by_way_of_floats() -> None:
    d = Draft()
    large, small = d.argument(np.array([2**62 + 1])), d.argument(np.array([32767], np.int16))
    there = [d("cast", x, dtype=F4) for x in (large, small)]
    program = d.done(*[d("cast", x, dtype=y.dtype) for x, y in zip(there, (large, small), strict=True)])
    after = simplified(program)
    assert names(after) == ["cast", "cast"]
    assert after.outputs[1] is small


def test_reshapes_of_another_order_stay() -> None:
    """One of them copies; without it the result would lie in another order, and sums would go another way."""
    d = Draft()
    x = d.state(np.asfortranarray(X))
    program = d.done(d("reshape", d("reshape", x, shape=(6,)), shape=(2, 3)))
    assert algebra(program) is program


def test_what_is_written_through_a_view_is_read_back() -> None:
    d = Draft()
    x, y = d.argument(X), d.argument(np.array([9, 8, 7], F4), "y")
    attrs = {"index": (0,)}
    written = d("view_written", x, y, view="getitem", attrs=attrs)
    program = d.done(d("exp", d("getitem", written, **attrs)), written)
    after = simplified(program)
    assert formulas(after) == ["view_written x y", "exp y"]
    assert_same_bits(d.run(after), d.run(program))


def test_other_places_are_not_read_back() -> None:
    d = Draft()
    x, y = d.argument(X), d.argument(np.array([9, 8, 7], F4), "y")
    written = d("view_written", x, y, view="getitem", attrs={"index": (0,)})
    program = d.done(d("exp", d("getitem", written, index=(1,))))
    assert algebra(program) is program
    d = Draft()
    x, y = d.argument(X), d.argument(X[:, :1].copy(), "y")
    attrs = {"axis": 1, "start": 0, "stop": 1}
    seen = d("narrow", d("view_written", x, y, view="narrow", attrs=attrs), **attrs)
    program = d.done(d("sum", seen, axis=(0, 1), keepdims=False))
    assert algebra(program) is program  # what a sum reads has gaps


def test_a_write_in_another_order_stays() -> None:
    d = Draft()
    x, y = d.argument(X), d.argument(Y.T.copy(), "y")
    program = d.done(d("view_written", x, y, view="permute", attrs={"axes": (1, 0)}))
    assert algebra(program) is program


def test_a_transposed_write() -> None:
    d = Draft()
    x, y = d.argument(X), d.argument(Y, "y")
    program = d.done(d("view_written", x, d("permute", y, axes=(1, 0)), view="permute", attrs={"axes": (1, 0)}))
    after = simplified(program)
    assert names(after) == []
    assert_same_bits(d.run(after), d.run(program))


def test_what_a_value_is_known_as_stays_known() -> None:
    """The gradient of z1, copied, is the gradient of z1."""
    d = Draft()
    x = d.argument(X)
    z = d("exp", x)
    g = d("mul", z, 0.5)
    copy = d("clone", g)
    copy.gradient_of, copy.name = d("clone", z), "d_z"
    program = d.done(copy, d("mul", copy.gradient_of, 2))
    after = simplified(program)
    assert after.outputs[0] is g
    assert (g.gradient_of, g.name) == (z, "d_z")


def test_literals() -> None:
    assert literal(np.float32(0.02)) == 0.02
    assert literal(np.float64(0.1)) == 0.1
    assert (literal(np.int64(3)), type(literal(np.int64(3)))) == (3, int)
    assert literal(np.bool_(True)) is None
    assert np.isnan(literal(np.float32("nan")))
    random = np.random.default_rng(0)
    for bits in random.integers(0, 2**31 - 2**24, 2000, dtype=np.uint32):
        scalar = bits.view(F4)
        assert np.float32(literal(scalar)) == scalar


def test_one_value_repeated() -> None:
    assert only(np.full((3, 2), 5.0)) == 5
    assert only(np.array([1.0, 2.0])) is None
    assert only(np.array([0.0, -0.0])) is None
    assert only(np.zeros(0)) is None
    assert only(np.array([np.nan, np.nan])) is None

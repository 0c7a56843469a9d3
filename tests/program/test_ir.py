"""The program as data: values, what is read where, the verifier's errors, names and the printed form."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from byhand.core.op import OPS
from byhand.program.ir import (
    ARGUMENT,
    BACKWARD,
    CHECK,
    CONSTANT,
    DRAW,
    NUMBER,
    STATE,
    UPDATE,
    Node,
    Program,
    ProgramError,
    Value,
    identifier,
    labels,
    order_of,
    verify,
)
from byhand.program.primitives import ARITHMETIC, CAST, MATMUL, elementwise, fold

F4 = np.dtype("f4")


def given(origin: str, name: str = "x", shape: tuple[int, ...] = (2, 3)) -> Value:
    return Value(shape, None if origin == NUMBER else F4, origin=origin, name=name)


def node(op: str, *inputs: Any, shape: tuple[int, ...] = (2, 3), **attrs: Any) -> Node:
    return Node(OPS[op], inputs, attrs, (Value(shape, F4),))


def step() -> Program:
    """w ← w − lr · x, t ← t + 1; returns exp x."""
    x, w, c = given(ARGUMENT), given(STATE, "fc1.weight"), given(CONSTANT, "")
    lr, t = given(NUMBER, "lr", ()), given(NUMBER, "t", ())
    out, scaled = node("exp", x), node("mul", x, lr)
    new = node("sub", w, scaled.out)
    count = Node(ARITHMETIC["add"], (t, 1), {}, (Value((), None),), UPDATE)
    scaled.section = new.section = UPDATE
    return Program(
        arguments=[x], numbers=[lr, t], states=[w], constants=[c], nodes=[out, scaled, new, count],
        outputs=[out.out, 3], writes=[(w, new.out)], number_writes=[(t, count.out)],
    )  # fmt: skip


# values and programs


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("f4", "f32[2,3]"),
        ("f8", "f64[2,3]"),
        ("i8", "i64[2,3]"),
        ("u1", "u8[2,3]"),
        ("?", "bool[2,3]"),
        (None, "number"),
    ],
)
def test_types(dtype: str | None, expected: str) -> None:
    value = Value((2, 3), None if dtype is None else np.dtype(dtype))
    assert value.type == expected
    assert value.nbytes == (0 if dtype is None else 6 * np.dtype(dtype).itemsize)


def test_a_value_says_what_it_is() -> None:
    assert repr(Value((), F4)) == "<computed f32[]>"
    assert repr(given(STATE, "fc1.weight")) == "<fc1.weight f32[2,3]>"
    assert Value((2, 3), F4).order == (0, 1)


def test_the_order_of_arrays() -> None:
    x = np.zeros((2, 3, 4))
    assert order_of(x) == (0, 1, 2)
    assert order_of(x.transpose(2, 0, 1)) == (1, 2, 0)
    assert order_of(np.asfortranarray(x)) == (2, 1, 0)
    assert order_of(x[:, ::-1]) == (0, 1, 2)
    assert order_of(np.zeros(())) == ()


def test_who_makes_and_who_reads() -> None:
    program = step()
    (x,), (out, scaled, new, count) = program.arguments, program.nodes
    assert program.producers()[scaled.out] is scaled
    assert program.uses()[x] == [out, scaled]
    assert program.roots == [out.out, new.out, count.out]
    twice = node("mul", x, x)
    assert Program(arguments=[x], nodes=[twice]).uses() == {x: [twice]}


def test_effects_are_roots() -> None:
    x = given(ARGUMENT, shape=())
    drawn = Node(DRAW, (), {}, (Value((2,), F4),))
    program = Program(arguments=[x], nodes=[drawn, Node(CHECK, (x,), {}, ())])
    assert program.roots == [drawn.out, x]


def test_replaced() -> None:
    """Renaming follows chains, in nodes, outputs and writes."""
    program = step()
    (x,), (out, scaled, new, count) = program.arguments, program.nodes
    renamed = {out.out: scaled.out, scaled.out: x, count.out: program.numbers[0]}
    after = program.replaced([new], renamed)
    assert after.nodes[0].inputs == (program.states[0], x)
    assert after.nodes[0].outputs == new.outputs
    assert after.outputs == [x, 3]
    assert after.number_writes == [(program.numbers[1], program.numbers[0])]
    assert new.inputs == (program.states[0], scaled.out)


# the verifier


def test_a_good_program_is_returned() -> None:
    program = step()
    assert verify(program) is program


def broken(case: str) -> Program:
    program, x = step(), given(ARGUMENT, "y")
    first = program.nodes[0]
    if case == "twice given":
        program.states.append(program.arguments[0])
    elif case == "given computed":
        program.constants.append(Value((), F4))
    elif case == "too early":
        program.nodes.reverse()
    elif case == "from nowhere":
        first.inputs = (x,)
    elif case == "bare array":
        first.inputs = (np.zeros(3),)
    elif case == "section":
        first.section = "sideways"
    elif case == "computed twice":
        program.nodes.append(first)
    elif case == "computes what is given":
        first.outputs = (program.arguments[0],)
    elif case == "order":
        first.out.order = (0, 2)
    elif case == "output":
        program.outputs = [Value((2,), F4)]
    elif case == "write":
        program.writes[0] = (program.states[0], given(ARGUMENT, shape=(3, 2)))
        program.arguments.append(program.writes[0][1])
    elif case == "written twice":
        program.writes *= 2
    return program


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("twice given", "a given value is listed twice"),
        ("given computed", "<computed f32[]> is given, but says that it is computed"),
        ("too early", "node 1 (sub) reads <computed f32[2,3]> before it is computed"),
        ("from nowhere", "node 0 (exp) reads <y f32[2,3]> before it is computed"),
        ("bare array", "node 0 (exp) holds an array of shape (3,) that is not a constant of the program"),
        ("section", "node 0 (exp) is in no section: 'sideways'"),
        ("computed twice", "node 4 (exp) computes <computed f32[2,3]> again"),
        ("computes what is given", "node 0 (exp) computes <x f32[2,3]> again"),
        ("order", "node 0 (exp): (0, 2) is no order of the axes of <computed f32[2,3]>"),
        ("output", "<computed f32[2]> is a result, but nothing computes it"),
        ("write", "<x f32[3,2]> cannot be written to <fc1.weight f32[2,3]>"),
        ("written twice", "a state is written twice"),
    ],
)
def test_a_bad_program_is_refused(case: str, message: str) -> None:
    with pytest.raises(ProgramError, match=re.escape(message)):
        verify(broken(case))


# names and text


def test_identifiers() -> None:
    assert identifier("fc1.weight") == "fc1_weight"
    assert identifier("0.bias") == "_0_bias"
    assert identifier("") == ""


def test_names_are_unlike() -> None:
    x, y, z = (given(ARGUMENT, name) for name in ("a.b", "a_b", "v0"))
    first, second = node("exp", x), node("exp", y)
    second.out.name = "a.b"
    names = labels(Program(arguments=[x, y, z], nodes=[first, second]))
    assert [names[v] for v in (x, y, z, first.out, second.out)] == ["a_b", "a_b_2", "v0", "v0_2", "a_b_3"]


def test_the_printed_form() -> None:
    assert (
        str(step())
        == """\
program step(x: f32[2,3])
  number lr: number
  number t: number
  state fc1_weight: f32[2,3]
  constant v0: f32[2,3]
forward
  v1: f32[2,3] = exp(x)
update
  v2: f32[2,3] = mul(x, lr)
  v3: f32[2,3] = sub(fc1_weight, v2)
  v4: number = add(t, 1)
return v1, 3
write  fc1_weight ← v3
write  t ← v4"""
    )


def test_attributes_in_print() -> None:
    x = given(ARGUMENT)
    nodes = [
        Node(OPS["cast"], (x,), {"dtype": np.dtype("i8")}, (Value((2, 3), np.dtype("i8")),)),
        Node(OPS["where"], (x, np.float32(0.5), None), {}, (Value((2, 3), F4),), BACKWARD),
        Node(DRAW, (), {"generator": None, "arguments": {"size": (2,), "dtype": np.float32}}, (Value((2,), F4),)),
        Node(CHECK, (x,), {"complain": ValueError}, ()),
        Node(OPS["sum"], (x,), {"axis": (0,), "index": tuple(range(50))}, (Value((3,), F4),)),
    ]
    program = Program(arguments=[x], nodes=nodes)
    assert str(program).splitlines()[1:] == [
        "forward",
        "  v0: i64[2,3] = cast(x, dtype=int64)",
        "backward",
        "  v1: f32[2,3] = where(x, float32(0.5), None)",
        "forward",
        "  v2: f32[2] = draw(generator=None, arguments={size: (2,), dtype: float32})",
        "  check(x, complain=ValueError)",
        "  v3: f32[3] = sum(x, axis=(0,), index=tuple)",
        "return",
    ]
    assert repr(program) == str(program)


def test_primitives_in_print() -> None:
    x = given(ARGUMENT)
    ops = [elementwise(np.add), fold(np.maximum), CAST, MATMUL]
    nodes = [Node(op, (x,), {}, (Value((2, 3), F4),)) for op in ops]
    printed = str(Program(arguments=[x], nodes=nodes))
    assert re.findall(r"= (\S+)\(", printed) == ["add", "maximum.reduce", "cast", "matmul"]
    assert repr(fold(np.maximum)) == "<fold maximum.reduce>"
    assert elementwise(np.add) == elementwise(np.add)

"""The passes `dead_code`, `common_subexpressions` and `constants`, each alone on small programs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from byhand.program.ir import Program, verify
from byhand.program.lowering import lower
from byhand.program.passes.constants import constants
from byhand.program.passes.dead_code import dead_code
from byhand.program.passes.subexpressions import common_subexpressions
from program.draft import Draft, assert_same_bits, names

X = np.array([[1.0, -2.0, 0.5], [3.0, 0.0, -0.0]], "f4")


def same(d: Draft, program: Program, apply: Any) -> Program:
    """What a pass makes of a program, having made sure that it is the same."""
    changed: Program = verify(apply(program))
    assert_same_bits(d.run(changed), d.run(program))
    return changed


# dead code


def test_what_nobody_needs_goes() -> None:
    d = Draft()
    x, unread = d.argument(X), d.argument(X, "unread")
    d.number(0.1, "unread_number")
    d.constant(np.ones(9))
    d.state(X, "unread_state")
    d("exp", d("neg", x))
    program = same(d, d.done(d("relu", x)), dead_code)
    assert names(program) == ["relu"]
    assert program.arguments == [x, unread]
    assert (program.numbers, program.states, program.constants) == ([], [], [])
    assert dead_code(program) is program


def test_effects_stay() -> None:
    d = Draft()
    wrong = d("any", d("gt", d.argument(X), 5), axis=(0, 1), keepdims=False)
    d.check(wrong)
    d.draw((2,))
    program = d.done()
    assert dead_code(program) is program


def test_what_is_written_stays() -> None:
    d = Draft()
    w, same_as_before, t = d.state(X), d.state(X, "v"), d.number(3, "t")
    new = d("add", t, 1)
    program = same(
        d, d.done(writes=[(w, d("neg", w)), (same_as_before, same_as_before)], number_writes=[(t, new)]), dead_code
    )
    assert names(program) == ["add", "neg"]
    assert program.states == [w]
    assert [state for state, _ in program.writes] == [w]
    assert program.numbers == [t]


def test_a_number_that_only_changes_stays() -> None:
    d = Draft()
    t, lr = d.number(3, "t"), d.number(0.1)
    program = d.done(number_writes=[(t, lr)])
    assert dead_code(program) is program


def test_a_node_with_one_result_of_two_in_use_stays() -> None:
    d = Draft()
    _, p = d("cross_entropy_mean", d.argument(X), d.argument(np.array([0, 2]), "y"))
    assert names(dead_code(d.done(p))) == ["cross_entropy_mean"]


# common subexpressions


def test_equal_nodes_are_one() -> None:
    d = Draft()
    x, y = d.argument(X), d.argument(X, "y")
    a, b = (d("sum", d("mul", *pair), axis=(0,), keepdims=False) for pair in ((x, y), (y, x)))
    program = same(d, d.done(a, b), common_subexpressions)
    assert names(program) == ["mul", "sum"]
    assert program.outputs == [a, a]
    assert common_subexpressions(program) is program


def test_equal_primitives_are_one() -> None:
    d = Draft()
    x = d.argument(X)
    twice = [d("add", d("permute", x, axes=(1, 0)), 1.0) for _ in range(2)]
    assert names(same(d, lower(d.done(*twice)), common_subexpressions)) == ["transpose", "add"]


@pytest.mark.parametrize(
    ("first", "second"),
    [(1, 1.0), (1, True), (0.0, -0.0), (1.0, np.float64(1.0)), (2, 3)],
    ids=["int and float", "int and bool", "zeros", "a scalar of NumPy", "numbers"],
)
def test_unlike_literals_stay_apart(first: Any, second: Any) -> None:
    d = Draft()
    x = d.argument(X)
    program = d.done(*[d("where", d("gt", x, 0), literal, x) for literal in (first, second)])
    assert names(same(d, program, common_subexpressions)).count("where") == 2


def test_unlike_attributes_and_operands_stay_apart() -> None:
    d = Draft()
    x, y = d.argument(X), d.argument(X, "y")
    made = [d("sub", x, y), d("sub", y, x), *[d("sum", x, axis=(i,), keepdims=False) for i in (0, 1)]]
    made += [d("getitem", x, index=(slice(i, 2), Ellipsis)) for i in (0, 1)]
    made += [d("cast", x, dtype=np.dtype(kind)) for kind in ("f8", "i4")]
    program = d.done(*made)
    assert common_subexpressions(program) is program
    low = lower(program)
    assert common_subexpressions(low) is low  # where the dtype of a cast is that of its output


def test_draws_stay_apart() -> None:
    d = Draft()
    program = d.done(d.draw((2,)), d.draw((2,)))
    assert common_subexpressions(program) is program


def test_equal_results_of_several() -> None:
    d = Draft()
    x, y = d.argument(X), d.argument(np.array([0, 2]), "y")
    (a, p), (b, q) = (d("cross_entropy_mean", x, y) for _ in range(2))
    program = same(d, d.done(a, p, b, q), common_subexpressions)
    assert program.outputs == [a, p, a, p]


def test_equal_constants_are_one() -> None:
    d = Draft()
    x = d.argument(X)
    kinds = [np.ones((), "f4"), np.ones((), "f4"), np.ones((), "f8"), np.zeros((), "f4"), -np.zeros((), "f4")]
    program = same(d, d.done(*[d("mul", x, d.constant(c)) for c in kinds]), common_subexpressions)
    assert len(program.constants) == 4


# constants


def test_constants_are_computed() -> None:
    d = Draft()
    x, one = d.argument(X), d.constant(np.ones((), "f4"))
    scale = d("true_divide", one, 50)
    program = same(d, d.done(d("mul", x, scale), scale), constants)
    assert names(program) == ["mul"]
    assert program.constants[-1].data == np.float32(0.02)
    assert program.constants[-1].data.dtype == "f4"


def test_numbers_are_computed() -> None:
    d = Draft()
    x, t = d.argument(X), d.number(3, "t")
    root = d("pow", d("sub", 1, 0.25), 0.5)
    fixed = d("add", 1, 1)
    program = same(d, d.done(d("mul", x, root), number_writes=[(t, fixed)]), constants)
    assert names(program) == ["add", "mul"]  # what a number becomes stays a value
    assert program.nodes[1].inputs == (x, 0.75**0.5)


def test_what_warns_or_fails_is_left_to_the_run() -> None:
    d = Draft()
    program = d.done(d("log", d.constant(np.zeros(2))), d("exp", d.constant(np.full(2, 1000.0))))
    assert constants(program) is program
    d = Draft()
    n = d.number(1.0, "n")
    program = d.done(d("true_divide", n, d("sub", 1.0, 2.0)))
    by_zero = [
        replace(node, inputs=(1.0, x)) for node, x in zip(program.nodes, (1.0, program.nodes[0].out), strict=True)
    ]
    changed = verify(constants(program.replaced(by_zero)))
    assert [(node.op.name, node.inputs) for node in changed.nodes] == [("true_divide", (1.0, 0.0))]


def test_what_is_large_is_left_to_the_run() -> None:
    d = Draft()
    row, column = d.constant(np.arange(300.0)[None]), d.constant(np.arange(300.0)[:, None])
    program = d.done(d("mul", row, column))
    assert constants(program) is program


def test_an_expansion_is_seen_through_but_not_stored() -> None:
    d = Draft()
    g = d("expand", d.constant(np.full((), 0.5, "f4")), shape=(8, 3))
    program = same(d, d.done(d("column_sums", g), d("mul", g, d.argument(np.ones((8, 3), "f4")))), constants)
    assert names(program) == ["expand", "mul"]


def test_one_value_repeated_stays_one_value() -> None:
    """Where elementwise ops read it; a product needs the array."""
    d = Draft()
    x, one = d.argument(X), d.constant(np.ones((2, 3), "f4"))
    program = same(d, d.done(d("mul", x, d("mul", one, 2))), constants)
    assert names(program) == ["expand", "mul"]
    assert program.nodes[0].inputs[0].shape == ()
    d = Draft()
    x, one = d.argument(X), d.constant(np.ones((3, 2), "f4"))
    assert names(same(d, d.done(d("matmul", x, d("mul", one, 2))), constants)) == ["matmul"]


def test_constants_of_primitives_keep_their_order() -> None:
    d = Draft()
    c = d.constant(np.asfortranarray(X))
    program = lower(d.done(d("add", d("exp", c), d.argument(X))))
    found = same(d, program, constants).constants[-1]
    assert found.order == (1, 0)
    assert found.data.flags.f_contiguous


def test_a_constant_lies_as_what_it_replaces() -> None:
    d = Draft()
    out = d("exp", d.constant(X))
    out.order = (1, 0)
    found = same(d, d.done(out, d.argument(X)), constants).constants[-1]
    assert found.order == (1, 0)
    assert found.data.flags.f_contiguous


def test_draws_are_no_constants() -> None:
    d = Draft()
    program = d.done(d("mul", d.draw((2,)), 2))
    assert constants(program) is program

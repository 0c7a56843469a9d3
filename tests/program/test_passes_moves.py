"""The passes `broadcasts` and `transposes`: where expansions and permutations go, and that the bits stay."""

from __future__ import annotations

from typing import Any

import numpy as np

from byhand.program.ir import Node, Program, Value, verify
from byhand.program.lowering import lower
from byhand.program.passes.algebra import algebra
from byhand.program.passes.broadcasts import broadcasts
from byhand.program.passes.dead_code import dead_code
from byhand.program.passes.transposes import transposes
from byhand.program.primitives import BROADCAST, COPY, MATMUL, TRANSPOSE
from program.draft import Draft, assert_same_bits, names

RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((4, 3)).astype("f4")
ROW, COLUMN = X[:1].copy(), X[:, :1].copy()


def after(d: Draft, program: Program, *passes: Any) -> Program:
    """What passes make of a program, having made sure that it is the same."""
    changed = program
    for apply in (*passes, dead_code):
        changed = verify(apply(changed))
        assert_same_bits(d.run(changed), d.run(program))
    return changed


# broadcasts


def test_an_expanded_operand() -> None:
    d = Draft()
    x, row = d.argument(X), d.argument(ROW, "row")
    program = d.done(d("mul", x, d("expand", row, shape=(4, 3))))
    changed = after(d, program, broadcasts)
    assert names(changed) == ["mul"]
    assert changed.nodes[0].inputs == (x, row)
    assert names(after(d, lower(program), broadcasts)) == ["multiply"]


def test_axes_of_size_1_in_front() -> None:
    d = Draft()
    x, total = d.argument(X), d.argument(X[0, 0], "total")
    spread = d("expand", d("reshape", total, shape=(1, 1)), shape=(4, 3))
    changed = after(d, d.done(d("mul", spread, x)), broadcasts)
    assert changed.nodes[0].inputs == (total, x)


def test_an_axis_of_size_1_behind_stays() -> None:
    d = Draft()
    x, v = d.argument(X), d.argument(X[:, 0].copy(), "v")
    spread = d("expand", d("reshape", v, shape=(4, 1)), shape=(4, 3))
    assert names(after(d, d.done(d("mul", x, spread)), broadcasts)) == ["reshape", "mul"]


def test_another_shape_behind_an_axis_of_size_1_stays() -> None:
    d = Draft()
    x, y = d.argument(X), d.argument(X.T.copy(), "y")
    program = d.done(d("mul", x, d("reshape", y, shape=(1, 4, 3))))
    assert broadcasts(program) is program


def test_an_expansion_moves_behind_what_it_would_repeat() -> None:
    d = Draft()
    x, row = d.argument(X), d.argument(ROW, "row")
    spread = d("expand", row, shape=(4, 3))
    changed = after(d, d.done(d("add", x, d("exp", d("mul", spread, spread)))), broadcasts)
    assert [(node.op.name, node.out.shape) for node in changed.nodes] == [
        ("mul", (1, 3)), ("exp", (1, 3)), ("add", (4, 3)),
    ]  # fmt: skip


def test_what_a_product_or_a_sum_reads_stays_whole() -> None:
    d = Draft()
    row = d.argument(ROW, "row")
    bent = d("exp", d("expand", row, shape=(4, 3)))
    program = d.done(d("sum", bent, axis=(0,), keepdims=False), bent)
    assert names(after(d, program, broadcasts)) == ["expand", "exp", "sum"]


def test_the_expansion_that_makes_the_shape_stays() -> None:
    d = Draft()
    row, column = d.argument(ROW, "row"), d.argument(COLUMN, "column")
    wide = d("expand", row, shape=(5, 4, 3)), d("expand", column, shape=(5, 4, 3))
    changed = after(d, d.done(d("mul", *wide)), broadcasts)
    assert names(changed) == ["expand", "mul"]


def test_both_operands_make_the_shape() -> None:
    d = Draft()
    row, column = d.argument(ROW, "row"), d.argument(COLUMN, "column")
    wide = d("expand", row, shape=(4, 3)), d("expand", column, shape=(4, 3))
    assert names(after(d, d.done(d("mul", *wide)), broadcasts)) == ["mul"]


def test_a_copy_broadcasts_by_itself() -> None:
    row = Value((1, 3), np.dtype("f4"), origin="argument", name="row")
    wide, copy = Value((4, 3), row.dtype), Value((4, 3), row.dtype, (1, 0))
    nodes = [Node(BROADCAST, (row,), {"shape": (4, 3)}, (wide,)), Node(COPY, (wide,), {}, (copy,))]
    program = Program(arguments=[row], nodes=nodes, outputs=[copy])
    assert names(dead_code(verify(broadcasts(program)))) == ["copy"]


# transposes


def test_a_permutation_that_is_undone() -> None:
    d = Draft()
    x, y = d.argument(X), d.argument(X + 1, "y")
    xt, yt = d("permute", x, axes=(1, 0)), d("permute", y, axes=(1, 0))
    program = d.done(d("permute", d("mul", d("exp", d("sub", xt, yt)), 2), axes=(1, 0)))
    changed = after(d, program, transposes)
    assert names(changed) == ["sub", "exp", "mul"]
    assert all(node.out.shape == (4, 3) and node.out.order == (0, 1) for node in changed.nodes)
    assert names(after(d, lower(program), transposes)) == ["subtract", "exp", "multiply"]


def test_three_axes() -> None:
    d = Draft()
    x = d.argument(RANDOM.random((2, 3, 4)))
    program = d.done(d("permute", d("exp", d("permute", x, axes=(1, 2, 0))), axes=(2, 0, 1)))
    changed = after(d, program, transposes)
    assert names(changed) == ["exp"]
    assert changed.outputs[0].shape == (2, 3, 4)
    d = Draft()
    x = d.argument(RANDOM.random((2, 3, 4)))
    wrong = d.done(d("permute", d("exp", d("permute", x, axes=(1, 2, 0))), axes=(1, 2, 0)))
    assert names(after(d, wrong, transposes)) == ["permute", "exp", "permute"]


def test_an_operand_that_is_not_permuted_keeps_all_in_place() -> None:
    d = Draft()
    x, y = d.argument(X), d.argument(X.T.copy(), "y")
    program = d.done(d("permute", d("sub", d("permute", x, axes=(1, 0)), y), axes=(1, 0)))
    assert transposes(program) is program


def test_a_value_that_others_read_stays() -> None:
    d = Draft()
    bent = d("exp", d("permute", d.argument(X), axes=(1, 0)))
    program = d.done(d("permute", bent, axes=(1, 0)), bent)
    assert transposes(program) is program


def test_operands_in_unlike_orders_stay() -> None:
    """NumPy lays the result of a conflict in C order, and so the other way round after a permutation."""
    d = Draft()
    x, y = d.argument(X), d.state(np.asfortranarray(X), "y")
    total = d("add", d("permute", x, axes=(1, 0)), d("permute", y, axes=(1, 0)))
    program = d.done(d("permute", total, axes=(1, 0)))
    assert transposes(program) is program


def test_elementwise_ops_come_together() -> None:
    """(f(x)ᵀ · 2) @ y: the product takes the transpose up."""
    d = Draft()
    x, y = d.argument(X), d.argument(X, "y")
    program = d.done(d("matmul", d("mul", d("permute", d("exp", x), axes=(1, 0)), 2), y))
    assert names(after(d, program, transposes)) == ["exp", "mul", "permute", "matmul"]


def test_a_permutation_before_a_sum_of_parameters_stays() -> None:
    """w − 2 xᵀ: moved behind the product, it would stand between two elementwise ops."""
    d = Draft()
    x, w = d.argument(X), d.argument(X.T.copy(), "w")
    program = d.done(d("sub", w, d("mul", d("permute", d("exp", x), axes=(1, 0)), 2)))
    assert transposes(program) is program


def test_a_copy_of_a_transposed_product() -> None:
    d = Draft()
    g, x = d.argument(np.round(X), "g"), d.argument(np.round(2 * X))
    back = d("permute", d("matmul", d("permute", x, axes=(1, 0)), g), axes=(1, 0))
    program = lower(d.done(d("reshape", back, shape=(9,))))
    assert names(program) == ["transpose", "matmul", "transpose", "copy", "reshape"]
    assert names(after(d, program, transposes, algebra)) == ["transpose", "matmul", "reshape"]


def test_a_batch_of_transposed_products() -> None:
    d = Draft()
    q, k = (d.argument(np.round(5 * RANDOM.random((2, 4, 3))), name) for name in "qk")
    back = d("permute", d("matmul", q, d("permute", k, axes=(0, 2, 1))), axes=(0, 2, 1))
    program = lower(d.done(d("reshape", back, shape=(8, 4))))
    assert names(after(d, program, transposes)) == ["transpose", "matmul", "reshape"]
    d = Draft()
    q, k = (d.argument(X.reshape(2, 2, 3), name) for name in "qk")
    other = d("permute", d("matmul", q, d("permute", k, axes=(0, 2, 1))), axes=(1, 2, 0))
    program = lower(d.done(d("reshape", other, shape=(4, 2))))
    assert transposes(program) is program


def test_a_product_that_others_read_stays() -> None:
    d = Draft()
    g, x = d.argument(X, "g"), d.argument(X)
    product = d("matmul", d("permute", x, axes=(1, 0)), g)
    program = lower(d.done(d("reshape", d("permute", product, axes=(1, 0)), shape=(9,)), product))
    assert transposes(program) is program


def test_a_vector_times_matrices() -> None:
    """Its result has rows, one a matrix, but is no product of transposes."""
    d = Draft()
    v, x = d.argument(X[0].copy(), "v"), d.argument(RANDOM.random((3, 3, 5)).astype("f4"))
    program = lower(d.done(d("reshape", d("permute", d("matmul", v, x), axes=(1, 0)), shape=(15,))))
    assert names(program)[:3] == ["matmul", "transpose", "copy"]
    assert transposes(program) is program


def test_a_copy_to_another_order_stays() -> None:
    x, y = (Value((2, 3, 3), np.dtype("f4"), origin="argument", name=name) for name in "xy")
    product = Node(MATMUL, (x, y), {}, (Value((2, 3, 3), x.dtype),))
    back = Node(TRANSPOSE, (product.out,), {"axes": (0, 2, 1)}, (Value((2, 3, 3), x.dtype, (0, 2, 1)),))
    copy = Node(COPY, (back.out,), {}, (Value((2, 3, 3), x.dtype, (1, 0, 2)),))
    program = verify(Program(arguments=[x, y], nodes=[product, back, copy], outputs=[copy.out]))
    assert transposes(program) is program

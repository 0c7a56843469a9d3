"""Loops: which nodes share a nest, what is a loop and what a product, and what is moved in place."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite")

from byhand.ops.index import SLOT
from byhand.program.ir import Value
from program.loops import Ran, normal, text
from program.lowered import Lowered


@pytest.fixture(autouse=True, scope="module")
def folder(tmp_path_factory: Any) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BYHAND_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield tmp_path_factory.getbasetemp()


# fusion


def test_a_chain_is_one_flat_loop_whatever_the_shape() -> None:
    p = Lowered()
    x, y = p.argument(normal(3, 4, 5)), p.state(normal(3, 4, 5), "y")
    ran = Ran(p, p.done(p("tanh", p("add", p("multiply", x, y), 1.0)))).agrees()
    assert ran.nests == 1 and "for i in range(n)" in text(ran) and ran.loops.nbytes == 256


def test_what_is_broadcast_needs_its_loops() -> None:
    p = Lowered()
    x, b = p.argument(normal(30, 40)), p.state(normal(40), "b")
    ran = Ran(p, p.done(p("maximum", p("add", x, b), 0))).agrees()
    assert ran.nests == 1 and "for j in range(40)" in text(ran)


def softmax(p: Lowered, x: Value, axis: int) -> Value:
    e = p("exp", p("subtract", x, p("maximum.reduce", x, axis=(axis,), keepdims=True)))
    return p("true_divide", e, p("add.reduce", e, axis=(axis,), keepdims=True))


@pytest.mark.parametrize("shape, axis", [((20, 100), 1), ((3, 4, 40), 2), ((100, 7), 1), ((7, 100), 0), ((40, 30), 0)])
def test_softmax_is_one_nest_along_rows(shape: Any, axis: int) -> None:
    p = Lowered()
    ran = Ran(p, p.done(softmax(p, p.argument(normal(*shape)), axis))).agrees()
    assert ran.nests == 1 or (shape, axis) == ((40, 30), 0)  # sums of columns are needed before the next pass


def test_rows_use_scratch_for_a_row_only() -> None:
    p = Lowered()
    ran = Ran(p, p.done(p("add.reduce", softmax(p, p.argument(normal(200, 100)), 1), axis=(0, 1)))).agrees()
    assert ran.nests == 1 and ran.loops.nbytes <= 1024


def test_short_loops_are_written_out_around_a_long_one() -> None:
    p = Lowered()
    ran = Ran(p, p.done(softmax(p, p.argument(normal(300, 5)), 1))).agrees()
    assert text(ran).count("for ") == 1 and "exp_f4(" in text(ran)


def test_sums_of_columns_are_added_up_in_the_pass_that_computes_them() -> None:
    p = Lowered()
    h, g = p.argument(normal(64, 50)), p.argument(normal(64, 50) + 1)
    d = p("multiply", g, p("greater", h, 0))
    ran = Ran(p, p.done(d, p("add.reduce", d, axis=(0,)), p("add.reduce", d, axis=(0, 1)))).agrees()
    assert ran.nests == 1


def test_a_fold_that_others_need_first_ends_its_nest() -> None:
    p = Lowered()
    x = p.argument(normal(50, 60))
    mean = p("true_divide", p("add.reduce", x, axis=(0,)), 50)
    centred = p("subtract", x, mean)
    Ran(p, p.done(p("add.reduce", p("multiply", centred, centred), axis=(0,)), p("square", mean))).agrees(looser=5)


def test_small_products_are_loops_and_large_ones_calls() -> None:
    p = Lowered()
    x, w, v = p.argument(normal(500, 3)), p.state(normal(3, 4), "w"), p.state(normal(64, 100), "v")
    h = p("tanh", p("matmul", x, w))
    ran = Ran(p, p.done(p("matmul", p("transpose", h, axes=(1, 0)), x), p("matmul", p.argument(normal(30, 64)), v)))
    ran.agrees()
    assert ran.nests == 1 and ran.loops.source.count("gemm_f4(") == 1


@pytest.mark.parametrize(
    "left, right",
    [((5, 40), (40,)), ((40,), (40, 6)), ((40,), (40,)), ((1, 30), (30, 20)), ((30, 1), (1, 20)), ((30, 20), (20, 1)),
     ((6, 30, 20), (20, 25)), ((6, 30, 20), (6, 20, 25)), ((2, 1, 30, 20), (3, 20, 25)), ((30, 20), (4, 20, 25))],
)  # fmt: skip
@pytest.mark.parametrize("flipped", [False, True])
def test_products_of_all_shapes_and_layouts(left: Any, right: Any, flipped: bool) -> None:
    p = Lowered()
    arrays = [normal(*shape) for shape in (left, right)]
    if flipped:
        arrays = [np.ascontiguousarray(x.swapaxes(-1, -2)).swapaxes(-1, -2) if x.ndim > 1 else x for x in arrays]
    x, y = p.state(arrays[0], "x"), p.state(arrays[1], "y")
    ran = Ran(p, p.done(p("matmul", x, y), p("matmul", p("negative", x), y))).agrees(looser=5)
    assert not ran.calls


def test_products_of_slices_and_of_two_dtypes() -> None:
    p = Lowered()
    x, y = p.argument(normal(30, 40, dtype=np.float64)), p.state(normal(60, 50), "y")
    rows = p("slice", x, index=(slice(None), slice(3, 23)))
    columns = p("slice", y, index=(slice(5, 25), slice(None)))
    gaps = p("slice", x, index=(slice(None), slice(0, 40, 2)))
    ran = Ran(p, p.done(p("matmul", rows, columns), p("matmul", gaps, columns)))
    ran.agrees()
    assert ran.calls == ["matmul"]  # with gaps both ways: not for BLAS


def test_without_blas_products_are_left_to_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("byhand.program.loops.executable.numpys_blas", lambda: None)
    p = Lowered()
    ran = Ran(p, p.done(p("tanh", p("matmul", p.argument(normal(30, 40)), p.state(normal(40, 50), "w"))))).agrees()
    assert ran.calls == ["matmul"]


# moving values


def test_picking_by_labels_is_part_of_the_nest() -> None:
    p = Lowered()
    x, labels = p.argument(normal(40, 7)), p.argument(np.random.default_rng(0).integers(0, 7, 40), "y")
    rows = p.constant(np.arange(40))
    picked = p("index", p("exp", x), rows, labels, index=(SLOT, SLOT))
    planted = p("assign", p("exp", x), picked, rows, labels, index=(SLOT, SLOT))
    ran = Ran(p, p.done(p("add.reduce", picked, axis=(0,)), planted)).agrees()
    assert not ran.calls


@pytest.mark.parametrize("label", [-7, -1, 6])
def test_labels_may_count_from_the_end(label: int) -> None:
    p = Lowered()
    x, labels = p.argument(normal(40, 7)), p.argument(np.full(40, label), "y")
    rows = p.constant(np.arange(40))
    Ran(p, p.done(p("index", x, rows, labels, index=(SLOT, SLOT)), p("index", x, labels, index=(SLOT,)))).agrees()


@pytest.mark.parametrize("label", [-41, 40])
def test_rows_out_of_bounds_raise(label: int) -> None:
    p = Lowered()
    x, rows = p.argument(normal(40, 7)), p.argument(np.zeros(3, np.int64), "rows")
    run = Ran(p, p.done(p("index", x, rows, index=(SLOT,)))).run
    with pytest.raises(IndexError, match="out of bounds for an axis of size 40"):
        run(normal(40, 7), np.array([0, label, 0]))


@pytest.mark.parametrize("shape", [(30,), (4, 6), (1,)])
def test_rows_are_gathered_and_added_back(shape: Any) -> None:
    p = Lowered()
    x, rows = (
        p.state(normal(20, 8), "x"),
        p.argument(np.asarray(np.random.default_rng(0).integers(0, 20, shape)), "rows"),
    )
    taken = p("index", p("multiply", x, 2.0), rows, index=(SLOT,)) if shape else x
    back = p("add_at", p.constant(np.zeros((20, 8), np.float32)), p("tanh", taken), rows, index=(SLOT,)) if shape else x
    ran = Ran(p, p.done(back, p("add.reduce", taken, axis=(0,)))).agrees()
    assert not ran.calls


def test_parts_are_written_in_place_where_nobody_else_needs_the_whole() -> None:
    p = Lowered()
    x, y = p.argument(normal(30, 10)), p.argument(normal(30, 20), "y")
    whole = p("copy", p.constant(np.zeros((30, 40), np.float32)))
    for start, part in ((0, p("tanh", x)), (10, y), (30, p("negative", x))):
        whole = p("assign", whole, part, index=(slice(None), slice(start, start + part.shape[1])))
    ran = Ran(p, p.done(p("multiply", whole, 2.0))).agrees()
    assert not ran.calls
    assert ran.loops.nbytes <= 4 * (30 * 40 * 2 + 30 * 10 * 2) + 512  # one array, not four


def test_what_a_nest_computes_goes_where_it_is_put() -> None:
    p = Lowered()
    x = p.argument(normal(30, 64))
    whole = p.constant(np.zeros((30, 128), np.float32))
    for start, part in enumerate([p("tanh", x), p("negative", x)]):  # every other place, as windows without overlap
        whole = p("assign", whole, part, index=(slice(None), slice(start, None, 2)))
    ran = Ran(p, p.done(p("multiply", whole, 2.0))).agrees()
    assert "source" not in text(ran)  # no nest that moves
    assert ran.loops.nbytes <= 4 * 30 * 128 * 2 + 512  # that array and the result


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_of_parts_that_overlap_the_last_one_stays(order: Any) -> None:
    p = Lowered()
    x = p.argument(normal(30, 4))
    parts = [p("tanh", x), p("negative", x), p("multiply", x, 3.0)]
    whole = p("copy", p.constant(np.zeros((30, 8), np.float32)))
    for k in order:
        whole = p("assign", whole, parts[k], index=(slice(None), slice(2 * k, 2 * k + 4)))
    Ran(p, p.done(p("multiply", whole, 2.0))).agrees()


def planted(p: Lowered, part: Value, shape: Any, index: Any) -> Value:
    return p("assign", p.constant(np.zeros(shape, np.float32)), part, index=index)


def test_a_sum_of_parts_is_put_together() -> None:
    p = Lowered()
    gates = [p("tanh", p.argument(normal(30, 10 + k), f"x{k}")) for k in range(3)]
    total, start = None, 0
    for gate in gates:
        part = planted(p, gate, (30, 33), (slice(None), slice(start, start + gate.shape[1])))
        total, start = part if total is None else p("add", total, part), start + gate.shape[1]
    ran = Ran(p, p.done(p("multiply", total, 2.0))).agrees()
    assert not ran.calls
    body = ran.loops.source.split("def kernel_1")[1]
    assert body.count("assign(") == 3 and "add(" not in body  # no sums, …
    assert "f4(0)" not in text(ran)  # … and nothing is filled before


@pytest.mark.parametrize("second", [(slice(5, 20),), (slice(0, 20), slice(0, 2)), (3,), (slice(19, None, -1),)])
def test_parts_that_overlap_are_added(second: Any) -> None:
    p = Lowered()
    shape = np.empty((20, 8))[second].shape
    a = planted(p, p("tanh", p.argument(normal(10, 8))), (20, 8), (slice(0, 10),))
    b = planted(p, p("tanh", p.argument(normal(*shape) + 1, "y")), (20, 8), second)
    Ran(p, p.done(p("add", a, b), p("add", b, a))).agrees()


def test_a_part_that_is_needed_by_itself() -> None:
    p = Lowered()
    a = planted(p, p.argument(normal(10, 8)), (20, 8), (slice(0, 10),))
    b = planted(p, p.argument(normal(10, 8) + 1, "y"), (20, 8), (slice(10, 20),))
    Ran(p, p.done(p("add", a, b), a, p("multiply", b, 2.0))).agrees()


def test_what_loops_do_not_know_is_left_to_numpy() -> None:
    p = Lowered()
    x = p.argument(normal(20, 30))
    s = p("sin", p("add", x, 1.0))
    ran = Ran(p, p.done(p("multiply", s, x), p("add.reduce", s, axis=(1,)))).agrees()
    assert ran.calls == ["sin"] and ran.loops.source.count("def kernel_") == 2


# updates that are one product


@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_gradient_step_is_one_product(flipped: bool, order: Any) -> None:
    p = Lowered()
    w = p.state(np.array(normal(40, 50), order=order), "w")
    x, d = p.argument(normal(30, 40)), p.argument(normal(30, 50), "d")
    lr, decay = p.number(0.1), p.number(0.99, "decay")
    if flipped:
        gradient = p("transpose", p("matmul", p("transpose", d, axes=(1, 0)), x), axes=(1, 0))
    else:
        gradient = p("matmul", p("transpose", x, axes=(1, 0)), d)
    new = p("subtract", p("multiply", w, decay), p("multiply", gradient, lr))
    ran = Ran(p, p.done(writes=[(w, new)])).agrees(looser=20)
    assert ran.nests == 0 and ran.loops.nbytes == 0
    assert "f4(-lr)" in ran.loops.source and "f4(decay)" in ran.loops.source


def test_momentum_is_one_product_and_others_may_read_it() -> None:
    p = Lowered()
    w, m = p.state(normal(40, 50), "w"), p.state(normal(40, 50), "m")
    gradient = p("matmul", p("transpose", p.argument(normal(30, 40)), axes=(1, 0)), p.argument(normal(30, 50), "d"))
    new = p("add", p("multiply", m, 0.9), p("multiply", p("multiply", gradient, 0.5), 2.0))
    step = p("subtract", w, p("multiply", new, p.number(0.1)))
    ran = Ran(p, p.done(new, writes=[(m, new), (w, step)])).agrees(looser=20)
    assert ran.nests == 1 and "f4(0.9)" in ran.loops.source and "f4(2.0 * 0.5)" in ran.loops.source


@pytest.mark.parametrize("needed", ["gradient", "old", "both"])
def test_an_update_whose_parts_are_needed_elsewhere(needed: str) -> None:
    p = Lowered()
    w, x, d = p.state(normal(40, 50), "w"), p.argument(normal(30, 40)), p.argument(normal(30, 50), "d")
    gradient = p("matmul", p("transpose", x, axes=(1, 0)), d)
    new = p("subtract", w, p("multiply", gradient, 0.1))
    outputs = {"gradient": [gradient], "old": [w], "both": [gradient, w]}[needed]
    Ran(p, p.done(*outputs, p("matmul", x, new), writes=[(w, new)])).agrees(looser=20)

"""Loops: compiled programs give what the interpreter gives, within rounding, and are fused as they should be."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

pytest.importorskip("llvmlite")

import byhand
from byhand.bench.networks import NETWORKS, build, made_up_batch
from byhand.ops.index import SLOT
from byhand.program import interpreter
from byhand.program.dialects import lowered
from byhand.program.ir import Program, Value
from byhand.program.loops import Loops
from byhand.program.loops.assembly import Kernel
from program.lowered import Lowered
from program.random_lowered import Writer, codes
from program.test_lowering import NAMES, SAMPLES, operands, program_of

TOLERANCE = {np.dtype(np.float32): 2e-6, np.dtype(np.float64): 4e-15}
"""Of a result, relative to the largest number in it: sums run in another order, exponentials end in other bits."""


@pytest.fixture(autouse=True, scope="module")
def folder(tmp_path_factory: Any) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BYHAND_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield tmp_path_factory.getbasetemp()


def assert_close(found: Any, right: Any, what: object = "", looser: float = 1, tolerance: float | None = None) -> None:
    found, right = np.asarray(found), np.asarray(right)
    assert (found.shape, found.dtype) == (right.shape, right.dtype), what
    if tolerance is None:
        tolerance = TOLERANCE.get(right.dtype, 0) * looser
    scale = float(np.abs(right[np.isfinite(right)]).max(initial=0)) if right.dtype.kind == "f" else 0.0
    np.testing.assert_allclose(found, right, 2 * tolerance, tolerance * scale, err_msg=str(what))


class Ran:
    """A program bound to copies of a draft's states; the interpreter has copies of its own."""

    def __init__(self, draft: Lowered, program: Program) -> None:
        self.program, self.loops = program, Loops(program)
        self.states = [draft.examples[x].copy(order="K") for x in program.states]
        self.expected = [draft.examples[x].copy(order="K") for x in program.states]
        self.arguments = [draft.examples[x] for x in program.arguments]
        self.numbers = [draft.examples[x] for x in program.numbers]
        self.run = self.loops.bind(self.states)

    def agrees(self, times: int = 2, looser: float = 1, tolerance: float | None = None) -> Ran:
        """Runs give the same results, numbers and states as the interpreter."""
        for seed in range(times):
            byhand.manual_seed(seed)
            with np.errstate(all="ignore"):
                outputs, numbers = interpreter.run(self.program, self.arguments, self.numbers, self.expected)
            byhand.manual_seed(seed)
            found = self.run(*self.arguments, *self.numbers)
            for i, (mine, theirs) in enumerate(zip(found, [*outputs, *numbers], strict=True)):
                assert_close(mine, theirs, f"output {i} of {self.program}", looser, tolerance)
            for value, mine, theirs in zip(self.program.states, self.states, self.expected, strict=True):
                assert_close(mine, theirs, f"{value} of {self.program}", looser, tolerance)
                mine[...] = theirs
        return self

    @property
    def nests(self) -> int:
        return self.loops.kernels

    @property
    def calls(self) -> list[str]:
        """What NumPy is left to do."""
        steps = self.loops._driver.assembly.steps
        return [step.op.name for step in steps if not isinstance(step, Kernel)]


def text(ran: Ran) -> str:
    """The nests, without the formulas."""
    return ran.loops.source[ran.loops.source.index("@nest") :]


# laws


def joined(programs: list[Program]) -> Program:
    """Programs side by side."""
    whole = Program()
    for p in programs:
        for name in ("arguments", "constants", "nodes", "outputs"):
            getattr(whole, name).extend(getattr(p, name))
    return whole


PARTS = [slice(start, start + 24) for start in range(0, len(SAMPLES), 24)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("part", PARTS, ids=lambda part: f"{part.start}")
def test_every_op_of_the_table(part: slice, dtype: Any) -> None:
    programs, arrays, expected = [], [], []
    for sample, name in zip(SAMPLES[part], NAMES[part], strict=True):
        op, inputs, attrs = operands(sample, dtype)
        program, results = program_of(op, inputs, attrs)
        programs.append(program)
        arrays += [x for x in inputs if isinstance(x, np.ndarray)]
        expected += [(name, x) for x in results]
    loops = Loops(lowered(joined(programs)))
    for _ in range(2):
        for found, (name, right) in zip(loops.bind([])(*arrays), expected, strict=True):
            assert_close(found, right, name)


@settings(max_examples=40, deadline=None)
@given(codes())
def test_random_programs(code: Any) -> None:
    writer = Writer()
    program = writer.run(code)
    Ran(writer.p, program).agrees(tolerance=1e-5)  # float32 finds its way into results of float64


# the networks of the benchmark


def step_of(network: Any, dialect: str, dtype: Any) -> tuple[Any, Any, Any]:
    byhand.manual_seed(0)
    model, loss_function, optimizer = build(byhand, network)
    if dtype == np.float64:
        model.double()

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = loss_function(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return byhand.compile(step, dialect=dialect), model, [byhand.from_numpy(a) for a in made_up_batch(network, dtype)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.name)
def test_the_networks_train_as_in_eager_mode(network: Any, dtype: Any) -> None:
    losses, weights = [], []
    for dialect in ("eager", "loops"):
        step, model, batch = step_of(network, dialect, dtype)
        losses.append([step(*batch).item() for _ in range(6)])
        weights.append([p.array for p in model.parameters()])
    np.testing.assert_allclose(losses[1], losses[0], 1e-5 if dtype == np.float32 else 1e-12)
    for mine, eager in zip(*reversed(weights), strict=True):
        # Adam divides by the root of the gradient's square: where that is nearly 0, rounding shows
        tolerance = (1e-3 if network.optimizer == "Adam" else 1e-5) if dtype == np.float32 else 1e-9
        np.testing.assert_allclose(mine, eager, 0, tolerance * np.abs(eager).max())


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.name)
def test_a_step_is_one_call(network: Any) -> None:
    step, _, batch = step_of(network, "loops", np.float32)
    step(*batch)
    step(*batch)
    loops = step.latest.executable
    assert [type(x) for x in loops._driver.assembly.steps] == [Kernel]
    products = loops.source.count("\n    gemm_f4(")
    assert products == (0 if network.name == "planar" else 3 * (len(network.sizes) - 1) - 1)
    if network.name == "planar":  # forward, loss, backward: one loop over the batch
        assert loops.source.count("range(400)") == 1


def test_the_update_of_all_parameters_is_one_nest_in_one_pass() -> None:
    network = next(n for n in NETWORKS if n.optimizer == "Adam")
    step, _, batch = step_of(network, "loops", np.float32)
    for _ in range(3):
        step(*batch)
    source = step.latest.executable.source
    [update] = re.findall(r"@nest\ndef (nest_\d+)\(n,[^@]*?sqrt\([^@]*", source)
    assert source.count(f"    {update}(") == 6
    body = source.split(f"def {update}(")[1].split("@nest")[0]
    assert body.count("for i in range(n)") == 1 and len(re.findall(r"^        \w+\[i\] =", body, re.MULTILINE)) == 3


# fusion


def normal(*shape: int, dtype: Any = np.float32) -> Any:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(dtype)


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


def test_what_loops_do_not_know_is_left_to_numpy() -> None:
    p = Lowered()
    x = p.argument(normal(20, 30))
    s = p("sin", p("add", x, 1.0))
    ran = Ran(p, p.done(p("multiply", s, x), p("add.reduce", s, axis=(1,)))).agrees()
    assert ran.calls == ["sin"] and ran.loops.source.count("def kernel_") == 2


# states, results, effects


def test_states_are_written_where_they_are() -> None:
    p = Lowered()
    w, m, g, lr = p.state(normal(20, 30)), p.state(normal(20, 30), "m"), p.argument(normal(20, 30)), p.number(0.1)
    new_m = p("add", p("multiply", m, 0.9), g)
    new_w = p("subtract", w, p("multiply", new_m, lr))
    program = p.done(w, new_m, writes=[(w, new_w), (m, new_m)])
    ran = Ran(p, program)
    ran.agrees()
    assert ran.nests == 1


def test_a_state_that_is_returned_as_it_was() -> None:
    p = Lowered()
    w = p.state(normal(4, 5))
    ran = Ran(p, p.done(w, writes=[(w, p("multiply", w, 2.0))]))
    before = ran.states[0].copy()
    assert_close(ran.run()[0], before)
    ran.states[0][...] = before
    ran.agrees()


def test_states_that_change_places() -> None:
    p = Lowered()
    a, b = p.state(normal(4, 5), "a"), p.state(normal(4, 5) + 3, "b")
    Ran(p, p.done(writes=[(a, p("copy", b)), (b, p("copy", a))])).agrees()


def test_a_state_that_is_read_elsewhere_when_it_is_written() -> None:
    p = Lowered()
    w, x = p.state(normal(30, 30)), p.argument(normal(30, 30))
    flipped = p("transpose", w, axes=(1, 0))
    new = p("add", w, p("multiply", flipped, x))  # both w[i, j] and w[j, i]
    Ran(p, p.done(p("matmul", w, x), writes=[(w, new)])).agrees(looser=10)


def test_results_are_fresh() -> None:
    p = Lowered()
    x, w = p.argument(normal(4, 5)), p.state(normal(4, 5), "w")
    y = p("add", x, w)
    ran = Ran(p, p.done(y, x, w, p("transpose", y, axes=(1, 0)), 7.0))
    found = ran.run(*ran.arguments)
    held = [*ran.run.memory[1].values(), *ran.arguments]  # type: ignore[attr-defined]
    for i, result in enumerate(found[:4]):
        assert not any(np.may_share_memory(result, other) for other in (*held, *found[:i]))
    assert found[4] == 7.0


def test_checks_raise_before_states_are_written() -> None:
    p = Lowered()
    x, w = p.argument(normal(10)), p.state(normal(10), "w")
    p.check(
        p("logical_or.reduce", p("greater", x, 100.0), axis=(0,)), lambda a: ValueError(f"{a.max():.0f} is too much"), x
    )
    ran = Ran(p, p.done(writes=[(w, p("add", w, x))])).agrees()
    before = ran.states[0].copy()
    with pytest.raises(ValueError, match="500 is too much"):
        ran.run(np.full(10, 500, np.float32))
    np.testing.assert_array_equal(ran.states[0], before)


def test_draws_come_first_and_in_order() -> None:
    p = Lowered()
    x = p.argument(normal(10, 20))
    y = p("tanh", x)
    a = p.draw("random", (10, 20), np.float32, {"size": (10, 20), "dtype": np.float32})
    b = p.draw("standard_normal", (10, 20), np.float64, {"size": (10, 20)})
    ran = Ran(p, p.done(p("multiply", y, p("less", a, 0.5)), p("add", b, a))).agrees(3)
    assert ran.loops.source.count("def kernel_") == 1


def test_numbers_are_computed_in_python() -> None:
    p = Lowered()
    x, t, beta = p.argument(normal(10)), p.number(3, "t"), p.number(0.9, "beta")
    t1 = p("number", t, 1, op="add")
    rate = p("number", 1.0, p("number", beta, t1, op="pow"), op="sub")
    ran = Ran(p, p.done(p("multiply", x, rate), p("add", p.argument(np.arange(3)), t), rate, number_writes=[(t, t1)]))
    ran.agrees()
    assert ran.run(*ran.arguments, 3, 0.9)[2:] == (1.0 - 0.9**4, 4)


# numerics


def test_nan_is_not_lost_in_maxima() -> None:
    x = normal(40, 50)
    x[3, 4], x[5, 6], x[7, 8] = np.nan, np.inf, -np.inf
    p = Lowered()
    a = p.argument(x)
    outputs = [
        p(f"{name}.reduce", a, axis=axis) for name in ("maximum", "minimum", "add") for axis in ((0,), (1,), (0, 1))
    ]
    Ran(p, p.done(*outputs, p("maximum", a, 0.0))).agrees()


@pytest.mark.parametrize("axis", [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_folds_over_any_axes(axis: Any, keepdims: bool) -> None:
    p = Lowered()
    x, y = p.argument(normal(6, 20, 9)), p.argument(normal(6, 20, 9) > 0)
    named = [
        ("add", x),
        ("multiply", x),
        ("maximum", x),
        ("minimum", x),
        ("logical_or", y),
        ("logical_and", y),
        ("add", y),
    ]
    Ran(p, p.done(*[p(f"{name}.reduce", z, axis=axis, keepdims=keepdims) for name, z in named])).agrees(looser=20)


def test_long_sums_of_float32_are_as_exact_as_numpys() -> None:
    x = np.random.default_rng(0).uniform(0, 1, 3_000_000).astype(np.float32)
    p = Lowered()
    program = p.done(p("add.reduce", p.argument(x), axis=(0,)))
    [found] = Loops(program).bind([])(x)
    exact = x.astype(np.float64).sum()
    assert abs(found - exact) <= max(abs(np.add.reduce(x) - exact), np.spacing(np.float32(exact)))


def test_powers_are_products_and_roots() -> None:
    p = Lowered()
    x = p.argument(np.abs(normal(100)) + 0.1)
    ran = Ran(p, p.done(*[p("power", x, n) for n in (1, 2, 3.0, 4, 0.5, -1, -2, -0.5)], p("power", x, 1.7))).agrees()
    assert ran.calls == ["power"]


def test_empty_arrays() -> None:
    p = Lowered()
    x, w = p.argument(np.zeros((0, 4), np.float32)), p.state(normal(4, 3), "w")
    y = p("add", p("matmul", x, w), 1.0)
    Ran(p, p.done(y, p("add.reduce", y, axis=(0,)))).agrees()


# the text


def test_the_same_nest_is_written_once() -> None:
    p = Lowered()
    states = [p.state(normal(20 + k, 30), f"w{k}") for k in range(3)]
    lr = p.number(0.1)
    p.program.outputs = []
    writes = [(w, p("subtract", w, p("multiply", w, lr))) for w in states]
    ran = Ran(p, p.done(writes=writes)).agrees()
    assert ran.nests == 3 and ran.loops.source.count("@nest") == 1


def test_the_text_has_the_names_of_the_program() -> None:
    p = Lowered()
    x, w = p.argument(normal(5, 5), "x"), p.state(normal(5, 5), "fc1.weight")
    source = Ran(p, p.done(p("add", x, w), writes=[(w, p("multiply", w, 0.5))])).loops.source
    assert "fc1_weight[i]" in source and "def run(x):" in source


def test_names_that_are_words_of_the_language() -> None:
    p = Lowered()
    given = [p.argument(normal(5), name) for name in ("where", "i", "n", "table", "failed", "kernel_1", "f4", "id")]
    total = given[0]
    for x in given[1:]:
        total = p("add", total, x)
    Ran(p, p.done(total)).agrees()


def test_profile_names_every_line() -> None:
    p = Lowered()
    x, w = p.argument(normal(50, 40)), p.state(normal(40, 30), "w")
    ran = Ran(p, p.done(p("sin", p("tanh", p("matmul", x, w)))))
    lines = ran.loops.profile(ran.states, ran.arguments, 3)
    assert [product for _, _, product in lines] == [True, False, False]
    assert "matmul" in lines[0][0] and lines[1][0].startswith("nest_1(") and "sin(" in lines[2][0]
    assert all(seconds >= 0 for _, seconds, _ in lines)

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
from byhand.program.dialects import lowered
from byhand.program.ir import Program
from byhand.program.loops import Loops
from byhand.program.loops.assembly import Kernel
from program.loops import Ran, assert_close, normal
from program.lowered import Lowered
from program.random_lowered import Writer, codes
from program.test_lowering import NAMES, SAMPLES, operands, program_of


@pytest.fixture(autouse=True, scope="module")
def folder(tmp_path_factory: Any) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BYHAND_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield tmp_path_factory.getbasetemp()


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


def test_parts_of_a_state_beside_a_state_of_that_name() -> None:
    p = Lowered()
    w, other = p.state(normal(6, 5), "w"), p.state(normal(30), "w_10")
    rows = p("slice", w, index=(slice(2, 6),))
    Ran(p, p.done(p("add", rows, 1.0), p("add.reduce", other, axis=(0,)))).agrees()

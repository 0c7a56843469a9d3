from __future__ import annotations

import ast
import sys
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

import byhand
from byhand.bench import memory as weighing
from byhand.bench import networks
from byhand.ops.index import SLOT
from byhand.program import tiling
from byhand.program.planned import Planned, runtime
from program.lowered import Lowered, Ran, assert_same
from program.random_lowered import Code, Writer, codes

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]
RANDOM = np.random.default_rng(0)


def values(*shape: int, dtype: Any = np.float32) -> Any:
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


# The law.


@given(codes())
@settings(max_examples=150, deadline=None, suppress_health_check=SLOW)
def test_planned_is_the_interpreter_bit_for_bit(code: Code) -> None:
    writer = Writer()
    Ran(writer.p, writer.run(code)).agree()


@given(codes(40))
@settings(max_examples=100, deadline=None, suppress_health_check=SLOW)
def test_with_as_many_tiles_as_can_be(code: Code) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"SMALLEST": 32, "LEAST": 32, "WORTH_IT": 64, "LARGEST": 64, "PART": 16, "MULTIPLE": 2}.items():
            patch.setattr(tiling, name, value)
        writer = Writer()
        Ran(writer.p, writer.run(code)).agree(tolerance=1e-9)


@pytest.mark.parametrize("network", networks.NETWORKS, ids=lambda network: network.name)
def test_networks_train_as_eagerly(network: networks.Network) -> None:
    compiled, _ = compiled_step(network)
    eager = networks.library_step("byhand", network)
    for _ in range(4):
        np.testing.assert_allclose(compiled().item(), eager().item(), rtol=2e-6)


# Memory.


def compiled_step(network: networks.Network) -> tuple[Any, Any]:
    """The compiled step of a network of the benchmark, and the same without arguments."""
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


class Between(weighing.ArrayWatch):
    """Watches what arrays there are between two instructions, beside what comes and goes inside of one."""

    most = 0

    def look(self) -> None:
        super().look()
        self.most = max(self.most, self.live)


@pytest.mark.parametrize("network", networks.NETWORKS, ids=lambda network: network.name)
def test_nothing_is_allocated_in_the_steady_state(network: networks.Network) -> None:
    step, compiled = compiled_step(network)
    step(), step()
    entry = compiled.latest
    x, labels = networks.made_up_batch(network)
    numbers = [s.number.current for s in entry.sources if s.number.value in entry.program.numbers]
    trace = sys.gettrace()
    tracemalloc.start()
    try:
        run = entry.executable.bind([v.data.copy("K") for v in entry.program.states])
        for _ in range(3):  # Python 3.13 sends the events of instructions from the second run under a trace function on
            watch = Between()
            before = watch.live
            sys.settrace(watch)
            run(x, labels, *numbers)
            sys.settrace(trace)
    finally:
        sys.settrace(trace)
        tracemalloc.stop()
    assert watch.most - before <= 64  # the loss
    assert watch.peak - before < 40_000  # inside of a call NumPy's iterators have buffers


@pytest.mark.parametrize("network", networks.NETWORKS, ids=lambda network: network.name)
def test_memory_against_eager(network: networks.Network) -> None:
    step, compiled = compiled_step(network)
    step(), step()
    executable = compiled.latest.executable
    states = sum(v.nbytes for v in executable.program.states)
    eager = weighing.weigh("byhand", network.name)
    assert states + executable.nbytes <= 0.7 * eager


def test_the_gradient_of_a_weight_is_never_there_as_a_whole() -> None:
    p = sgd()
    ran = Ran(p, p.program)
    (tile,) = ran.planned.plan.tiles
    assert "for rows" in ran.planned.source
    assert len(tile.blocks) == 3
    assert ran.planned.nbytes < 240 * 64 * 4 * 0.6  # and the scores
    ran.agree(tolerance=1e-5)


def test_a_tile_of_rows_that_are_columns_of_the_result() -> None:
    """The product lies in Fortran's order, so it is the right operand that is split."""
    p = Lowered()
    x, d = p.argument(values(64, 50, dtype=np.float64)), p.argument(values(50, 300, dtype=np.float64), "d")
    w = p.state(np.asfortranarray(values(64, 300, dtype=np.float64)))
    g = p("matmul", x, d)
    g.order, p.examples[g] = (1, 0), np.asfortranarray(p.examples[g])
    p.done(writes=[(w, p("subtract", w, p("multiply", g, 0.5)))])
    ran = Ran(p, p.program)
    (tile,) = ran.planned.plan.tiles
    assert tile.axes[d] == 1
    assert tile.axes[x] is None
    ran.agree(tolerance=1e-12)


def test_rows_that_do_not_divide() -> None:
    p = sgd(inputs=201, dtype=np.float64)
    ran = Ran(p, p.program)
    assert ran.planned.plan.tiles[0].blocks[-1] == slice(144, 201)
    ran.agree(tolerance=1e-12)


def test_a_gradient_that_is_returned_stays_whole() -> None:
    p = sgd()
    g = next(node.out for node in p.program.nodes if node.op.name == "matmul" and node.out.shape == (240, 64))
    p.program.outputs.append(g)
    ran = Ran(p, p.program)
    assert not ran.planned.plan.tiles
    ran.agree()


def test_large_elementwise_work_runs_in_blocks_that_fit_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiling, "WORTH_IT", 1 << 12)
    monkeypatch.setattr(tiling, "LARGEST", 1 << 12)
    p = Lowered()
    x, m = p.argument(values(512, 8)), p.state(values(512, 8), "m")
    row = p.state(values(8), "row")
    new = p("add", p("multiply", m, 0.9), p("multiply", p("tanh", x), row))
    p.done(p("maximum", new, 0.0), p("add.reduce", new, axis=(0,)), writes=[(m, new)])
    ran = Ran(p, p.program)
    (tile,) = ran.planned.plan.tiles
    assert tile.axes[row] is None
    ran.agree()


# What values mean.


def test_signs_of_zero_and_nan_pass_through_where() -> None:
    x = np.array([0.0, -0.0, np.nan, np.inf, -1.0, 2.0], np.float32)
    y = np.array([-0.0, 1.0, 5.0, np.nan, -0.0, -np.inf], np.float32)
    for first, second in ((x, y), (y, x)):
        p = Lowered()
        a, b = p.argument(first, "a"), p.argument(second, "b")
        c = p("greater", a, b)
        outs = [p("where", c, a, b), p("where", c, a, 0.0), p("where", c, 0.0, b), p("where", c, -0.0, 1.0)]
        half = p("multiply", a, 1.0), p("multiply", b, 1.0)
        p.done(*outs, p("where", c, *half), p("where", p("not_equal", a, 0.0), half[0], half[0]))
        for mine, theirs in zip(*Ran(p, p.program).step(), strict=True):
            assert mine.tobytes() == theirs.tobytes()


@pytest.mark.parametrize("which", [0, 1])
def test_where_may_overwrite_either_case(which: int) -> None:
    for dtype in (np.float32, np.int64, np.bool_):
        p = Lowered()
        x, y = p.argument(values(40) > 0, "x"), p.argument(values(40) > 0, "y")
        cases = [p("cast", p("logical_and", x, y), dtype=dtype), p("cast", y, dtype=dtype)]
        chosen = p("where", x, cases[0], cases[1]) if which else p("where", x, cases[1], cases[0])
        p.done(p("logical_not", chosen), *([cases[0]] if dtype is np.int64 else []))
        Ran(p, p.program).agree(1)


def test_indices_are_asked_before_they_are_used() -> None:
    p = Lowered()
    x, i = p.argument(values(4, 3)), p.argument(np.array([0, -1, 3]), "i")
    rows = p.constant(np.arange(3))
    outs = [
        p("index", p("multiply", x, 1.0), i, index=(SLOT,)),
        p("index", p("multiply", x, 1.0), i, rows, index=(SLOT, SLOT)),
        p("index", p("transpose", x, axes=(1, 0)), rows, i, index=(SLOT, SLOT)),
        p("index", p("copy", p("transpose", x, axes=(1, 0))), rows, i, index=(SLOT, SLOT)),
        p("index", p("copy", p("transpose", x, axes=(1, 0))), i, index=(slice(None), SLOT)),
    ]
    p.done(*outs)
    ran = Ran(p, p.program)
    assert "pick_each(" in ran.planned.source
    assert "pick(" in ran.planned.source
    ran.agree(1)
    for wrong in (4, -5):
        with pytest.raises(IndexError, match="out of bounds"):
            ran.run(ran.arguments[0], np.array([0, wrong, 1]))


def test_an_index_in_a_row_of_a_matrix_does_not_reach_into_the_next() -> None:
    p = Lowered()
    x, i = p.argument(values(3, 4)), p.argument(np.array([0, 1, 2]), "i")
    p.done(p("index", p("multiply", x, 1.0), p.constant(np.arange(3)), i, index=(SLOT, SLOT)))
    ran = Ran(p, p.program)
    with pytest.raises(IndexError):
        ran.run(ran.arguments[0], np.array([0, 4, 1]))
    (found,) = ran.run(ran.arguments[0], np.array([-1, -1, -1]))
    np.testing.assert_array_equal(found, ran.arguments[0][:, -1])


def test_what_kernels_return_is_no_view_of_memory_that_is_used_again() -> None:
    p = Lowered()
    x = p.argument(values(4, 6))
    y = p("reshape", p("multiply", x, 2.0), shape=(6, 4), kernel=True)  # the kernel returns a view
    z = p("multiply", p("multiply", x, 3.0), 4.0)
    p.done(p("add", y, 1.0), z, p("reshape", x, shape=(24,), kernel=True))
    ran = Ran(p, p.program)
    ran.agree()
    assert "del v" in ran.planned.source


def test_kernels_with_several_results_and_numbers() -> None:
    p = Lowered()
    x, target = p.argument(values(5, 3)), p.argument(np.array([0, 1, 2, 1, 0]), "target")
    losses, probabilities = p("cross_entropy", x, target, kernel=True)
    p.done(losses, p("multiply", probabilities, p("number", p.number(3), 2, op="pow")))
    Ran(p, p.program).agree()


def test_random_numbers_come_from_the_stream_in_order() -> None:
    p = Lowered()
    a = p.draw("random", (3, 2), np.float32, {"size": (3, 2), "dtype": np.float32})
    b = p.draw("standard_normal", (4,), np.float64, {"size": (4,)})
    c = p.draw("integers", (5,), np.int64, {"low": 0, "high": 9, "size": (5,)})
    d = p.draw("permutation", (6,), np.int64, {"x": 6})
    e = p.draw("random", (), np.float64, {})
    w = p.state(values(4, dtype=np.float64))
    p.done(p("add", a, a), c, d, e, writes=[(w, b)])
    ran = Ran(p, p.program)
    assert "out=w" in ran.planned.source
    byhand.manual_seed(1)
    ran.agree()


def test_numbers() -> None:
    p = Lowered()
    lr, t, i = p.number(0.5), p.number(2, "t"), p.argument(np.array([3, 4]), "i")
    x = p.argument(values(3))
    new = p("number", t, 1, op="add")
    rate = p("number", p("number", lr, -2.0, op="pow"), p("number", new, op="neg"), op="true_divide")
    late = p("number", 1, p("number", rate, 3, op="mul"), op="sub")
    scaled = p("multiply", x, late)
    p.done(scaled, p("multiply", i, t), p("add", i, 1), p("copy", lr, dtype=np.float32), rate, 7, np.float32(2.0), None,
           number_writes=[(t, new)])  # fmt: skip
    ran = Ran(p, p.program)
    found = ran.run(*ran.arguments, *ran.numbers)
    assert found[-1] == 3
    assert found[4] == rate_of(0.5, 3)
    assert found[5:8] == (7, 2.0, None)
    assert found[1].tolist() == [6, 8]  # an integer, though floats are numbers too
    np.testing.assert_array_equal(found[0], ran.arguments[1] * (1 - rate_of(0.5, 3) * 3))


def rate_of(lr: float, t: int) -> float:
    return lr**-2.0 / -t


def test_outputs_are_the_callers_own() -> None:
    p = Lowered()
    x, w = p.argument(values(3, 4)), p.state(values(3, 4))
    y = p("multiply", x, 2.0)
    new = p("add", w, y)
    p.done(x, w, y, y, p("transpose", y, axes=(1, 0)), new, p.constant(values(2)), writes=[(w, new)])
    Ran(p, p.program).agree()


def test_states_that_change_places() -> None:
    p = Lowered()
    a, b, c = (p.state(values(3, 4), name) for name in "abc")
    total = p("add", a, b)
    p.done(writes=[(a, b), (b, a), (c, p("multiply", total, c))])
    Ran(p, p.program).agree()


def test_a_failed_check_leaves_the_states_alone() -> None:
    p = Lowered()
    x, w = p.argument(values(3)), p.state(values(3))
    new = p("add", w, x)
    p.check(p("greater", p("maximum.reduce", x, axis=(0,)), 2.0), lambda x: ValueError(f"too large: {x.max()}"), x)
    p.done(new, writes=[(w, new)])
    ran = Ran(p, p.program)
    before = ran.states[0].copy()
    with pytest.raises(ValueError, match=r"too large: 5\.0"):
        ran.run(np.full(3, 5, np.float32))
    np.testing.assert_array_equal(ran.states[0], before)
    ran.agree()


def test_no_warning_where_eager_would_give_none() -> None:
    p = Lowered()
    x = p.argument(np.array([-1000.0, 0.0], np.float32))
    p.done(p("true_divide", 1.0, p("add", p("exp", p("negative", x)), 1.0)), p("log", p("maximum", x, 0.0)))
    before = np.geterr()
    Ran(p, p.program).run(p.examples[x])  # warnings are errors here
    assert np.geterr() == before


# The text.


def test_the_text_of_a_step() -> None:
    p = sgd(rows=4, inputs=3, outputs=2)
    planned = Planned(p.program)
    assert planned.source == TEXT
    ast.parse(planned.source)
    body = planned.source.splitlines()
    for number, text, node in planned.lines:
        assert body[number - 1].strip().startswith(text)
        assert node in planned.program.nodes


TEXT = '''\
"""step: 10 operations of NumPy in 128 bytes of memory."""

import numpy as np
from numpy import dot, empty, multiply, subtract
add_reduce = np.add.reduce


def bind(memory, states, constants):
    w, = states
    w_T = w.T
    v2 = place(memory, 0, (4, 2), "float32")
    v4 = place(memory, 64, (3, 2), "float32")
    _0_99 = np.array(0.99, "float32")
    v4_T = v4.T
    lr_array = np.empty((), "float32")

    def step(x, d, lr):
        lr_array[()] = lr
        # forward
        dot(x, w_T, v2)  # f32[4,2]
        multiply(v2, d, v2)  # f32[4,2]
        x_T = x.T
        dot(x_T, d, v4)  # f32[3,2]
        multiply(w, _0_99, w)  # f32[2,3]
        multiply(v4_T, lr_array, v4_T)  # f32[2,3]
        subtract(w, v4_T, w)  # f32[2,3]
        v9 = empty((), "float32")
        add_reduce(v2, (0, 1), None, v9)  # f32[]
        return (v9,)

    return step
'''


def test_names_of_the_user_do_not_hide_numpys() -> None:
    p = Lowered()
    x, w = p.argument(values(3), "add"), p.state(values(3), "memory.multiply")
    p.done(p("add", x, p("multiply", w, 2.0)), writes=[(w, p("multiply", x, 0.5))])
    Ran(p, p.program).agree()


def test_the_profile_has_a_time_for_every_line() -> None:
    p = sgd()
    planned = Planned(p.program)
    states = [p.examples[w].copy("K") for w in p.program.states]
    inputs = [p.examples[x] for x in (*p.program.arguments, *p.program.numbers)]
    found = planned.profile(states, inputs, rounds=5)
    assert [text for text, _, _ in found] == [text for _, text, _ in planned.lines]
    assert sum(product for _, _, product in found) == 2
    assert all(seconds >= 0 for _, seconds, _ in found)
    assert sum(seconds for _, seconds, _ in found) > 0
    reference = [p.examples[w].copy("K") for w in p.program.states]
    run = planned.bind(reference)
    for _ in range(8):
        run(*inputs)
    assert_same(states, reference)  # what is timed is the step itself


def test_arenas_begin_with_a_cache_line() -> None:
    for size in (1, 100):
        assert runtime.arena(size).ctypes.data % 64 == 0
        assert runtime.arena(size).nbytes == size

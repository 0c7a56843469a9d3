from __future__ import annotations

import ast
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

import byhand
from byhand.bench import networks
from byhand.ops.index import SLOT
from byhand.program.planned import Planned, runtime
from program.lowered import Lowered, Ran, assert_same, compiled_step, sgd, tiny_tiles, values
from program.random_lowered import Code, Writer, codes

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]

# The law.


@given(codes())
@settings(max_examples=150, deadline=None, suppress_health_check=SLOW)
def test_planned_is_the_interpreter_bit_for_bit(code: Code) -> None:
    writer = Writer()
    Ran(writer.p, writer.run(code)).agree()


@given(codes(40))
@settings(max_examples=100, deadline=None, suppress_health_check=SLOW)
def test_with_as_many_tiles_as_can_be(code: Code) -> None:
    with tiny_tiles():
        writer = Writer()
        Ran(writer.p, writer.run(code)).agree(tolerance=1e-9)


@pytest.mark.parametrize("network", networks.NETWORKS, ids=lambda network: network.name)
def test_networks_train_as_eagerly(network: networks.Network) -> None:
    compiled, _ = compiled_step(network)
    eager = networks.library_step("byhand", network)
    for _ in range(4):
        np.testing.assert_allclose(compiled().item(), eager().item(), rtol=2e-6)


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


@pytest.mark.parametrize("name", ["maximum", "minimum"])
@pytest.mark.parametrize("bound", [0.0, -0.0, 0, 0.5, -1.5, np.float32(0.25)])
def test_bounds_of_many_values_keep_zeros_and_nan(name: str, bound: Any) -> None:
    x = np.resize(np.array([0.0, -0.0, np.nan, np.inf, -np.inf, 1.0, -3.0, 0.5], np.float32), 4099)
    p = Lowered()
    a = p.argument(x)
    p.done(p(name, a, bound), p(name, bound, a), p(name, a, float("nan")))
    ran = Ran(p, p.program)
    assert ran.planned.source.count("clip(") == (0 if str(bound) == "-0.0" else 2)
    for mine, theirs in zip(*ran.step(), strict=True):
        assert mine.tobytes() == theirs.tobytes()


def test_masks_are_numbers_where_they_meet_numbers() -> None:
    p = Lowered()
    x, y = p.argument(values(30, 4)), p.argument(values(4), "y")
    mask, row = p("greater", x, 0.0), p("greater", y, 0.0)
    p.done(p("multiply", x, mask), p("subtract", mask, x), p("multiply", x, row), p("add", mask, p("greater", x, 0.5)))
    ran = Ran(p, p.program)
    assert ran.planned.source.count("copyto(scratch") == 2
    ran.agree()


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


def test_constant_places_that_are_not_there() -> None:
    p = Lowered()
    x, i, rows = p.argument(values(3, 4)), p.argument(np.array([0, 1, 2]), "i"), p.constant(np.arange(3))
    p.done(p("index", p("multiply", x, 1.0), rows, i, index=(SLOT, SLOT)))
    rows.data = np.array([0, 1, 3])
    with pytest.raises(IndexError, match="index 3 is out of bounds"):
        Ran(p, p.program).run(p.examples[x], p.examples[i])


def test_a_part_of_a_broadcast_is_not_written_to() -> None:
    p = Lowered()
    spread = p("broadcast", p("multiply", p.argument(values(6)), 2.0), shape=(2, 6))
    row = p("slice", spread, index=(slice(0, 1), ...))
    p.done(p("add.reduce", p("multiply", row, 3.0), axis=(0,)))
    Ran(p, p.program).agree()


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
    Planned(p.program).bind([])(p.examples[x])  # warnings are errors here
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
    x, w = p.argument(values(3), "add"), p.state(values(3), "place")
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

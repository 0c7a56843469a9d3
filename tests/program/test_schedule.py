from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from byhand.program import interpreter
from byhand.program.ir import BACKWARD, UPDATE, Program, Value, verify
from byhand.program.memory import ARENA, plan
from byhand.program.primitives import COPY
from byhand.program.schedule import schedule
from program.lowered import Lowered, assert_same
from program.random_lowered import Code, Writer, codes

RANDOM = np.random.default_rng(0)


def values(*shape: int) -> Any:
    return RANDOM.uniform(-1, 1, shape)


def names(program: Program) -> list[str]:
    return [node.op.name for node in program.nodes]


def place(program: Program, value: Value) -> int:
    """Where a value is computed."""
    return next(i for i, node in enumerate(program.nodes) if value in node.outputs)


class Layers:
    """Two layers without biases, backward as the engine walks, and updates at the end, as they are captured."""

    def __init__(self) -> None:
        self.p = p = Lowered()
        x = p.argument(values(8, 20))
        self.w = [p.state(values(20, 10), "w1"), p.state(values(10, 4), "w2")]
        lr = p.number(0.1)
        h = p("tanh", p("matmul", x, self.w[0]))
        d = self.scores = p("matmul", h, self.w[1])
        p.section = BACKWARD
        self.d_h = p("matmul", d, p("transpose", self.w[1], axes=(1, 0)))
        self.g2 = p("matmul", p("transpose", h, axes=(1, 0)), d)
        self.d_z = p("multiply", self.d_h, p("subtract", 1, p("multiply", h, h)))
        self.g1 = p("matmul", p("transpose", x, axes=(1, 0)), self.d_z)
        p.section = UPDATE
        rate = p("number", lr, -1, op="mul")
        self.new = [p("add", w, p("multiply", g, rate)) for w, g in zip(self.w, (self.g1, self.g2), strict=True)]
        p.done(p("add.reduce", d, axis=(0, 1)), writes=list(zip(self.w, self.new, strict=True)))


@given(codes(30))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_program_means_the_same_in_its_new_order(code: Code) -> None:
    writer = Writer()
    program = writer.run([step for step in code if step[0] != 18] or [(0, 0, 0), (1, 1, 1)])  # without random numbers
    ordered = verify(schedule(program))
    assert verify(schedule(program)).nodes != ordered.nodes  # nodes are made anew …
    assert names(schedule(program)) == names(ordered)  # … in the same order
    results = []
    for version in (program, ordered):
        states = [writer.p.examples[x].copy(order="K") for x in program.states]
        given = [[writer.p.examples[x] for x in xs] for xs in (program.arguments, program.numbers)]
        with np.errstate(all="ignore"):
            outputs, numbers = interpreter.run(version, *given, states)
        results.append([*outputs, *numbers, *states])
    assert_same(*results)


def test_a_weight_is_updated_right_after_its_gradient() -> None:
    layers = Layers()
    ordered = schedule(layers.p.program)
    tail = [ordered.nodes[place(ordered, layers.g1) + i].op.name for i in range(3)]
    assert tail == ["matmul", "multiply", "add"]
    assert place(ordered, layers.new[1]) < place(ordered, layers.g1)  # the second weight's update was before that
    assert ordered.nodes[0].op.name == "mul"  # numbers come first
    assert names(schedule(ordered)) == names(ordered)


def test_a_gradient_larger_than_what_it_is_made_of_waits_for_its_update() -> None:
    layers = Layers()
    ordered = schedule(layers.p.program)
    assert place(ordered, layers.d_h) < place(ordered, layers.new[1])  # the old weight is read before
    small = Lowered()
    x, w = small.argument(values(100, 4)), small.state(values(4, 4))
    h = small("tanh", small("matmul", x, w))
    g = small("matmul", small("transpose", h, axes=(1, 0)), h)
    back = small("matmul", h, w)
    program = small.done(small("add.reduce", back, axis=(0, 1)), writes=[(w, small("add", w, g))])
    ordered = schedule(program)
    assert place(ordered, g) < place(ordered, back) < place(ordered, program.writes[0][1])


def test_the_last_summand_of_a_gradient_goes_with_the_update() -> None:
    p = Lowered()
    x, w = p.argument(values(4, 4)), p.state(values(4, 4))
    first = p("matmul", x, x)
    between = p("tanh", p("add", x, 1.0))
    second = p("matmul", between, x)
    new = p("subtract", w, p("add", first, second))
    p.done(p("add.reduce", between, axis=(0, 1)), writes=[(w, new)])
    ordered = schedule(p.program)
    assert place(ordered, first) == 0  # as recorded, not put off until the update
    assert place(ordered, new) == place(ordered, second) + 2


def test_what_an_earlier_summand_needs_does_not_wait_either() -> None:
    p = Lowered()
    x, w, v = p.argument(values(4, 4)), p.state(values(4, 4)), p.state(values(4, 4), "v")
    first = p("multiply", p("matmul", x, x), p("tanh", v))
    between = p("tanh", p("add", x, 1.0))
    second = p("matmul", between, x)
    new = p("subtract", w, p("add", first, second))
    p.done(p("add.reduce", between, axis=(0, 1)), writes=[(w, new)])
    ordered = schedule(p.program)
    assert len(ordered.nodes) == len(p.program.nodes)
    assert place(ordered, first) < place(ordered, between)


def test_what_is_returned_is_no_part_of_an_update() -> None:
    p = Lowered()
    x, w = p.argument(values(4, 4)), p.state(values(4, 4))
    g = p("multiply", x, 2.0)
    late = p("add", p("multiply", x, 3.0), w)
    new = p("subtract", w, g)
    ordered = schedule(p.done(g, late, writes=[(w, new)]))
    assert place(ordered, late) < place(ordered, new)
    assert plan(ordered).homes[new].kind == "state"


def test_a_state_is_read_before_it_is_written() -> None:
    p = Lowered()
    w, v = p.state(values(3), "w"), p.state(values(3), "v")
    new = p("multiply", w, 0.5)
    reader = p("add", p("transpose", w, axes=(0,)), v)
    p.done(p("add.reduce", reader, axis=(0,)), writes=[(w, new)])
    ordered = schedule(p.program)
    assert place(ordered, reader) < place(ordered, new)


def test_where_the_old_value_is_needed_later_the_order_is_left() -> None:
    p = Lowered()
    w = p.state(values(3))
    new = p("multiply", w, 0.5)
    p.done(p("subtract", w, new), writes=[(w, new)])
    ordered = schedule(p.program)
    assert names(ordered) == ["multiply", "subtract"]
    assert plan(ordered).copies == [(w, new)]


def test_states_that_feed_each_other_are_both_right() -> None:
    p = Lowered()
    a, b = p.state(values(3), "a"), p.state(values(3), "b")
    p.done(writes=[(a, p("add", b, 1.0)), (b, p("add", a, 1.0))])
    made = plan(schedule(p.program))
    assert len(made.copies) == 1  # one of them is read after it could be written


def test_checks_and_draws_keep_their_order_and_come_before_writes() -> None:
    p = Lowered()
    x, w = p.argument(values(3)), p.state(values(3))
    new = p("add", w, x)
    first = p.draw("random", (3,), np.float64, {"size": (3,)})
    p.check(p("greater", p("add.reduce", p("add", first, x), axis=(0,)), 9.0))
    second = p.draw("random", (3,), np.float64, {"size": (3,)})
    p.done(second, writes=[(w, new)])
    ordered = schedule(p.program)
    check = names(ordered).index("check")
    assert place(ordered, first) < check < place(ordered, second)
    assert check < place(ordered, new)


def test_a_draw_does_not_wait_for_readers_of_the_state_it_is_written_to() -> None:
    p = Lowered()
    w = p.state(values(3))
    first = p.draw("random", (3,), np.float64, {"size": (3,)})
    second = p.draw("random", (3,), np.float64, {"size": (3,)})
    p.done(p("add", second, w), writes=[(w, first)])
    ordered = schedule(p.program)
    assert place(ordered, first) < place(ordered, second)


def test_each_write_has_a_node_of_its_own() -> None:
    p = Lowered()
    x = p.argument(values(3, 4))
    states = [p.state(values(*shape), f"w{i}") for i, shape in enumerate([(3, 4), (3, 4), (4, 3), (3, 4), (3, 4)])]
    y = p("multiply", x, 2.0)
    kernel = p("softmax", x, axis=0, kernel=True)
    fortran = p.state(np.asfortranarray(values(3, 4)), "f")
    writes = zip([*states, fortran], [y, y, p("transpose", y, axes=(1, 0)), x, kernel, p("add", y, 1.0)], strict=True)
    ordered = schedule(p.done(writes=list(writes)))
    news = [new for _, new in ordered.writes]
    assert len(set(news)) == len(news)
    producers = ordered.producers()
    copies = [producers[new].op is COPY for new in news]
    assert copies == [False, True, True, True, True, True]
    assert all(new.order == state.order for state, new in ordered.writes)
    assert not plan(ordered).copies


@pytest.mark.parametrize("count", [1, 40])
def test_the_gradients_of_many_layers_are_not_held_together(count: int) -> None:
    p = Lowered()
    d = p.argument(values(4, 32))
    weights = [p.state(values(32, 32), f"w{i}") for i in range(count)]
    gradients = []
    for w in weights:
        gradients.append(p("matmul", p("transpose", d, axes=(1, 0)), d))
        d = p("tanh", p("matmul", d, w))
    writes = [(w, p("subtract", w, p("multiply", g, 0.1))) for w, g in zip(weights, gradients, strict=True)]
    p.done(p("add.reduce", d, axis=(0, 1)), writes=writes)
    made = plan(schedule(p.program))
    assert made.arena_bytes < 2 * 32 * 32 * 8
    assert sum(home.kind == ARENA for home in made.homes.values()) > count

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from byhand.program.ir import Node, Value
from byhand.program.layout import Layouts, layouts
from byhand.program.memory import ALIAS, ARENA, FRESH, Buffer, Plan, plan
from byhand.program.packing import ALIGNMENT, pack
from byhand.program.planned.calls import scratch
from byhand.program.schedule import schedule
from program.lowered import Lowered, tiny_tiles
from program.random_lowered import Code, Writer, codes

RANDOM = np.random.default_rng(0)


def values(*shape: int, dtype: Any = np.float64) -> Any:
    return RANDOM.uniform(-1, 1, shape).astype(dtype)


def same_memory(made: Plan, a: Value, b: Value) -> bool:
    """Whether two values share one buffer."""
    return made.homes[a].of is made.homes[b].of is not None


# Packing.

lives = st.lists(st.tuples(st.integers(0, 500), st.integers(0, 20), st.integers(0, 8)), max_size=30)


@given(lives)
def test_what_lives_at_the_same_time_shares_no_byte(given: list[tuple[int, int, int]]) -> None:
    pieces = [Buffer(Value((), None), size, first, first + length) for size, first, length in given]
    total = pack(pieces)
    for i, a in enumerate(pieces):
        assert a.offset % ALIGNMENT == 0
        assert 0 <= a.offset <= a.offset + a.nbytes <= total
        for b in pieces[:i]:
            if a.first <= b.last and b.first <= a.last and a.nbytes and b.nbytes:
                assert a.offset + a.nbytes <= b.offset or b.offset + b.nbytes <= a.offset


@given(lives)
def test_the_whole_is_no_more_than_all_pieces(given: list[tuple[int, int, int]]) -> None:
    pieces = [Buffer(Value((), None), size, first, first + length) for size, first, length in given]
    each = [-(-size // ALIGNMENT) * ALIGNMENT for size, _, _ in given]
    assert max(each, default=0) <= pack(pieces) <= sum(each)


def test_a_piece_goes_where_another_one_was() -> None:
    a, b, c = (Buffer(Value((), None), *numbers) for numbers in ((100, 0, 1), (60, 0, 3), (100, 2, 3)))
    assert pack([a, b, c]) == 192
    assert a.offset == c.offset


# In place.


def test_a_chain_of_elementwise_nodes_is_one_buffer() -> None:
    p = Lowered()
    x = p.argument(values(3, 4))
    first = p("multiply", x, 2.0)
    second = p("tanh", first)
    third = p("add", x, second)
    p.done(p("add.reduce", third, axis=(0, 1)))
    made = plan(p.program)
    assert same_memory(made, first, second) and same_memory(made, first, third)
    assert made.buffers == 1
    assert made.arena_bytes == 128


def test_memory_is_taken_over_only_from_what_nobody_reads_again() -> None:
    p = Lowered()
    x = p.argument(values(4, 4))
    cases = {}
    a = p("multiply", x, 2.0)
    cases["read later"] = a, p("tanh", a)
    b = p("multiply", x, 3.0)
    view = p("slice", b, index=(slice(1, None), ...))
    cases["a view is read later"] = b, p("tanh", b)
    c = p("multiply", x, 4.0)
    cases["another dtype"] = c, p("greater", c, 0.0)
    d = p("multiply", p("slice", x, index=(0, ...)), 2.0)
    cases["broadcast"] = d, p("add", x, d)
    e = p("multiply", x, 5.0)
    cases["transposed"] = e, p("add", e, p("transpose", e, axes=(1, 0)))
    f = p("greater", x, 0.0)
    cases["a condition"] = f, p("where", f, p("greater", x, 1.0), p("greater", x, 2.0))
    g = p("multiply", x, 6.0)
    cases["no elementwise node"] = g, p("matmul", g, x)
    p.done(p("add", a, 1.0), p("add", view, 1.0), *[p("copy", out) for _, out in cases.values()])
    made = plan(p.program)
    for name, (before, after) in cases.items():
        assert not same_memory(made, before, after), name


def test_an_assignment_goes_into_what_it_changes_but_not_if_it_reads_that_itself() -> None:
    p = Lowered()
    x = p.argument(values(4, 4))
    a, b = p("multiply", x, 2.0), p("multiply", x, 3.0)
    into = p("assign", a, 0.0, index=(slice(0, 2), ...))
    beside = p("assign", b, p("slice", b, index=(slice(0, 2), ...)), index=(slice(2, 4), ...))
    p.done(p("copy", into), p("copy", beside))
    made = plan(p.program)
    assert same_memory(made, a, into)
    assert not same_memory(made, b, beside)


def test_views_are_aliases_and_what_is_returned_is_fresh() -> None:
    p = Lowered()
    x, w = p.argument(values(3, 4)), p.state(values(3, 4))
    y = p("multiply", x, w)
    view = p("transpose", y, axes=(1, 0))
    p.done(view, p.number(1.0))
    made = plan(p.program)
    assert made.homes[view].kind == ALIAS and made.homes[view].of is y
    assert made.homes[y].kind == FRESH
    assert [made.homes[v].kind for v in (x, w)] == ["argument", "state"]
    assert made.layouts[view].root is y
    assert made.arena_bytes == 0


# States.


def test_an_update_is_computed_in_the_states_memory_step_by_step() -> None:
    p = Lowered()
    w, g = p.state(values(3, 4)), p.argument(values(3, 4))
    shrunk = p("multiply", w, 0.9)
    step = p("multiply", g, 0.1)
    new = p("subtract", shrunk, step)
    p.done(writes=[(w, new)])
    made = plan(schedule(p.program))
    assert [made.homes[v].kind for v in (shrunk, step, new)] == ["state", ARENA, "state"]
    assert not made.copies


def state_cases() -> Any:
    """Programs whose state cannot be written in place, by what forbids it."""

    def read_later(p: Lowered, w: Value, x: Value) -> Any:
        new = p("add", w, x)
        return new, [p("subtract", w, new)]

    def returned(p: Lowered, w: Value, x: Value) -> Any:
        return p("add", w, x), [w]

    def view_returned(p: Lowered, w: Value, x: Value) -> Any:
        return p("add", w, x), [p("transpose", w, axes=(1, 0))]

    def transposed(p: Lowered, w: Value, x: Value) -> Any:
        return p("add", x, p("transpose", w, axes=(1, 0))), []

    def product(p: Lowered, w: Value, x: Value) -> Any:
        return p("matmul", w, x), []

    def checked_after(p: Lowered, w: Value, x: Value) -> Any:
        new = p("add", w, x)
        p.check(p("greater", p("add.reduce", new, axis=(0, 1)), 1e9))
        return new, []

    return [read_later, returned, view_returned, transposed, product, checked_after]


@pytest.mark.parametrize("case", state_cases(), ids=lambda case: case.__name__)
def test_a_state_is_copied_to_at_the_end_if(case: Any) -> None:
    p = Lowered()
    w, x = p.state(values(4, 4)), p.argument(values(4, 4))
    new, outputs = case(p, w, x)
    made = plan(schedule(p.done(*outputs, writes=[(w, new)])))
    assert [state for state, _ in made.copies] == [w]
    assert made.homes[new].kind in (ARENA, FRESH)


def test_a_transposed_operand_does_not_pass_its_memory_on() -> None:
    """`square` would be computed in the state's memory, and the last node reads it crosswise."""
    p = Lowered()
    w = p.state(values(4, 4))
    square = p("multiply", w, w)
    new = p("add", p("transpose", square, axes=(1, 0)), 1.0)
    new.order, p.examples[new] = (0, 1), np.ascontiguousarray(p.examples[new])
    p.done(writes=[(w, new)])
    made = plan(schedule(p.program))
    assert made.homes[new].kind == "state"
    assert made.homes[square].kind == ARENA


# Sizes.


def test_unplanned_bytes_are_what_eager_holds_at_once() -> None:
    p = Lowered()
    x = p.argument(values(10, 10))
    a = p("multiply", x, 2.0)  # 800 bytes
    b = p("tanh", a)  # and 800
    c = p("add.reduce", p("multiply", b, b), axis=(0,))  # a is gone: 800 more, then 80
    p.done(c, p("add.reduce", b, axis=(0,)))
    assert plan(p.program).unplanned_bytes == 1680


def test_scratch_is_packed_like_any_other_value() -> None:
    p = Lowered()
    x = p.argument(values(8, 8))
    first, second = p("multiply", x, 2.0), p("matmul", x, x)
    p.done(p("add.reduce", p("matmul", first, second), axis=(0, 1)))
    extra: dict[Node, Value] = {}

    def needs(node: Node, lies: Layouts) -> Any:
        if node.op.name != "matmul":
            return ()
        extra[node] = Value((16, 8), np.dtype(np.float64))
        return (extra[node],)

    made = plan(p.program, needs)
    assert made.arena_bytes == 512 + 512 + 512 + 1024
    offsets = {made.homes[value].index for value in extra.values()}
    assert all(offset % ALIGNMENT == 0 for offset in offsets)


@given(codes(30), st.booleans())
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_value_has_a_home_within_the_arena(code: Code, tiled: bool) -> None:
    with tiny_tiles() if tiled else contextlib.nullcontext():
        writer = Writer()
        program = schedule(writer.run(code))
        made = plan(program, scratch)
    for node in program.nodes:
        for out in node.outputs:
            home = made.homes[out]
            if home.kind == ARENA:
                size = out.nbytes if home.rows is None else 0
                assert home.index % ALIGNMENT == 0
                assert home.index + size <= made.arena_bytes
    assert {id(tile) for tile in made.tiles} == {id(tile) for tile in sorted(made.tiles, key=lambda tile: tile.start)}
    assert all(a.stop <= b.start for a, b in zip(made.tiles, made.tiles[1:], strict=False))


# Layouts.


def test_layouts_of_views() -> None:
    p = Lowered()
    x = p("multiply", p.argument(values(4, 6, 5)), 2.0)
    row = p("slice", x, index=(2, slice(1, None, 2), ...))
    turned = p("transpose", row, axes=(1, 0))
    spread = p("broadcast", turned, shape=(3, 5, 3))
    flat = p("reshape", x, shape=(24, 5))
    number = p("slice", x, index=(1, 2, 3, ...))
    p.done(*[p("copy", v) for v in (turned, spread, flat, number)])
    lies = layouts(p.program)
    assert lies[row].root is x and lies[row].offset == (2 * 30 + 5) * 8
    assert lies[turned].strides == (8, 80)
    assert lies[spread].strides == (0, 8, 80)
    assert lies[flat].strides == (40, 8) and lies[flat].offset == 0
    assert lies[number].shape == () and lies[number].offset == (30 + 10 + 3) * 8

"""Where every value of a scheduled program lives: in one arena, in a state's own memory, or in that of another value.

A value needs memory from the node that computes it to the last node that reads it, views included. What is written to
a state is computed in the state's memory if nobody reads the old value any more; an elementwise result takes over the
memory of an operand that nobody reads any more; the rest shares one arena, by offsets. Used by `planned`, which makes
the arena when it is bound, and by `step.stats()`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from byhand.program.ir import CHECK, COMPUTED, NUMBER, STATE, Node, Program, Value
from byhand.program.layout import Layout, Layouts, is_dense, layouts
from byhand.program.packing import pack
from byhand.program.primitives import ASSIGN, CALL, MAP, MATMUL, PUT, VIEW, WHERE
from byhand.program.tiling import Tile, tiles

ARENA, FRESH, ALIAS = "arena", "fresh", "alias"

SAVED = 0.9  # a product that nothing else asks for is done in blocks if the arena shrinks to this share
MOST_TRIALS = 8

Scratch = Callable[[Node, Layouts], Sequence[Value]]


@dataclass(frozen=True)
class Home:
    """Where a value is.

    kind     ARENA; FRESH, an array of its own in each run: an output, or what a kernel returned; ALIAS, a view of `of`;
             or the value's origin: an argument, a state, a constant, a number
    index    of the argument, state, constant or number; the offset in the arena
    of       in the arena the first value of its buffer, in a state that state, of a view what it is a view of
    rows     how many rows are ever there, where that is one block of a tile or of a part of one
    """

    kind: str
    index: int = 0
    of: Value | None = None
    rows: int | None = None


@dataclass(eq=False)
class Buffer:
    """A piece of the arena, used from one node to another, by one value after another; here the first."""

    value: Value
    nbytes: int
    first: int
    last: int
    rows: int | None = None
    offset: int = 0

    @property
    def home(self) -> Home:
        """The home of all its values."""
        return Home(ARENA, self.offset, self.value, self.rows)


@dataclass(eq=False)
class Plan:
    """The memory of a program.

    homes            of every value
    layouts          of every array
    tiles            the runs of nodes that are executed in blocks
    copies           (state, its new value) where that could not be computed in place: copied at the end
    scratch          what some nodes need besides: values of their own, used by that node only
    parts            products that are computed in the place where a later node would only copy them to
    arena_bytes      how large the arena is
    unplanned_bytes  the peak if every value had its own memory, freed after its last use, as in eager mode
    buffers          how many pieces the arena is used for
    """

    program: Program
    homes: dict[Value, Home]
    layouts: Layouts
    tiles: list[Tile]
    copies: list[tuple[Value, Value]]
    scratch: dict[Node, Sequence[Value]]
    parts: set[Value]
    arena_bytes: int
    unplanned_bytes: int
    buffers: int


def plan(program: Program, scratch: Scratch = lambda node, lies: ()) -> Plan:
    """Find a home for every value; the program is scheduled."""
    facts = _Facts(program, scratch)
    sure, possible = tiles(program, facts.lies)

    def planned(chosen: list[Tile]) -> Plan:
        return _Planner(facts, sorted(chosen, key=lambda tile: tile.start)).plan()

    best = planned(sure)
    for tile in sorted(possible, key=lambda tile: -tile.nbytes)[:MOST_TRIALS]:
        if tile.nbytes < (1 - SAVED) * best.arena_bytes:
            break
        trial = planned([*(other for other in best.tiles if not other.overlaps(tile)), tile])
        if trial.arena_bytes <= SAVED * best.arena_bytes:
            best = trial
    for tile in sorted(set(best.tiles) - set(sure), key=lambda tile: tile.nbytes):
        for count in range(2, len(tile.blocks)):  # every block costs calls: no more of them than it takes
            trial = planned([other.divided(count) if other is tile else other for other in best.tiles])
            if trial.arena_bytes <= best.arena_bytes:
                best = trial
                break
    return best


class _Facts:
    """What is so whichever tiles are chosen.

    made      the node that computes a value
    reads     by root: where it is read, and by which view; the end of the program reads outputs
    fresh     the values that are arrays of their own
    checked   the last node that may still raise an error
    """

    def __init__(self, program: Program, scratch: Scratch) -> None:
        self.program, self.lies = program, layouts(program)
        self.scratch = {node: found for node in program.nodes if (found := scratch(node, self.lies))}
        self.unplanned = unplanned(program, self.lies)
        self.checked = max([place for place, node in enumerate(program.nodes) if node.op is CHECK], default=-1)
        self.fresh = {self.lies[x].root for x in program.outputs if isinstance(x, Value) and x in self.lies}
        self.fresh |= {out for node in program.nodes if node.op.kind == CALL for out in node.outputs}
        self.made: dict[Value, int] = {}
        self.reads: dict[Value, list[tuple[int, Value]]] = {}
        for place, node in enumerate(program.nodes):
            if node.op.kind != VIEW:
                self.made |= {out: place for out in node.outputs if out in self.lies}
                self._read(place, node.values)
        self._read(len(program.nodes), program.outputs)

    def _read(self, place: int, values: Iterable[Any]) -> None:
        for x in values:
            if isinstance(x, Value) and x in self.lies:
                self.reads.setdefault(self.lies[x].root, []).append((place, x))


class _Planner:
    """Decides in turn: what is fresh, what lives in states, what takes over memory, where the rest goes."""

    def __init__(self, facts: _Facts, chosen: list[Tile]) -> None:
        self.facts, self.program, self.lies, self.tiles = facts, facts.program, facts.lies, chosen
        self.made, self.fresh, self.reads = facts.made, facts.fresh, dict(facts.reads)
        self.tile_at = {place: tile for tile in self.tiles for place in range(tile.start, tile.stop)}
        self.part_at = {i: part for tile in self.tiles for part in tile.parts for i in range(part.start, part.stop)}
        self.rows = {x: tile.step for tile in self.tiles for x in tile.inner}
        self.rows |= {x: part.step for tile in self.tiles for part in tile.parts for x in part.inner}
        self.in_state: dict[Value, Value] = {}
        self.buffer: dict[Value, Buffer] = {}
        self.part: dict[Value, tuple[Buffer, int]] = {}

    def plan(self) -> Plan:
        copies = [(state, new) for state, new in self.program.writes if not self._live_in(new, state)]
        for _, new in copies:
            self.reads[new] = [*self.reads.get(new, ()), (len(self.program.nodes), new)]
        for place, node in enumerate(self.program.nodes):
            if node.op.kind != VIEW:
                for out in node.outputs:
                    free = out in self.lies and out not in self.in_state and out not in self.fresh
                    if free and not self._goes_into(out, node, place):
                        self._settle(out, node, place)
            for value in self.facts.scratch.get(node, ()):
                if place in self.tile_at:
                    self.rows[value] = (self.part_at.get(place) or self.tile_at[place]).step
                    self.tile_at[place].axes[value] = self.tile_at[place].axes[node.out]
                self.buffer[value] = self._made(value, place)
        buffers = list({id(buffer): buffer for buffer in self.buffer.values()}.values())
        arena_bytes = pack(buffers)
        return Plan(
            self.program, self._homes(), self.lies, self.tiles, copies, self.facts.scratch, set(self.part), arena_bytes,
            self.facts.unplanned, len(buffers),
        )  # fmt: skip

    # States.

    def _live_in(self, value: Value, state: Value) -> bool:
        """Compute `value` in the memory of a state, and what it is made of as well, if no one is disturbed by it."""
        place = self.made.get(value)
        if place is None or value in self.in_state or not self._undisturbed(value, state, place):
            return False
        self.in_state[value] = state
        node = self.program.nodes[place]
        for x in node.values:
            if x in self.lies and self.lies[x].alike(self.lies[value]) and self._dies(x, place):
                before = self.lies[x].root
                if before not in self.fresh and self._live_in(before, state):
                    break
        return True

    def _undisturbed(self, value: Value, state: Value, place: int) -> bool:
        """Whether everybody who reads the state's old value has done so when `value` is computed."""
        lies, mine, node = self.lies, self.lies[value], self.program.nodes[place]
        if value.dtype != state.dtype or not mine.alike(lies[state]) or node.op.kind == CALL:
            return False
        if place < self.facts.checked:
            return False
        return self._unread(self.reads.get(state, ()), mine, place)

    def _unread(self, reads: Iterable[tuple[int, Value]], mine: Layout, place: int) -> bool:
        """Whether a node may write memory, laid out as `mine`, of which these are the readers."""
        tile = self.tile_at.get(place)
        for when, x in reads:
            if when > place:
                return False
            together = when == place or (tile is not None and when >= tile.start)
            if together and not (self.lies[x].alike(mine) and self._row_by_row(when, x, place, tile)):
                return False
        return True

    def _row_by_row(self, when: int, x: Value, place: int, tile: Tile | None) -> bool:
        """Whether x is read no later than what is written at the same place in memory, at one node or in one tile."""
        if when == place and not _reads_first(self.program.nodes[place], x):
            return False
        return tile is None or tile.axes.get(x) is not None

    # Taking over.

    def _settle(self, out: Value, node: Node, place: int) -> None:
        """Give a value the buffer of an operand that dies, or one of its own."""
        for x in dict.fromkeys(node.values):
            buffer = self.buffer.get(self.lies[x].root) if x in self.lies else None
            if buffer is None or x.dtype != out.dtype or not self.lies[x].alike(self.lies[out]):
                continue
            if self._dies(x, place) and (buffer.rows is None or self.rows.get(out, buffer.rows + 1) <= buffer.rows):
                break
        else:
            buffer = self._made(out, place)
        first, last = self._life(out)
        buffer.first, buffer.last = min(buffer.first, first), max(buffer.last, last)
        self.buffer[out] = buffer

    def _goes_into(self, out: Value, node: Node, place: int) -> bool:
        """Compute a product in rows of an array that is there already, if all that happens to it is to be put there."""
        reads = self.reads.get(out, ())
        if node.op is not MATMUL or len(reads) != 1 or reads[0][0] >= len(self.program.nodes) or place in self.tile_at:
            return False
        when, x = reads[0]
        put = self.program.nodes[when]
        if put.op is not ASSIGN or x is not put.inputs[1] or x is put.inputs[0] or when in self.tile_at:
            return False
        whole, index = put.inputs[0], put.attrs["index"]
        buffer = self.buffer.get(whole)
        taken_over = put.out not in self.fresh and put.out not in self.in_state and buffer is not None
        if not taken_over or buffer.rows is not None or not self._dies(whole, when):  # type: ignore[union-attr]
            return False
        size = out.dtype.itemsize  # type: ignore[union-attr]
        orders = [(v, tuple(range(len(v.shape)))) for v in (whole, put.out, out)]
        if out.dtype != put.out.dtype or not all(is_dense(self.lies[v], order, size) for v, order in orders):
            return False
        if len(index) != 1 or not isinstance(index[0], slice) or self.lies[x].strides != self._rows(whole, x):
            return False
        start, stop, step = index[0].indices(whole.shape[0])
        if step != 1 or x.shape != (stop - start, *whole.shape[1:]):
            return False
        self.part[out] = buffer, start * whole.nbytes // whole.shape[0]  # type: ignore[assignment]
        return True

    def _rows(self, whole: Value, x: Value) -> tuple[int, ...]:
        """The strides of some rows of an array."""
        strides = self.lies[whole].strides
        return tuple(0 if n == 1 else step for n, step in zip(x.shape, strides[-len(x.shape) :], strict=False))

    def _dies(self, x: Value, place: int) -> bool:
        """Whether a node may write to the memory of its operand x: nobody reads that afterwards."""
        return self._unread(self.reads[self.lies[x].root], self.lies[x], place)

    # Lives and sizes.

    def _life(self, value: Value) -> tuple[int, int]:
        """The first and the last node while which the memory is in use.

        In a loop what is larger than a block of it is there from the first block to the last.
        """
        first = self.made[value]
        last = max([when for when, _ in self.reads.get(value, ())], default=first)
        rows = self.rows.get(value)
        for loops in (self.part_at, self.tile_at):
            for place in (first, last):
                loop = loops.get(place)
                if loop is not None and (rows is None or rows > loop.step):
                    first, last = min(first, loop.start), max(last, loop.stop - 1)
        return first, last

    def _made(self, value: Value, place: int) -> Buffer:
        rows = self.rows.get(value)
        nbytes = value.nbytes if rows is None else value.nbytes // self.tile_at[place].rows * rows
        return Buffer(value, nbytes, place, place, rows)

    def _homes(self) -> dict[Value, Home]:
        homes: dict[Value, Home] = {}
        program = self.program
        for values in (program.arguments, program.numbers, program.states, program.constants):
            homes |= {value: Home(value.origin, i) for i, value in enumerate(values)}
        for node in program.nodes:
            for out in node.outputs:
                if out.dtype is None:
                    homes[out] = Home(NUMBER, -1)
                elif node.op.kind == VIEW:
                    homes[out] = Home(ALIAS, of=node.inputs[0])
                elif out in self.part:
                    buffer, offset = self.part[out]
                    homes[out] = Home(ARENA, buffer.offset + offset, out)
                elif out in self.in_state:
                    state = self.in_state[out]
                    homes[out] = Home(STATE, program.states.index(state), state)
                else:
                    homes[out] = self.buffer[out].home if out in self.buffer else Home(FRESH)
        return homes | {value: self.buffer[value].home for found in self.facts.scratch.values() for value in found}


def _reads_first(node: Node, x: Value) -> bool:
    """Whether a node reads each number of its operand x before it writes the result at the same place."""
    if node.op.kind == MAP:
        return node.op is not WHERE or x is not node.inputs[0]  # the condition is read last
    return node.op.kind == PUT and x is node.inputs[0] and x not in node.inputs[1:]


def unplanned(program: Program, lies: Layouts) -> int:
    """The peak of live bytes if every value had memory of its own, freed after its last use; without what is given.

    What is written to a state counts as computed in place.
    """
    written = {new for _, new in program.writes}
    last: dict[Value, int] = {}
    for place, node in enumerate(program.nodes):
        for x in (*node.values, *node.outputs):
            if x in lies:
                last[lies[x].root] = place
    for x in program.outputs:
        if isinstance(x, Value) and x in lies:
            last[lies[x].root] = len(program.nodes)
    dying: dict[int, list[Value]] = {}
    for root, place in last.items():
        if root.origin == COMPUTED and root not in written:
            dying.setdefault(place, []).append(root)
    alive = peak = 0
    for place, node in enumerate(program.nodes):
        alive += sum(x.nbytes for x in node.outputs if x in lies and lies[x].root is x and x not in written)
        peak = max(peak, alive)
        alive -= sum(x.nbytes for x in dying.get(place, ()))
    return peak

"""Nodes that are run in blocks of rows, so that what passes between them is small: a block, not a whole array.

The gradient of a weight is the largest array of a small network, and all that happens to it is its update. So the
product and the update run in turn on some rows, then on the next ones, and the gradient as a whole is never there:
784-30-10 runs in 38 kB beside its parameters, where the gradient alone has 94. A product in blocks adds the same
numbers for each value, but BLAS may add them in another order, so the last bits can differ.

`memory.plan` asks where a scheduled program has such runs; `planned` writes them as loops.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from byhand.program.ir import STATE, Node, Program, Value
from byhand.program.layout import Layouts
from byhand.program.primitives import MAP, PRODUCT, TRANSPOSE

SMALLEST = 16 << 10  # bytes of a block of an update: below it the calls cost more than what they do
PART = 32 << 10  # bytes of the smaller blocks for what needs memory beside the gradient's
LEAST = 4 << 10  # bytes of a product that may be halved where memory is scarcest
LARGEST = 512 << 10  # bytes: arrays of 16 MB are updated 1.6 times as fast in such blocks, which stay in the cache
SHARE = 3  # blocks of a product: 784×128·128×256 takes 265 µs whole, 290 in 3, 330 in 6 (two threads)
WORTH_IT = 2 << 20  # bytes from which elementwise work alone is done in blocks: what is smaller fits the cache anyway
MULTIPLE = 8  # rows: what the inner loops of BLAS take at once


@dataclass(frozen=True)
class Part:
    """Nodes of a tile, program.nodes[start:stop], that are run in smaller blocks yet, of `step` rows.

    inner   the values of which only one such block is ever there
    """

    start: int
    stop: int
    step: int
    inner: frozenset[Value]


@dataclass(eq=False)
class Tile:
    """A run of nodes that is executed block by block.

    start, stop   the nodes: program.nodes[start:stop]
    nbytes        of the largest value in it
    rows, step    how long the axis is that is split, and how much of it is a block
    axes          for each value the axis that is split; None where the whole value is read in every block
    inner         the values that are used nowhere else, of which only one block is ever there
    parts         runs in it that are divided again, so that what is needed there beside a gradient is small
    """

    start: int
    stop: int
    nbytes: int
    rows: int
    step: int
    axes: dict[Value, int | None]
    inner: frozenset[Value] = frozenset()
    parts: tuple[Part, ...] = ()

    @property
    def blocks(self) -> list[slice]:
        """The rows of each block."""
        return [slice(i, min(i + self.step, self.rows)) for i in range(0, self.rows, self.step)]

    def overlaps(self, other: Tile) -> bool:
        """Whether some node is in both."""
        return self.start < other.stop and other.start < self.stop

    def divided(self, count: int) -> Tile:
        """The same run in this many blocks, or a few less, of whole multiples of rows."""
        step = -(-self.rows // max(count, 1))
        step = -(-step // MULTIPLE) * MULTIPLE if step > MULTIPLE else step
        small = -(-step // -(-(self.nbytes // self.rows * step) // PART))
        parts = tuple(replace(part, step=small) for part in self.parts) if small < step else ()
        return replace(self, step=step, parts=parts)


def tiles(program: Program, lies: Layouts) -> tuple[list[Tile], list[Tile]]:
    """The runs of a scheduled program that should be executed in blocks, and those that might if it saves memory.

    The first are elementwise work on arrays too large for the cache; the others begin with a product that elementwise
    work uses up. They may overlap.
    """
    kept = {lies[x].root for x in program.outputs if isinstance(x, Value) and x in lies}
    written = {new for _, new in program.writes}
    uses: dict[Value, list[int]] = {}
    for place, node in enumerate(program.nodes):
        for x in dict.fromkeys(node.values):
            uses.setdefault(x, []).append(place)
    sure: list[Tile] = []
    possible: list[Tile] = []
    place = 0
    while place < len(program.nodes):
        run = _Run.begun(program, place)
        tile = None if run is None else run.tile(uses, kept, written)
        place += 1
        if tile is not None and program.nodes[tile.start].op.kind == MAP:
            sure.append(tile)
            place = tile.stop
        elif tile is not None:
            possible.append(tile)
    return sure, possible


class _Run:
    """Nodes that could be one tile, as far as seen."""

    def __init__(self, program: Program, start: int, rows: int) -> None:
        self.program, self.start, self.stop, self.rows = program, start, start, rows
        self.axes: dict[Value, int | None] = {}

    @classmethod
    def begun(cls, program: Program, place: int) -> _Run | None:
        """The longest run from a node on, if a tile may begin with it."""
        node = program.nodes[place]
        if node.op.kind == PRODUCT:
            plain = len(node.out.shape) == 2 and all(len(x.shape) == 2 for x in node.values)
            if not plain or node.out.nbytes < LEAST:
                return None
        elif node.op.kind != MAP or node.out.nbytes < WORTH_IT:
            return None
        run = cls(program, place, node.out.shape[node.out.order[0]])
        while run.stop < len(program.nodes) and run.take(program.nodes[run.stop]):
            pass
        return run if run.stop > place else None

    def take(self, node: Node) -> bool:
        """Add a node, if it can be computed row by row from what is there row by row."""
        if len(node.outputs) != 1 or node.out.dtype is None:
            return False
        if node.op.kind == MAP:
            wanted = self._elementwise(node)
        elif node.op is TRANSPOSE and self.axes.get(node.inputs[0]) is not None:
            axis = node.attrs["axes"].index(self.axes[node.inputs[0]])
            wanted = {node.out: axis}
        elif node.op.kind == PRODUCT and self.stop == self.start:
            left, right = node.inputs
            axis = node.out.order[0]
            wanted = {left: 0, right: None, node.out: 0} if axis == 0 else {left: None, right: 1, node.out: 1}
            if left is right:
                return False
        else:
            return False
        if wanted is None or any(self.axes.get(x, axis) != axis for x, axis in wanted.items()):
            return False
        self.axes.update(wanted)
        self.stop += 1
        return True

    def _elementwise(self, node: Node) -> dict[Value, int | None] | None:
        """Which axes a node of kind MAP needs split."""
        out = node.out
        if not out.shape or out.shape[out.order[0]] != self.rows:
            return None
        axis = out.order[0]
        wanted: dict[Value, int | None] = {out: axis}
        for x in node.values:
            own = axis - (len(out.shape) - len(x.shape))
            wanted[x] = own if own >= 0 and x.shape[own] == self.rows else None
        return wanted

    def tile(self, uses: dict[Value, list[int]], kept: set[Value], written: set[Value]) -> Tile | None:
        """The run as a tile, if there is something in it that need not be there as a whole."""
        nodes = self.program.nodes[self.start : self.stop]
        while nodes and nodes[-1].op.kind != MAP:
            nodes.pop()
        if len(nodes) < 2:
            return None
        stop = self.start + len(nodes)
        computed = [node.out for node in nodes]
        inner = set(computed) - kept - written
        inner -= {x for x in inner if any(place >= stop for place in uses.get(x, ()))}
        for node in reversed(nodes):
            if node.op is TRANSPOSE and node.out not in inner:
                inner.discard(node.inputs[0])
        size = max(x.nbytes for x in computed)
        parts: tuple[Part, ...] = ()
        if nodes[0].op.kind != PRODUCT:
            count = -(-size // LARGEST)
        elif nodes[0].out not in inner:
            return None
        elif not written.intersection(computed):
            count = 2
        else:
            parts = tuple(_parts(nodes, inner, uses, self.start))
            count = min(SHARE, size // SMALLEST)
        tile = Tile(self.start, stop, size, self.rows, self.rows, self.axes, frozenset(inner), parts).divided(count)
        return tile if tile.step < self.rows else None


@dataclass(eq=False)
class _Slot:
    """Memory of one block, the values that live there one after another, and between which nodes."""

    first: int
    last: int
    values: list[Value]


def _parts(nodes: list[Node], inner: set[Value], uses: dict[Value, list[int]], start: int) -> Iterator[Part]:
    """The runs in which something is needed beside the gradient that begins and ends there."""
    gradient, *others = _slots(nodes, inner, uses, start)
    stop = start
    for slot in others:
        if stop <= slot.first <= gradient.last:
            stop = slot.last + 1
            yield Part(slot.first, stop, 0, frozenset(slot.values))


def _slots(nodes: list[Node], inner: set[Value], uses: dict[Value, list[int]], start: int) -> list[_Slot]:
    """The memory that inner values need, the gradient's first, as `memory` will give it to them.

    A value takes over that of an operand which is read for the last time; what is made of a state's old value when
    that is read for the last time will be in the state's place.
    """
    slots: list[_Slot] = []
    of: dict[Value, _Slot] = {}
    for place, node in enumerate(nodes, start):
        if node.out not in inner:
            continue
        last = max(uses.get(node.out, [place]))
        if node.op is TRANSPOSE:
            if node.inputs[0] in of:
                of[node.out] = of[node.inputs[0]]
                of[node.out].last = max(of[node.out].last, last)
            continue
        old = [x for x in node.values if x.origin == STATE and x.shape == node.out.shape and uses[x][-1] == place]
        if old and node.op.kind == MAP:
            continue
        slot = next((of[x] for x in node.values if x in of and of[x].last == place), None)
        if slot is None:
            slots.append(slot := _Slot(place, last, []))
        slot.last = max(slot.last, last)
        slot.values.append(node.out)
        of[node.out] = slot
    return slots

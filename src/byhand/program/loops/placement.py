"""Which nodes share a loop: the program as a sequence of clusters, products and calls.

A *cluster* is a set of nodes that run inside of one outer loop: in each of its rounds each node does its share, so what
one needs of another must be ready by then. Nodes are placed when somebody needs them: folds, products, calls and
results ask for their operands, and elementwise nodes wait until they are asked for, so that they end up beside their
readers. A fold goes to where its operand is computed.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field

from byhand.program.ir import CHECK, DRAW, FORWARD, Node, Program, Value
from byhand.program.loops.axes import Spaces
from byhand.program.primitives import COPY, FOLD, MATMUL, NUMERIC, VIEW, WINDOWS

SHORT, NARROW, LONGER = 15, 64, 4
"""Loops of at most SHORT rounds may be written out, if a node then has at most NARROW lines. The loop around them is
what gets vectorised, and has at least LONGER times as many rounds."""

LARGE = 1 << 17
"""Bytes of a value of the backward pass that is not computed as early as in the forward pass."""

VECTOR = 8
"""Numbers that a machine adds at a time."""

PLAIN, WRITTEN_OUT, NESTED = "plain", "written out", "nested"

Steps = Callable[[Value, int], int | None]
"""How far apart the numbers of a value lie along an axis; None if that depends on the loops."""


@dataclass(eq=False)
class Item:
    """One step of the program: a cluster, or a node that is no loop.

    nodes  a cluster's in an order in which they can run
    loop   the number of a cluster's outer loop; None for a cluster of scalars and for other nodes
    fused  whether this is a cluster
    place  its place among the items
    form   what is inside of the outer loop: nothing (PLAIN), loops to be WRITTEN_OUT, or NESTED loops
    """

    nodes: list[Node]
    loop: int | None
    fused: bool
    place: float
    form: str = PLAIN
    reads: set[Value] = field(default_factory=set)


class Placement:
    """The items of a program, in order.

    at         the item of each node that has been placed
    producers  the node that computes each value
    """

    def __init__(self, program: Program, spaces: Spaces, fused: Collection[Node], steps: Steps) -> None:
        self.program, self.spaces, self.fused, self.steps = program, spaces, fused, steps
        self.producers = program.producers()
        self.items: list[Item] = []
        self.at: dict[Node, Item] = {}
        self._number = {node: i for i, node in enumerate(program.nodes)}
        self._readers: dict[Value, list[Item]] = {}  # items that read a root
        self._writes = {self.root(new): state for state, new in program.writes}
        self._checked = -math.inf  # the place of the last check
        for node in program.nodes:
            if node.op is DRAW:
                self._append(node)  # draws need nothing: first, so that they do not part one kernel from the next
        for node in program.nodes:
            self._visit(node)
        self._need(x for x in program.outputs if isinstance(x, Value))
        self._need(new for _, new in program.writes)

    def root(self, x: Value) -> Value:
        """The value beneath views."""
        return self.spaces.sources[x].root if x.dtype is not None else x

    def maker(self, x: Value) -> Node | None:
        """The node that computes the root of an array; None for what is given, and for numbers."""
        return self.producers.get(self.root(x)) if x.dtype is not None else None

    def _visit(self, node: Node) -> None:
        if node.op.kind in (NUMERIC, VIEW) or node in self.at:
            return
        if node not in self.fused:
            self._need(node.values)
            self._append(node)
        elif node.op.kind == FOLD or not self.spaces.loops(node) or node.out in self._writes:
            self._put(node)

    def _need(self, values: Iterable[Value]) -> None:
        for x in values:
            maker = self.maker(x)
            if maker is not None and maker not in self.at:
                self._put(maker)

    def _append(self, node: Node) -> None:
        """Place a node that is no loop."""
        item = Item([node], None, False, self._place())
        self._insert(item)
        self.at[node] = item
        for x in node.values:
            self._readers.setdefault(self.root(x), []).append(item)
        if node.op is CHECK:
            self._checked = item.place

    def _insert(self, item: Item) -> None:
        bisect.insort(self.items, item, key=lambda other: other.place)

    # Placing what is fused.

    def _put(self, node: Node, before: Item | None = None) -> None:
        """Place a node, and all elementwise nodes that wait for it, in a cluster."""
        cone = self._waiting(node)
        item = self._host(node, cone, before)
        if item is None:
            loop = self._outer_loop(node)
            after = self._after(cone) if loop is None and before is None else None
            form = NESTED if len(cone) == 1 and self._sums_columns(node, loop) else self._form(node, loop)
            item = Item([], loop, True, self._place(before, after), form)
            self._insert(item)
        core = self._core(node, cone, item.loop)
        for other in cone:
            if other not in core and other not in self.at:
                self._put(other, item)
        for other in cone:
            if other not in self.at:
                self._enter(other, item)

    def _sums_columns(self, node: Node, loop: int | None) -> bool:
        """Whether a fold adds rows up, of which each is a vector: written out, 64×28×28×16 takes four times as long."""
        kept = [self.spaces.extents[tag] for tag in self.spaces.result(node) if tag is not None]
        return node.op.kind == FOLD and loop in self.spaces.folded(node) and math.prod(kept) >= VECTOR

    def _waiting(self, node: Node) -> list[Node]:
        """The node and the unplaced nodes it needs, in order."""
        found, stack = {node}, [node]
        while stack:
            for x in stack.pop().values:
                maker = self.maker(x)
                if maker is not None and maker not in self.at and maker not in found:
                    found.add(maker)
                    stack.append(maker)
        return sorted(found, key=self._number.__getitem__)

    def _enter(self, node: Node, item: Item) -> None:
        item.nodes.append(node)
        self.at[node] = item
        if item.form == PLAIN:
            item.form = self._form(node, item.loop)
        for x in node.values:
            root = self.root(x)
            if root not in item.reads:
                item.reads.add(root)
                self._readers.setdefault(root, []).append(item)

    def _place(self, before: Item | None = None, after: float | None = None) -> float:
        """A place just before an item, just after a place, or at the end."""
        places = [item.place for item in self.items]
        end = len(places)
        i = end
        if before is not None:
            i = bisect.bisect_left(places, before.place)
        elif after is not None:
            i = bisect.bisect_right(places, after)
        low = places[i - 1] if i else (places[0] - 2 if places else 0.0)
        return (low + places[i]) / 2 if i < end else low + 1

    def _after(self, nodes: Iterable[Node]) -> float:
        """The place of the last item that any of these nodes needs."""
        return max((self._place_of(x) for node in nodes for x in node.values), default=-math.inf)

    def _place_of(self, x: Value) -> float:
        maker = self.maker(x)
        return self.at[maker].place if maker in self.at else -math.inf

    # Which cluster.

    def _host(self, node: Node, cone: list[Node], before: Item | None) -> Item | None:
        """The best of the existing clusters that the node, and what waits for it, can join.

        Not for a copy of windows, which is many times as large as what it reads: it is made just before it is needed.
        """
        if node.op is COPY and any(view.op is WINDOWS for x in node.values for view in self.spaces.sources[x].views):
            return None
        end = before.place if before is not None else math.inf
        start = -math.inf
        state = self._writes.get(node.out)
        if state is not None:  # not before all others have read the state that this overwrites
            start = max([self._checked, *[item.place for item in self._readers.get(state, ())]])
        later = node.section != FORWARD and node.out.nbytes >= LARGE
        for item in self._related(cone):
            if later and item.nodes[0].section == FORWARD:
                continue  # it would have to be kept from there on
            if start <= item.place < end and self._welcomes(item, node, cone):
                return item
        return None

    def _related(self, cone: list[Node]) -> Iterator[Item]:
        """Clusters that compute, or else read, what these nodes read: the latest first."""
        values = [x for node in cone for x in node.values]
        first = {self.at[maker] for maker in map(self.maker, values) if maker in self.at}
        rest = {item for x in values for item in self._readers.get(self.root(x), ())} - first
        for group in (first, rest):
            yield from sorted((item for item in group if item.fused), key=lambda item: -item.place)

    def _welcomes(self, item: Item, node: Node, cone: list[Node]) -> bool:
        core = self._core(node, cone, item.loop)
        if node not in core:
            return False
        others = [other for other in cone if other not in core]  # they are placed before
        return self._after(others) < item.place and all(self._fits(other, item) for other in core)

    def _fits(self, node: Node, item: Item) -> bool:
        """Whether a node of the item's loop can run in each round of it, with what is there by then."""
        if any(self._place_of(x) > item.place for x in node.values):
            return False
        if item.loop is None:
            return True
        form = self._form(node, item.loop)
        if item.form == NESTED and form == WRITTEN_OUT:
            return False
        if item.form == WRITTEN_OUT and not self._is_short(node, item.loop):
            return False
        for x in node.values:
            maker = self.maker(x)
            if maker in self.at and self.at[maker] is item and not self.ready(maker, node, x, item.loop):
                return False
            if form == NESTED and self._belongs_inside(node, x, item):
                return False
        return True

    def _belongs_inside(self, node: Node, x: Value, item: Item) -> bool:
        """Whether an item's loop runs over neighbours in the memory of an operand, rows of which others run over.

        Then it belongs inside of those. Of an operand that has no other loop it does not matter: a label for each row.
        """
        if item.loop is None or x.dtype is None or sum(tag is not None for tag in self.spaces.reading(node, x)) < 2:
            return False
        step = self._step(node, x, item.loop)
        if step is not None:
            return step == 1
        maker = self.maker(x)
        if maker is not None and maker.op is MATMUL:  # which can lie either way, but whoever reads it next may not mind
            tags = self.spaces.reading_root(node, x)
            return tags is not None and tags[-1] == item.loop
        home = self.at.get(maker) if maker is not None else None
        if home is None or home is item or home.form != NESTED:
            return False
        return home.loop != item.loop and home.loop in self.spaces.reading(node, x)

    def _step(self, node: Node, x: Value, loop: int) -> int | None:
        """How far apart the numbers are that a node reads from something given, from one round to the next."""
        tags = self.spaces.reading(node, x) if x.dtype is not None else ()
        return self.steps(x, tags.index(loop)) if loop in tags else None

    def ready(self, maker: Node, node: Node, x: Value, loop: int) -> bool:
        """Whether, inside of a loop over both, what the node reads is there: computed in the same round."""
        if maker.op.kind == FOLD and loop in self.spaces.folded(maker):
            return False
        tags, made = self.spaces.reading_root(node, x), self.spaces.result(maker)
        return tags is not None and loop in made and tags[made.index(loop)] == loop

    def _core(self, node: Node, cone: list[Node], loop: int | None) -> set[Node]:
        """Those of the waiting nodes that can run in the same rounds of a loop as the node itself."""
        if loop is None:
            found = [other for other in cone if not self.spaces.loops(other)]
            return set(found) if node in found else set()
        if loop not in self.spaces.loops(node):
            return set()
        core: set[Node] = {node}
        rest: set[Node] = set()
        for other in reversed(cone[:-1]):
            readings = [(n, x) for n in core for x in n.values if self.maker(x) is other]
            needed_before = any(self.maker(x) is other for n in rest for x in n.values)
            together = loop in self.spaces.loops(other) and all(self.ready(other, n, x, loop) for n, x in readings)
            (core if readings and together and not needed_before else rest).add(other)
        return core

    # Which loop.

    def _outer_loop(self, node: Node) -> int | None:
        """The loop around a new cluster."""
        loops = self.spaces.loops(node)
        if not loops:
            return None
        longest = max(loops, key=self.spaces.extents.__getitem__)
        order = self.order(node, loops)
        is_fold = node.op.kind == FOLD
        short_lines = is_fold or self.spaces.extents[order[-1]] <= SHORT
        if (
            self._form(node, longest) == WRITTEN_OUT
            and short_lines
            and not (is_fold and longest in self.spaces.folded(node))
        ):
            return longest
        return order[0]

    def order(self, node: Node, loops: list[int]) -> list[int]:
        """These loops from the one with the longest steps in memory, by the largest operand that is given."""
        best, size = None, -1
        for x in node.values:
            if x.dtype is not None and x.size > size:
                steps = {tag: self._step(node, x, tag) for tag in self.spaces.reading(node, x) if tag in loops}
                if len(steps) == len(loops) and None not in steps.values():
                    best, size = sorted(loops, key=lambda tag: -(steps[tag] or 0)), x.size
        if best is not None:
            return best
        tags, value = self.spaces.tags(node), node.inputs[0] if node.op.kind == FOLD else node.out
        return [tag for tag in (tags[axis] for axis in value.order) if tag in loops]

    def _form(self, node: Node, loop: int | None) -> str:
        """What is left inside of a loop over the node: nothing, loops better written out, or nested ones."""
        rest = [self.spaces.extents[tag] for tag in self.spaces.loops(node) if tag != loop]
        if loop is None or not rest:
            return PLAIN
        long = self.spaces.extents[loop] >= LONGER * max(rest)
        return WRITTEN_OUT if long and self._is_short(node, loop) else NESTED

    def _is_short(self, node: Node, loop: int) -> bool:
        rest = [self.spaces.extents[tag] for tag in self.spaces.loops(node) if tag != loop]
        return max(rest, default=1) <= SHORT and math.prod(rest) <= NARROW

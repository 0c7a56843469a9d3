"""Which nodes share a loop: the program as a sequence of clusters, products and calls.

A *cluster* is a set of nodes that run inside of one outer loop: in each of its rounds each node does its share, so what
one needs of another must be ready by then. Nodes are placed when somebody needs them: folds, products, calls and results
ask for their operands, and elementwise nodes wait until they are asked for, so that they end up beside their readers.
A fold goes to where its operand is computed.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field

from byhand.program.ir import CHECK, Node, Program, Value
from byhand.program.loops.axes import Spaces
from byhand.program.primitives import FOLD, NUMERIC, VIEW

SHORT, NARROW, LONGER = 16, 64, 4
"""Loops of at most SHORT rounds may be written out, if a node then has at most NARROW lines. The loop around them is what
gets vectorised, and has at least LONGER times as many rounds."""

PLAIN, WRITTEN_OUT, NESTED = "plain", "written out", "nested"


@dataclass(eq=False)
class Item:
    """One step of the program: a cluster, or a node that is no loop.

    nodes  a cluster's in an order in which they can run
    loop   the number of a cluster's outer loop; None for a cluster of scalars and for other nodes
    fused  whether this is a cluster
    form   what is inside of the outer loop: nothing (PLAIN), loops to be WRITTEN_OUT, or NESTED loops
    place  its place among the items
    """

    nodes: list[Node]
    loop: int | None
    fused: bool
    place: float
    form: str = PLAIN
    reads: set[Value] = field(default_factory=set)


class Placement:
    """The items of a program, in order."""

    def __init__(
        self, program: Program, spaces: Spaces, fused: Collection[Node], fixed: Callable[[Value, int], int | None]
    ) -> None:
        self.program, self.spaces, self.fused, self.fixed = program, spaces, fused, fixed
        self.producers = program.producers()
        self.number = {node: i for i, node in enumerate(program.nodes)}
        self.items: list[Item] = []
        self.at: dict[Node, Item] = {}
        self.readers: dict[Value, list[Item]] = {}  # clusters that read a root
        self.written = {self.root(new): state for state, new in program.writes}
        self.checks_seen = -math.inf
        self._run()

    def root(self, x: Value) -> Value:
        """The value beneath views."""
        return self.spaces.sources[x].root if x in self.spaces.sources else x

    def maker(self, x: Value) -> Node | None:
        """The node that computes the root of a value."""
        return self.producers.get(self.root(x))

    def _run(self) -> None:
        for node in self.program.nodes:
            if node.op.kind in (NUMERIC, VIEW) or node in self.at:
                continue
            if node not in self.fused:
                self._need(node.values)
                self._append(Item([node], None, False, self._last() + 1))
                if node.op is CHECK:
                    self.checks_seen = self._last()
            elif node.op.kind == FOLD or not self.spaces.loops(node) or node.out in self.written:
                self.put(node)
        self._need(x for x in (*self.program.outputs, *(new for _, new in self.program.writes)) if isinstance(x, Value))

    def _need(self, values: Iterable[Value]) -> None:
        for x in values:
            maker = self.maker(x) if x.dtype is not None else None
            if maker is not None and maker not in self.at:
                self.put(maker)

    def _last(self) -> float:
        return self.items[-1].place if self.items else 0.0

    def _append(self, item: Item) -> None:
        bisect.insort(self.items, item, key=lambda it: it.place)
        for node in item.nodes:
            self.at[node] = item

    # Placing.

    def put(self, node: Node, before: Item | None = None) -> None:
        """Place an unplaced fused node, and all elementwise nodes that wait for it, in a cluster."""
        cone = self._waiting(node)
        item = self._host(node, cone, before)
        if item is None:
            loop = self._outer_loop(node)
            item = Item([], loop, True, 0.0, self._form(node, loop))
            first = self._after(cone) if before is None and not self.spaces.loops(node) else None
            item.place = self._place(before, first)
            bisect.insort(self.items, item, key=lambda it: it.place)
        core = self._core(node, cone, item)
        for other in cone:
            if other not in core and other not in self.at:
                self.put(other, item)
        for other in cone:
            if other not in self.at:
                self._enter(other, item)

    def _waiting(self, node: Node) -> list[Node]:
        """The node and the unplaced nodes it needs, in order."""
        found, stack = {node}, [node]
        while stack:
            for x in stack.pop().values:
                maker = self.maker(x) if x.dtype is not None else None
                if maker is not None and maker not in self.at and maker not in found:
                    found.add(maker)
                    stack.append(maker)
        return sorted(found, key=self.number.__getitem__)

    def _enter(self, node: Node, item: Item) -> None:
        item.nodes.append(node)
        self.at[node] = item
        if item.form == PLAIN:
            item.form = self._form(node, item.loop)
        for x in node.values:
            root = self.root(x)
            if root not in item.reads:
                item.reads.add(root)
                self.readers.setdefault(root, []).append(item)

    def _place(self, before: Item | None, after: float | None) -> float:
        """A place just before an item, just after a place, or at the end."""
        if before is None and after is None:
            return self._last() + 1
        places = [item.place for item in self.items]
        if before is not None:
            i = bisect.bisect_left(places, before.place)
            return (places[i - 1] + before.place) / 2 if i else before.place - 1
        i = bisect.bisect_right(places, after)
        return (
            (places[i - 1] + places[i]) / 2
            if 0 < i < len(places)
            else (self._last() + 1 if i else places[0] - 1 if places else 0.0)
        )

    def _after(self, cone: list[Node]) -> float:
        """The place of the last item that any of these needs."""
        return max((self._place_of(x) for node in cone for x in node.values), default=-math.inf)

    def _place_of(self, x: Value) -> float:
        maker = self.maker(x) if x.dtype is not None else None
        return self.at[maker].place if maker in self.at else -math.inf

    # Which cluster.

    def _host(self, node: Node, cone: list[Node], before: Item | None) -> Item | None:
        """An existing cluster that the node, and what waits for it, can join; the best one."""
        end = before.place if before is not None else math.inf
        start = self._earliest(node)
        for item in self._related(cone):
            if start <= item.place < end and self._welcomes(item, node, cone):
                return item
        return None

    def _earliest(self, node: Node) -> float:
        """Before which no cluster may compute this node, since it overwrites a state."""
        state = self.written.get(node.out)
        if state is None:
            return -math.inf
        readers = [item.place for item in self.readers.get(state, ())]
        others = [
            self.at[n].place
            for n in self.program.nodes
            if n in self.at and not self.at[n].fused and state in map(self.root, n.values)
        ]
        return max([self.checks_seen, *readers, *others])

    def _related(self, cone: list[Node]) -> Iterator[Item]:
        """Clusters that compute, or read, what these nodes read: the latest first."""
        makers = {self.maker(x) for node in cone for x in node.values if x.dtype is not None}
        first = {self.at[maker] for maker in makers if maker in self.at}
        yield from sorted((item for item in first if item.fused), key=lambda item: -item.place)
        roots = {self.root(x) for node in cone for x in node.values}
        rest = {item for root in roots for item in self.readers.get(root, ())} - first
        yield from sorted(rest, key=lambda item: -item.place)

    def _welcomes(self, item: Item, node: Node, cone: list[Node]) -> bool:
        core = self._core(node, cone, item)
        if node not in core:
            return False
        for other in cone:
            if other not in core:  # is placed before
                if any(self._place_of(x) >= item.place for x in other.values):
                    return False
            elif not self._fits(other, item):
                return False
        return True

    def _fits(self, node: Node, item: Item) -> bool:
        """Whether a node of the item's loop can run in each round of it, with what is there by then."""
        if item.loop is None:
            return all(self._place_of(x) <= item.place for x in node.values)
        form = self._form(node, item.loop)
        if item.form == NESTED and form == WRITTEN_OUT:
            return False
        if item.form == WRITTEN_OUT and form == NESTED and not self._is_short(node, item.loop):
            return False
        for x in node.values:
            if self._place_of(x) > item.place:
                return False
            maker = self.maker(x) if x.dtype is not None else None
            if maker in self.at and self.at[maker] is item and not self.ready(maker, node, x, item.loop):
                return False
            # a loop over neighbours in memory belongs inside
            if form == NESTED and maker is None and self.fixed(x, self._axis(node, x, item.loop)) == 1:
                return False
        return True

    def _axis(self, node: Node, x: Value, loop: int) -> int:
        tags = self.spaces.reading(node, x) if x.dtype is not None else ()
        return tags.index(loop) if loop in tags else -1

    def ready(self, maker: Node, node: Node, x: Value, loop: int) -> bool:
        """Whether, inside of a loop over both, what the node reads is there: computed in the same round."""
        if maker.op.kind == FOLD and loop in self.spaces.folded(maker):
            return False
        tags = self.spaces.reading_root(node, x)
        return (
            tags is not None
            and loop in self.spaces.result(maker)
            and tags[self.spaces.result(maker).index(loop)] == loop
        )

    def _core(self, node: Node, cone: list[Node], item: Item) -> set[Node]:
        """Those of the waiting nodes that can run in the same rounds as the node itself."""
        loop = item.loop
        if loop is not None and loop not in self.spaces.loops(node):
            return set()
        if loop is None:
            return {other for other in cone if not self.spaces.loops(other)} if not self.spaces.loops(node) else set()
        core, out = {node}, set()
        for other in reversed(cone):
            if other is node:
                continue
            readers = [(n, x) for n in core for x in n.values if x.dtype is not None and self.maker(x) is other]
            outside = any(self.maker(x) is other for n in out for x in n.values)
            whole = loop in self.spaces.loops(other) and all(self.ready(other, n, x, loop) for n, x in readers)
            if whole and readers and not outside:
                core.add(other)
            else:
                out.add(other)
        return core

    # Which loop.

    def _outer_loop(self, node: Node) -> int | None:
        """The loop around a new cluster."""
        loops = self.spaces.loops(node)
        if not loops:
            return None
        longest = max(loops, key=self.spaces.extents.__getitem__)
        natural = self.slowest(node, loops)
        if self._form(node, longest) == WRITTEN_OUT:
            neighbours = self.spaces.extents[self.order(node, loops)[-1]]
            if node.op.kind == FOLD or neighbours <= SHORT:
                return longest
        return natural

    def slowest(self, node: Node, loops: list[int]) -> int:
        """The one of these loops whose steps are the longest in memory."""
        return self.order(node, loops)[0]

    def order(self, node: Node, loops: list[int]) -> list[int]:
        """These loops from the one with the longest steps in memory, by the largest operand that is given."""
        best: tuple[int, list[int]] | None = None
        for x in node.values:
            if x.dtype is None or self.maker(x) is not None:
                continue
            tags = self.spaces.reading(node, x)
            steps = {tag: self.fixed(x, axis) or 0 for axis, tag in enumerate(tags) if tag in loops}
            if len(steps) == len(loops) and (best is None or x.size > best[0]):
                best = x.size, sorted(steps, key=lambda tag: -steps[tag])  # type: ignore[arg-type, return-value]
        if best is not None:
            return best[1]
        tags, value = self.spaces.tags(node), node.inputs[0] if node.op.kind == FOLD else node.out
        return [tag for tag in (tags[axis] for axis in value.order) if tag in loops]  # type: ignore[misc]

    def _form(self, node: Node, loop: int | None) -> str:
        """What is left inside of a loop over the node: nothing, loops better written out, or nested ones."""
        rest = [self.spaces.extents[tag] for tag in self.spaces.loops(node) if tag != loop]
        if loop is None or not rest:
            return PLAIN
        long = self.spaces.extents[loop] >= LONGER * max(rest)
        return WRITTEN_OUT if long and self._is_short(node, loop) else NESTED

    def _is_short(self, node: Node, loop: int | None) -> bool:
        rest = [self.spaces.extents[tag] for tag in self.spaces.loops(node) if tag != loop]
        return max(rest, default=1) <= SHORT and math.prod(rest) <= NARROW

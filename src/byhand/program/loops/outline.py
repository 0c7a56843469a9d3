"""What is decided about a cluster before its text is written: its loops, what stays in registers, what needs memory.

A value stays in registers if every reader is inside of the loops in which the value is complete. One that is read by
another loop of the same nest gets memory for the axes that differ; one that is read elsewhere gets memory as a whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from byhand.program.ir import CONSTANT, Node, Value
from byhand.program.loops import moves
from byhand.program.loops.nesting import Loop, Path, folded_around, nest, paths
from byhand.program.loops.placement import Item, Placement
from byhand.program.loops.storage import Storage
from byhand.program.primitives import FOLD, PRODUCT, PUT

Reading = tuple[Node, Value]


@dataclass(eq=False)
class Outline:
    """A cluster, decided.

    body       its tree of loops
    path       the loops around each node
    ready      the loops around each node in which its result is complete; a fold is complete outside of its loops
    written    the numbers of loops that are written out
    flat       the numbers of the loops that are one loop over all places in memory, slowest first; else None
    """

    item: Item
    placement: Placement
    body: list[Loop | Node]
    path: dict[Node, Path]
    ready: dict[Node, Path]
    written: set[int]
    flat: list[int] | None = None

    def loops_of(self, root: Value) -> list[int]:
        """The loops that the axes of a result are, the written-out ones first, then from the outermost in."""
        maker = self.placement.producers[root]
        mine = [tag for tag in self.placement.spaces.result(maker) if tag is not None]
        outside = [loop.number for loop in self.path[maker] if not loop.written_out]
        return sorted(mine, key=lambda tag: outside.index(tag) if tag in outside else -1)

    def in_register(self, node: Node, x: Value) -> bool:
        """Whether the node finds the operand in a register."""
        maker = self.placement.maker(x)
        if maker is None or maker not in self.path or node not in self.path:
            return False
        inside = rolled(self.ready[maker])
        if rolled(self.path[node])[: len(inside)] != inside or self.sums_in_memory(maker):
            return False
        return self.placement.spaces.reading_root(node, x) == self.placement.spaces.result(maker)

    def sums_in_memory(self, maker: Node) -> bool:
        """Whether a fold has many sums at a time: those of the axes it keeps inside of a loop that it sums over."""
        kept = [loop for loop in self.path[maker][len(self.ready[maker]) :] if not loop.written_out]
        folded = set(self.placement.spaces.folded(maker)) if maker.op.kind == FOLD else set()
        return maker.op.kind == FOLD and any(loop.number not in folded for loop in kept)

    def shared(self, maker: Node, readers: Iterable[Node]) -> set[int]:
        """The loops around a node's result and all of these readers."""
        common = rolled(self.ready[maker])
        for node in readers:
            theirs = rolled(self.path[node])
            common = tuple(a for a, b in zip(common, theirs, strict=False) if a is b)
        return {loop.number for loop in common}


def rolled(path: Sequence[Loop]) -> Path:
    """The loops of a path that are loops in the text."""
    return tuple(loop for loop in path if not loop.written_out)


def outline(item: Item, placement: Placement) -> Outline:
    """The outline of a cluster, not flat yet."""
    body = nest(item, placement)
    path = dict(paths(body))
    ready = {node: around[: folded_around(node, around, placement)] for node, around in path.items()}
    written = {loop.number for around in path.values() for loop in around if loop.written_out}
    return Outline(item, placement, body, path, ready, written)


class Settlement:
    """Settles the memory of all items: layouts, states in place, scratch, and which clusters are flat."""

    def __init__(self, placement: Placement, storage: Storage) -> None:
        self.placement, self.storage = placement, storage
        self.outlines = {item: outline(item, placement) for item in placement.items if item.fused}
        self.number = {item: i for i, item in enumerate(placement.items)}
        self.readers: dict[Value, list[Reading]] = {}
        for node in placement.at:
            for x in node.values:
                if x.dtype is not None:
                    self.readers.setdefault(placement.root(x), []).append((node, x))
        for readings in self.readers.values():
            readings.sort(key=lambda reading: self.number[placement.at[reading[0]]])
        program = placement.program
        self.results = {placement.root(x) for x in program.outputs if isinstance(x, Value)}
        self.copies: list[tuple[Value, Value]] = []
        self._settle_states()
        self.results |= {placement.root(new) for _, new in self.copies}
        for item in placement.items:
            if item.fused:
                self._settle_cluster(item)
            elif not self._settle_in_place(item.nodes[0]):
                for out in item.nodes[0].outputs:
                    self._settle_whole(out, item, self._wish(out) or list(out.order))
        for item in placement.items:
            for root in {placement.root(x) for node in item.nodes for x in node.values if x.dtype is not None}:
                storage.extend(root, self.number[item])
        for root in self.results:
            storage.extend(root, len(placement.items))
        storage.pack()
        for made in self.outlines.values():
            made.flat = self._flattened(made)
            if made.flat is not None:
                made.written = set()
                for loop in {loop for path in made.path.values() for loop in path}:
                    loop.written_out = False

    # States.

    def _settle_states(self) -> None:
        taken: set[Value] = set()
        for state, new in self.placement.program.writes:
            maker = self.placement.producers.get(new)
            if maker is not None and new not in taken and self._undisturbed(state, new, maker):
                self.storage.place_in(new, state)
                taken.add(new)
            else:
                self.copies.append((state, new))

    def _undisturbed(self, state: Value, new: Value, maker: Node) -> bool:
        """Whether all who read the old value have done so when the new one is written, place by place."""
        item = self.placement.at.get(maker)
        root_state = state in self.results or any(self.placement.root(x) is state for _, x in self.copies)
        if item is None or root_state or (new.shape, new.dtype) != (state.shape, state.dtype):
            return False
        if not item.fused and not (maker.op.kind == PRODUCT or moves.known(maker)):
            return False
        mine = self.number[item]
        if any(it.nodes[0].op.name == "check" for it in self.placement.items[mine + 1 :] if not it.fused):
            return False
        for node, x in self.readers.get(state, ()):
            where = self.number[self.placement.at[node]]
            if where > mine or (where == mine and not self._at_same_places(node, x, maker)):
                return False
        return True

    def _at_same_places(self, node: Node, x: Value, maker: Node) -> bool:
        """Whether, in one cluster, a node reads a state only where, in the same round, the new value is written."""
        item = self.placement.at[node]
        if not item.fused:
            return node.op.kind == PUT and x is node.inputs[0] and x not in node.inputs[1:]
        if maker.op.kind == FOLD:
            return False
        path = self.outlines[item].path
        same = rolled(path[node]) == rolled(path[maker])
        return same and self.placement.spaces.reading_root(node, x) == self.placement.spaces.result(maker)

    def _settle_in_place(self, node: Node) -> bool:
        """Let what is put into a value nobody else needs go into its memory."""
        if not moves.known(node) or node.out in self.storage.homes:
            return False
        x = node.inputs[0]
        source = self.placement.spaces.sources[x]
        root, used_up = source.root, self.placement.maker(x) is not None and not source.views
        if not used_up or root in self.results or len(self.readers[root]) > 1:
            return False
        if self.storage.memory(root) not in self.storage.pieces:
            return False
        self.storage.place_in(node.out, root)
        return True

    # Layouts.

    def _settle_cluster(self, item: Item) -> None:
        made = self.outlines[item]
        for node in item.nodes:
            root = node.out
            if root in self.storage.homes:
                continue
            order = made.loops_of(root)
            if all(tag in made.written for tag in order) and len(order) > 1:
                order = self._wished_loops(root) or order
            needy = [reader for reader, x in self.readers.get(root, ()) if not made.in_register(reader, x)]
            outside = any(reader not in made.path for reader in needy)
            if root in self.results or outside or (needy and root in self.storage.pinned):
                self._settle_whole(root, item, self._axes(root, order, made))
            elif needy:
                shared = made.shared(node, needy)
                inner = [tag for tag in order if tag not in shared]
                self.storage.place_scratch(
                    root, [made.placement.spaces.result(node).index(t) for t in inner], self.number[item]
                )

    def _axes(self, root: Value, loops: Sequence[int], made: Outline) -> list[int]:
        """The axes of a root in the order of these loops; those of size 1 first."""
        tags = self.placement.spaces.result(self.placement.producers[root])
        return sorted(range(len(tags)), key=lambda axis: loops.index(tags[axis]) if tags[axis] in loops else -1)  # type: ignore[arg-type]

    def _settle_whole(self, root: Value, item: Item, order: Sequence[int]) -> None:
        if root.dtype is not None and root not in self.storage.homes:
            self.storage.place(root, order, self.number[item], self.number[item])

    def _wish(self, root: Value) -> list[int] | None:
        """The order of axes that the first cluster to read a product would like best."""
        for node, x in self.readers.get(root, ()):
            item = self.placement.at[node]
            tags = self.placement.spaces.reading_root(node, x) if item.fused else None
            if tags is not None:
                loops = self._fixed_order(item, set(tags)) or [loop.number for loop in self._written_first(item, node)]
                return sorted(range(len(tags)), key=lambda axis: loops.index(tags[axis]) if tags[axis] in loops else -1)  # type: ignore[arg-type]
        return None

    def _wished_loops(self, root: Value) -> list[int] | None:
        """The same for the result of a cluster, as loops of that cluster."""
        mine = self.placement.spaces.result(self.placement.producers[root])
        order = self._wish_elsewhere(root)
        return None if order is None else [mine[axis] for axis in order if mine[axis] is not None]  # type: ignore[misc]

    def _wish_elsewhere(self, root: Value) -> list[int] | None:
        here = self.placement.at[self.placement.producers[root]]
        for node, x in self.readers.get(root, ()):
            item = self.placement.at[node]
            tags = self.placement.spaces.reading_root(node, x) if item.fused and item is not here else None
            loops = self._fixed_order(item, set(tags)) if tags is not None else None
            if tags is not None and loops is not None:
                return sorted(range(len(tags)), key=lambda axis: loops.index(tags[axis]) if tags[axis] in loops else -1)  # type: ignore[arg-type]
        return None

    def _written_first(self, item: Item, node: Node) -> list[Loop]:
        path = self.outlines[item].path[node]
        return [*[loop for loop in path if loop.written_out], *rolled(path)]

    def _fixed_order(self, item: Item, tags: set[int | None]) -> list[int] | None:
        """The order in which something given, read by the cluster over just these loops, lies in memory."""
        wanted = {tag for tag in tags if tag is not None}
        for node in item.nodes:
            for x in node.values:
                if x.dtype is None or self.placement.maker(x) is not None or self.placement.root(x).origin == CONSTANT:
                    continue
                theirs = self.placement.spaces.reading(node, x)
                if {tag for tag in theirs if tag is not None} == wanted:
                    steps = self.storage.spot(x).strides
                    order = sorted(range(len(theirs)), key=lambda axis: -steps[axis])
                    return [theirs[axis] for axis in order if theirs[axis] is not None]  # type: ignore[misc]
        return None

    # Flat loops.

    def _flattened(self, made: Outline) -> list[int] | None:
        """The loops as one, if all that is read and written lies without gaps in one order, or is a single number."""
        item, spaces = made.item, self.placement.spaces
        if item.loop is None:
            return None
        tags = set(spaces.loops(item.nodes[0]))
        order: list[int] | None = None
        for node in item.nodes:
            if set(spaces.loops(node)) != tags or (node.op.kind == FOLD and set(spaces.folded(node)) != tags):
                return None
            readings = [(spaces.reading(node, x), x) for x in node.values if x.dtype is not None]
            if node.out in self.storage.strides and node.op.kind != FOLD:
                readings.append((spaces.result(node), node.out))
            for theirs, x in readings:
                named = {tag for tag in theirs if tag is not None}
                if x is not node.out and made.in_register(node, x):
                    continue
                if self.placement.root(x).origin == CONSTANT and named:
                    return None
                if not named:
                    continue
                steps = {
                    tag: step for tag, step in zip(theirs, self.storage.spot(x).strides, strict=True) if tag is not None
                }
                lies = sorted(steps, key=lambda tag: -steps[tag])
                if named != tags or not _without_gaps([(spaces.extents[tag], steps[tag]) for tag in lies]):
                    return None
                if order not in (None, lies):
                    return None
                order = lies
        return order


def _without_gaps(axes: Sequence[tuple[int, int]]) -> bool:
    """Whether axes, given as (size, step) from the slowest, walk through memory one place after the other."""
    expected = 1
    for size, step in reversed(axes):
        if step != expected:
            return False
        expected *= size
    return True

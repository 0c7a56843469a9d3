"""Settles where everything lives: layouts, states that are written in place, scratch, and which clusters are flat.

What is computed lies as the loop walks that computes it. A product, which can lie either way, does as its first reader
would like; and so does a result whose loops are written out, for they do not care.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from byhand.program.ir import CHECK, CONSTANT, Node, Value
from byhand.program.loops import convolutions, moves
from byhand.program.loops.accumulation import ACCUMULATE
from byhand.program.loops.axes import Tags
from byhand.program.loops.convolutions import WINDOWED_WEIGHT, Plan, is_rigid
from byhand.program.loops.outline import Outline, outline, rolled
from byhand.program.loops.placement import Item, Placement
from byhand.program.loops.sharing import SMALL, WORTH, Span, call_work, nest_span, nest_work, totals
from byhand.program.loops.storage import Storage
from byhand.program.parts import apart, box_of
from byhand.program.primitives import ASSIGN, FOLD, MATMUL, PRODUCT, PUT, RESHAPE

Reading = tuple[Node, Value]


class Settlement:
    """The settled program.

    outlines  of all clusters
    copies    (state, its new value) where that is not computed in place: copied at the end
    readers   who reads each root, by which view, in order
    results   the roots that are read when all is computed
    threads   how many there are to share a large nest
    spans     how those nests are shared that are
    """

    def __init__(self, placement: Placement, storage: Storage, threads: int = 1) -> None:
        self.placement, self.storage, self.spaces = placement, storage, placement.spaces
        self.outlines = {item: outline(item, placement) for item in placement.items if item.fused}
        calls = [call_work(item.nodes[0]) for item in placement.items if not item.fused]
        work = sum(calls, start=sum(map(nest_work, self.outlines.values())))
        self.threads = threads if work >= WORTH else 1
        self.number = {item: i for i, item in enumerate(placement.items)}
        self.readers: dict[Value, list[Reading]] = {}
        for item in placement.items:
            for node in item.nodes:
                for x in node.values:
                    if x.dtype is not None:
                        self.readers.setdefault(placement.root(x), []).append((node, x))
        self.results = {placement.root(x) for x in placement.program.outputs if isinstance(x, Value)}
        self.copies: list[tuple[Value, Value]] = []
        self._settle_states()
        self.results |= {placement.root(new) for _, new in self.copies}
        for item in placement.items:
            self._settle(item)
        for made in self.outlines.values():
            order = self._flat_order(made)
            if order is not None:
                made.flatten(order)
        self.spans: dict[Item, Span] = {}
        if self.threads > 1:
            self._share()
        self._settle_lives()

    # In place.

    def _settle_states(self) -> None:
        taken: set[Value] = set()
        for state, new in self.placement.program.writes:
            maker = self.placement.producers.get(new)
            if maker is not None and new not in taken and self._undisturbed(state, maker):
                self.storage.place_in(new, state)
                taken.add(new)
            else:
                self.copies.append((state, new))

    def _undisturbed(self, state: Value, maker: Node) -> bool:
        """Whether all who read the old value have done so when the new one is written, place by place."""
        item = self.placement.at.get(maker)
        if item is None or state in self.results or any(self.placement.root(x) is state for _, x in self.copies):
            return False
        if not (item.fused or maker.op.kind == PRODUCT or moves.known(maker)):
            return False
        mine = self.number[item]
        if any(later.nodes[0].op is CHECK for later in self.placement.items[mine + 1 :]):
            return False
        for node, x in self.readers.get(state, ()):
            where = self.number[self.placement.at[node]]
            if where > mine or (where == mine and not self._at_same_places(node, x, maker)):
                return False
        return True

    def _at_same_places(self, node: Node, x: Value, maker: Node) -> bool:
        """Whether a node reads a state only where, in the same round, the new value is written."""
        item = self.placement.at[node]
        if not item.fused:
            first = node.op.kind == PUT or node.op is ACCUMULATE
            return first and x is node.inputs[0] and x not in node.inputs[1:]
        path = self.outlines[item].path
        same = maker.op.kind != FOLD and rolled(path[node]) == rolled(path[maker])
        return same and self.spaces.reading_root(node, x) == self.spaces.result(maker)

    def _takes_over(self, node: Node) -> bool:
        """Let what is put into a value nobody else needs go into its memory."""
        if not moves.known(node) or node.out in self.storage.homes:
            return False
        source = self.spaces.sources[node.inputs[0]]
        root = source.root
        if source.views or root in self.results or len(self.readers[root]) > 1:
            return False
        if self.storage.memory(root) not in self.storage.pieces:
            return False
        self.storage.place_in(node.out, root)
        return True

    def _goes_into(self, node: Node, item: Item) -> bool:
        """Compute a value where it is put, if nobody else needs it: in a part of what is there already, or will be."""
        readings = self.readers.get(node.out, ())
        if len(readings) != 1 or node.out in self.results:
            return False
        put, x = readings[0]
        views = self.spaces.sources[x].views
        if put.op is not ASSIGN or x is not put.inputs[1] or x.dtype != put.out.dtype:
            return False
        if any(view.op is not RESHAPE for view in views) or put.out in self.storage.homes:
            return False
        whole = put.inputs[0]
        if put.attrs.get("bare"):
            if put.out not in self.storage.strides:
                self._place(put.out, list(put.out.order), item)
            whole = put.out
        else:
            mine = box_of(put.out.shape, put.attrs["index"])
            while self._is_used_up(whole) and whole not in self.storage.strides:
                maker = self.placement.producers.get(
                    whole
                )  # another part, which is put there later than this is computed
                if maker is None or maker.op is not ASSIGN or not moves.known(maker) or mine is None:
                    return False
                other = box_of(maker.out.shape, maker.attrs["index"])
                if other is None or not apart(mine, other):
                    return False
                whole = maker.inputs[0]
            if not self._is_used_up(whole) or self.storage.memory(whole) not in self.storage.pieces:
                return False
        return self.storage.place_in_part(node.out, whole, put.attrs["index"], x.shape)

    def _is_used_up(self, whole: Value) -> bool:
        """Whether nobody needs a value but what puts something into it."""
        return whole not in self.results and len(self.readers.get(whole, ())) == 1

    # Layouts.

    def _settle(self, item: Item) -> None:
        if item.fused:
            for node in item.nodes:
                if node.out not in self.storage.homes:
                    self._settle_result(node, self.outlines[item])
        elif not self._takes_over(item.nodes[0]) and not (
            item.nodes[0].op is MATMUL and self._goes_into(item.nodes[0], item)
        ):
            rigid = is_rigid(item.nodes[0])
            for out in item.nodes[0].outputs:
                if out.dtype is not None and out not in self.storage.strides:
                    wish = None if rigid else self._wish(out, item)
                    self._place(out, wish or list(out.order), item)

    def _place(self, root: Value, order: Sequence[int], item: Item) -> None:
        self.storage.place(root, order, self.number[item], self.number[item])

    def _settle_result(self, node: Node, made: Outline) -> None:
        """Memory for what a cluster computes, if it is needed."""
        root, tags, item = node.out, self.spaces.result(node), made.item
        needy = [reader for reader, x in self.readers.get(root, ()) if not made.in_register(reader, x)]
        elsewhere = root in self.results or any(reader not in made.path for reader in needy)
        loops = made.order(node)
        if elsewhere and node.op.kind != FOLD and self._goes_into(node, item):
            return
        if elsewhere or (needy and root in self.storage.pinned):
            order = self._wish(root, item) if all(tag in made.written for tag in loops) else None
            self._place(root, order or _axes(tags, loops), item)
        elif needy:
            shared = made.shared(node, needy)
            inner = [tags.index(tag) for tag in loops if tag not in shared]
            self.storage.place_scratch(root, inner, self.number[item])

    def _wish(self, root: Value, item: Item) -> list[int] | None:
        """The order of axes that the first cluster to read a root from elsewhere would like best."""
        for node, x in self.readers.get(root, ()):
            reader = self.placement.at[node]
            tags = self.spaces.reading_root(node, x) if reader.fused and reader is not item else None
            if tags is not None:
                path = self.outlines[reader].path[node]
                walked = [loop.number for loop in (*[loop for loop in path if loop.written_out], *rolled(path))]
                return _axes(tags, self._given_order(reader, tags) or walked)
        return None

    def _given_order(self, item: Item, tags: Tags) -> list[int] | None:
        """The order in which something given, read by the cluster over just these loops, lies in memory."""
        wanted = set(tags) - {None}
        for node in item.nodes:
            for x in node.values:
                if x.dtype is None or self.placement.maker(x) is not None or self.placement.root(x).origin == CONSTANT:
                    continue
                theirs = self.spaces.reading(node, x)
                if set(theirs) - {None} == wanted:
                    return _slowest_first(theirs, self.storage.spot(x).strides)
        return None

    def _share(self) -> None:
        """Decide which nests threads share, and give each part its own of what all would write to."""
        for item in self.placement.items:
            if convolutions.known(item.nodes[0]):
                self._share_windows(item)
        for item, made in self.outlines.items():
            own = totals(made)
            if any(not self._can_be_divided(node, made) for node in own):
                continue
            span = nest_span(made, self.threads)
            if span is not None:
                self.spans[item] = span
                for root in [
                    *[node.out for node in own],
                    *[n.out for n in item.nodes if n.out in self.storage.scratch],
                ]:
                    self.storage.divide(root, span.parts)

    def _share_windows(self, item: Item) -> None:
        node = item.nodes[0]
        span = Plan.of(node).span(node.out.shape[1], self.threads)
        if span is not None:
            self.spans[item] = span
            for root in node.outputs[0 if node.op is WINDOWED_WEIGHT else 1 :]:
                self.storage.divide(root, span.parts)

    def _can_be_divided(self, node: Node, made: Outline) -> bool:
        """Whether parts can have totals of their own, to be added up when all are there."""
        root = node.out
        inside = any(reader in made.path for reader, _ in self.readers.get(root, ()))
        return root in self.storage.pieces and root.size <= SMALL and not inside

    def _settle_lives(self) -> None:
        """Let each piece of memory live until it is read the last time."""
        for root, readings in self.readers.items():
            for node, _ in readings:
                self.storage.extend(root, self.number[self.placement.at[node]])
        for root in self.results:
            self.storage.extend(root, len(self.placement.items))
        self.storage.pack()

    # Flat loops.

    def _flat_order(self, made: Outline) -> list[int] | None:
        """The loops of a cluster from slowest to fastest, if they are one loop over all places in memory.

        So it is if all that is read and written lies without gaps in one order, or is a single number.
        """
        if made.item.loop is None:
            return None
        tags = set(self.spaces.loops(made.item.nodes[0]))
        orders: list[list[int]] = []
        for node in made.item.nodes:
            if set(self.spaces.loops(node)) != tags or (node.op.kind == FOLD and set(self.spaces.folded(node)) != tags):
                return None
            for theirs, x in self._in_memory(node, made):
                named = set(theirs) - {None}
                if not named or self.storage.uniform(x) is not None:
                    continue
                strides = self.storage.spot(x).strides
                if named != tags or not self._without_gaps(theirs, strides):
                    return None
                orders.append(_slowest_first(theirs, strides))
        return orders[0] if orders and all(order == orders[0] for order in orders) else None

    def _in_memory(self, node: Node, made: Outline) -> Iterable[tuple[Tags, Value]]:
        """What the node reads from memory and writes there, with its loops."""
        for x in node.values:
            if x.dtype is not None and not made.in_register(node, x):
                yield self.spaces.reading(node, x), x
        if node.out in self.storage.strides and node.op.kind != FOLD:
            yield self.spaces.result(node), node.out

    def _without_gaps(self, tags: Tags, strides: Sequence[int]) -> bool:
        """Whether axes walk through memory one place after the other."""
        steps = {tag: step for tag, step in zip(tags, strides, strict=True) if tag is not None}
        expected = 1
        for tag in sorted(steps, key=steps.__getitem__):
            if steps[tag] != expected:
                return False
            expected *= self.spaces.extents[tag]
        return True


def _slowest_first(tags: Tags, strides: Sequence[int]) -> list[int]:
    pairs = [(step, tag) for tag, step in zip(tags, strides, strict=True) if tag is not None]
    return [tag for _, tag in sorted(pairs, key=lambda pair: -pair[0])]


def _axes(tags: Tags, loops: Sequence[int]) -> list[int]:
    """The axes with these tags in the order of these loops; those of size 1 first."""
    places: dict[int | None, int] = {tag: place for place, tag in enumerate(loops)}
    return sorted(range(len(tags)), key=lambda axis: places.get(tags[axis], -1))

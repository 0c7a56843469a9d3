"""The loops of one cluster: a tree of loops within loops, whose leaves are nodes.

Inside of the outer loop the same question comes back with one axis less: which nodes share the next loop? Loops that
are short enough are written out: then what is around them can be vectorised, and what passes between them stays in
registers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from byhand.program.ir import Node
from byhand.program.loops.placement import WRITTEN_OUT, Item, Placement
from byhand.program.primitives import FOLD


@dataclass(eq=False)
class Loop:
    """A loop.

    number       of the axis it runs over, as in `Spaces`; of a flat loop, which runs over several at once, the first
    extent       its rounds
    body         loops and nodes
    written_out  whether the text has a copy of the body for each round, and no loop
    """

    number: int
    extent: int
    body: list[Loop | Node] = field(default_factory=list)
    written_out: bool = False

    def nodes(self) -> Iterator[Node]:
        """All nodes inside."""
        for part in self.body:
            if isinstance(part, Loop):
                yield from part.nodes()
            else:
                yield part


Path = tuple[Loop, ...]


def nest(item: Item, placement: Placement) -> list[Loop | Node]:
    """The tree of a cluster."""
    spaces = placement.spaces
    if item.loop is None:
        return list(item.nodes)
    outer = Loop(item.loop, spaces.extents[item.loop])
    outer.body = _arranged(item.nodes, {item.loop}, placement)
    if item.form == WRITTEN_OUT:
        for loop in _loops(outer.body):
            loop.written_out = True
    return [outer]


def paths(body: list[Loop | Node], around: Path = ()) -> Iterator[tuple[Node, Path]]:
    """Each node with the loops around it, from the outermost."""
    for part in body:
        if isinstance(part, Loop):
            yield from paths(part.body, (*around, part))
        else:
            yield part, around


def _loops(body: list[Loop | Node]) -> Iterator[Loop]:
    for part in body:
        if isinstance(part, Loop):
            yield part
            yield from _loops(part.body)


def _arranged(nodes: list[Node], open_loops: set[int], placement: Placement) -> list[Loop | Node]:
    """Nodes grouped by the next loop, each group in the first place where what it needs is there."""
    spaces = placement.spaces
    groups: list[tuple[int | None, list[Node]]] = []
    where: dict[Node, int] = {}
    for node in nodes:
        rest = [tag for tag in spaces.loops(node) if tag not in open_loops]
        place = _group(node, rest, groups, where, placement)
        if place is None:
            place = len(groups)
            groups.append((placement.order(node, rest)[0] if rest else None, []))
        groups[place][1].append(node)
        where[node] = place
    body: list[Loop | Node] = []
    for tag, members in groups:
        if tag is None:
            body += members
        else:
            body.append(Loop(tag, spaces.extents[tag], _arranged(members, {*open_loops, tag}, placement)))
    return body


def _group(
    node: Node,
    rest: list[int],
    groups: list[tuple[int | None, list[Node]]],
    where: dict[Node, int],
    placement: Placement,
) -> int | None:
    """The first group that the node can join."""
    first = 0
    for x in node.values:
        maker = placement.maker(x)
        if maker in where:
            place = where[maker]
            loop = groups[place][0]
            together = placement.ready(maker, node, x, loop) if loop in rest else loop is None and not rest
            first = max(first, place if together else place + 1)
    wanted: Collection[int | None] = rest or [None]
    return next((i for i in range(first, len(groups)) if groups[i][0] in wanted), None)


def folded_around(node: Node, path: Path, placement: Placement) -> int:
    """How many of the loops around a fold are outside of those it sums over: there its result is ready."""
    if node.op.kind != FOLD:
        return len(path)
    folded = set(placement.spaces.folded(node))
    return next((depth for depth, loop in enumerate(path) if loop.number in folded), len(path))

"""What is decided about a cluster before its text is written: its loops, and what stays in registers.

A value stays in registers if every reader is inside of the loops in which the value is complete. One that is read by
another loop of the same nest gets memory for the axes that differ; one that is read elsewhere gets memory as a whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from byhand.program.ir import Node, Value
from byhand.program.loops.nesting import Loop, Path, folded_around, nest, paths
from byhand.program.loops.placement import Item, Placement
from byhand.program.loops.rewriting import GATHER
from byhand.program.primitives import FOLD


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

    def order(self, node: Node) -> list[int]:
        """The loops that the axes of a result are, the written-out ones first, then from the outermost in.

        So lies what is computed: neighbours in the innermost loop are neighbours in memory.
        """
        outside = [loop.number for loop in rolled(self.path[node])]
        mine = [tag for tag in self.placement.spaces.result(node) if tag is not None]
        return sorted(mine, key=lambda tag: outside.index(tag) if tag in outside else -1)

    def in_register(self, node: Node, x: Value) -> bool:
        """Whether the node finds the operand in a register."""
        maker = self.placement.maker(x)
        if maker is None or maker not in self.path or node not in self.path:
            return False
        inside = rolled(self.ready[maker])
        if rolled(self.path[node])[: len(inside)] != inside or self.sums_in_memory(maker):
            return False
        if node.op is GATHER and x is node.inputs[1]:  # of one row, whose axis has no loop: it is read at an address
            return False
        return self.placement.spaces.reading_root(node, x) == self.placement.spaces.result(maker)

    def sums_in_memory(self, maker: Node) -> bool:
        """Whether a fold has many sums at a time: those of the axes it keeps inside of a loop that it sums over."""
        if maker.op.kind != FOLD:
            return False
        folded = set(self.placement.spaces.folded(maker))
        return any(loop.number not in folded for loop in rolled(self.path[maker][len(self.ready[maker]) :]))

    def shared(self, maker: Node, readers: Iterable[Node]) -> set[int]:
        """The loops around a node's result and all of these readers."""
        common = rolled(self.ready[maker])
        for node in readers:
            theirs = rolled(self.path[node])
            common = tuple(a for a, b in zip(common, theirs, strict=False) if a is b)
        return {loop.number for loop in common}

    def flatten(self, tags: list[int]) -> None:
        """Make it one loop over all places."""
        self.flat, self.written = tags, set()
        for loop in {loop for path in self.path.values() for loop in path}:
            loop.written_out = False


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

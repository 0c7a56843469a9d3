"""Which axes of which nodes are one and the same, so that one loop can run over them.

Two axes are the same if one value has both: where a node reads a value, its axis is the value's axis. Two axes of one
node, or of one value, are never the same, even if x + x.T seems to say so: then one reader goes without.
"""

from __future__ import annotations

from collections.abc import Collection

from byhand.program.ir import Node, Program, Value
from byhand.program.loops.rewriting import GATHER
from byhand.program.loops.sources import Source
from byhand.program.primitives import FOLD

Tags = tuple[int | None, ...]


class Spaces:
    """The loops that each node needs.

    tags     for each axis of a node's space (its result's, a fold's operand's) a number: the same number, the same
             loop; None for axes of size 1
    extents  how often a loop runs, by number
    """

    def __init__(self, program: Program, sources: dict[Value, Source], fused: Collection[Node]) -> None:
        self.sources = sources
        self._parent: list[int] = []
        self._owners: list[set[object]] = []
        self.extents: dict[int, int] = {}
        self._of_value: dict[Value, Tags] = {}
        self._of_node: dict[Node, Tags] = {}
        for node in program.nodes:
            if node in fused:
                self._enter(node)

    def tags(self, node: Node) -> Tags:
        """The loops of a node, one for each axis of its space."""
        return self._now(self._of_node[node])

    def loops(self, node: Node) -> list[int]:
        """The same without axes of size 1."""
        return [tag for tag in self.tags(node) if tag is not None]

    def result(self, node: Node) -> Tags:
        """The loops that the axes of its result are."""
        return self._now(self._of_value[node.out])

    def folded(self, node: Node) -> list[int]:
        """The loops that a fold sums over, from the first axis to the last."""
        kept = set(self.result(node))
        return [tag for tag in self.loops(node) if tag not in kept]

    def reading(self, node: Node, x: Value) -> Tags:
        """The loops that the axes of an operand are at this node."""
        return self._now(_aligned(self._of_node[node], _space(node), node, x))

    def reading_root(self, node: Node, x: Value) -> Tags | None:
        """The same for the axes of the operand's source; None if the view is no renaming."""
        source = self.sources[x]
        if source.axes is None:
            return None
        found: list[int | None] = [None] * len(source.root.shape)
        for tag, axis in zip(self.reading(node, x), source.axes, strict=True):
            if axis is not None:
                found[axis] = tag
        return tuple(found)

    def _enter(self, node: Node) -> None:
        space = _space(node)
        made = self._of_node[node] = tuple(None if n == 1 else self._new(n, node) for n in space)
        for x in node.values:
            if x.dtype is None:
                continue
            source = self.sources[x]
            named, axes = (source.root, source.axes) if source.axes is not None else (x, tuple(range(len(x.shape))))
            theirs = self._known(named)
            for tag, axis in zip(_aligned(made, space, node, x), axes, strict=True):
                if tag is not None and axis is not None and theirs[axis] is not None:
                    self._join(tag, theirs[axis])  # type: ignore[arg-type]
        out: Tags = made
        if node.op.kind == FOLD:
            axis, keepdims = node.attrs["axis"], node.attrs["keepdims"]
            out = tuple(None if i in axis else t for i, t in enumerate(made) if keepdims or i not in axis)
        self._of_value[node.out] = out

    def _known(self, value: Value) -> Tags:
        found = self._of_value.get(value)
        if found is None:
            found = self._of_value[value] = tuple(None if n == 1 else self._new(n, value) for n in value.shape)
        return found

    def _new(self, extent: int, owner: object) -> int:
        tag = len(self._parent)
        self._parent.append(tag)
        self._owners.append({owner})
        self.extents[tag] = extent
        return tag

    def _find(self, tag: int) -> int:
        while self._parent[tag] != tag:
            self._parent[tag] = tag = self._parent[self._parent[tag]]
        return tag

    def _now(self, tags: Tags) -> Tags:
        return tuple(None if tag is None else self._find(tag) for tag in tags)

    def _join(self, a: int, b: int) -> None:
        a, b = self._find(a), self._find(b)
        if a != b and self.extents[a] == self.extents[b] and self._owners[a].isdisjoint(self._owners[b]):
            if len(self._owners[a]) < len(self._owners[b]):
                a, b = b, a
            self._parent[b] = a
            self._owners[a] |= self._owners[b]


def _space(node: Node) -> tuple[int, ...]:
    shape: tuple[int, ...] = node.inputs[0].shape if node.op.kind == FOLD else node.out.shape
    return shape


def _aligned(tags: Tags, space: tuple[int, ...], node: Node, x: Value) -> Tags:
    """The tags of an operand's axes, which stand at the end of the space; None for size 1 and what is chosen from."""
    lead = len(space) - len(x.shape)
    if node.op is GATHER and x is node.inputs[1]:
        return (None, *[None if n == 1 else tags[lead + axis] for axis, n in enumerate(x.shape) if axis])
    return tuple(None if n == 1 else tags[lead + axis] for axis, n in enumerate(x.shape))


__all__ = ["Spaces", "Tags"]

"""What the backward pass computes again rather than have it kept: what a few cheap operations make of what is kept.

Between forward and backward everything that backward reads takes memory, and that is most of a step's. The normalised
x of a layer norm is its centred x, which is kept, times one number a row; its result is that times a weight plus a
bias; the scores of attention are a product of queries and keys. In loops the first two cost next to nothing, since they
are computed within the nest that wants them. The step of a GPT of 4 layers needs 45 MB in place of 57, and as long
as before.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from byhand.program.ir import BACKWARD, COMPUTED, FORWARD, Node, Program, Value
from byhand.program.loops.rewriting import without_dead_code
from byhand.program.primitives import MATMUL, VIEW

LEAST = 1 << 17
"""Bytes of a value that is worth it."""

SMALL = 16
"""What has so many times less bytes than a value is kept for its sake."""

MOST = 12
"""Nodes that are computed again for one value."""

CHEAP = {"add", "subtract", "multiply", "divide", "negative", "maximum", "minimum", "where", "copy", "cast"}


def recomputed(program: Program) -> Program:
    """The program with such values computed again where the backward pass first reads them."""
    plan = _Plan(program)
    if not plan.again:
        return program
    nodes: list[Node] = []
    now: dict[Value, Value] = {}
    for node in program.nodes:
        if node.section != FORWARD:
            for x in node.values:
                if x in plan.again and x not in now:
                    nodes += _copies(plan.again[x], node, now)
            inputs = tuple(now.get(x, x) if isinstance(x, Value) else x for x in node.inputs)
            node = dataclasses.replace(node, inputs=inputs)
        nodes.append(node)
    return without_dead_code(dataclasses.replace(program, nodes=nodes))


def _copies(cone: Iterable[Node], reader: Node, now: dict[Value, Value]) -> Iterable[Node]:
    """The nodes once more, for a reader; those that have been computed again already are not."""
    for node in cone:
        if node.out not in now:
            out = Value(node.out.shape, node.out.dtype, node.out.order)
            inputs = tuple(now.get(x, x) if isinstance(x, Value) else x for x in node.inputs)
            yield dataclasses.replace(node, inputs=inputs, outputs=(out,), section=BACKWARD, place=reader.place)
            now[node.out] = out


class _Plan:
    """What is computed again: for each value that backward reads, the nodes that make it, in order."""

    def __init__(self, program: Program) -> None:
        self.again: dict[Value, list[Node]] = {}
        self._makers = program.producers()
        needed = {x for node in program.nodes if node.section != FORWARD for x in node.values if self._is_forward(x)}
        self._kept = {self._root(x) for x in (*needed, *program.roots)}
        for node in program.nodes:
            if node.section == FORWARD and len(node.outputs) == 1 and node.out in needed:
                cone = self._cone(node)
                if cone is not None:
                    self.again[node.out] = cone

    def _is_forward(self, x: Value) -> bool:
        return x in self._makers and self._makers[x].section == FORWARD

    def _root(self, x: Value) -> Value:
        """The value beneath views."""
        while x in self._makers and self._makers[x].op.kind == VIEW:
            x = self._makers[x].inputs[0]
        return x

    def _cone(self, node: Node) -> list[Node] | None:
        """The nodes that make a value of what is kept; None if it is small, or they are too many or too dear."""
        root = self._root(node.out)
        if root.dtype is None or root.nbytes < LEAST or root not in self._makers:
            return None
        found: dict[Node, None] = {}

        def walk(maker: Node) -> bool:
            if maker not in found:
                cheap = maker.op.kind == VIEW or maker.op.name in CHEAP or _is_wide(maker)
                if len(found) > MOST or not cheap or not all(is_there(x) for x in maker.values):
                    return False
                found[maker] = None
            return True

        def is_there(x: Value) -> bool:
            beneath = self._root(x)
            if beneath is not root and (beneath in self._kept or beneath.origin != COMPUTED):
                return True
            return x.dtype is None or x.nbytes * SMALL <= root.nbytes or (x in self._makers and walk(self._makers[x]))

        if not walk(node):
            return None
        self._kept.discard(root)
        return list(found)


def _is_wide(node: Node) -> bool:
    """Whether this is a product of matrices, one by one, that has at least as many numbers as what it is made of."""
    batch = node.op is MATMUL and len(node.out.shape) > 2
    return batch and node.out.size >= sum(x.size for x in node.values)

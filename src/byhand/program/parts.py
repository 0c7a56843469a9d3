"""Arrays that are put together of parts: as gradients of slices are, and what is concatenated.

A sum of arrays that are zero but for one part each, no two of them in the same place, is one array into which the parts
are written. And an array of which every place is written is not filled before. Called by `planned` and `loops`.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from byhand.program.ir import CONSTANT, Node, Program, Value
from byhand.program.passes.dead_code import dead_code
from byhand.program.primitives import ASSIGN, COPY, elementwise

ADD = elementwise(np.add)

Box = tuple[range, ...]
"""A part of an array: the places along each axis."""


def put_together(program: Program) -> Program:
    """The program with such sums as arrays put together, and without needless filling."""
    parts: dict[Value, list[Box]] = {}  # of arrays that are zero everywhere else
    made: dict[Value, Node] = {}
    nodes = []
    for node in program.nodes:
        changed = node
        if node.op is ASSIGN and len(node.inputs) == 2:
            box = box_of(node.out.shape, node.attrs["index"])
            if box is not None and _is_zero(node.inputs[0], made):
                parts[node.out] = [box]
        elif node.op == ADD and all(isinstance(x, Value) for x in node.inputs):
            changed = _joined(node, parts, made) or node
            if changed is not node:
                parts[node.out] = [box for x in node.inputs for box in parts[x]]
        if changed.outputs:
            made[changed.out] = changed
        nodes.append(changed)
    fewer = dead_code(program.replaced(nodes))
    given = program.arguments, program.numbers, program.states  # as they were, read or not
    return _unfilled(dataclasses.replace(fewer, arguments=given[0], numbers=given[1], states=given[2]))


def _joined(node: Node, parts: dict[Value, list[Box]], made: dict[Value, Node]) -> Node | None:
    """A sum of two as the second's part written into the first."""
    for whole, other in (node.inputs, node.inputs[::-1]):
        if whole in parts and len(parts.get(other, ())) == 1 and whole is not other:
            [box] = parts[other]
            if all(apart(box, taken) for taken in parts[whole]) and whole.dtype == other.dtype == node.out.dtype:
                put = made[other]
                return dataclasses.replace(node, op=ASSIGN, inputs=(whole, put.inputs[1]), attrs=put.attrs)
    return None


def _unfilled(program: Program) -> Program:
    """Mark the first part of arrays that are covered with parts: what it is written to need not be filled."""
    producers, uses, kept = program.producers(), program.uses(), set(program.roots)
    bare: dict[Node, Node] = {}
    for node in program.nodes:
        chain = node
        boxes: list[Box] = []
        while chain.op is ASSIGN and len(chain.inputs) == 2 and isinstance(chain.inputs[0], Value):
            box = box_of(chain.out.shape, chain.attrs["index"])
            if box is None or not all(apart(box, other) for other in boxes):
                break
            boxes.append(box)
            x = chain.inputs[0]
            before = producers.get(x)
            if sum(map(_size, boxes)) == chain.out.size:
                if x.origin == CONSTANT:
                    bare[chain] = dataclasses.replace(chain, attrs={**chain.attrs, "bare": True})
                elif before is not None and _is_filling(before) and uses[x] == [chain] and x not in kept:
                    bare[before] = dataclasses.replace(before, attrs={"bare": True})
            if before is None or len(uses[x]) > 1 or x in kept:
                break
            chain = before
    return program.replaced([bare.get(node, node) for node in program.nodes]) if bare else program


def box_of(shape: tuple[int, ...], index: tuple[Any, ...]) -> Box | None:
    """The part that a basic index is, or None if it adds axes or walks backwards."""
    if any(part is None for part in index):
        return None
    rest = len(shape) - sum(part is not Ellipsis for part in index)
    parts: list[Any] = []
    for part in (*index, *(() if Ellipsis in index else (Ellipsis,))):
        parts += [slice(None)] * rest if part is Ellipsis else [part]
    box = []
    for part, n in zip(parts, shape, strict=True):
        if isinstance(part, slice):
            start, stop, step = part.indices(n)
            if step < 1:
                return None
            box.append(range(start, stop, step))
        else:
            box.append(range(part % n, part % n + 1))
    return tuple(box)


def apart(a: Box, b: Box) -> bool:
    """Whether two parts have no place in common, as far as is seen at once."""
    return any(map(_disjoint, a, b))


def _disjoint(p: range, q: range) -> bool:
    """Whether two ranges share no number, as far as is seen at once; those of one step may stand between each other."""
    if not p or not q or p[-1] < q[0] or q[-1] < p[0]:
        return True
    return p.step == q.step and (p.start - q.start) % p.step != 0


def _size(box: Box) -> int:
    return math.prod(map(len, box))


def _is_filling(node: Node) -> bool:
    """Whether it writes one number everywhere."""
    return node.op is COPY and not isinstance(node.inputs[0], Value)


def _is_zero(x: Any, made: dict[Value, Node]) -> bool:
    maker = made.get(x) if isinstance(x, Value) else None
    if maker is not None:
        return _is_filling(maker) and not np.any(maker.inputs[0])
    return isinstance(x, Value) and x.origin == CONSTANT and not np.any(x.data)

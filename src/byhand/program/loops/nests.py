"""The text of a nest: a cluster as one function of pointers and numbers.

Loops are walked as the outline says; each node becomes a line, or part of the line of its only reader.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

from byhand.program.ir import Node, Value
from byhand.program.loops import expressions
from byhand.program.loops.expressions import CODE, Fold, converted, grouped
from byhand.program.loops.manuscript import FIRST, LAST, Manuscript, Pointer
from byhand.program.loops.nesting import Loop
from byhand.program.loops.operands import Body, Index, Operands, Rounds, from_memory, to_memory
from byhand.program.loops.outline import Outline, rolled
from byhand.program.loops.rewriting import GATHER
from byhand.program.loops.storage import Storage
from byhand.program.primitives import FOLD

LONGEST = 84
"""Characters of a formula that goes into another one."""
TERMS = 4
"""Terms of a written-out sum on one line."""


def manuscript(outline: Outline, storage: Storage, shared: bool = False) -> Manuscript:
    """The nest of an outline; a shared one does the rounds of its outer loop from `first` to `last`."""
    return Writer(outline, storage, shared).manuscript


def added_up(root: Value, parts: int, size: int, way: Fold | None = None) -> str:
    """The nest, but for its name, that makes one of the totals of so many parts, `size` numbers apart."""
    places = ["target[i]", *[f"target[i + {part * size}]" for part in range(1, parts)]]
    total = " + ".join(places) if way is None else way.joined(places)
    head = f"(target):  # {root.dtype}: the totals of all parts"
    return f"{head}\n    for i in range({root.size}):\n        target[i] = {total}"


class Writer(Operands):
    """Writes the nest of one outline."""

    def __init__(self, outline: Outline, storage: Storage, shared: bool = False) -> None:
        super().__init__(outline, storage)
        self.shared = shared
        self.terms: dict[tuple[Value, Index], list[str]] = {}  # of sums that are written out
        top = Body({}, ())
        if outline.flat is not None:
            self._flat_loop(outline.flat, top)
        else:
            self._parts(outline.body, {}, top)
        self._finish(top)

    # Loops.

    def _flat_loop(self, tags: list[int], top: Body) -> None:
        """One loop over all places."""
        nodes = self.outline.item.nodes
        folds = [node for node in nodes if node.op.kind == FOLD]
        size = math.prod(self.spaces.extents[tag] for tag in tags)
        for node in folds:
            self._begin(node, (), top)
        i = self.manuscript.counter(0)
        rounds = self._part() if self.shared else self.manuscript.parameter(Pointer(None, size))
        self.line(top, f"for {i} in range({rounds}):")
        body = Body(dict.fromkeys(tags, i), (Loop(tags[0], size),))
        for node in nodes:
            self._node(node, {}, body)
        self._finish(body)
        for node in folds:
            self._end(node, (), top)

    def _parts(self, parts: Sequence[Loop | Node], rounds: Rounds, body: Body) -> None:
        for part in parts:
            if isinstance(part, Loop):
                self._loop(part, rounds, body)
            else:
                self._node(part, rounds, body)

    def _loop(self, loop: Loop, rounds: Rounds, body: Body) -> None:
        folds = [node for node in loop.nodes() if node.op.kind == FOLD and self._starts_at(node, loop)]
        for node in folds:
            for index in self._indices(node, rounds):
                self._begin(node, index, body)
        if loop.written_out:
            for k in range(loop.extent):
                self._parts(loop.body, {**rounds, loop.number: k}, body)
        else:
            i = self.manuscript.counter(body.depth)
            self.line(body, f"for {i} in range({self._part() if self.shared and not body.depth else loop.extent}):")
            inner = Body({**body.counters, loop.number: i}, (*body.path, loop))
            self._parts(loop.body, rounds, inner)
            self._finish(inner)
        for node in folds:
            for index in self._indices(node, rounds):
                self._end(node, index, body)

    def _part(self) -> str:
        return f"{self.manuscript.parameter(FIRST)}, {self.manuscript.parameter(LAST)}"

    def _finish(self, body: Body) -> None:
        for line in body.late:
            self.line(body, line)

    # Nodes.

    def _node(self, node: Node, rounds: Rounds, body: Body) -> None:
        if node.op.kind == FOLD and self.spaces.folded(node):
            self._one_more(node, rounds, body)
            return
        text, root, index = self._text(node, rounds, body), node.out, self.index(node.out, rounds)
        stored = root in self.storage.strides
        if not stored and len(text) < LONGEST and self._is_part_of_its_reader(node):
            self.registers[root, index] = text
            return
        if stored and root not in self.readers and root not in self.storage.homes:
            self._store(root, text, rounds, body)
            return
        name = self._register(root, index)
        self.line(body, f"{name} = {text}")
        self.registers[root, index] = name
        if stored:
            self._store(root, name, rounds, body)

    def _text(self, node: Node, rounds: Rounds, body: Body) -> str:
        if node.op is GATHER:
            return self.gathered(node, rounds, body)
        if node.op.kind == FOLD:  # over axes of size 1
            return self.operand(node, node.inputs[0], node.out.dtype, rounds, body)
        kinds: Any = expressions.operand_dtypes(node)
        operands = [self.operand(node, x, kind, rounds, body) for x, kind in zip(node.inputs, kinds, strict=True)]
        return expressions.elementwise_text(node, operands)

    def _is_part_of_its_reader(self, node: Node) -> bool:
        """Whether a node has one reader, which runs just as often."""
        readers = self.readers.get(node.out, ())
        if len(readers) != 1:
            return False
        reader, written = readers[0], self.outline.written
        same = rolled(self.outline.path[reader]) == rolled(self.outline.path[node])
        return same and written.intersection(self.spaces.loops(reader)) == written.intersection(self.spaces.loops(node))

    def _store(self, root: Value, text: str, rounds: Rounds, body: Body) -> None:
        place = self.element(root, self.spaces.result(self.placement.producers[root]), rounds, body)
        line = f"{place} = {to_memory(text, root.dtype)}"
        if root in self.storage.homes:
            body.late.append(line)  # others may still want to read what was there
        else:
            self.line(body, line)

    def _register(self, root: Value, index: Index, what: str = "") -> str:
        suffix = "".join(f"_{i}" for i in index) + (f"_{what}" if what else "")
        return self.manuscript.mark((root, index, what), root, suffix)

    # Folds.

    def _one_more(self, node: Node, rounds: Rounds, body: Body) -> None:
        """A fold in its loops: one value more."""
        root, index, way = node.out, self.index(node.out, rounds), self._way(node)
        x = self.operand(node, node.inputs[0], way.kind, rounds, body)
        if self.outline.sums_in_memory(node):
            place = self.element(root, self.spaces.result(node), rounds, body)
            total = from_memory(place, root.dtype)
            text = way.pair(total, x) if way.is_extreme else way.step(total, x)
            self.line(body, f"{place} = {to_memory(text, root.dtype)}")
        elif (root, index) in self.terms:
            self.terms[root, index].append(x)
        else:
            name = self._register(root, index, "total")
            self.line(body, f"{name} = {way.step(name, x)}")
            if way.minds_nan:
                odd = self._register(root, index, "odd")
                self.line(body, f"{odd} = {odd} | ({grouped(x)} != {grouped(x)})")

    def _way(self, node: Node) -> Fold:
        count = math.prod(self.spaces.extents[tag] for tag in self.spaces.folded(node))
        return Fold(node, 0 if self.outline.sums_in_memory(node) or self._is_written_out(node) else count)

    def _is_written_out(self, node: Node) -> bool:
        """Whether all loops that a fold sums over are written out."""
        return all(tag in self.outline.written for tag in self.spaces.folded(node))

    def _starts_at(self, node: Node, loop: Loop) -> bool:
        ready, path = self.outline.ready[node], self.outline.path[node]
        return len(ready) < len(path) and path[len(ready)] is loop

    def _indices(self, node: Node, rounds: Rounds) -> Iterator[Index]:
        """All rounds of written-out loops in which a fold has a result of its own."""
        tags = self.written(node.out)
        yield from itertools.product(
            *[[rounds[tag]] if tag in rounds else range(self.spaces.extents[tag]) for tag in tags]
        )

    def _begin(self, node: Node, index: Index, body: Body) -> None:
        """What is to be done before the loops of a fold."""
        way = self._way(node)
        if self.outline.sums_in_memory(node):
            self._clear(node, way.start, index, body)
        elif self._is_written_out(node):
            self.terms[node.out, index] = []
        else:
            self.line(body, f"{self._register(node.out, index, 'total')} = {way.start}")
            if way.minds_nan:
                self.line(body, f"{self._register(node.out, index, 'odd')} = False")

    def _clear(self, node: Node, start: str, index: Index, body: Body) -> None:
        """Loops that fill the memory of many sums with what a sum begins with."""
        inside = self.outline.path[node][len(self.outline.ready[node]) :]
        folded = set(self.spaces.folded(node))
        inner = Body(dict(body.counters), body.path)
        for loop in rolled(inside):
            if loop.number not in folded:
                i = inner.counters[loop.number] = self.manuscript.counter(inner.depth)
                self.line(inner, f"for {i} in range({loop.extent}):")
                inner = Body(inner.counters, (*inner.path, loop))
        rounds = dict(zip(self.written(node.out), index, strict=True))
        place = self.element(node.out, self.spaces.result(node), rounds, inner)
        self.line(inner, f"{place} = {to_memory(start, node.out.dtype)}")

    def _end(self, node: Node, index: Index, body: Body) -> None:
        """What is to be done when the loops of a fold are through."""
        if self.outline.sums_in_memory(node):
            return
        root, way = node.out, self._way(node)
        terms = self.terms.pop((root, index), None)
        name = self._total(root, index, way, body) if terms is None else self._sum(root, index, way, terms, body)
        self.registers[root, index] = name
        if root in self.storage.strides:
            self._store(root, name, dict(zip(self.written(root), index, strict=True)), body)

    def _total(self, root: Value, index: Index, way: Fold, body: Body) -> str:
        """The name of a running total as it should be in the end."""
        text = total = self._register(root, index, "total")
        if way.minds_nan:
            text = f"where({self._register(root, index, 'odd')}, {CODE[way.kind]}(np.nan), {total})"
        text = converted(text, way.kind, root.dtype)  # type: ignore[arg-type]
        if text == total:
            return total
        name = self._register(root, index)
        self.line(body, f"{name} = {text}")
        return name

    def _sum(self, root: Value, index: Index, way: Fold, terms: Sequence[str], body: Body) -> str:
        """The name of a sum whose terms are written out."""
        name = self._register(root, index)
        self.line(body, f"{name} = {way.joined(terms[:TERMS])}")
        for k in range(TERMS, len(terms), TERMS - 1):
            self.line(body, f"{name} = {way.joined([name, *terms[k : k + TERMS - 1]])}")
        return name

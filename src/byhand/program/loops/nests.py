"""The text of a nest: a cluster as one function of pointers and numbers.

Names are settled last: a text is written with numbered marks, which become either the program's own names, for readers,
or a, b, c in the order in which they come, by which two nests that do the same are found to be the same.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from byhand.program.ir import CONSTANT, Node, Value
from byhand.program.loops import expressions
from byhand.program.loops.expressions import BOOLEAN, CODE, Fold, converted, literal
from byhand.program.loops.nesting import Loop, Path
from byhand.program.loops.outline import Outline, rolled
from byhand.program.loops.rewriting import GATHER
from byhand.program.loops.storage import Storage
from byhand.program.primitives import FOLD

MARK = re.compile("\ue000(\\d+)\ue001")
LONGEST = 84
"""Characters of a formula that goes into another one."""
TERMS = 4
"""Terms of a written-out sum on one line."""

Index = tuple[int, ...]


@dataclass(frozen=True)
class Pointer:
    """A parameter: the memory of a root, so many numbers from its start; or with no root the size of a flat loop."""

    root: Value | None
    offset: int = 0


@dataclass(eq=False)
class Nest:
    """A function of a generated module, as marked text.

    parameters  pointers and numbers of the program, with the mark of each
    names       what each mark stands for: a value and an index among written-out loops, or a word
    """

    lines: list[str] = field(default_factory=list)
    parameters: list[tuple[Pointer | Value, str]] = field(default_factory=list)
    names: list[tuple[Any, str]] = field(default_factory=list)


class _Body:
    """Where lines go: a loop's body, with the rounds of the loops around it and what it has read already."""

    def __init__(self, indent: int, rounds: dict[int, str], path: Path) -> None:
        self.indent, self.rounds, self.path = indent, rounds, path
        self.late: list[str] = []
        self.read: dict[str, str] = {}


class Writer:
    """Writes the nest of one outline."""

    def __init__(self, outline: Outline, storage: Storage) -> None:
        self.outline, self.storage = outline, storage
        self.placement, self.spaces = outline.placement, outline.placement.spaces
        self.nest = Nest()
        self.marks: dict[Any, str] = {}
        self.text: dict[tuple[Value, Index], str] = {}  # of what is in registers
        self.terms: dict[tuple[Value, Index], list[str]] = {}  # of sums that are written out
        self.readers = self._count_readers()
        top = _Body(1, {}, ())
        if outline.flat is not None:
            self._write_flat(top)
        else:
            self._write(outline.body, {}, top)
        self._flush(top)

    def _count_readers(self) -> dict[Value, int]:
        """How often each operand is read by the cluster, a formula that repeats it counted twice."""
        found: dict[Value, int] = {}
        for node in self.outline.item.nodes:
            for x in node.values:
                root = self.placement.root(x)
                minds = node.op.kind == FOLD and Fold(node, True, 0).minds_nan
                repeats = node.op.name in (*expressions.REPEATED, "power") or minds
                found[root] = found.get(root, 0) + 1 + repeats
        return found

    # Loops.

    def _write_flat(self, top: _Body) -> None:
        """One loop over all places."""
        tags: list[int] = self.outline.flat  # type: ignore[assignment]
        nodes = self.outline.item.nodes
        folds = [node for node in nodes if node.op.kind == FOLD]
        size = math.prod(self.spaces.extents[tag] for tag in tags)
        for node in folds:
            self._begin(node, (), top, size)
        i = self._word("i", "i")
        self._line(top, f"for {i} in range({self._parameter(Pointer(None, size), 'n')}):")
        body = _Body(2, {tag: i for tag in tags}, (Loop(tags[0], size),))
        for node in nodes:
            self._node(node, {}, body)
        self._flush(body)
        for node in folds:
            self._end(node, (), top)

    def _write(self, parts: Sequence[Loop | Node], fixed: dict[int, int], body: _Body) -> None:
        for part in parts:
            if isinstance(part, Loop):
                self._loop(part, fixed, body)
            else:
                self._node(part, fixed, body)

    def _loop(self, loop: Loop, fixed: dict[int, int], body: _Body) -> None:
        folds = [n for n in loop.nodes() if n.op.kind == FOLD and self._starts_at(n, loop)]
        for node in folds:
            for index in self._indices(node, fixed):
                self._begin(node, index, body, self._count(node))
        if loop.written_out:
            for i in range(loop.extent):
                self._write(loop.body, {**fixed, loop.number: i}, body)
        else:
            depth = len(rolled(body.path))
            i = self._word(("loop", depth), "ijklmopq"[depth])
            self._line(body, f"for {i} in range({loop.extent}):")
            inner = _Body(body.indent + 1, {**body.rounds, loop.number: i}, (*body.path, loop))
            self._write(loop.body, fixed, inner)
            self._flush(inner)
        for node in folds:
            for index in self._indices(node, fixed):
                self._end(node, index, body)

    def _starts_at(self, node: Node, loop: Loop) -> bool:
        ready = self.outline.ready[node]
        return len(ready) < len(self.outline.path[node]) and self.outline.path[node][len(ready)] is loop

    def _count(self, node: Node) -> int:
        return math.prod(self.spaces.extents[tag] for tag in self.spaces.folded(node))

    def _indices(self, node: Node, fixed: dict[int, int]) -> Iterator[Index]:
        """All rounds of written-out loops in which a fold has a result of its own."""
        tags = self._written(node.out)
        yield from itertools.product(
            *[[fixed[tag]] if tag in fixed else range(self.spaces.extents[tag]) for tag in tags]
        )

    def _written(self, root: Value) -> list[int]:
        """The written-out loops that axes of a result are, in the order of the axes."""
        return [tag for tag in self.spaces.result(self.placement.producers[root]) if tag in self.outline.written]  # type: ignore[misc]

    # Nodes.

    def _node(self, node: Node, fixed: dict[int, int], body: _Body) -> None:
        if node.op.kind == FOLD and self.spaces.folded(node):
            self._fold(node, fixed, body)
            return
        if node.op.kind == FOLD:  # over axes of size 1
            text = self._operand(node, node.inputs[0], node.out.dtype, fixed, body)
        else:
            kinds: Any = expressions.operand_dtypes(node)
            if node.op is GATHER:
                operands = self._gathered(node, fixed, body)
            else:
                pairs = zip(node.inputs, kinds, strict=True)
                operands = [self._operand(node, x, kind, fixed, body) for x, kind in pairs]
            text = expressions.elementwise_text(node, operands)
        root, index = node.out, tuple(fixed[tag] for tag in self._written(node.out))
        stored = root in self.storage.strides
        if not stored and self.readers.get(root) == 1 and len(text) < LONGEST and self._same_rounds(node):
            self.text[root, index] = text
            return
        name = self._name(root, index)
        self._line(body, f"{name} = {text}")
        self.text[root, index] = name
        if stored:
            self._store(root, name, fixed, body)

    def _same_rounds(self, node: Node) -> bool:
        """Whether the one reader of a node runs just as often."""
        for other in self.outline.item.nodes:
            for x in other.values:
                if self.placement.maker(x) is node:
                    same = rolled(self.outline.path[other]) == rolled(self.outline.path[node])
                    return same and {*self.spaces.loops(other)} & self.outline.written == {
                        *self.spaces.loops(node)
                    } & self.outline.written
        return False

    def _store(self, root: Value, text: str, fixed: dict[int, int], body: _Body) -> None:
        place = self._element(root, self.spaces.result(self.placement.producers[root]), fixed, body)
        line = f"{place} = {'u1(' + text + ')' if root.dtype == BOOLEAN else text}"
        if root in self.storage.homes:
            body.late.append(line)  # others may still want to read what was there
        else:
            self._line(body, line)

    # Folds.

    def _fold(self, node: Node, fixed: dict[int, int], body: _Body) -> None:
        root, index = node.out, tuple(fixed[tag] for tag in self._written(node.out))
        way = self._way(node)
        x = self._operand(node, node.inputs[0], way.kind, fixed, body)
        if self.outline.sums_in_memory(node):
            place = self._element(root, self.spaces.result(node), fixed, body)
            total = self._from_memory(place, root.dtype)
            text = way.pair(total, grouped(x)) if way.extreme else way.step(total, grouped(x))
            self._line(body, f"{place} = {'u1(' + text + ')' if root.dtype == BOOLEAN else text}")
        elif (root, index) in self.terms:
            self.terms[root, index].append(x)
        else:
            name = self._name(root, index, "total")
            self._line(body, f"{name} = {way.step(name, grouped(x))}")
            if way.minds_nan:
                odd = self._name(root, index, "odd")
                self._line(body, f"{odd} = {odd} | ({x} != {x})")

    def _way(self, node: Node) -> Fold:
        return Fold(node, not self.outline.sums_in_memory(node) and not self._written_sum(node), self._count(node))

    def _written_sum(self, node: Node) -> bool:
        """Whether all loops that a fold sums over are written out."""
        return all(tag in self.outline.written for tag in self.spaces.folded(node))

    def _begin(self, node: Node, index: Index, body: _Body, count: int) -> None:
        way = self._way(node)
        if self.outline.sums_in_memory(node):
            self._clear(node, way.start, index, body)
        elif self.outline.flat is None and self._written_sum(node):
            self.terms[node.out, index] = []
        else:
            self._line(body, f"{self._name(node.out, index, 'total')} = {way.start}")
            if way.minds_nan:
                self._line(body, f"{self._name(node.out, index, 'odd')} = False")

    def _clear(self, node: Node, start: str, index: Index, body: _Body) -> None:
        """Loops that fill the memory of many sums with what a sum begins with."""
        inside = self.outline.path[node][len(self.outline.ready[node]) :]
        folded = set(self.spaces.folded(node))
        loops = [loop for loop in rolled(inside) if loop.number not in folded]
        depth, rounds = len(rolled(body.path)), dict(body.rounds)
        for k, loop in enumerate(loops):
            rounds[loop.number] = self._word(("loop", depth + k), "ijklmopq"[depth + k])
            self._line(body, f"{'    ' * k}for {rounds[loop.number]} in range({loop.extent}):")
        inner = _Body(body.indent + len(loops), rounds, body.path)
        fixed = dict(zip(self._written(node.out), index, strict=True))
        place = self._element(node.out, self.spaces.result(node), fixed, inner)
        self._line(inner, f"{place} = {'u1(' + start + ')' if node.out.dtype == BOOLEAN else start}")

    def _end(self, node: Node, index: Index, body: _Body) -> None:
        """What is left to do when a sum is complete."""
        if self.outline.sums_in_memory(node):
            return
        root, way = node.out, self._way(node)
        terms = self.terms.pop((root, index), None)
        if terms is not None:
            name = self._name(root, index)
            self._line(body, f"{name} = {self._joined(way, terms[:TERMS])}")
            for k in range(TERMS, len(terms), TERMS - 1):
                self._line(body, f"{name} = {self._joined(way, [name, *terms[k : k + TERMS - 1]])}")
        else:
            text = name = self._name(root, index, "total")
            if way.minds_nan:
                text = f"where({self._name(root, index, 'odd')}, {CODE[way.kind]}(np.nan), {name})"
            text = converted(text, way.kind, root.dtype)  # type: ignore[arg-type]
            if text != name:
                name = self._name(root, index)
                self._line(body, f"{name} = {text}")
        self.text[root, index] = name
        if root in self.storage.strides:
            self._store(root, name, dict(zip(self._written(root), index, strict=True)), body)

    def _joined(self, way: Fold, terms: Sequence[str]) -> str:
        terms = list(terms) if way.name == "add" else [grouped(term) for term in terms]
        total = terms[0]
        for term in terms[1:]:
            total = way.pair(total, term)
        return total

    # Operands.

    def _operand(self, node: Node, x: Any, kind: Any, fixed: dict[int, int], body: _Body) -> str:
        """An operand as text of the dtype in which the node computes."""
        if not isinstance(x, Value):
            return literal(x, kind)
        if x.dtype is None:
            return converted(self._parameter(x, ""), np.dtype(np.float64), kind)
        root = self.placement.root(x)
        tags = self.spaces.reading(node, x)
        text = self._constant(x, tags, fixed, body) if root.origin == CONSTANT else None
        if text is None:
            if self.outline.in_register(node, x):
                text = self.text[root, tuple(fixed[tag] for tag in self._written(root))]
            else:
                text = self._load(x, tags, fixed, body)
        text = converted(text, x.dtype, kind)
        return text if node.op.name in ("cast", "copy", "where") or node.op.kind == FOLD else grouped(text)

    def _gathered(self, node: Node, fixed: dict[int, int], body: _Body) -> list[str]:
        """The row number, and the element of that row."""
        rows, x = node.inputs
        row = self._operand(node, rows, np.dtype(np.int64), fixed, body)
        element = self._element(x, self.spaces.reading(node, x), fixed, body)
        step = self.storage.spot(x).strides[0]
        place = element.replace("[", f"[{row} * {step} + " if step != 1 else f"[{row} + ", 1)
        return [row, self._from_memory(place, x.dtype)]

    def _constant(self, x: Value, tags: Sequence[int | None], fixed: dict[int, int], body: _Body) -> str | None:
        """A constant that is the same everywhere, or counts along one axis."""
        source = self.spaces.sources[x]
        data = source.root.data
        if data.size and bool(np.all(data == data.flat[0])):
            return literal(data.flat[0], x.dtype)  # type: ignore[arg-type]
        long = [axis for axis, n in enumerate(data.shape) if n != 1]
        if source.axes is None or len(long) != 1 or x.dtype.kind not in "iu":  # type: ignore[union-attr]
            return None
        if not np.array_equal(data.ravel(), np.arange(data.size)):
            return None
        tag = next(tag for tag, axis in zip(tags, source.axes, strict=True) if axis == long[0])
        return f"{CODE[x.dtype]}({fixed[tag] if tag in fixed else body.rounds[tag]})"  # type: ignore[index]

    def _load(self, x: Value, tags: Sequence[int | None], fixed: dict[int, int], body: _Body) -> str:
        text = self._from_memory(self._element(x, tags, fixed, body), x.dtype)
        if self.readers[self.placement.root(x)] == 1 and not self._repeated(x, fixed):
            return text
        name = body.read.get(text)
        if name is None:
            name = body.read[text] = self._word(("read", text, len(self.nest.names)), self._base(x))
            self._line(body, f"{name} = {text}")
        return name

    def _repeated(self, x: Value, fixed: dict[int, int]) -> bool:
        """Whether a load stands in the text many times because of loops that it does not depend on."""
        return len(fixed) > 0

    def _from_memory(self, place: str, dtype: Any) -> str:
        return f"({place} != u1(0))" if dtype == BOOLEAN else place

    def _element(self, x: Value, tags: Sequence[int | None], fixed: dict[int, int], body: _Body) -> str:
        """`p[i * 30 + j]`: the place of a value in memory in this round."""
        spot = self.storage.spot(x)
        root = self.storage.memory(spot.root)
        pointer = self._parameter(Pointer(root, spot.offset), "")
        if self.outline.flat is not None:
            named = [tag for tag in tags if tag is not None]
            return f"{pointer}[{body.rounds[named[0]] if named and any(spot.strides) else 0}]"
        steps: dict[str, int] = {}
        constant = 0
        for tag, step in zip(tags, spot.strides, strict=True):
            if tag is None or step == 0:
                continue
            if tag in fixed:
                constant += fixed[tag] * step
            else:
                steps[body.rounds[tag]] = steps.get(body.rounds[tag], 0) + step
        parts = [name if step == 1 else f"{name} * {step}" for name, step in steps.items()]
        if constant or not parts:
            parts.append(str(constant))
        return f"{pointer}[{' + '.join(parts)}]"

    # Names and lines.

    def _parameter(self, x: Pointer | Value, wish: str) -> str:
        mark = self.marks.get(x)
        if mark is None:
            base = wish or self._base(x.root if isinstance(x, Pointer) else x)
            mark = self._word(x, base)
            self.nest.parameters.append((x, mark))
        return mark

    def _base(self, x: Value | None) -> Any:
        return x

    def _name(self, root: Value, index: Index, what: str = "") -> str:
        suffix = "".join(f"_{i}" for i in index) + (f"_{what}" if what else "")
        return self._word((root, index, what), root, suffix)

    def _word(self, key: Any, wish: Any, suffix: str = "") -> str:
        mark = self.marks.get(key)
        if mark is None:
            mark = self.marks[key] = f"\ue000{len(self.nest.names)}\ue001"
            self.nest.names.append((wish, suffix))
        return mark

    def _line(self, body: _Body, text: str) -> None:
        self.nest.lines.append("    " * body.indent + text)

    def _flush(self, body: _Body) -> None:
        for line in body.late:
            self._line(body, line)


def grouped(text: str) -> str:
    """A formula in parentheses, unless it is a name, an element or a call."""
    depth = 0
    for i, c in enumerate(text):
        if c in "([":
            depth += 1
        elif c in ")]":
            depth -= 1
        elif depth == 0 and (c == " " or (c == "-" and i == 0)):
            return f"({text})"
    return text

"""The operands of the nodes of a nest as text: registers, elements of memory, numbers, constants that are formulas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from byhand.program.ir import CONSTANT, Node, Value
from byhand.program.loops import expressions
from byhand.program.loops.expressions import BOOLEAN, CODE, Fold, converted, grouped, literal
from byhand.program.loops.manuscript import Manuscript, Pointer
from byhand.program.loops.nesting import Path
from byhand.program.loops.outline import Outline
from byhand.program.loops.storage import Storage
from byhand.program.primitives import FOLD

Index = tuple[int, ...]
Rounds = dict[int, int]
"""The round of each loop that is written out, by the number of the loop."""


class Body:
    """A loop's body, where lines go.

    counters  of the loops around it, by the number of the loop
    path      the loops around it
    late      lines for its end: states are overwritten when all has been read
    read      what was read from memory already, and its name
    """

    def __init__(self, counters: dict[int, str], path: Path) -> None:
        self.counters, self.path = counters, path
        self.late: list[str] = []
        self.read: dict[str, str] = {}

    @property
    def depth(self) -> int:
        """The number of loops around it."""
        return len(self.path)


class Operands:
    """The lower half of `nests.Writer`: it reads."""

    def __init__(self, outline: Outline, storage: Storage) -> None:
        self.outline, self.storage = outline, storage
        self.placement, self.spaces = outline.placement, outline.placement.spaces
        self.manuscript = Manuscript()
        self.registers: dict[tuple[Value, Index], str] = {}
        self.readers: dict[Value, list[Node]] = {}  # of each root; twice if the formula repeats the operand
        for node in outline.item.nodes:
            repeats = node.op.name in expressions.REPEATED or (node.op.kind == FOLD and Fold(node).minds_nan)
            for x in node.values:
                self.readers.setdefault(self.placement.root(x), []).extend([node] * (1 + repeats))

    def line(self, body: Body, text: str, indent: int = 0) -> None:
        """Write a line of a body."""
        self.manuscript.lines.append("    " * (body.depth + 1 + indent) + text)

    def index(self, root: Value, rounds: Rounds) -> Index:
        """Which of the registers of a result is meant in these rounds."""
        return tuple(rounds[tag] for tag in self.written(root))

    def written(self, root: Value) -> list[int]:
        """The written-out loops that axes of a result are, in the order of the axes."""
        tags = self.spaces.result(self.placement.producers[root])
        return [tag for tag in tags if tag is not None and tag in self.outline.written]

    def operand(self, node: Node, x: Any, kind: Any, rounds: Rounds, body: Body) -> str:
        """An operand as text of the dtype in which the node computes."""
        if not isinstance(x, Value):
            return literal(x, kind)
        if x.dtype is None:
            return converted(self.manuscript.parameter(x), np.dtype(np.float64), kind)
        tags = self.spaces.reading(node, x)
        text = self._formula(x, tags, rounds, body)
        if text is None and self.outline.in_register(node, x):
            root = self.placement.root(x)
            text = self.registers[root, self.index(root, rounds)]
        elif text is None:
            text = self._loaded(x, tags, rounds, body)
        return converted(text, x.dtype, kind)

    def gathered(self, node: Node, rounds: Rounds, body: Body) -> str:
        """The element of the row that another operand names."""
        rows, x = node.inputs
        row = grouped(self.operand(node, rows, np.dtype(np.int64), rounds, body))
        element = self.element(x, self.spaces.reading(node, x), rounds, body)
        step = self.storage.spot(x).strides[0]
        start = row if step == 1 else f"{row} * {step}"
        return from_memory(element.replace("[", f"[{start} + ", 1), x.dtype)

    def _formula(self, x: Value, tags: Sequence[int | None], rounds: Rounds, body: Body) -> str | None:
        """A constant that is the same everywhere, or counts along one axis."""
        source = self.spaces.sources[x]
        data = source.root.data
        same = self.storage.uniform(x)
        if same is not None:
            return literal(same, data.dtype)
        if source.root.origin != CONSTANT:
            return None
        long = [axis for axis, n in enumerate(data.shape) if n != 1]
        if source.axes is None or len(long) != 1 or data.dtype.kind not in "iu":
            return None
        if not np.array_equal(data.ravel(), np.arange(data.size)):
            return None
        tag = next(tag for tag, axis in zip(tags, source.axes, strict=True) if axis == long[0])
        return None if tag is None else f"{CODE[data.dtype]}({rounds.get(tag, body.counters.get(tag))})"

    def _loaded(self, x: Value, tags: Sequence[int | None], rounds: Rounds, body: Body) -> str:
        text = from_memory(self.element(x, tags, rounds, body), x.dtype)
        if len(self.readers[self.placement.root(x)]) == 1 and not rounds:
            return text
        name = body.read.get(text)
        if name is None:
            name = body.read[text] = self.manuscript.mark(("read", len(self.manuscript.wishes)), x)
            self.line(body, f"{name} = {text}")
        return name

    def element(self, x: Value, tags: Sequence[int | None], rounds: Rounds, body: Body) -> str:
        """`p[i * 30 + j]`: the place of a value in memory in this round."""
        spot = self.storage.spot(x)
        pointer = self.manuscript.parameter(Pointer(self.storage.memory(spot.root), spot.offset))
        if self.outline.flat is not None:
            named = [tag for tag in tags if tag is not None]
            return f"{pointer}[{body.counters[named[0]] if named and any(spot.strides) else 0}]"
        steps: dict[str, int] = {}
        constant = 0
        for tag, step in zip(tags, spot.strides, strict=True):
            if tag is None:
                continue
            if tag in rounds:
                constant += rounds[tag] * step
            else:
                steps[body.counters[tag]] = steps.get(body.counters[tag], 0) + step
        parts = [name if step == 1 else f"{name} * {step}" for name, step in steps.items() if step]
        return f"{pointer}[{' + '.join([*parts, str(constant)] if constant or not parts else parts)}]"


def from_memory(element: str, dtype: Any) -> str:
    """An element as a value: booleans are bytes in memory."""
    return f"{element} != u1(0)" if dtype == BOOLEAN else element


def to_memory(text: str, dtype: Any) -> str:
    """A value as what is stored."""
    return f"u1({text})" if dtype == BOOLEAN else text

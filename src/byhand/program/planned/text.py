"""The text of a planned program, put together from the lines of its nodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from byhand.program.ir import Node, Value
from byhand.program.memory import FRESH, Plan
from byhand.program.planned.calls import allocations, lines
from byhand.program.planned.names import LoopNames, Names
from byhand.program.primitives import CALL, VIEW
from byhand.program.tiling import Part, Tile

INDENT = " " * 4


@dataclass(frozen=True)
class Line:
    """A line of the step, the node it belongs to (if to one), and what is noted behind it."""

    text: str
    node: Node | None = None
    note: str = ""


class Text:
    """The text of a program.

    body      the lines of the step
    objects   what the text names and cannot spell
    """

    def __init__(self, plan: Plan) -> None:
        self.plan, self.names = plan, Names(plan)
        self._dead = self._last_reads()
        self._section = ""
        body: list[Line] = []
        place, tiles = 0, {tile.start: tile for tile in plan.tiles}
        while place < len(plan.program.nodes):
            tile = tiles.get(place)
            stop = place + 1 if tile is None else tile.stop
            nodes = plan.program.nodes[place:stop]
            body += self._titled(nodes, self._node(nodes[0]) if tile is None else self._tile(tile, nodes))
            body += [Line(f"del {', '.join(gone)}") for i in range(place, stop) if (gone := self._gone(i))]
            place = stop
        body += self._end()
        self.body = [*self._assigned(plan.program.numbers), *self._with_numbers(body)]
        self.objects = self.names.objects

    def source(self, body: Sequence[str] | None = None) -> str:
        """The whole text, with another body if one is given."""
        if body is None:
            body = [f"{line.text}  # {line.note}" if line.note else line.text for line in self.body]
        return "\n".join([*self._head(), *(f"{INDENT * 2}{line}" for line in body), "", f"{INDENT}return step", ""])

    def lines(self) -> list[tuple[int, str, Node]]:
        """Where in the source the lines of nodes are, and which nodes."""
        first = len(self._head()) + 1
        return [(first + i, line.text.strip(), line.node) for i, line in enumerate(self.body) if line.node is not None]

    # Nodes.

    def _node(self, node: Node) -> list[Line]:
        first = [Line(text, node) for text in allocations(node, self.names)]
        made = lines(node, self.names)
        note = node.out.type if node.outputs and node.op.kind != VIEW and node.out.dtype is not None else ""
        notes = [note if i == len(made) - 1 else "" for i in range(len(made))]
        last = [Line(text, node, note) for text, note in zip(made, notes, strict=True)]
        return [*first, *self._pending(), *last]

    def _tile(self, tile: Tile, nodes: Sequence[Node]) -> list[Line]:
        """A loop over blocks, and in it one over smaller blocks for each part."""
        names = LoopNames(self.names, tile)
        made = [Line(text, node) for node in nodes for text in allocations(node, self.names)]
        inside: list[Line] = []
        parts = {part.start: part for part in tile.parts}
        place = tile.start
        while place < tile.stop:
            part = parts.get(place)
            stop = place + 1 if part is None else part.stop
            run = nodes[place - tile.start : stop - tile.start]
            inside += self._lines(run, names) if part is None else self._part(tile, part, run, names)
            place = stop
        made += self._pending()
        if not inside:  # a copy of what is there already
            return made
        title = self.names.unique("blocks_of_" + self.names.of_first(nodes[-1].out))
        head, texts = names.loop(title)
        self.names.prologue.append(f"{title} = [{texts} for rows in blocks({tile.rows}, {tile.step})]")
        note = f"{len(tile.blocks)} blocks of {tile.step} rows"
        return [*made, Line(head, None, note), *_indented([*map(Line, names.sliced), *inside])]

    def _part(self, tile: Tile, part: Part, nodes: Sequence[Node], outer: LoopNames) -> list[Line]:
        names = LoopNames(outer, tile, part)
        inside = self._lines(nodes, names)
        title = self.names.unique("parts")
        head, texts = names.loop(title)
        outer.elements.append((title, f"[{texts} for part in blocks(rows.stop - rows.start, {part.step})]"))
        return [Line(head, None, f"{part.step} rows"), *_indented([*map(Line, names.sliced), *inside])]

    def _lines(self, nodes: Sequence[Node], names: LoopNames) -> list[Line]:
        return [Line(text, node) for node in nodes for text in lines(node, names)]

    def _pending(self) -> list[Line]:
        pending, self.names.pending[:] = list(self.names.pending), []
        return [Line(text) for text in pending]

    def _titled(self, nodes: Sequence[Node], made: list[Line]) -> list[Line]:
        if not made or nodes[0].section == self._section:
            return made
        self._section = nodes[0].section
        return [Line(f"# {self._section}"), *made]

    # Numbers.

    def _assigned(self, values: Sequence[Value]) -> list[Line]:
        return [Line(text) for value in values for text in self.names.assigned.get(value, ())]

    def _with_numbers(self, body: Sequence[Line]) -> list[Line]:
        made: list[Line] = []
        for line in body:
            made.append(line)
            if line.node is not None and line.node.outputs and line.node.out.dtype is None:
                made += self._assigned(line.node.outputs)
        return made

    # What kernels returned is freed as soon as nobody needs it.

    def _last_reads(self) -> dict[int, list[Value]]:
        plan = self.plan
        last: dict[Value, int] = {}
        for place, node in enumerate(plan.program.nodes):
            roots = [plan.layouts[x].root for x in node.values if x in plan.layouts]
            last |= dict.fromkeys([*roots, *node.outputs], place)
        outputs = {plan.layouts[x].root for x in plan.program.outputs if isinstance(x, Value) and x in plan.layouts}
        kept = outputs | {new for _, new in plan.copies}
        made = [out for node in plan.program.nodes if node.op.kind == CALL for out in node.outputs]
        dead: dict[int, list[Value]] = {}
        for value in made:
            if value not in kept and value.dtype is not None:
                dead.setdefault(last[value], []).append(value)
        return dead

    def _gone(self, place: int) -> list[str]:
        return [name for value in self._dead.get(place, ()) for name in self.names.names_of(value)]

    # Beginning and end.

    def _head(self) -> list[str]:
        program, names, plan = self.plan.program, self.names, self.plan
        plain = [text for text, name in names.imported.items() if text == name]
        given = [names.of(value) for value in (*program.arguments, *program.numbers)]
        return [
            f'"""{program.name}: {len(program.nodes)} operations of NumPy in {plan.arena_bytes:,} bytes of memory."""',
            "",
            "import numpy as np",
            *([f"from numpy import {', '.join(sorted(plain))}"] if plain else []),
            *[f"{name} = np.{text}" for text, name in names.imported.items() if text != name],
            "",
            "",
            "def bind(memory, states, constants):",
            *[f"{INDENT}{_unpacked(values, names)} = {title}" for title, values in
              (("states", program.states), ("constants", program.constants)) if values],
            *[f"{INDENT}{line}" for line in names.prologue],
            "",
            f"{INDENT}def step({', '.join(given)}):",
        ]  # fmt: skip

    def _end(self) -> list[Line]:
        """Copies to states that could not be written before, and what is returned."""
        program, names = self.plan.program, self.names
        returned, taken = [], set()
        for x in (*program.outputs, *(new for _, new in program.number_writes)):
            if not isinstance(x, Value) or x.dtype is None:
                returned.append(names.of(x) if isinstance(x, Value) else names.spelled(x))
            elif self.plan.homes[x].kind == FRESH and x not in taken:
                returned.append(names.of(x))
                taken.add(x)
            else:
                returned.append(f'{names.of(x)}.copy("K")')
        made = []
        if self.plan.copies:  # an output may be a state's old value, so it is copied before
            kept = [names.unique(f"output_{i}") for i in range(len(returned))]
            made += [f"{name} = {text}" for name, text in zip(kept, returned, strict=True)]
            copyto = names.function(np.copyto, "copyto")
            made += [f"{copyto}({names.of(state)}, {names.of(new)})" for state, new in self.plan.copies]
            returned = kept
        result = f"return ({returned[0]},)" if len(returned) == 1 else f"return {', '.join(returned) or '()'}"
        return [*self._pending(), *(Line(text) for text in (*made, result))]


def _indented(made: Sequence[Line]) -> list[Line]:
    return [Line(INDENT + line.text, line.node, line.note) for line in made]


def _unpacked(values: Sequence[Any], names: Names) -> str:
    return ", ".join(map(names.of, values)) + ("," if len(values) == 1 else "")

"""Where states are written: in place, at the line that computes their new value, if no later line reads the old one.

`fc1_weight -= lr * d_fc1_weight` is the line of the new value and its write in one. Called by `longhand`.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

from byhand.program.ir import UPDATE, Program, Value
from byhand.program.longhand.expression import Tree, copied, name, names_in, substituted
from byhand.program.longhand.line import Line
from byhand.program.longhand.naming import Names

IN_PLACE = (ast.Add, ast.Sub, ast.Mult, ast.Div)


def with_writes(
    program: Program, lines: list[Line], names: Names, trees: Mapping[Value, Tree]
) -> tuple[list[Line], dict[Value, str]]:
    """The lines with all writes in them, and the names of values that are known under another one at the end."""
    return _Writing(program, lines, names, trees).done()


class _Writing:
    """Puts the writes of a program in their places.

    views   for each state that is written the names that may be views of it
    after   what comes after a line; `before` and `last` what comes before and after all
    """

    def __init__(self, program: Program, lines: list[Line], names: Names, trees: Mapping[Value, Tree]) -> None:
        self.program, self.lines, self.names, self.trees = program, lines, names, trees
        self.states = {names[state] for state, _ in program.writes}
        self.views = _views(lines, self.states)
        self.after: dict[Line, list[Line]] = {}
        self.before: list[Line] = []
        self.last: list[Line] = []
        self.final: dict[Value, str] = {}

    def done(self) -> tuple[list[Line], dict[Value, str]]:
        for state, new in self.program.writes:
            self._write(state, new)
        self._keep_outputs()
        lines = [*self.before, *[part for line in self.lines for part in (line, *self.after.get(line, ()))]]
        return [*lines, *self.last], self.final

    def _write(self, state: Value, new: Value) -> None:
        title = self.names[state]
        own = next((line for line in self.lines if line.value is new and new not in self.final), None)
        if own is None or self._looks_at_states(own):
            self._copied(state, new, own)
            return
        readers = [line for line in self.lines if line.reads & {title, *self.views.get(title, ())}]
        later = readers and self.lines.index(readers[-1]) > self.lines.index(own)
        returned = any(self.names[x] in {title, *self.views.get(title, ())} for x in self._returned())
        if returned:
            self._copied(state, new, own)
        elif later or len(own.statements) > 1 or not isinstance(own.statements[0], ast.Assign):
            place = readers[-1] if later else own
            self.after.setdefault(place, []).append(_assignment(title, self.names[new], state, place.section))
        else:
            self._in_place(own, state, new)

    def _returned(self) -> list[Value]:
        return [x for x in self.program.outputs if isinstance(x, Value) and x.dtype is not None]

    def _in_place(self, own: Line, state: Value, new: Value) -> None:
        """The line writes the state itself, and later lines read the state."""
        title, before = self.names[state], self.names[new]
        statement = own.statements[0]
        assert isinstance(statement, ast.Assign)
        own.statements, own.shapes = [in_place(title, statement.value)], [None]
        for line in self.lines[self.lines.index(own) + 1 :]:
            line.statements = [substituted(part, {before: name(title)}) for part in line.statements]
        self.views = {key: {title if view == before else view for view in views} for key, views in self.views.items()}
        self.final[new] = title

    def _looks_at_states(self, line: Line) -> bool:
        """Whether the value may be a view of a state that is written."""
        return any(line.writes & views for views in self.views.values())

    def _copied(self, state: Value, new: Value, own: Line | None) -> None:
        """A value that is another state, or may be a view of one, is saved before states change, and written at last."""
        source = self.trees[new] if new not in self.final else name(self.final[new])
        if own is None and new not in self.program.states and new not in self.final:  # an argument, or a constant
            self.last.append(Line([ast.Assign([_all_of(self.names[state])], copied(source))], UPDATE, [None]))
            return
        saved = self.names.unlike(f"new_{self.names[state]}")
        copied = Line([_copy(saved, source)], UPDATE if own is None else own.section, [new.shape])
        if own is None:
            self.before.append(copied)
        else:
            self.after.setdefault(own, []).append(copied)
        self.last.append(_assignment(self.names[state], saved, state, UPDATE))

    def _keep_outputs(self) -> None:
        """What is returned must not change on the way: an old state, or a view of one, is saved as it was."""
        for x in dict.fromkeys(self._returned()):
            if x in self.final:
                continue
            title = self.names[x]
            seen = title in self.states or any(title in views for views in self.views.values())
            if not seen:
                continue
            own = next((line for line in self.lines if line.value is x), None)
            saved = self.names.unlike(f"old_{title}")
            line = Line([_copy(saved, name(title))], UPDATE if own is None else own.section, [x.shape])
            self.after.setdefault(own, []).append(line) if own is not None else self.before.append(line)
            self.final[x] = saved


def _views(lines: Sequence[Line], states: set[str]) -> dict[str, set[str]]:
    """For each state the names that may be views of it."""
    views: dict[str, set[str]] = {state: set() for state in states}
    for line in lines:
        if line.alias:
            for state, seen in views.items():
                if line.reads & {state, *seen}:
                    seen |= line.writes
    return views


def in_place(title: str, tree: ast.expr) -> ast.stmt:
    """`title op= …` where the formula begins so, else `title[...] = …`."""
    match tree:
        case ast.BinOp(left=ast.Name(id=left), op=op, right=right) if left == title and isinstance(op, IN_PLACE):
            if title not in names_in(right):
                return ast.AugAssign(ast.Name(title, ast.Store()), op, right)
        case ast.BinOp(left=left, op=ast.Add() | ast.Mult() as op, right=ast.Name(id=right)) if right == title:
            if title not in names_in(left):
                return ast.AugAssign(ast.Name(title, ast.Store()), op, left)
    return ast.Assign([_all_of(title)], tree)


def counted(lines: list[Line]) -> None:
    """`t = t + 1` as `t += 1`."""
    for line in lines:
        for i, part in enumerate(line.statements):
            match part:
                case ast.Assign(targets=[ast.Name(id=title)], value=ast.BinOp(left=ast.Name(id=left), op=op, right=right)):
                    if left == title and title not in names_in(right):
                        line.statements[i] = ast.AugAssign(ast.Name(title, ast.Store()), op, right)


def _copy(title: str, source: Tree) -> ast.stmt:
    call = ast.Call(ast.Attribute(copied(source), "copy", ast.Load()), [], [])
    return ast.Assign([ast.Name(title, ast.Store())], call)


def _all_of(title: str) -> ast.Subscript:
    return ast.Subscript(name(title), ast.Constant(...), ast.Store())


def _assignment(title: str, source: str, state: Value, section: str) -> Line:
    return Line([ast.Assign([_all_of(title)], name(source))], section, [None])

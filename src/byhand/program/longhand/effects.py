"""Where states are written: in place, at the line that computes their new value, if no later line reads the old one.

`fc1_weight -= lr * d_fc1_weight` is the line of the new value and its write in one. Called by `longhand`.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Mapping, Sequence

from byhand.program.ir import UPDATE, Program, Value
from byhand.program.longhand.expression import Tree, copied, name, names_in, substituted
from byhand.program.longhand.line import Line
from byhand.program.longhand.naming import Names


def with_writes(
    program: Program, lines: list[Line], names: Names, trees: Mapping[Value, Tree]
) -> tuple[list[Line], dict[Value, str], dict[str, str]]:
    """The lines with all writes in them; what saved copies of results are called; what names have become.

    A value that a line writes to its state in place goes by the state's name from there on.
    """
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
        self.saved: dict[Value, str] = {}
        self.merged: dict[str, str] = {}

    def done(self) -> tuple[list[Line], dict[Value, str], dict[str, str]]:
        for state, new in self.program.writes:
            self._write(state, new)
        self._keep_outputs()
        lines = [*self.before, *[part for line in self.lines for part in (line, *self.after.get(line, ()))]]
        return [*lines, *self.last], self.saved, self.merged

    def _write(self, state: Value, new: Value) -> None:
        title = self.names[state]
        own = next((line for line in self.lines if line.value is new and self.names[new] not in self.merged), None)
        if own is None or self._looks_at_states(own):
            self._copied(state, new, own)
            return
        readers = [line for line in self.lines if line.reads & {title, *self.views.get(title, ())}]
        later = readers and self.lines.index(readers[-1]) > self.lines.index(own)
        held = {title, *self.views.get(title, ())}
        returned = any(not held.isdisjoint(names_in(self.trees[x])) for x in self._returned())
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
        self.merged[before] = title

    def _looks_at_states(self, line: Line) -> bool:
        """Whether the value may be a view of a state that is written."""
        return any(line.writes & views for views in self.views.values())

    def _copied(self, state: Value, new: Value, own: Line | None) -> None:
        """A value that is, or may be a view of, another state is saved before states change, and written at last."""
        source = substituted(self.trees[new], {}, self.merged)
        read = set(names_in(source))
        if own is None and not read & {*self.states, *[view for views in self.views.values() for view in views]}:
            self.last.append(Line([ast.Assign([_all_of(self.names[state])], copied(source))], UPDATE, [None]))
            return
        saved = self.names.unlike(f"new_{self.names[state]}")
        line = Line([_copy(saved, source)], UPDATE if own is None else own.section, [new.shape])
        if own is None:
            self.before.append(line)
        else:
            self.after.setdefault(own, []).append(line)
        self.last.append(_assignment(self.names[state], saved, state, UPDATE))

    def _keep_outputs(self) -> None:
        """What is returned must not change on the way: an old state, or a view of one, is saved as it was."""
        for x in dict.fromkeys(self._returned()):
            tree = self.trees[x]
            if not isinstance(tree, ast.Name) or tree.id in self.merged:
                continue
            title = tree.id
            seen = title in self.states or any(title in views for views in self.views.values())
            if not seen:
                continue
            own = next((line for line in self.lines if line.value is x), None)
            saved = self.names.unlike(f"old_{title}")
            line = Line([_copy(saved, name(title))], UPDATE if own is None else own.section, [x.shape])
            self.after.setdefault(own, []).append(line) if own is not None else self.before.append(line)
            self.saved[x] = saved


def _views(lines: Sequence[Line], states: set[str]) -> dict[str, set[str]]:
    """For each state the names that may be views of it."""
    views: dict[str, set[str]] = {state: set() for state in states}
    for line in lines:
        if line.alias:
            for state, seen in views.items():
                if line.reads & {state, *seen}:
                    seen |= line.writes
    return views


def in_place(title: str, tree: Tree) -> ast.stmt:
    """`title op= …` where the formula begins so, else `title[...] = …`."""
    match tree:
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() as op, right=right):
            terms = [right]
            while isinstance(left, ast.BinOp) and type(left.op) is type(op):  # w − a − b: w −= a + b
                terms.append(left.right)
                left = left.left
            if isinstance(left, ast.Name) and left.id == title:
                rest = functools.reduce(lambda a, b: ast.BinOp(a, ast.Add(), b), reversed(terms))
                return ast.AugAssign(ast.Name(title, ast.Store()), op, rest)
            if isinstance(op, ast.Add) and isinstance(right, ast.Name) and right.id == title and len(terms) == 1:
                return ast.AugAssign(ast.Name(title, ast.Store()), op, left)
        case ast.BinOp(left=ast.Name(id=left), op=ast.Mult() | ast.Div() as op, right=right) if left == title:
            return ast.AugAssign(ast.Name(title, ast.Store()), op, right)
        case ast.BinOp(left=left, op=ast.Mult() as op, right=ast.Name(id=right)) if right == title:
            return ast.AugAssign(ast.Name(title, ast.Store()), op, left)
    return ast.Assign([_all_of(title)], tree)


def counted(lines: list[Line]) -> None:
    """`t = t + 1` as `t += 1`."""
    for line in lines:
        for i, part in enumerate(line.statements):
            match part:
                case ast.Assign(
                    targets=[ast.Name(id=title)], value=ast.BinOp(left=ast.Name(id=left), op=op, right=right)
                ):
                    if left == title and title not in names_in(right):
                        line.statements[i] = ast.AugAssign(ast.Name(title, ast.Store()), op, right)


def _copy(title: str, source: Tree) -> ast.stmt:
    call = ast.Call(ast.Attribute(copied(source), "copy", ast.Load()), [], [])
    return ast.Assign([ast.Name(title, ast.Store())], call)


def _all_of(title: str) -> ast.Subscript:
    return ast.Subscript(name(title), ast.Constant(...), ast.Store())


def _assignment(title: str, source: str, state: Value, section: str) -> Line:
    return Line([ast.Assign([_all_of(title)], name(source))], section, [None])

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

    own     the place of the line that computes a value
    last    the last place at which a name is read
    views   for each state that is written the names that may be views of it; `held` are all of them
    after   what comes after the line at a place; −1 is before all
    end     what comes at the end
    saved   the names of copies of results
    merged  the names that values lose to their states
    """

    def __init__(self, program: Program, lines: list[Line], names: Names, trees: Mapping[Value, Tree]) -> None:
        self.program, self.lines, self.names, self.trees = program, lines, names, trees
        self.own = {line.value: i for i, line in enumerate(lines) if line.value is not None}
        self.last = {title: i for i, line in enumerate(lines) for title in line.reads}
        self.states = {names[state] for state, _ in program.writes}
        self.views = _views(lines, self.states)
        self.held = {view for views in self.views.values() for view in views}
        self.after: dict[int, list[Line]] = {}
        self.end: list[Line] = []
        self.saved: dict[Value, str] = {}
        self.merged: dict[str, str] = {}

    def done(self) -> tuple[list[Line], dict[Value, str], dict[str, str]]:
        for state, new in self.program.writes:
            self._write(self.names[state], new)
        self._keep_outputs()
        lines = [*self.after.get(-1, ())]
        for i, line in enumerate(self.lines):
            lines += [line, *self.after.get(i, ())]
        lines += self.end
        trees = {before: name(title) for before, title in self.merged.items()}
        for line in lines:
            if not line.reads.isdisjoint(trees):
                line.statements = [substituted(part, trees) for part in line.statements]
        return lines, self.saved, self.merged

    def _write(self, title: str, new: Value) -> None:
        """Write a value to the state of this name."""
        place = self.own.get(new)
        last = max([self.last.get(view, -1) for view in (title, *self.views[title])])  # that reads the old value
        if place is None or self._looks_at_states(self.lines[place]):
            self._save(title, new, place)
            return
        line = self.lines[place]
        plain = len(line.statements) == 1 and isinstance(line.statements[0], ast.Assign)
        if last > place or not plain or self.names[new] in self.merged:
            place = max(last, place)
            self.after.setdefault(place, []).append(
                _assignment(title, name(self.names[new]), self.lines[place].section)
            )
            return
        (statement,) = line.statements
        assert isinstance(statement, ast.Assign)
        line.statements, line.shapes = [in_place(title, statement.value)], [None]
        self.merged[self.names[new]] = title

    def _looks_at_states(self, line: Line) -> bool:
        """Whether the value may be a view of a state that is written."""
        return line.alias and not line.writes.isdisjoint(self.held)

    def _save(self, title: str, new: Value, place: int | None) -> None:
        """What is, or may be a view of, a state is saved before states change, and written at the end."""
        source, section = self.trees[new], UPDATE if place is None else self.lines[place].section
        if not (self.held | self.states).isdisjoint(names_in(source)):
            saved = self.names.unlike(f"new_{title}")
            self.after.setdefault(-1 if place is None else place, []).append(_copy(saved, source, new, section))
            source = name(saved)
        self.end.append(_assignment(title, source, UPDATE))

    def _keep_outputs(self) -> None:
        """What is returned must not change on the way: an old state, or a view of one, is saved as it was."""
        held = self.held | self.states
        for x in dict.fromkeys(x for x in self.program.outputs if isinstance(x, Value) and x.dtype is not None):
            tree = self.trees[x]
            if isinstance(tree, ast.Name) and tree.id in held and tree.id not in self.merged:
                place = self.own.get(x, -1)
                saved = self.saved[x] = self.names.unlike(f"old_{tree.id}")
                section = UPDATE if place < 0 else self.lines[place].section
                self.after.setdefault(place, []).insert(0, _copy(saved, tree, x, section))


def _views(lines: Sequence[Line], states: set[str]) -> dict[str, set[str]]:
    """For each state the names that may be views of it."""
    views: dict[str, set[str]] = {state: set() for state in states}
    owners: dict[str, set[str]] = {state: {state} for state in states}  # of each view
    for line in lines:
        found = set().union(*[owners[title] for title in line.reads & owners.keys()]) if line.alias else set()
        for title in line.writes if found else ():
            owners.setdefault(title, set()).update(found)
            for state in found:
                views[state].add(title)
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


def _copy(title: str, source: Tree, value: Value, section: str) -> Line:
    """`title = source.copy()`."""
    call = ast.Call(ast.Attribute(copied(source), "copy", ast.Load()), [], [])
    return Line([ast.Assign([ast.Name(title, ast.Store())], call)], section, [value.shape])


def _all_of(title: str) -> ast.Subscript:
    return ast.Subscript(name(title), ast.Constant(...), ast.Store())


def _assignment(title: str, source: Tree, section: str) -> Line:
    """`title[...] = source`."""
    return Line([ast.Assign([_all_of(title)], copied(source))], section, [None])

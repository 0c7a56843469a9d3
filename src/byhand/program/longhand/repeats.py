"""What is done again and again is written once: numbers that several formulas need, updates alike for all parameters.

Called by `longhand`.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Collection, Sequence

from byhand.program.ir import UPDATE, Program, Value
from byhand.program.longhand.arrangement import Naming
from byhand.program.longhand.expression import copied, substituted, text
from byhand.program.longhand.line import Line, Loop
from byhand.program.longhand.naming import Names

LONG = 3  # operations: a number of so many is computed once


def numbers_once(program: Program, lines: list[Line], names: Names) -> list[Line]:
    """A line for each number that is long and stands in several places."""
    places: dict[Value, list[tuple[Line, ast.expr]]] = {}
    for line in lines:
        for tree in [tree for part in line.statements for tree in ast.walk(part)]:
            value = getattr(tree, "value_of", None)
            if value is not None and value.dtype is None and isinstance(tree, ast.expr):
                places.setdefault(value, []).append((line, tree))
    before: dict[Line, list[Line]] = {}
    for value in [out for node in program.nodes for out in node.outputs if out in places]:
        first, tree = places[value][0]
        if len(places[value]) > 1 and sum(isinstance(part, ast.BinOp) for part in ast.walk(tree)) >= LONG:
            assignment = ast.Assign([ast.Name(names[value], ast.Store())], copied(tree))
            before.setdefault(first, []).append(Line([assignment], first.section, [None]))
            for line in [*dict.fromkeys(line for line, _ in places[value])]:
                line.statements = [Naming(value, names[value]).visit(part) for part in line.statements]
    return [part for line in lines for part in (*before.get(line, ()), line)]


def in_loops(program: Program, lines: Sequence[Line], names: Names, returned: Collection[str]) -> list[Line | Loop]:
    """The updates at the end as a loop over parameters, where several are alike and more than one line long.

    returned  names that are read when all is done
    """
    start = len(lines)
    while start and lines[start - 1].section == UPDATE:
        start -= 1
    families = _Families(program, names)
    owners = [families.owner(line) for line in lines[start:]]
    if None in owners or not families.temporary.isdisjoint(returned):
        return [*lines]
    shared = [line for line, owner in zip(lines[start:], owners, strict=True) if not owner]
    alike: dict[str, list[tuple[dict[str, str], list[Line]]]] = {}
    for title in dict.fromkeys(filter(None, owners)):
        own = [line for line, owner in zip(lines[start:], owners, strict=True) if owner == title]
        generic = families.generic(title, own)
        key = "\n".join(text(substituted(part, {}, generic)) for line in own for part in line.statements)
        alike.setdefault(key, []).append((generic, own))
    made: list[Line | Loop] = []
    for members in alike.values():
        if len(members) > 1 and sum(len(line.statements) for line in members[0][1]) > 1:
            made.append(_loop(members))
        else:
            made += [line for _, own in members for line in own]
    return [*lines[:start], *shared, *made] if any(isinstance(part, Loop) for part in made) else [*lines]


class _Families:
    """For each parameter the names that go with it: its gradient, its moments, what is computed on the way.

    members    name of the parameter → its names, each with what it is called in a loop ("" for temporaries)
    temporary  all temporaries
    """

    def __init__(self, program: Program, names: Names) -> None:
        self.names = names
        self.members: dict[str, dict[str, str]] = {}
        self.temporary: set[str] = set()
        self._letters: dict[str, str] = {}
        owners = {state.name: names[state] for state in program.states if state.name}
        for state in program.states:
            if state.name.rpartition(".")[0] not in owners:
                self.members[names[state]] = {names[state]: "w"}
        for state in program.states:
            owner, _, key = state.name.rpartition(".")
            if owner in owners:
                letter = names[state].removesuffix(f"_{owners[owner]}")
                self.members[owners[owner]][names[state]] = letter if letter != names[state] else key
        for out in [out for node in program.nodes for out in node.outputs]:
            of = out.gradient_of
            if of is not None and of in program.states and out in names and names[of] in self.members:
                letters = self.members[names[of]].values()  # a gradient may come in several parts
                free = (letter for i in itertools.count(1) if (letter := f"d_w_{i}" if i > 1 else "d_w") not in letters)
                self.members[names[of]][names[out]] = next(free)
        self._owner_of = {title: owner for owner, own in self.members.items() for title in own}

    def owner(self, line: Line) -> str | None:
        """The parameter that a line is about; "" if it is about none, None if about several."""
        writes = line.writes
        found = {self._owner_of[title] for title in line.reads | writes if title in self._owner_of}
        if len(found) != 1:
            return None if found else ""
        (owner,) = found
        for title in writes - set(self.members[owner]):
            self.members[owner][title] = ""
            self._owner_of[title] = owner
            self.temporary.add(title)
        return owner

    def generic(self, title: str, lines: Sequence[Line]) -> dict[str, str]:
        """What the names of a family are called in a loop; a temporary as the first family calls it."""
        own = self.members[title]
        found = {name: self._letter(letter) for name, letter in own.items() if letter}
        temporary = [name for line in lines for name in sorted(line.writes) if not own.get(name)]
        for i, name in enumerate(dict.fromkeys(temporary)):
            found[name] = self._letters.setdefault(f"temporary {i}", name)
        return found

    def _letter(self, letter: str) -> str:
        if letter not in self._letters:
            self._letters[letter] = self.names.unlike(letter)
        return self._letters[letter]


def _loop(members: Sequence[tuple[dict[str, str], list[Line]]]) -> Loop:
    """One loop for families that are alike."""
    generic, body = members[0]
    given = [title for title in generic if _is_given(title, body)]
    titles = sorted([generic[title] for title in given], key=lambda title: not title.endswith("w"))
    rows = [[{new: old for old, new in names.items()}[title] for title in titles] for names, _ in members]
    for line in body:
        line.statements = [substituted(part, {}, generic) for part in line.statements]
    return Loop(titles, rows, body, UPDATE)


def _is_given(title: str, lines: Sequence[Line]) -> bool:
    """Whether a name is read in these lines before it is assigned."""
    for part in [Line([part], UPDATE, []) for line in lines for part in line.statements]:
        if title in part.reads:
            return True
        if title in part.writes:
            return False
    return False

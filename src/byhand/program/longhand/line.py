"""A line of a listing: statements for one value, where they come from, and what they read."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from byhand.program.ir import Node, Value


@dataclass(eq=False)
class Line:
    """Statements.

    statements  usually one
    section     FORWARD, BACKWARD or UPDATE
    shapes      for each statement the shape of what it computes; None for no comment
    value       the value that the last statement computes, if one does
    node        what it was made of
    alias       whether the value may share memory with what the line reads
    """

    statements: list[ast.stmt]
    section: str
    shapes: list[tuple[int, ...] | None]
    value: Value | None = None
    node: Node | None = None
    alias: bool = False

    @property
    def reads(self) -> set[str]:
        """The names that it reads."""
        return {n for part in self.statements for n in _loaded(part)}

    @property
    def writes(self) -> set[str]:
        """The names that it assigns."""
        nodes = [node for part in self.statements for node in ast.walk(part)]
        return {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


@dataclass(eq=False)
class Loop:
    """The same lines for several rows of names."""

    names: list[str]
    rows: list[list[str]]
    body: list[Line]
    section: str

    @property
    def reads(self) -> set[str]:
        """The names that it reads from outside of itself."""
        return {n for row in self.rows for n in row} | {n for line in self.body for n in line.reads} - set(self.names)


class Argument(NamedTuple):
    """What the function of a step takes: arguments, parameters, buffers, m, v, …, constants, numbers."""

    name: str
    value: Value
    group: str


@dataclass(eq=False)
class Listing:
    """A whole step.

    arguments  what the function takes
    lines      what it does
    changed    the names of the states that it writes
    returns    the formulas that it returns
    functions  the text of the functions that stand above, by name, in order
    constants  the text of the assignments that stand above those, by name
    modules    what must be imported beside numpy
    ignored    what may happen without being an error, as `np.errstate` names it
    streams    the generators that it draws from, by the global name of each
    """

    arguments: list[Argument] = field(default_factory=list)
    lines: list[Line | Loop] = field(default_factory=list)
    changed: set[str] = field(default_factory=set)
    returns: list[str] = field(default_factory=list)
    functions: dict[str, str] = field(default_factory=dict)
    constants: dict[str, str] = field(default_factory=dict)
    modules: set[str] = field(default_factory=set)
    ignored: set[str] = field(default_factory=set)
    streams: dict[str, Any] = field(default_factory=dict)


def _loaded(part: ast.AST) -> Iterable[str]:
    """Names that are read; a name that is written in place is read as well."""
    in_place = isinstance(part, ast.AugAssign) and isinstance(part.target, ast.Name)
    yield from [part.target.id] if in_place else []  # type: ignore[attr-defined]
    stored = {id(n) for n in ast.walk(part) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}
    yield from [n.id for n in ast.walk(part) if isinstance(n, ast.Name) and id(n) not in stored]

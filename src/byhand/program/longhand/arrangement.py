"""Lines in the order and of the length that one would write: called by `longhand` on what `listing` made."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Sequence
from typing import Any

from byhand.program.ir import Value
from byhand.program.longhand.expression import copied, name, substituted, text
from byhand.program.longhand.line import Line, Listing, Loop
from byhand.program.longhand.naming import Names

LONGEST = 88  # characters of a formula


class Naming(ast.NodeTransformer):
    """Puts a name in the place of the formula of a value."""

    def __init__(self, value: Value, title: str) -> None:
        self.value, self.title = value, title

    def visit(self, node: ast.AST) -> Any:
        return name(self.title) if getattr(node, "value_of", None) is self.value else super().visit(node)


def short_enough(parts: Sequence[Line | Loop], names: Names) -> list[Line | Loop]:
    """Long formulas in pieces, each with a name."""
    made: list[Line | Loop] = []
    for part in parts:
        if isinstance(part, Loop):
            part.body = [piece for line in part.body for piece in _pieces(line, names)]
            made.append(part)
        else:
            made += _pieces(part, names)
    return made


def _pieces(line: Line, names: Names) -> list[Line]:
    """A line, after as many others as it takes to make it short."""
    before: list[Line] = []
    while len(line.statements) == 1 and len(text(line.statements[0])) > LONGEST:
        (statement,) = line.statements
        piece = _piece(statement)
        if piece is None:
            break
        value: Value = getattr(piece, "value_of")  # noqa: B009  # which trees do not declare
        assignment = ast.Assign([ast.Name(names[value], ast.Store())], copied(piece))
        before.append(Line([assignment], line.section, [value.shape], value, line.node))
        line.statements = [Naming(value, names[value]).visit(statement)]
    return [*before, line]


def _piece(statement: ast.stmt) -> ast.AST | None:
    """The largest array inside of a formula that fits on a line of its own; of equals the innermost."""
    whole = getattr(statement, "value", None)
    found = [
        tree for tree in ast.walk(statement)
        if isinstance(tree, ast.BinOp | ast.Call) and tree is not whole and _is_array(tree)
        and len(text(tree)) <= LONGEST - 8
    ]  # fmt: skip
    return max(reversed(found), key=lambda tree: len(text(tree)), default=None)


def _is_array(tree: ast.AST) -> bool:
    """Whether it is the formula of a value that is an array."""
    value = getattr(tree, "value_of", None)
    return value is not None and value.dtype is not None


def counted_anew(listing: Listing, names: Names) -> None:
    """Names that are a stem and a number are numbered in the order of their lines."""
    lines = [line for part in listing.lines for line in (part.body if isinstance(part, Loop) else [part])]
    order: dict[str, dict[str, None]] = {}
    for part in [part for line in lines for part in line.statements]:
        for node in ast.walk(part):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id in names.numbered:
                order.setdefault(names.numbered[node.id], {})[node.id] = None
    renamed: dict[str, str] = {}
    taken = names.taken - set(names.numbered)
    for stem, old in order.items():
        free = (title for i in itertools.count(1) if (title := f"{stem}{i}") not in taken)
        renamed |= dict(zip(old, free, strict=False))
    for line in lines:
        line.statements = [substituted(part, {}, renamed) for part in line.statements]
    listing.returns = [text(substituted(ast.parse(x, mode="eval").body, {}, renamed)) for x in listing.returns]

"""Updates as the books print them, where an optimiser computes the same in fewer passes over memory.

A pattern is a formula in which each name stands for anything; it is compared with the line that writes a state. What is
put in its place is equal up to rounding: the law that longhand equals eager holds the table to that. Called by
`longhand`, before writes are made in place.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Sequence

from byhand.program.longhand.expression import Tree, parsed, same, substituted
from byhand.program.longhand.line import Line
from byhand.program.longhand.naming import Names
from byhand.program.longhand.tidy import tidied

PATTERNS: tuple[tuple[str, Sequence[str]], ...] = (
    # weight decay as a factor saves a temporary; the courses add the gradient of the penalty
    ("(1 - lr * decay) * w - lr * g", ("w - lr * (g + decay * w)",)),
    # Nesterov's momentum
    ("w - lr * g - lr * mu * v", ("w - lr * (g + mu * v)",)),
    # a running mean as a step towards the new value: one pass less
    ("m + (1 - b) * (g - m)", ("b * m + (1 - b) * g",)),
    # Adam with its corrections moved into the rate and into eps, as the end of section 2 of the paper has it
    (
        "w - lr * (1 - b2**t)**0.5 / (1 - b1**t) * m / (np.sqrt(v) + eps * (1 - b2**t)**0.5)",
        ("m_hat = m / (1 - b1**t)", "v_hat = v / (1 - b2**t)", "w - lr * m_hat / (np.sqrt(v_hat) + eps)"),
    ),
)
FIXED = {"np"}


def as_in_books(lines: list[Line], written: set[str], names: Names) -> list[Line]:
    """The lines, those rewritten that compute a new value of a state; `written` are the names of such values."""
    made: list[Line] = []
    for line in lines:
        match line.statements:
            case [ast.Assign(targets=[ast.Name(id=title)], value=value)] if title in written:
                before, formula = rewritten(value, names) or ([], value)
                made += [Line([part], line.section, [None], None, line.node) for part in before]
                line.statements = [ast.Assign([ast.Name(title, ast.Store())], formula)]
        made.append(line)
    return made


def rewritten(tree: Tree, names: Names) -> tuple[list[ast.stmt], Tree] | None:
    """What stands in the place of a formula: assignments, then the formula itself; None if no pattern fits."""
    for pattern, replacement in _patterns():
        known: dict[str, Tree] = {}
        if not _fits(pattern, tree, known):
            continue
        *parts, last = replacement
        own = {title: names.unlike(title) for part in parts for title in Line([part], "", []).writes}
        return [tidied(substituted(part, known, own)) for part in parts], tidied(substituted(last, known, own)).value
    return None


@functools.cache
def _patterns() -> list[tuple[Tree, list[ast.stmt]]]:
    """The table as trees."""
    return [(tidied(parsed(p)), [ast.parse(line).body[0] for line in lines]) for p, lines in PATTERNS]


def _fits(pattern: ast.AST, tree: ast.AST, known: dict[str, Tree]) -> bool:
    """Whether the tree is the pattern with something for each name; `known` then says what."""
    if isinstance(pattern, ast.Name) and pattern.id not in FIXED:
        if pattern.id in known:
            return same(known[pattern.id], tree)
        if isinstance(tree, ast.expr):
            known[pattern.id] = tree
        return isinstance(tree, ast.expr)
    if type(pattern) is not type(tree):
        return False
    if isinstance(pattern, ast.BinOp) and isinstance(tree, ast.BinOp):
        return _binary(pattern, tree, known)
    for key in pattern._fields:
        one, other = getattr(pattern, key, None), getattr(tree, key, None)
        if key == "ctx" or one is other:
            continue
        ones, others = (x if isinstance(x, list) else [x] for x in (one, other))
        if len(ones) != len(others):
            return False
        for a, b in zip(ones, others, strict=True):
            if not (_fits(a, b, known) if isinstance(a, ast.AST) and isinstance(b, ast.AST) else a == b):
                return False
    return True


def _binary(pattern: ast.BinOp, tree: ast.BinOp, known: dict[str, Tree]) -> bool:
    """Sums and products fit either way round."""
    if type(pattern.op) is not type(tree.op):
        return False
    sides = [(tree.left, tree.right)]
    if isinstance(tree.op, ast.Add | ast.Mult):
        sides.append((tree.right, tree.left))
    for left, right in sides:
        trial = dict(known)
        if _fits(pattern.left, left, trial) and _fits(pattern.right, right, trial):
            known.update(trial)
            return True
    return False

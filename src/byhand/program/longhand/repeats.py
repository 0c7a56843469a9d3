"""What is done again and again is written once: numbers that several formulas need, updates alike for all parameters.

Called by `longhand`, last of all.
"""

from __future__ import annotations

import ast
import itertools
from collections import Counter
from collections.abc import Sequence

from byhand.program.ir import BACKWARD, UPDATE, Program, Value
from byhand.program.longhand.expression import Tree, copied, name, substituted, text
from byhand.program.longhand.line import Line, Listing, Loop
from byhand.program.longhand.naming import Names

LONG = 3  # operations: a number of so many is computed once
LONGEST = 88  # characters of a formula


class _Numbers(ast.NodeTransformer):
    """Replaces the formula of a number by its name."""

    def __init__(self, value: Value, title: str) -> None:
        self.value, self.title = value, title

    def visit(self, node: ast.AST) -> ast.AST:
        if getattr(node, "value_of", None) is self.value:
            return name(self.title)
        return super().visit(node)  # type: ignore[no-any-return]


def numbers_once(program: Program, lines: list[Line], names: Names) -> list[Line]:
    """A line for each number that is long and stands in several places."""
    for value in [out for node in program.nodes for out in node.outputs if out.dtype is None]:
        places: list[tuple[Line, Tree]] = [
            (line, tree) for line in lines for part in line.statements for tree in ast.walk(part)
            if getattr(tree, "value_of", None) is value
        ]  # type: ignore[misc]  # fmt: skip
        if len(places) < 2 or sum(isinstance(n, ast.BinOp) for n in ast.walk(places[0][1])) < LONG:
            continue
        first, tree = places[0]
        title = names[value]
        made = Line([ast.Assign([ast.Name(title, ast.Store())], copied(tree))], first.section, [None])
        for line in lines:
            line.statements = [_Numbers(value, title).visit(part) for part in line.statements]  # type: ignore[misc]
        lines = [part for line in lines for part in ((made, line) if line is first else (line,))]
    return lines


def short_enough(lines: Sequence[Line | Loop], names: Names) -> list[Line | Loop]:
    """Long formulas in parts, each with a name."""
    made: list[Line | Loop] = []
    for line in lines:
        if isinstance(line, Loop):
            line.body = short_enough(line.body, names)  # type: ignore[assignment]
            made.append(line)
            continue
        while len(line.statements) == 1 and len(text(line.statements[0])) > LONGEST:
            part = _part(line.statements[0])
            if part is None:
                break
            value: Value = part.value_of  # type: ignore[attr-defined]
            title = names[value]
            statement = ast.Assign([ast.Name(title, ast.Store())], copied(part))
            made.append(Line([statement], line.section, [value.shape], value, line.node))
            line.statements = [_Numbers(value, title).visit(line.statements[0])]  # type: ignore[list-item]
        made.append(line)
    return made


def counted_anew(listing: Listing, names: Names) -> None:
    """Names that are a stem and a number, numbered in the order of their lines."""
    order: dict[str, list[str]] = {}
    for line in _flat(listing):
        for part in line.statements:
            for node in ast.walk(part):
                if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load) and node.id in names.numbered:
                    order.setdefault(names.numbered[node.id], []).append(node.id)
    renamed: dict[str, str] = {}
    taken = names.taken - set(names.numbered)
    for stem, old in order.items():
        free = (name for i in itertools.count(1) if (name := f"{stem}{i}") not in taken)
        renamed |= dict(zip(dict.fromkeys(old), free, strict=False))
    for line in _flat(listing):
        line.statements = [substituted(part, {}, renamed) for part in line.statements]
    listing.returns = [renamed.get(x, x) for x in listing.returns]


def _flat(listing: Listing) -> list[Line]:
    return [line for part in listing.lines for line in (part.body if isinstance(part, Loop) else [part])]


def _part(statement: ast.stmt) -> ast.AST | None:
    """The largest array inside of a formula that fits on a line of its own."""
    found = [
        tree for tree in list(ast.walk(statement))[1:]
        if getattr(getattr(tree, "value_of", None), "dtype", None) is not None and isinstance(tree, ast.BinOp | ast.Call)
        and tree is not getattr(statement, "value", None) and len(text(tree)) <= LONGEST - 8
    ]  # fmt: skip
    return max(reversed(found), key=lambda tree: len(text(tree)), default=None)  # of equals the innermost


def reordered(lines: list[Line], program: Program) -> list[Line]:
    """Backward in the order of the courses: the gradients of a layer's parameters before that of its input."""
    made = list(lines)
    for i in reversed(range(len(made))):
        line = made[i]
        of = None if line.value is None else line.value.gradient_of
        if of is None or of in program.states or line.section != BACKWARD:
            continue
        j = i + 1
        while j < len(made) and _of_parameter(made[j], program) and not made[j].reads & line.writes:
            j += 1
        made[i:j] = [*made[i + 1 : j], line]
    return made


def _of_parameter(line: Line, program: Program) -> bool:
    return line.section == BACKWARD and line.value is not None and line.value.gradient_of in program.states


def in_loops(program: Program, lines: list[Line], names: Names) -> list[Line | Loop]:
    """The updates at the end as a loop over parameters, where several are alike and more than one line long."""
    start = len(lines)
    while start and lines[start - 1].section == UPDATE:
        start -= 1
    families = _families(program, names)
    owners = [_owner(line, families, lines[start:]) for line in lines[start:]]
    if None in owners:
        return [*lines]
    shared = [line for line, owner in zip(lines[start:], owners, strict=True) if not owner]
    letters: dict[str, str] = {}
    alike: dict[str, list[tuple[dict[str, str], list[Line]]]] = {}
    for title in dict.fromkeys(filter(None, owners)):
        own = [line for line, owner in zip(lines[start:], owners, strict=True) if owner == title]
        names_of = _generic(own, families[title], letters, names)
        key = "\n".join(text(substituted(part, {}, names_of)) for line in own for part in line.statements)
        alike.setdefault(key, []).append((names_of, own))
    made: list[Line | Loop] = []
    for members in alike.values():
        if len(members) > 1 and sum(len(line.statements) for line in members[0][1]) > 1:
            made.append(_loop(members))
        else:
            made += [line for _, own in members for line in own]
    if not any(isinstance(part, Loop) for part in made):
        return [*lines]
    return [*lines[:start], *shared, *made]


def _families(program: Program, names: Names) -> dict[str, dict[str, str]]:
    """For each parameter the names that go with it, and what they are called in a loop."""
    families: dict[str, dict[str, str]] = {}
    states = {state.name: state for state in program.states if state.name}
    for state in program.states:
        owner = state.name.rpartition(".")[0]
        if owner not in states:
            families[names[state]] = {names[state]: "w"}
    for state in program.states:
        owner = state.name.rpartition(".")[0]
        if owner in states:
            own = names[state]
            letter = own.removesuffix(f"_{names[states[owner]]}")
            families[names[states[owner]]][own] = letter if letter != own else state.name.rpartition(".")[2]
    for node in program.nodes:
        for out in node.outputs:
            of = out.gradient_of
            if of is not None and of in program.states and out in names and names[of] in families:
                families[names[of]][names[out]] = "d_w"
    return families


def _owner(line: Line, families: dict[str, dict[str, str]], lines: Sequence[Line]) -> str | None:
    """The parameter that a line is about; "" if it is about none, None if about several."""
    found = [title for title, members in families.items() if (line.reads | line.writes) & set(members)]
    if len(found) > 1:
        return None
    if found:  # what it computes on its way is the family's, too
        for title in line.writes:
            families[found[0]].setdefault(title, "")
        return found[0]
    return ""


def _generic(lines: Sequence[Line], family: dict[str, str], letters: dict[str, str], names: Names) -> dict[str, str]:
    """The names of a family as they are called in a loop; temporaries by their place."""
    found = {own: _letter(title, letters, names) for own, title in family.items() if title}
    temporaries = [title for line in lines for title in sorted(line.writes) if not family.get(title)]
    counts = Counter(_stem(title) for title in temporaries)
    for i, title in enumerate(dict.fromkeys(temporaries)):
        alone = title not in names.numbered and counts[_stem(title)] == 1
        found[title] = (
            _stem(title) if alone else letters.setdefault(f"u{i + 1}", letters.get(f"u{i + 1}") or names.count("u"))
        )
    return found


def _letter(title: str, letters: dict[str, str], names: Names) -> str:
    """What is called so in all loops."""
    if title not in letters:
        letters[title] = names.unlike(title)
    return letters[title]


def _stem(title: str) -> str:
    """A name without the number that makes it unlike others."""
    head, _, tail = title.rpartition("_")
    return head if head and tail.isdigit() else title


def _loop(members: list[tuple[dict[str, str], list[Line]]]) -> Loop:
    """One loop for families that are alike."""
    first, own = members[0]
    used = {title for line in own for title in (*line.reads, *line.writes)}
    columns = [title for title in first if title in used and _is_given(title, own)]
    columns.sort(key=lambda title: not first[title].endswith("w"))
    titles = [first[title] for title in columns]
    rows = [[{new: old for old, new in names.items()}[title] for title in titles] for names, _ in members]
    for line in own:
        line.statements = [substituted(part, {}, first) for part in line.statements]
    return Loop(titles, rows, own, UPDATE)


def _is_given(title: str, lines: Sequence[Line]) -> bool:
    """Whether a name has a value before these lines."""
    for line in lines:
        for part in line.statements:
            reads = Line([part], UPDATE, []).reads
            if title in reads:
                return True
            if title in Line([part], UPDATE, []).writes:
                return False
    return False

"""A listing as the text of a function: its head, what it takes and changes, its sections, what it returns.

`generalised` makes one text for any size of the batch out of two for two sizes. Called by `longhand` and `script`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from byhand.program.ir import UPDATE
from byhand.program.longhand import page
from byhand.program.longhand.expression import text
from byhand.program.longhand.line import Argument, Line, Listing, Loop
from byhand.program.longhand.page import Row

Explain = Callable[[Line], str]

NUMERAL = re.compile(r"\d+\.\d+(?:e[-+]?\d+)?|\d+(?:e[-+]?\d+)?")


@dataclass
class Draft:
    """A function before it is laid out.

    groups    its parameters
    prose     the paragraphs of its docstring
    sections  the title of each and its rows
    returns   the formulas that it returns
    """

    groups: list[list[str]]
    prose: list[str]
    sections: list[tuple[str, list[Row]]]
    returns: list[str]


def module(listing: Listing, title: str, explain: Explain | None = None) -> str:
    """A module: imports, functions, the step."""
    parts = ["\n".join([*[f"import {m}" for m in sorted(listing.modules)], "import numpy as np"])]
    if listing.constants:
        parts.append(page.narrowed("\n".join(listing.constants.values())))
    if listing.streams:
        parts.append("\n".join(f"{stream} = np.random.default_rng()" for stream in listing.streams))
    functions = [*map(page.narrowed, listing.functions.values()), function(drafted(listing, explain), title)]
    return "\n\n\n".join(["\n\n".join(parts), *functions]) + "\n"


def function(draft: Draft, title: str) -> str:
    """The text of the function."""
    lines = [line for i, part in enumerate(draft.prose) for line in ([""] * (i == 1) + page.prose(part))]
    lines = [f'"""{lines[0]}', *lines[1:], '"""'] if len(lines) > 1 else [f'"""{lines[0]}"""']
    for i, (heading, rows) in enumerate(draft.sections):
        if heading:
            lines += [*([""] if i else []), f"# {heading}"]
        lines += page.aligned(_tabulated(rows))
    if draft.returns:
        lines += ["", *page.wrapped(f"return {', '.join(draft.returns)}")]
    return "\n".join([*page.signature(title, draft.groups), *[f"    {line}".rstrip() for line in lines]])


def drafted(listing: Listing, explain: Explain | None = None) -> Draft:
    """The parts of a function."""
    groups = [[a.name for a in group] for _, group in itertools.groupby(listing.arguments, lambda a: a.group)]
    sections: list[tuple[str, list[Row]]] = []
    explain = None if explain is None else _once(listing, explain)
    headed = len({part.section for part in listing.lines}) > 1
    for section, parts in itertools.groupby(listing.lines, lambda part: part.section):
        rows: list[Row] = []
        for part in parts:
            rows += _loop(part, explain) if isinstance(part, Loop) else _rows(part, section != UPDATE, explain)
        for i in range(len(rows) - 1):  # what several lines come from is said at the last of them
            (code, comment), note = rows[i], rows[i][1].partition("\t")[2]
            if note and note == rows[i + 1][1].partition("\t")[2]:
                rows[i] = code, comment.partition("\t")[0]
        sections.append((section if headed else "", rows))
    return Draft(groups, _described(listing), sections, listing.returns)


def _tabulated(rows: Sequence[Row]) -> list[Row]:
    """Shapes in one column, what explains them in the next."""
    width = max([len(comment.partition("\t")[0]) for _, comment in rows], default=0)
    made = []
    for code, comment in rows:
        shape, tab, note = comment.partition("\t")
        made.append((code, f"{shape:{width}}  {note}" if tab else comment))
    return made


def _once(listing: Listing, explain: Explain) -> Explain:
    """The same, but a node of several lines is explained at its last one."""
    flat = [line for part in listing.lines for line in (part.body if isinstance(part, Loop) else [part])]
    last = {id(line.node): line for line in flat}
    return lambda line: explain(line) if last[id(line.node)] is line else ""


def _rows(line: Line, shaped: bool, explain: Explain | None) -> list[Row]:
    """A row for each statement."""
    note = explain(line) if explain is not None else ""
    rows = []
    for i, (part, shape) in enumerate(zip(line.statements, line.shapes, strict=True)):
        comment = f"{shape}" if shaped and shape is not None else ""
        if i == len(line.statements) - 1 and note:
            comment = f"{comment}\t{note}"
        rows.append((text(part), comment))
    return rows


def _loop(loop: Loop, explain: Explain | None) -> list[Row]:
    rows = [(f"for {', '.join(loop.names)} in (", "")]
    rows += [(f"    ({', '.join(row)}),", "") for row in loop.rows]
    rows.append(("):", ""))
    for line in loop.body:
        rows += [(f"    {code}", comment) for code, comment in _rows(line, False, explain)]
    return rows


def _described(listing: Listing) -> list[str]:
    """What goes in, with shapes; what comes out; what is changed."""
    given = [f"{a.name} {a.value.shape} {a.value.dtype}" for a in listing.arguments if a.group == "arguments"]
    results = page.enumerated(["the loss" if x == "loss" else x for x in listing.returns])
    first = "One training step" if any(part.section == UPDATE for part in listing.lines) else "One step"
    first += f" on {page.enumerated(given)}" if given else ""
    prose = [f"{first}: returns {results}." if results else f"{first}."]
    own = [a for a in listing.arguments if a.group in ("parameters", "buffers")]
    for changed, verb in ((True, "Changes in place"), (False, "Reads")):
        named = [f"{a.name} {a.value.shape}" for a in own if (a.name in listing.changed) is changed]
        letters = [f"{group}_…" for group in dict.fromkeys(map(_letter, listing.arguments)) if group]
        more = f", and their {page.enumerated(letters)}" if letters and changed else ""
        prose += [f"{verb} {page.enumerated(named)}{more}."] if named else []
    return prose


def _letter(argument: Argument) -> str:
    known = ("arguments", "parameters", "buffers", "constants", "numbers")
    return "" if argument.group in known else argument.group


# one text for all sizes of a batch


class _OneSizeError(Exception):
    """What differs is no multiple of the size."""


def generalised(one: Draft, other: Draft, sizes: Sequence[int]) -> Draft | None:
    """The draft in which n stands for the size of the batch; None if there is more to it.

    one, other  the same function for batches of the two `sizes`
    """
    if one.groups != other.groups or [len(rows) for _, rows in one.sections] != [len(r) for _, r in other.sections]:
        return None
    try:
        prose = [_merged(a, b, sizes) for a, b in zip(one.prose, other.prose, strict=True)]
        returns = [_merged(a, b, sizes) for a, b in zip(one.returns, other.returns, strict=True)]
        sections = [
            (
                heading,
                [(_merged(c, d, sizes), _merged(x, y, sizes)) for (c, x), (d, y) in zip(rows, others, strict=True)],
            )
            for (heading, rows), (_, others) in zip(one.sections, other.sections, strict=True)
        ]
    except (_OneSizeError, ValueError):
        return None
    if any(re.search(r"\bn\b", code) for _, rows in sections for code, _ in rows):
        sections.insert(0, ("", [(f"n = len({one.groups[0][0]})", "")]))
    return Draft(one.groups, prose, sections, returns)


def _merged(one: str, other: str, sizes: Sequence[int]) -> str:
    """The text with n in the place of numerals that go with the size."""
    if NUMERAL.split(one) != NUMERAL.split(other):
        raise _OneSizeError
    pieces = NUMERAL.split(one)
    words = [_word(a, b, sizes) for a, b in zip(NUMERAL.findall(one), NUMERAL.findall(other), strict=True)]
    made = pieces[0]
    for word, piece in zip(words, pieces[1:], strict=True):
        alone = (
            made[-1:] in ("(", "[", " ", "")
            and not made.endswith(("/ ", "* ", "- "))
            and piece[:1] in (")", "]", ",", "")
        )
        made += (word if alone or word.isalnum() or NUMERAL.fullmatch(word) else f"({word})") + piece
    return made


def _word(a: str, b: str, sizes: Sequence[int]) -> str:
    """What stands for two numerals."""
    if a == b:
        return a
    one, other = sizes
    x, y = float(a), float(b)
    if x - one == y - other and abs(x - one) <= 1:
        return "n" if x == one else f"n {'+' if x > one else '-'} 1"
    if x * other == y * one and x % one == 0:
        return f"{int(x // one)} * n"
    raise _OneSizeError

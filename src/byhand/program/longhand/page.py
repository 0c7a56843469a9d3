"""Code on a page: comments in a column beside their lines, no line too long.

Called by `function` and `script`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

WIDTH = 100
COLUMN = 64  # lines longer than this do not move the column of comments

Row = tuple[str, str]
"""Code, and the comment beside it."""


def aligned(rows: Sequence[Row]) -> list[str]:
    """Comments in one column; a comment that has no room goes on below its line."""
    widths = [len(code) for code, comment in rows if comment and len(code) <= COLUMN]
    column = max(widths, default=0) + 2
    lines: list[str] = []
    for code, comment in rows:
        *before, last = wrapped(code)
        lines += before
        if not comment:
            lines.append(last)
            continue
        place = max(column, len(last) + 2)
        head, *rest = _broken(comment, max(WIDTH - 4 - place - 2, 24))
        lines.append(f"{last:{place}}# {head}")
        lines += [f"{'':{place}}# {more}" for more in rest]
    return lines


def _broken(comment: str, width: int) -> list[str]:
    """A comment in lines."""
    lines = [""]
    for word in comment.split(" "):
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}" if lines[-1] or not word else word
    return lines


def wrapped(code: str, width: int = WIDTH - 4, hang: int = 4) -> list[str]:
    """A long statement on several lines, broken at spaces inside of its brackets, as late as possible."""
    if len(code) <= width or "\n" in code:
        return code.split("\n")
    indent = len(code) - len(code.lstrip())
    if indent:
        return [" " * indent + line for line in wrapped(code.lstrip(), width - indent, hang)]
    best, depth, quote = 0, 0, ""
    for i, c in enumerate(code):
        if quote:
            quote = "" if c == quote else quote
        elif c in "'\"":
            quote = c
        elif c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
        elif c == " " and depth and i <= width:
            best = i
    if not best:
        return [code] if code.count(" = ") != 1 or not _is_assignment(code) else _in_brackets(code, width, hang)
    rest = wrapped(" " * hang + code[best + 1 :], width, hang) if _balanced(code[:best]) else None
    return [code[:best], *(rest or _hanging(code[best + 1 :], width, hang))]


def _hanging(rest: str, width: int, hang: int) -> list[str]:
    """What follows a break: each next line is broken at any space, since a bracket is open."""
    lines = [" " * hang]
    for word in rest.split(" "):
        if len(lines[-1]) + len(word) + 1 > width and lines[-1].strip():
            lines.append(" " * hang)
        lines[-1] += word if not lines[-1].strip() else f" {word}"
    return lines


def _balanced(code: str) -> bool:
    return code.count("(") == code.count(")") and code.count("[") == code.count("]")


def _is_assignment(code: str) -> bool:
    return isinstance(ast.parse(code).body[0], ast.Assign)


def _in_brackets(code: str, width: int, hang: int) -> list[str]:
    """A formula without brackets of its own gets some."""
    head, _, formula = code.partition(" = ")
    return wrapped(f"{head} = ({formula})", width, hang)


def signature(title: str, groups: Sequence[Sequence[str]]) -> list[str]:
    """The head of a function; if it is long, each group of parameters on lines of its own."""
    head = f"def {title}({', '.join(name for group in groups for name in group)}):"
    if len(head) <= WIDTH:
        return [head]
    return [f"def {title}(", *[line for group in groups for line in filled(group, "    ")], "):"]


def filled(words: Sequence[str], indent: str) -> list[str]:
    """Words with commas, as many on a line as fit."""
    lines: list[str] = []
    for word in words:
        if lines and len(lines[-1]) + len(word) + 2 <= WIDTH:
            lines[-1] += f" {word},"
        else:
            lines.append(f"{indent}{word},")
    return lines


def prose(sentence: str) -> list[str]:
    """A sentence in lines, for a docstring; a name and its shape stay together."""
    bound = re.sub(r" ?\([^()]*\)", lambda shape: shape[0].replace(" ", "\0"), sentence)
    return [line.replace("\0", " ") for line in _broken(bound, WIDTH - 8)]


def enumerated(words: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def narrowed(source: str) -> str:
    """Source text with no line longer than the page."""
    lines: list[str] = []
    for line in source.splitlines():
        indent = " " * (len(line) - len(line.lstrip()))
        if len(line) <= WIDTH:
            lines.append(line)
        elif re.fullmatch(r"\w+ = \(.*\)", line):
            head, _, rest = line.partition("(")
            lines += [f"{head}(", *filled(rest[:-1].rstrip(",").split(", "), "    "), ")"]
        elif line.lstrip().startswith("#"):
            lines += [f"{indent}# {part}" for part in _broken(line.strip(" #"), WIDTH - len(indent) - 2)]
        else:
            lines += [indent + part for part in wrapped(line.strip(), WIDTH - len(indent))]
    return "\n".join(lines)

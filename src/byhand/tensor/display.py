"""How a tensor is printed: as in PyTorch, four digits, whole numbers with a dot. Called by `Tensor.__repr__`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from byhand.core.dtypes import get_default_dtype
from byhand.core.variable import Array

PREFIX = "tensor("
WIDTH = 80
LONG = 1000  # a tensor of more values is shown by its edges
EDGE = 3

Form = Callable[[Any], str]


def text_of(array: Array, notes: list[str]) -> str:
    """`tensor([...], notes)`, broken at 80 columns."""
    said = [get_default_dtype()] if array.size == 0 else [get_default_dtype(), np.dtype(np.int64), np.dtype(np.bool_)]
    if array.dtype not in said:
        notes = [f"dtype={array.dtype}", *notes]
    if array.size == 0 and array.ndim != 1:
        notes = [f"size={array.shape}", *notes]
    indent = " " * len(PREFIX)
    text = PREFIX + _body(array)
    column = len(text) - text.rfind("\n") + 1
    for note in notes:
        if column + len(note) + 2 > WIDTH:
            text, column = f"{text},\n{indent}{note}", len(indent) + len(note)
        else:
            text, column = f"{text}, {note}", column + len(note) + 2
    return text + ")"


def _body(array: Array) -> str:
    if array.size == 0:
        return "[]"
    short = array.size > LONG
    spell, width = _spelling(_edges(array) if short else array)
    return _nested(array, lambda x: spell(x).rjust(width), width, len(PREFIX), short)


def _nested(array: Array, form: Form, width: int, indent: int, short: bool) -> str:
    if array.ndim == 0:
        return form(array.item())
    cut = short and len(array) > 2 * EDGE
    if array.ndim == 1:
        head = [form(x) for x in (array[:EDGE] if cut else array).tolist()]
        words = [*head, " ...", *[form(x) for x in array[-EDGE:].tolist()]] if cut else head
        room = max(1, (WIDTH - indent) // (width + 2))
        lines = [", ".join(words[i : i + room]) for i in range(0, len(words), room)]
        return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"
    rows = [_nested(row, form, width, indent + 1, short) for row in (array[:EDGE] if cut else array)]
    if cut:
        rows += ["...", *[_nested(row, form, width, indent + 1, short) for row in array[-EDGE:]]]
    return "[" + ("," + "\n" * (array.ndim - 1) + " " * (indent + 1)).join(rows) + "]"


def _spelling(shown: Array) -> tuple[Form, int]:
    """How to write a value, and the width of the widest."""
    if shown.dtype.kind != "f":
        return str, max(len(str(x)) for x in shown.ravel().tolist())
    values = shown[np.isfinite(shown) & (shown != 0)].astype(np.float64)
    if not values.size:
        return _whole, 1
    sizes = np.abs(values)
    low, high = sizes.min(), sizes.max()
    whole = bool((values == np.ceil(values)).all())
    spell: Form
    if high / low > 1000 or high > 1e8 or (not whole and low < 1e-4):
        spell = "{:.4e}".format
    else:
        spell = _whole if whole else "{:.4f}".format
    return spell, max(len(spell(x)) for x in values.tolist())


def _whole(x: float) -> str:
    return f"{x:.0f}." if np.isfinite(x) else str(x)


def _edges(array: Array) -> Array:
    """The values that are printed of a large array."""
    for axis in range(array.ndim):
        if array.shape[axis] > 2 * EDGE:
            array = np.take(array, [0, 1, 2, -3, -2, -1], axis=axis)
    return array

"""How a tensor is printed: as in PyTorch, four digits, whole numbers with a dot. Called by `Tensor.__repr__`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from byhand.core.dtypes import get_default_dtype
from byhand.core.errors import UsageError
from byhand.core.variable import Array

PREFIX = "tensor("
WIDTH = 80
LONG = 1000  # a tensor of more values is shown by its edges
EDGE = 3

DIGITS = 4
SCIENTIFIC: bool | None = None  # None: where the values ask for it

Form = Callable[[Any], str]


def set_printoptions(
    precision: int | None = None, threshold: int | None = None, edgeitems: int | None = None,
    linewidth: int | None = None, profile: str | None = None, sci_mode: bool | None = None,
) -> None:  # fmt: skip
    """How tensors are printed from now on: digits, from how many values on only edges, columns; profiles are PyTorch's.

    Raises UsageError for a profile other than "default", "short" and "full". `sci_mode` None chooses by the values.
    """
    global DIGITS, LONG, EDGE, WIDTH, SCIENTIFIC
    if profile is not None:
        profiles = {"default": (4, 1000, 3), "short": (2, 1000, 2), "full": (4, sys.maxsize, 3)}
        if profile not in profiles:
            raise UsageError(f"there is no profile {profile!r}; choose from {', '.join(profiles)}")
        DIGITS, LONG, EDGE = profiles[profile]
        WIDTH = 80
    DIGITS = DIGITS if precision is None else precision
    LONG = LONG if threshold is None else threshold
    EDGE = EDGE if edgeitems is None else edgeitems
    WIDTH = WIDTH if linewidth is None else linewidth
    SCIENTIFIC = sci_mode


def text_of(array: Array, notes: list[str]) -> str:
    """`tensor([...], notes)`, broken at 80 columns."""
    default = get_default_dtype()
    paired = np.result_type(default, np.complex64)
    said = [default] if array.size == 0 else [default, paired, np.dtype(np.int64), np.dtype(np.bool_)]
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
    if shown.dtype.kind == "c":
        real, imag = _spelling(shown.real)[0], _spelling(shown.imag)[0]

        def pair(z: complex) -> str:
            return f"{real(z.real)}{'' if z.imag < 0 else '+'}{imag(z.imag)}j"

        return pair, max(len(pair(z)) for z in shown.ravel().tolist())
    if shown.dtype.kind != "f":
        return str, max(len(str(x)) for x in shown.ravel().tolist())
    values = shown[np.isfinite(shown) & (shown != 0)].astype(np.float64)
    if not values.size:
        return _whole, 1
    sizes = np.abs(values)
    low, high = sizes.min(), sizes.max()
    whole = bool((values == np.ceil(values)).all())
    spell: Form
    wide = high / low > 1000 or high > 1e8 or (not whole and low < 1e-4)
    if wide if SCIENTIFIC is None else SCIENTIFIC:
        spell = f"{{:.{DIGITS}e}}".format
    else:
        spell = _whole if whole else f"{{:.{DIGITS}f}}".format
    return spell, max(len(spell(x)) for x in values.tolist())


def _whole(x: float) -> str:
    return f"{x:.0f}." if np.isfinite(x) else str(x)


def _edges(array: Array) -> Array:
    """The values that are printed of a large array."""
    for axis in range(array.ndim):
        if array.shape[axis] > 2 * EDGE:
            array = np.take(array, [*range(EDGE), *range(-EDGE, 0)], axis=axis)
    return array

"""How a tensor is printed: as in PyTorch, four digits, whole numbers with a dot. Called by `Tensor.__repr__`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from byhand.core.variable import Array

QUIET = {np.dtype(np.float32), np.dtype(np.int64), np.dtype(np.bool_)}


def text_of(array: Array, notes: list[str]) -> str:
    """`tensor([...], notes)`, broken at 80 columns."""
    if array.dtype not in QUIET:
        notes = [f"dtype={array.dtype}", *notes]
    if array.size == 0:
        body = "[]" if array.ndim == 1 else f"[], size={array.shape}"
    else:
        body = np.array2string(
            array,
            max_line_width=80,
            separator=", ",
            prefix="tensor(",
            threshold=1000,
            edgeitems=3,
            formatter=_forms(array),
        )
    return f"tensor({', '.join([body, *notes])})"


def _forms(array: Array) -> Any:
    if array.dtype.kind == "f":
        return {"float_kind": _float_form(array)}
    if array.dtype.kind == "b":
        width = 5 if array.ndim and not array.all() else 4
        return {"bool": lambda x: str(bool(x)).rjust(width if array.ndim else 0)}
    width = max(len(str(x)) for x in (array.min(), array.max())) if array.ndim else 0
    return {"int_kind": lambda x: str(x).rjust(width)}


def _float_form(array: Array) -> Callable[[Any], str]:
    shown = array if array.size <= 1000 else _edges(array)
    finite = np.abs(shown[np.isfinite(shown) & (shown != 0)].astype(np.float64))
    if finite.size == 0 or bool((finite == np.ceil(finite)).all()):
        huge = finite.size > 0 and (finite.max() > 1e8 or (finite.max() / finite.min() > 1000 and finite.max() > 1e5))
        spell = "{:.4e}".format if huge else "{:.0f}.".format
    else:
        low, high = finite.min(), finite.max()
        spell = "{:.4e}".format if high / low > 1000 or high > 1e8 or low < 1e-4 else "{:.4f}".format

    def form(x: Any) -> str:
        return spell(x) if np.isfinite(x) else str(float(x))

    width = max(len(form(x)) for x in shown.ravel()) if array.ndim else 0
    return lambda x: form(x).rjust(width)


def _edges(array: Array) -> Array:
    """The values that are printed of a large array."""
    for axis in range(array.ndim):
        if array.shape[axis] > 6:
            array = np.take(array, [0, 1, 2, -3, -2, -1], axis=axis)
    return array

"""Values that are one number, repeated or not: what they are, and how they are written as literals."""

from __future__ import annotations

from typing import Any

import numpy as np

from byhand.core.variable import Array
from byhand.program.ir import CONSTANT, Value
from byhand.program.passes.sweep import Sweep
from byhand.program.passes.vocabulary import EXPAND, PERMUTE, RESHAPE_TO, meaning

LARGEST = 1 << 16  # values of a constant that is looked through


def repeated(x: Any, sweep: Sweep) -> np.generic | None:
    """The scalar that an array of the program holds in all places; None if it is not known to."""
    if type(x) is not Value:
        return x if isinstance(x, np.generic) else None
    maker = sweep.makers.get(x)
    while maker is not None and meaning(maker) in (EXPAND, RESHAPE_TO, PERMUTE):
        x = maker.inputs[0]
        maker = sweep.makers.get(x) if isinstance(x, Value) else None
    return only(x.data) if isinstance(x, Value) and x.origin == CONSTANT else None


def only(array: Array) -> np.generic | None:
    """The scalar that an array holds in all places."""
    if not 0 < array.size <= LARGEST:
        return None
    first: np.generic = array[(0,) * array.ndim]
    if array.size == 1:
        return first
    if not (array == first).all() or (first == 0 and (np.signbit(array) != np.signbit(first)).any()):
        return None
    return first


def literal(scalar: np.generic) -> Any:
    """The shortest Python number that beside arrays of the scalar's dtype means just that scalar; None for booleans.

    A float32 of 0.02 is 0.019999999552965164 as a Python float; 0.02 is read as the same float32.
    """
    if scalar.dtype.kind != "f":
        return int(scalar) if scalar.dtype.kind in "iu" else None
    short = float(str(scalar))
    return short if scalar.dtype.type(short) == scalar else float(scalar)


def is_number(x: Any, n: int) -> bool:
    """Whether x is a literal, or a NumPy scalar, equal to n."""
    return not isinstance(x, Value) and x is not None and not isinstance(x, str) and bool(x == n)

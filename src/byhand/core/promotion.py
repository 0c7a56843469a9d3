"""The dtype of a result by PyTorch's rule, where NumPy's differs. Called by the recorder for float64 results only.

(And for float16, which NumPy's exp and its like make of bytes and booleans.)

NumPy promotes by size: int64 × float32 is float64, and so is float32 × np.float64(2). In PyTorch kinds come first: an
integer never widens a float, and numbers and tensors of shape () never widen tensors of the same kind that have axes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from byhand.core.dtypes import get_default_dtype
from byhand.core.variable import Variable

DOUBLE, HALF = np.dtype(np.float64), np.dtype(np.float16)

cast: Any = None  # the op; set by `ops.elementwise`, since core knows no op by name


def narrowed(call: Callable[..., Any], operands: Sequence[Any], attrs: dict[str, Any]) -> Any:
    """The call again with its operands in the dtype that PyTorch gives the result; None if that is float64."""
    for x in operands:
        if isinstance(x, Variable) and ((x.array.dtype is DOUBLE and x.array.ndim) or x.array.dtype.kind == "c"):
            return None  # a part of a complex128 is a float64
    wanted = result_dtype(operands)
    if wanted is DOUBLE:
        return None
    names = call.op.operands  # type: ignore[attr-defined]
    given = [x if i < len(names) and names[i] == "condition" else _as(x, wanted) for i, x in enumerate(operands)]
    if all(a is b for a, b in zip(given, operands, strict=True)):  # numbers alone beside a condition
        return None
    return call(*given, **attrs)


def result_dtype(operands: Sequence[Any]) -> np.dtype[Any]:
    """float16, float32 or float64: what PyTorch computes in where NumPy would in float64."""
    ranks: dict[np.dtype[Any], int] = {}  # 2 for arrays with axes, 1 for those of shape (), 0 for numbers
    for x in operands:
        array = x.array if isinstance(x, Variable) else x
        if isinstance(array, np.ndarray):
            if array.dtype.kind == "f":
                ranks[array.dtype] = max(ranks.get(array.dtype, 0), 2 if array.ndim else 1)
        elif isinstance(array, float):  # np.float64 is one
            ranks.setdefault(get_default_dtype(), 0)
    if not ranks:  # integers alone: a quotient, a root
        return get_default_dtype()
    highest = max(ranks.values())
    found = {dtype for dtype, rank in ranks.items() if rank == highest}
    return np.result_type(*found)


def _as(x: Any, dtype: np.dtype[Any]) -> Any:
    if isinstance(x, (Variable, np.ndarray)):
        return x if x.dtype is dtype else cast(x, dtype=dtype)  # type: ignore[union-attr]
    return x.item() if isinstance(x, np.generic) else x

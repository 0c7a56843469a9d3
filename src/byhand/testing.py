"""PyTorch's path `testing`: `assert_close`, as scripts check what they compute. Called by users."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from byhand.core.errors import UsageError
from byhand.core.variable import Array
from byhand.creation import as_tensor

TOLERANCES = {"float16": (1e-3, 1e-5), "float32": (1.3e-6, 1e-5), "float64": (1e-7, 1e-7)}  # relative, absolute
TOLERANCES |= {"complex64": TOLERANCES["float32"], "complex128": TOLERANCES["float64"]}


def assert_close(
    actual: Any, expected: Any, *, allow_subclasses: bool = True, rtol: float | None = None,
    atol: float | None = None, equal_nan: bool = False, check_device: bool = True, check_dtype: bool = True,
    check_layout: bool = True, check_stride: bool = False, msg: str | Callable[[str], str] | None = None,
) -> None:  # fmt: skip
    """Raise AssertionError unless |actual − expected| ≤ atol + rtol · |expected|, and shapes and dtypes are equal.

    The tolerances are PyTorch's for the dtype, and 0 for integers. Sequences and mappings are compared part by part.

    >>> import byhand
    >>> byhand.testing.assert_close(byhand.ones(2), byhand.ones(2) + 1e-7)
    """
    if (rtol is None) != (atol is None):
        raise UsageError("assert_close takes both rtol and atol, or neither")
    options: dict[str, Any] = {"rtol": rtol, "atol": atol, "equal_nan": equal_nan, "check_dtype": check_dtype}
    if isinstance(actual, Mapping) and isinstance(expected, Mapping):
        if actual.keys() != expected.keys():
            raise AssertionError(f"the keys differ: {list(actual)} and {list(expected)}")
        for key in actual:
            assert_close(actual[key], expected[key], msg=msg, **options)
    elif isinstance(actual, (list, tuple)) and isinstance(expected, Sequence):
        if len(actual) != len(expected):
            raise AssertionError(f"the lengths differ: {len(actual)} and {len(expected)}")
        for one, other in zip(actual, expected, strict=True):
            assert_close(one, other, msg=msg, **options)
    elif found := _difference(as_tensor(actual).array, as_tensor(expected).array, **options):
        raise AssertionError(msg(found) if callable(msg) else msg or found)


def _difference(
    x: Array, y: Array, rtol: float | None, atol: float | None, equal_nan: bool, check_dtype: bool
) -> str | None:
    """In what two arrays differ, None if they are close."""
    if x.shape != y.shape:
        return f"the shapes differ: {x.shape} and {y.shape}"
    if check_dtype and x.dtype != y.dtype:
        return f"the dtypes differ: {x.dtype} and {y.dtype}"
    pairs = [TOLERANCES.get(str(array.dtype), (0.0, 0.0)) for array in (x, y)]
    relative = max(pair[0] for pair in pairs) if rtol is None else rtol
    absolute = max(pair[1] for pair in pairs) if atol is None else atol
    close = np.isclose(x, y, relative, absolute, equal_nan)
    if close.all():
        return None
    with np.errstate(invalid="ignore"):
        apart = np.abs(np.subtract(x, y, dtype=np.result_type(x, y, np.float64)))
    largest = float(np.where(close, 0.0, apart).max())
    return (
        f"{int((~close).sum())} of {x.size} values are not close: the largest difference is {largest:g} "
        f"(allowed are {absolute:g} and {relative:g} of the expected value)"
    )


__all__ = ["assert_close"]

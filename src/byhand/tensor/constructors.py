"""PyTorch's old constructors, `FloatTensor` and its like: a dtype in the name. Re-exported by `byhand`."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from byhand.core import dtypes
from byhand.core.errors import UsageError
from byhand.tensor import Tensor


def _constructor(name: str, dtype: np.dtype[Any]) -> Callable[..., Tensor]:
    def constructed(*values: Any) -> Tensor:
        return Tensor(*values).to(dtype)

    constructed.__name__ = constructed.__qualname__ = name
    constructed.__doc__ = f"PyTorch's old constructor for {dtype}: of values, or of sizes."
    return constructed


def set_default_tensor_type(t: Any) -> None:
    """Floats get the dtype of this constructor, or of one of this name; raises UsageError if it is not of floats."""
    name = (t if isinstance(t, str) else t.__name__).rpartition(".")[-1]
    kinds = {"FloatTensor": dtypes.float32, "DoubleTensor": dtypes.float64, "HalfTensor": dtypes.float16}
    if name not in kinds:
        raise UsageError(f"set_default_tensor_type takes one of {', '.join(kinds)}, not {name}")
    dtypes.set_default_dtype(kinds[name])


def range(start: Any = 0, end: Any = None, step: Any = 1, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """start, start + step, … up to and with end, as floats. PyTorch's older `arange`, which leaves the end out.

    Raises UsageError for a step of 0 or one that leads away from the end.
    """
    warnings.warn("range is PyTorch's older form of arange, which leaves the end out; use arange", stacklevel=2)
    start, end = (0, start) if end is None else (start, end)
    if step == 0 or (end - start) / step < 0:
        raise UsageError(f"range: the step {step} does not lead from {start} to {end}")
    count = int((end - start) / step) + 1
    made = Tensor((start + step * np.arange(count)).astype(dtypes.resolve(dtype)))
    return made.requires_grad_() if requires_grad else made


FloatTensor = _constructor("FloatTensor", dtypes.float32)
DoubleTensor = _constructor("DoubleTensor", dtypes.float64)
HalfTensor = _constructor("HalfTensor", dtypes.float16)
LongTensor = _constructor("LongTensor", dtypes.int64)
IntTensor = _constructor("IntTensor", dtypes.int32)
ShortTensor = _constructor("ShortTensor", dtypes.int16)
CharTensor = _constructor("CharTensor", dtypes.int8)
ByteTensor = _constructor("ByteTensor", dtypes.uint8)
BoolTensor = _constructor("BoolTensor", dtypes.bool)

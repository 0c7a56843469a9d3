"""The array that stands in for a value while a step is captured: ops may read it, nothing else may.

What NumPy would compute from it behind the tracer's back would be a constant in the program, and wrong from the second
call on. So every such use raises CaptureError, which names the line. Kernels get the plain array underneath.
"""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from byhand.core.capture import tracer
from byhand.core.variable import Array

SHAPES_ONLY = {np.may_share_memory, np.shares_memory, np.shape, np.ndim, np.size, np.can_cast, np.result_type}


class TracedArray(np.ndarray[Any, np.dtype[Any]]):
    """A view of an array whose values only ops may read."""

    def __array_finalize__(self, other: Any) -> None:
        if type(other) is TracedArray:
            _refuse("sliced or copied by NumPy")

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        _refuse(f"computed with np.{ufunc.__name__}")

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if func in SHAPES_ONLY:
            return func(*[plain(x) for x in args], **kwargs)
        _refuse(f"computed with np.{func.__name__}")

    def __getitem__(self, key: Any) -> Any:
        _refuse("indexed outside of an op")

    def __setitem__(self, key: Any, value: Any) -> None:
        _refuse("written to outside of an op")

    def __repr__(self) -> str:
        _refuse("printed")


def plain(x: Any) -> Any:
    """The array underneath a traced one; all else as it is."""
    return x.view(np.ndarray) if type(x) is TracedArray else x


def traced(array: Array) -> TracedArray:
    """A traced array over the memory of this one."""
    return plain(array).view(TracedArray)


def _refuse(what: str) -> NoReturn:
    watcher = tracer()
    assert watcher is not None, "a traced array outlived its capture"
    raise watcher.refusal(what)


def _reader(name: str, what: str) -> Any:
    def method(self: TracedArray, *args: Any, **kwargs: Any) -> NoReturn:
        _refuse(what)

    method.__name__ = name
    return method


for _name, _what in {
    "item": "read as a Python number (.item(), float(), `if`, …)", "tolist": "read as Python numbers (.tolist())",
    "__float__": "read as a Python number", "__int__": "read as a Python number",
    "__index__": "read as a Python number", "__bool__": "asked whether it is true", "__iter__": "iterated over",
    "__contains__": "searched", "__complex__": "read as a Python number", "tobytes": "read as bytes",
    "__str__": "printed", "__format__": "printed", "fill": "written to outside of an op",
    "put": "written to outside of an op", "sort": "sorted in place", "dot": "multiplied by NumPy",
    "nonzero": "asked where it is not zero", "__reduce__": "pickled", "__deepcopy__": "copied",
    "max": "reduced by NumPy", "min": "reduced by NumPy", "sum": "reduced by NumPy",
    "any": "reduced by NumPy", "all": "reduced by NumPy", "argmax": "reduced by NumPy", "argsort": "sorted by NumPy",
}.items():  # fmt: skip
    setattr(TracedArray, _name, _reader(_name, _what))

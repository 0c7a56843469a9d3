"""The array that stands in for a value while a step is captured: ops may read it, nothing else may.

What NumPy would compute from it behind the tracer's back would be a constant in the program, and wrong from the second
call on. So every such use raises CaptureError, which names the line. Kernels get the plain array underneath. Parameters
and other tensors that live outside are traced meanwhile, too; in threads that capture nothing they act like any array.
"""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from byhand.core.capture import tracer
from byhand.core.variable import Array

SHAPES_ONLY = {
    np.may_share_memory, np.shares_memory, np.shape, np.ndim, np.size, np.can_cast, np.result_type, np.iscomplexobj,
    np.zeros_like, np.ones_like, np.empty_like,
}  # fmt: skip


class TracedArray(np.ndarray[Any, np.dtype[Any]]):
    """A view of an array whose values only ops may read."""

    def __array_finalize__(self, other: Any) -> None:
        if type(other) is TracedArray:
            if tracer() is not None:
                _refuse("sliced or copied by NumPy")
            self.__dict__["own"] = np.ndarray.view(self, np.ndarray)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if tracer() is not None:
            _refuse(f"computed with np.{ufunc.__name__}")
        if "out" in kwargs:
            kwargs["out"] = tuple(plain(x) for x in kwargs["out"])
        return getattr(ufunc, method)(*[plain(x) for x in inputs], **kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if func in SHAPES_ONLY:
            return func(*[plain(x) for x in args], **kwargs)
        if tracer() is not None:
            _refuse(f"computed with np.{func.__name__}")
        return super().__array_function__(func, types, args, kwargs)

    def __getitem__(self, key: Any) -> Any:
        if tracer() is not None:
            _refuse("indexed outside of an op")
        return plain(self)[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        if tracer() is not None:
            _refuse("written to outside of an op")
        plain(self)[key] = value


def plain(x: Any) -> Any:
    """The array underneath a traced one; all else as it is."""
    return x.__dict__["own"] if type(x) is TracedArray else x


def traced(array: Array) -> TracedArray:
    """A traced array over the memory of this one, which `plain` gives back."""
    own = plain(array)
    made: TracedArray = own.view(TracedArray)
    made.__dict__["own"] = own
    return made


def _refuse(what: str) -> NoReturn:
    watcher = tracer()
    assert watcher is not None
    raise watcher.refusal(what)


def _reader(name: str, what: str) -> Any:
    def method(self: TracedArray, *args: Any, **kwargs: Any) -> Any:
        if tracer() is not None:
            _refuse(what)
        return getattr(plain(self), name)(*args, **kwargs)

    method.__name__ = name
    return method


NUMBER, REDUCED, WRITTEN = "read as a Python number", "reduced by NumPy", "written to outside of an op"
for _name, _what in {
    "item": NUMBER, "tolist": "read as Python numbers (.tolist())", "__float__": NUMBER, "__int__": NUMBER,
    "__index__": NUMBER, "__complex__": NUMBER, "__bool__": "asked whether it is true", "__iter__": "iterated over",
    "__contains__": "searched", "tobytes": "read as bytes", "tofile": "read as bytes", "__repr__": "printed",
    "__str__": "printed", "__format__": "printed", "__reduce__": "pickled", "__reduce_ex__": "pickled",
    "__deepcopy__": "copied", "__dlpack__": "handed to another library", "fill": WRITTEN, "put": WRITTEN,
    "sort": WRITTEN, "partition": WRITTEN, "byteswap": WRITTEN, "dot": "multiplied by NumPy",
    "nonzero": "asked where it is not zero", "max": REDUCED, "min": REDUCED, "sum": REDUCED, "prod": REDUCED,
    "mean": REDUCED, "var": REDUCED, "std": REDUCED, "any": REDUCED, "all": REDUCED, "argmax": REDUCED,
    "argmin": REDUCED, "cumsum": REDUCED, "cumprod": REDUCED, "trace": REDUCED, "argsort": "sorted by NumPy",
    "argpartition": "sorted by NumPy", "searchsorted": "searched",
}.items():  # fmt: skip
    setattr(TracedArray, _name, _reader(_name, _what))

"""The few names that NumPy writes into pickles, and what stands for them: small classes that check what they are given.

So not even NumPy's own reconstruction, which trusts its input, sees anything of a file before it was checked. Called by
`interop.torch` and by the data sets that come as pickles.
"""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from byhand.interop.pickles import RefusedError, StandIn

PLAIN = re.compile(r"[<>|=]?(b1|[iu][1248]|f[248])")


class PickledDtype(StandIn):
    """Stands for `numpy.dtype` while a pickle is read: a code of a plain number and its byte order."""

    def __init__(self, code: Any, *_: Any) -> None:
        self.code = code.decode("ascii") if isinstance(code, bytes) else code
        if not isinstance(self.code, str) or not PLAIN.fullmatch(self.code):
            raise RefusedError(f"its array has the dtype {code!r}, which is no plain number")

    def __setstate__(self, state: Any) -> None:
        order = state[1].decode("ascii") if isinstance(state[1], bytes) else state[1]
        if order not in ("<", ">", "|", "="):
            raise RefusedError(f"its dtype has the byte order {order!r}")
        self.code = order + self.code.lstrip("<>|=")


class PickledArray(StandIn):
    """Stands for `numpy.ndarray` while a pickle is read."""

    value: NDArray[Any]

    def __setstate__(self, state: Any) -> None:
        self.fill(*state[-4:])  # a version number may stand before

    def fill(self, shape: Any, dtype: Any, fortran: Any, data: Any) -> None:
        if not isinstance(dtype, PickledDtype) or not all(isinstance(n, int) and n >= 0 for n in shape):
            raise RefusedError("its array has no plain shape and dtype")
        if isinstance(data, str):  # bytes that a Python 2 wrote as text
            data = data.encode("latin1")
        if not isinstance(data, bytes | bytearray):
            raise RefusedError("its array holds objects, not numbers")
        kind = np.dtype(dtype.code)
        if math.prod(shape) * kind.itemsize != len(data):
            raise RefusedError(f"its array of shape {shape} and dtype {kind} has {len(data)} bytes")
        array = np.frombuffer(data, kind).reshape(shape, order="F" if fortran else "C")
        self.value = array.astype(kind.newbyteorder("="), copy=False)


def _reconstruct(*_: Any) -> PickledArray:
    return PickledArray()


def _from_buffer(data: Any, dtype: Any, shape: Any, order: Any) -> PickledArray:
    """How protocol 5 writes a contiguous array."""
    array = PickledArray()
    array.fill(shape, dtype, order == "F", data)
    return array


def _scalar(dtype: Any, data: Any) -> PickledArray:
    array = PickledArray()
    array.fill((), dtype, False, data)
    return array


def _encode(text: Any, encoding: Any = "latin1") -> bytes:
    """How protocol 2 of Python 3 writes bytes."""
    if not isinstance(text, str) or encoding not in ("latin1", b"latin1"):
        raise RefusedError("it encodes something else than bytes")
    return text.encode("latin1")


def _empty() -> bytes:
    """How protocols 0 to 2 of Python 3 write no bytes at all."""
    return b""


ARRAYS: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): PickledArray,
    ("numpy", "dtype"): PickledDtype,
    ("_codecs", "encode"): _encode,
    ("__builtin__", "bytes"): _empty,
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _reconstruct for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): _scalar for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _from_buffer for core in ("core", "_core")},
}

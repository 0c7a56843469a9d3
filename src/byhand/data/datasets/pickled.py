"""A reader of pickles that builds NumPy arrays and nothing else. Called by `mnist_pkl` and `cifar10`.

A pickle is a program: Python's own reader imports and calls whatever it names. Here every name but the few that NumPy
writes is refused, and those few lead to the small classes below, so that not even NumPy's own reconstruction, which
trusts its input, sees anything of the file before it was checked.
"""

from __future__ import annotations

import io
import math
import pickle
import re
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from byhand.core.errors import DataError
from byhand.data.datasets.folder import read

PLAIN = re.compile(r"[<>|=]?(b1|[iu][1248]|f[248])")
DEEPEST = 4


def read_pickle(path: Path) -> Any:
    """The tuples, lists, dicts, numbers, strings and arrays in a pickle, gzipped or not, of Python 2 or 3.

    Raises DataError if the file is missing or damaged, or asks for anything but those; nothing of it is executed.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    return unpickled(read(path), path)


def unpickled(data: bytes, where: Path | str) -> Any:
    """What `read_pickle` returns, from the bytes of the pickle; `where` names it in errors."""
    try:
        return _resolved(_Reader(io.BytesIO(data), encoding="bytes").load(), {})
    except _RefusedError as error:
        raise DataError(f"{where} was refused: {error}. Only NumPy arrays are read from pickles here") from error
    except Exception as error:  # damaged pickles raise nearly anything
        raise DataError(f"{where} is not a pickle of arrays, or is damaged: {error!r}; get it again") from error


class _RefusedError(Exception):
    """The pickle asks for something else than an array."""


class _Dtype:
    """Stands for `numpy.dtype` while a pickle is read: a code of a plain number and its byte order."""

    def __init__(self, code: Any, *_: Any) -> None:
        self.code = code.decode("ascii") if isinstance(code, bytes) else code
        if not isinstance(self.code, str) or not PLAIN.fullmatch(self.code):
            raise _RefusedError(f"its array has the dtype {code!r}, which is no plain number")

    def __setstate__(self, state: Any) -> None:
        order = state[1].decode("ascii") if isinstance(state[1], bytes) else state[1]
        if order not in ("<", ">", "|", "="):
            raise _RefusedError(f"its dtype has the byte order {order!r}")
        self.code = order + self.code.lstrip("<>|=")


class _Array:
    """Stands for `numpy.ndarray` while a pickle is read."""

    value: NDArray[Any]

    def __setstate__(self, state: Any) -> None:
        self.fill(*state[-4:])  # a version number may stand before

    def fill(self, shape: Any, dtype: Any, fortran: Any, data: Any) -> None:
        if not isinstance(dtype, _Dtype) or not all(isinstance(n, int) and n >= 0 for n in shape):
            raise _RefusedError("its array has no plain shape and dtype")
        if isinstance(data, str):  # bytes that a Python 2 wrote as text
            data = data.encode("latin1")
        if not isinstance(data, bytes | bytearray):
            raise _RefusedError("its array holds objects, not numbers")
        kind = np.dtype(dtype.code)
        if math.prod(shape) * kind.itemsize != len(data):
            raise _RefusedError(f"its array of shape {shape} and dtype {kind} has {len(data)} bytes")
        array = np.frombuffer(data, kind).reshape(shape, order="F" if fortran else "C")
        self.value = array.astype(kind.newbyteorder("="), copy=False)


def _reconstruct(*_: Any) -> _Array:
    return _Array()


def _from_buffer(data: Any, dtype: Any, shape: Any, order: Any) -> _Array:
    """How protocol 5 writes a contiguous array."""
    array = _Array()
    array.fill(shape, dtype, order == "F", data)
    return array


def _scalar(dtype: Any, data: Any) -> _Array:
    array = _Array()
    array.fill((), dtype, False, data)
    return array


def _encode(text: Any, encoding: Any = "latin1") -> bytes:
    """How protocol 2 of Python 3 writes bytes."""
    if not isinstance(text, str) or encoding not in ("latin1", b"latin1"):
        raise _RefusedError("it encodes something else than bytes")
    return text.encode("latin1")


def _empty() -> bytes:
    """How protocols 0 to 2 of Python 3 write no bytes at all."""
    return b""


NAMES: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _encode,
    ("__builtin__", "bytes"): _empty,
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _reconstruct for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): _scalar for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _from_buffer for core in ("core", "_core")},
}


VALUES = (bool, int, float, str, bytes, bytearray, type(None))


class _Reader(pickle._Unpickler):
    """Python's own reader in Python: the one in C reserves whatever memory a damaged memo index asks for."""

    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)
    read: Any
    append: Any

    def load_bytearray8(self) -> None:
        size = int.from_bytes(self.read(8), "little")
        self.append(bytearray(self.read(size)))  # the inherited one reserves the promised size before it reads

    dispatch[pickle.BYTEARRAY8[0]] = load_bytearray8

    def find_class(self, module: str, name: str) -> Any:
        make = NAMES.get((module, name))
        if make is None:
            raise _RefusedError(f"it asks for {module}.{name}")
        # a function of its own each time: a pickle may set attributes of what it is given
        return lambda *arguments: make(*arguments)

    def get_extension(self, code: int) -> Any:
        raise _RefusedError(f"it asks for extension {code}")


def _resolved(value: Any, seen: dict[int, Any], depth: int = 0) -> Any:
    """The same with arrays in the places of their stand-ins; no container is walked twice."""
    if isinstance(value, _Array):
        return value.value
    if not isinstance(value, tuple | list | dict):
        items = value if isinstance(value, set | frozenset) else (value,)
        if not all(isinstance(item, VALUES) for item in items):  # a stand-in or its maker, not called to the end
            raise _RefusedError("it ends in something that is no value")
        return value
    if depth > DEEPEST:
        raise _RefusedError("it is nested too deeply")
    if id(value) not in seen:
        parts = value.values() if isinstance(value, dict) else value
        inner = [_resolved(part, seen, depth + 1) for part in parts]
        if isinstance(value, dict):
            seen[id(value)] = dict(zip(value, inner, strict=True))
        else:
            seen[id(value)] = tuple(inner) if isinstance(value, tuple) else inner
    return seen[id(value)]

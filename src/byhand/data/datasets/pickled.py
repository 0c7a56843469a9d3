"""A reader of pickles that builds NumPy arrays and nothing else. Called by `mnist_pkl` and `cifar10`.

A pickle is a program: Python's own reader imports and calls whatever it names. Here every name but the few that NumPy
writes is refused, and those few lead to the small classes below, so that not even NumPy's own reconstruction, which
trusts its input, sees anything of the file before it was checked.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from byhand.core.errors import DataError
from byhand.data.datasets.folder import read
from byhand.interop.pickled_arrays import ARRAYS, PickledArray
from byhand.interop.pickles import Reader, RefusedError

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
        return _resolved(_Reader(data, "bytes").load(), {})
    except RefusedError as error:
        raise DataError(f"{where} was refused: {error}. Only NumPy arrays are read from pickles here") from error
    except Exception as error:  # damaged pickles raise nearly anything
        raise DataError(f"{where} is not a pickle of arrays, or is damaged: {error!r}; get it again") from error


VALUES = (bool, int, float, str, bytes, bytearray, type(None))


class _Reader(Reader):
    names = ARRAYS


def _resolved(value: Any, seen: dict[int, Any], depth: int = 0) -> Any:
    """The same with arrays in the places of their stand-ins; no container is walked twice."""
    if isinstance(value, PickledArray):
        return value.value
    if not isinstance(value, tuple | list | dict):
        items = value if isinstance(value, set | frozenset) else (value,)
        if not all(isinstance(item, VALUES) for item in items):  # a stand-in or its maker, not called to the end
            raise RefusedError("it ends in something that is no value")
        return value
    if depth > DEEPEST:
        raise RefusedError("it is nested too deeply")
    if id(value) not in seen:
        parts = value.values() if isinstance(value, dict) else value
        inner = [_resolved(part, seen, depth + 1) for part in parts]
        if isinstance(value, dict):
            seen[id(value)] = dict(zip(value, inner, strict=True))
        else:
            seen[id(value)] = tuple(inner) if isinstance(value, tuple) else inner
    return seen[id(value)]

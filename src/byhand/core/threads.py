"""How many threads NumPy's matrix products and compiled loops may use. Called by users, and by `byhand train`: one.

Measured on 2 cores with the recipe for digits: one thread takes 2 s; two take 2 s on an idle machine, and 20 to 70 s
beside another busy process, because OpenBLAS's threads wait for each other spinning. And the bits of a product depend
on the number of threads: with a fixed one a run is the same on every machine of a kind.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from byhand.core.errors import UsageError

_NAMES = (
    "scipy_openblas_{}_num_threads64_",
    "scipy_openblas_{}_num_threads",
    "openblas_{}_num_threads64_",
    "openblas_{}_num_threads",
)


def limit_blas_threads(count: int) -> bool:
    """Let OpenBLAS use `count` threads from now on; False, and no harm, if NumPy has another BLAS."""
    setter = _function("set")
    if setter is None:
        return False
    setter(count)
    return True


def set_num_threads(count: int) -> None:
    """Let matrix products use so many threads. Raises UsageError for less than one."""
    if count < 1:
        raise UsageError(f"{count} threads compute nothing; use at least 1")
    limit_blas_threads(count)


def get_num_threads() -> int:
    """How many threads matrix products use; 1 if NumPy's BLAS does not say."""
    getter = _function("get")
    return 1 if getter is None else int(getter())


@functools.cache
def _function(verb: str) -> Any:
    """OpenBLAS's function that gets or sets the number of threads."""
    for path in _libraries():
        try:
            library = ctypes.CDLL(str(path))  # loaded already: this is the very one that NumPy calls
        except OSError:
            continue
        for name in _NAMES:
            found = getattr(library, name.format(verb), None)
            if found is not None:
                found.argtypes, found.restype = ([], ctypes.c_int) if verb == "get" else ([ctypes.c_int], None)
                return found
    return None


def _libraries() -> Iterator[Path]:
    """Where the wheels of NumPy bring OpenBLAS along, and on Linux whatever is loaded under that name."""
    package = Path(np.__file__).parent
    for folder in (package.parent / "numpy.libs", package / ".dylibs", package / ".libs"):
        yield from folder.glob("*openblas*")
    maps = Path("/proc/self/maps")
    if maps.exists():
        lines = maps.read_text("utf-8", errors="replace").splitlines()
        yield from sorted({Path(line.split(maxsplit=5)[5]) for line in lines if "openblas" in line})

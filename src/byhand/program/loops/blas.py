"""The matrix products that NumPy itself calls, found so that compiled loops can call them without going through Python.

A step then is one call: driving each product from Python takes 1 µs and more, which is what a small product takes.
"""

from __future__ import annotations

import ctypes
import functools
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Blas:
    """CBLAS's gemm for float32 and float64.

    names      what the library calls them; compiled code calls them `SYMBOLS`
    addresses  where they are in this process
    integer    the bytes of its integers
    """

    names: tuple[str, str]
    addresses: tuple[int, int]
    integer: int


SYMBOLS = "byhand_sgemm", "byhand_dgemm"

NAMES = (
    ("scipy_cblas_{}gemm64_", 8),  # the OpenBLAS in NumPy's wheels
    ("cblas_{}gemm64_", 8),
    ("cblas_{}gemm$NEWLAPACK$ILP64", 8),  # Apple's Accelerate
    ("cblas_{}gemm", 4),
)


@functools.cache
def numpys_blas() -> Blas | None:
    """The library that NumPy was linked with; None if it hides, and products then go through `np.matmul`."""
    for path in _libraries():
        try:
            library = ctypes.CDLL(str(path))
        except OSError:
            continue
        for pattern, integer in NAMES:
            names = pattern.format("s"), pattern.format("d")
            try:
                found = [ctypes.cast(getattr(library, name), ctypes.c_void_p).value for name in names]
            except AttributeError:
                continue
            if all(found):
                return Blas(names, (found[0] or 0, found[1] or 0), integer)
    return None


def _libraries() -> list[Path]:
    """NumPy's extension, through which its own dependencies are found; on Windows, which does not look there, those."""
    extension = Path(np._core._multiarray_umath.__file__)  # type: ignore[attr-defined]
    beside = Path(np.__file__).parents[1] / "numpy.libs"
    return sorted(beside.glob("*openblas*.dll")) if sys.platform == "win32" else [extension]

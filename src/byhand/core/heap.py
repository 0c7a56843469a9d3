"""Freed memory is kept for the next step. Called once, by `byhand.core`.

The C library gives freed memory back to the system, and arrays of more than 128 KiB get pages of their own; so every
step pays for its pages anew, 0.25 µs for each 4 KiB. For a GPT of 4 layers (d = 128, 16 times 64 characters) that is 25
of 130 ms.
"""

from __future__ import annotations

import ctypes
import os
import sys

TRIM, MAP = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of glibc's malloc.h
KEPT = 1 << 29  # bytes that are free and stay with the process
LARGE = 1 << 25  # bytes beyond which an array gets pages of its own, as large as glibc allows


def keep_freed_memory() -> bool:
    """Let freed memory stay with the process, where glibc manages it and no MALLOC_… variable says otherwise."""
    if sys.platform != "linux" or any(name.startswith("MALLOC_") for name in os.environ):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    return mallopt is not None and bool(mallopt(TRIM, KEPT)) and bool(mallopt(MAP, LARGE))

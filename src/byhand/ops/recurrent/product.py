"""The product of a step: few rows with a weight. Called by the sequence ops.

OpenBLAS copies the weight into an order of its own, for each product anew; but with AVX-512 it multiplies as things
lie, if there are no more than a million multiplications. So (32, 128) @ (128, 512) takes 51 µs there, and 38 in four
parts of eight rows. Anywhere else it would be copied four times.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from byhand.core.variable import Array


def _limit() -> int:
    """How many multiplications a product has at most that needs no copy; 0 if there is nothing of the kind."""
    found: Any = np.show_config(mode="dicts")
    name = found["Build Dependencies"]["blas"]["name"]
    wide = any(part == "X86_V4" or part.startswith("AVX512") for part in found["SIMD Extensions"]["found"])
    return 1_000_000 if wide and "openblas" in name else 0


MULTIPLICATIONS = _limit()


def in_parts(rows: int, size: int) -> int:
    """In how many parts so many rows are multiplied by a weight of this size."""
    if rows * size > MULTIPLICATIONS > 0:
        for parts in (2, 4, 8):
            if rows % parts == 0 and rows >= 4 * parts and rows * size <= parts * MULTIPLICATIONS:
                return parts
    return 1


def multiplied(x: Array, weight: Array, out: Array) -> None:
    """out ← x @ weight."""
    parts = in_parts(len(x), weight.size)
    if parts == 1:
        np.matmul(x, weight, out=out)
    else:
        np.matmul(x.reshape(parts, -1, x.shape[1]), weight, out=out.reshape(parts, -1, out.shape[1]))

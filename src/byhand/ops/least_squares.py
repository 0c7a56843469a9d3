"""Least squares: the X that makes |A X − B| least. Called by users as `byhand.linalg.lstsq`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from byhand.core.errors import ShapeError
from byhand.core.recorder import wrap
from byhand.ops import elementwise as e
from byhand.ops.decomposition import svdvals
from byhand.ops.matrix_norm import matrix_rank
from byhand.ops.reduce import sum_over
from byhand.ops.solve import pinv
from byhand.ops.views import narrowed, reshaped

if TYPE_CHECKING:
    from byhand.tensor import Tensor


class LeastSquares(NamedTuple):
    """What `lstsq` returns; of residuals, rank and singular values those that the driver gives, else empty."""

    solution: Tensor
    residuals: Tensor
    rank: Tensor
    singular_values: Tensor


def lstsq(A: Any, B: Any, rcond: float | None = None, *, driver: str | None = None) -> LeastSquares:
    """The X (…, n, k) with the least |A X − B|, of the least length where there are several: A⁺ B.

    A (…, m, n), B (…, m, k) or, for a vector each, (…, m). Residuals are given where m > n and A has full rank.
    """
    m, n = A.shape[-2:]
    vector = B.ndim == 1 or (B.ndim == A.ndim - 1 and B.shape == A.shape[:-1])
    if B.shape[-1 if vector else -2] != m:
        raise ShapeError(f"lstsq got A {A.shape} and B {B.shape}; expected A (…, m, n) and B (…, m, k)")
    b = reshaped(B, shape=(*B.shape, 1)) if vector else B
    x = pinv(A, rtol=np.finfo(A.dtype).eps * max(m, n) if rcond is None else rcond)
    found = x @ b
    none = wrap(np.zeros(0, A.dtype))
    rank = matrix_rank(A.detach(), rtol=rcond)
    residuals = narrowed(reshaped(found, shape=(math.prod(found.shape),)), axis=0, start=0, stop=0)
    if m > n and driver != "gelsy" and bool((rank == n).all()):
        residuals = sum_over(e.square(A @ found - b), axis=(found.ndim - 2,), keepdims=False)
    return LeastSquares(
        reshaped(found, shape=found.shape[:-1]) if vector else found,
        residuals,
        wrap(np.zeros(0, np.int64)) if driver == "gels" else rank,
        svdvals(A).detach() if driver in ("gelsd", "gelss") else none,
    )

"""Norms of vectors and matrices, and what their singular values tell: rank and condition. As `byhand.linalg`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from byhand.core.errors import ShapeError, UsageError
from byhand.ops import elementwise as e
from byhand.ops import reduce
from byhand.ops.axes import one
from byhand.ops.decomposition import eigvalsh, svdvals
from byhand.ops.shape import movedim
from byhand.ops.solve import inv, tolerances
from byhand.ops.views import narrowed, reshaped

if TYPE_CHECKING:
    from byhand.tensor import Tensor

BY_SUMS = {1: -2, -1: -2, math.inf: -1, -math.inf: -1}  # order: the axis whose absolute values are summed


def vector_norm(x: Any, ord: Any = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """(Σ |x|ᵖ)^(1/p) over one, several or all axes; for ±∞ the largest and smallest |x|, for 0 how many are not 0."""
    if x.dtype.kind in "iub" and dtype is None:
        raise UsageError(f"vector_norm takes a float tensor, not one of {x.dtype}; use x.float()")
    return reduce.norm(x, ord, dim, keepdim, dtype=dtype)


def matrix_norm(x: Any, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """A norm of matrices in two axes.

    ord  "fro" (√ Σ x²), "nuc" (Σ of the singular values), 2 and −2 (the largest and smallest of them),
         1 and −1 (of the sums of |x| down the columns), ∞ and −∞ (of those along the rows)
    """
    if x.ndim < 2 or len(dim) != 2:
        raise ShapeError(f"matrix_norm takes two axes of at least two, dim={dim} and x of shape {x.shape} are given")
    axes = [one(d, x.ndim, "matrix_norm") for d in dim]
    x = x if dtype is None else e.cast(x, dtype=np.dtype(dtype))
    if ord == "fro":
        return reduce.norm(x, 2, axes, keepdim)
    x = movedim(x, axes, (-2, -1))
    if ord in BY_SUMS:
        sums = reduce.sum(e.abs(x), BY_SUMS[ord])
        found = reduce.amax(sums, -1) if ord > 0 else reduce.amin(sums, -1)
    elif ord in ("nuc", 2, -2):
        s = svdvals(x)
        found = reduce.sum(s, -1) if ord == "nuc" else reduce.amax(s, -1) if ord == 2 else reduce.amin(s, -1)
    else:
        raise UsageError(f"matrix_norm: ord={ord!r} is not known; use 'fro', 'nuc', ±1, ±2 or ±inf")
    return movedim(reshaped(found, shape=(*found.shape, 1, 1)), (-2, -1), axes) if keepdim else found


def norm(x: Any, ord: Any = None, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """`matrix_norm` of two axes if an order is given, else `vector_norm` of one or, flattened, of all.

    >>> import byhand
    >>> byhand.linalg.norm(byhand.tensor([3.0, 4.0]))
    tensor(5.)
    """
    if ord is not None and (x.ndim == 2 if dim is None else isinstance(dim, (tuple, list)) and len(dim) == 2):
        return matrix_norm(x, ord, (-2, -1) if dim is None else dim, keepdim, dtype=dtype)
    if isinstance(ord, str):
        raise UsageError(f"norm: ord={ord!r} is for matrices, x has shape {x.shape} and dim={dim}")
    return vector_norm(x, 2 if ord is None else ord, dim, keepdim, dtype=dtype)


def cond(x: Any, p: Any = None) -> Tensor:
    """The condition number |x| · |x⁻¹| in a matrix norm; for None and 2 the ratio of the extreme singular values."""
    if p in (None, 2, -2):
        s = svdvals(x)
        last = s.ndim - 1
        large = narrowed(s, axis=last, start=0, stop=1)
        small = narrowed(s, axis=last, start=s.shape[last] - 1, stop=s.shape[last])
        ratio = small / large if p == -2 else large / small
        return reshaped(ratio, shape=s.shape[:-1])
    return matrix_norm(x, p) * matrix_norm(inv(x), p)


def matrix_rank(x: Any, tol: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None) -> Tensor:
    """How many singular values are larger than max(atol, rtol · the largest); `tol` is the same as atol."""
    s = e.abs(eigvalsh(x)) if hermitian else svdvals(x)
    absolute, relative = (getattr(tol, "array", tol), 0.0) if tol is not None else tolerances(x, atol, rtol)
    if not s.shape[-1]:
        return reduce.sum(s > 0, -1)
    limit = reduce.amax(s, -1, True) * np.asarray(relative)[..., None]
    return reduce.sum(s > e.maximum(limit, np.asarray(absolute)[..., None]), -1)

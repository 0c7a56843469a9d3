"""LU: Gaussian elimination with row exchanges, P A = L U. Called by users as `byhand.linalg.lu` and its like.

NumPy has no LU, so the kernel is the textbook's loop over columns, one step for a whole batch of matrices.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from byhand.core.op import MOVE, OTHER, derive, op
from byhand.core.recorder import wrap
from byhand.core.variable import Array
from byhand.ops.index import gathered, scatter_added
from byhand.ops.linalg import flip_last
from byhand.ops.shape import cat
from byhand.ops.solve import inv, solution, solve
from byhand.ops.triangle import lower, upper
from byhand.ops.views import expanded, reshaped

if TYPE_CHECKING:
    from byhand.tensor import Tensor


@op(OTHER)
def pivots(x: Array) -> Array:
    """For each column the row, counted from 1, that elimination exchanges with the one on the diagonal"""
    a = x.reshape(math.prod(x.shape[:-2]), *x.shape[-2:]).copy()
    batch, count = np.arange(len(a)), min(x.shape[-2:])
    chosen = np.zeros((len(a), count), np.int32)
    for k in range(count):
        chosen[:, k] = row = k + np.abs(a[:, k:, k]).argmax(1)
        a[batch, row], a[:, k] = a[:, k].copy(), a[batch, row]
        pivot = a[:, k, k]
        a[:, k + 1 :, k] /= np.where(pivot == 0, 1, pivot)[:, None]
        a[:, k + 1 :, k + 1 :] -= a[:, k + 1 :, k, None] * a[:, None, k, k + 1 :]
    return chosen.reshape(*x.shape[:-2], count) + np.int32(1)


@op(MOVE)
def row_order(x: Array, *, rows: int) -> Array:
    """The order of the rows after the exchanges x, counted from 1"""
    exchanges = x.reshape(math.prod(x.shape[:-1]), x.shape[-1]) - 1
    batch = np.arange(len(exchanges))
    order = np.tile(np.arange(rows), (len(exchanges), 1))
    for k in range(exchanges.shape[1]):
        other = exchanges[:, k]
        order[batch, other], order[:, k] = order[:, k].copy(), order[batch, other]
    return order.reshape(*x.shape[:-1], rows)


@op(OTHER, expects="(…, n, n)")
def eliminated(x: Array) -> Array:
    """U on and above the diagonal, L below it (its diagonal is 1), without exchanges: x = L U"""
    a = x.copy()
    for k in range(a.shape[-1]):
        pivot = a[..., k, k]
        a[..., k + 1 :, k] /= np.where(pivot == 0, 1, pivot)[..., None]
        a[..., k + 1 :, k + 1 :] -= a[..., k + 1 :, k, None] * a[..., None, k, k + 1 :]
    return a


def _halves(packed: Any) -> tuple[Any, Any]:
    """L and U of what `eliminated` gave."""
    return lower(packed, diagonal=-1) + np.eye(packed.shape[-1], dtype=packed.dtype), upper(packed, diagonal=0)


def _elimination_rule(g: Any, out: Any) -> Any:
    """L⁻ᵀ (tril(Lᵀ gl) + triu(gu Uᵀ)) U⁻ᵀ, the first without its diagonal."""
    low, up = _halves(out)
    gl, gu = lower(g, diagonal=-1), upper(g, diagonal=0)
    inner = lower(flip_last(low) @ gl, diagonal=-1) + upper(gu @ flip_last(up), diagonal=0)
    return flip_last(solution(up, flip_last(solution(flip_last(low), inner))))


derive(eliminated, x=_elimination_rule)


class Factors(NamedTuple):
    """What `lu` returns: x = P L U."""

    P: Tensor
    L: Tensor
    U: Tensor


class Compact(NamedTuple):
    """What `lu_factor` returns: L and U in one matrix, and the exchanges of rows."""

    LU: Tensor
    pivots: Tensor


def _ordered(x: Any, order: Any) -> Any:
    """The rows of matrices in this order, (…, m)."""
    axis = x.ndim - 2
    return gathered(x, expanded(reshaped(order, shape=(*order.shape, 1)), shape=x.shape), axis=axis)


def lu_factor(x: Any, *, pivot: bool = True) -> Compact:
    """L and U of matrices (…, m, n), packed into one (…, m, n), and for each column the row exchanged (from 1)."""
    m, n = x.shape[-2:]
    k = min(m, n)
    none = np.broadcast_to(np.arange(1, k + 1, dtype=np.int32), (*x.shape[:-2], k))
    exchanges = pivots(x.detach()) if pivot else wrap(none.copy())
    a = _ordered(x, row_order(exchanges, rows=m))
    block = eliminated(a[..., :k, :k])
    low, up = _halves(block)
    if m > k:  # the rest of L is what times U gives the rest of x
        rest = solution(flip_last(up), flip_last(a[..., k:, :]))
        block = cat([block, flip_last(rest)], -2)
    elif n > k:
        block = cat([block, solution(low, a[..., k:])], -1)
    return Compact(block, exchanges)


def lu_unpack(LU_data: Any, LU_pivots: Any, unpack_data: bool = True, unpack_pivots: bool = True) -> Factors:
    """P, L (…, m, k) and U (…, k, n) of what `lu_factor` gave; k is min(m, n)."""
    m, n = LU_data.shape[-2:]
    k = min(m, n)
    low = lower(LU_data[..., :k], diagonal=-1) + np.eye(m, k, dtype=LU_data.dtype)
    order = row_order(LU_pivots, rows=m)
    rows = np.zeros((*order.shape, m), LU_data.dtype)
    unit = wrap(np.broadcast_to(np.eye(m, dtype=LU_data.dtype), rows.shape).copy())
    places = expanded(reshaped(order, shape=(*order.shape, 1)), shape=rows.shape)
    return Factors(
        scatter_added(wrap(rows), places, unit, axis=rows.ndim - 2), low, upper(LU_data[..., :k, :], diagonal=0)
    )


def lu(x: Any, *, pivot: bool = True) -> Factors:
    """x = P L U: exchanges of rows P (…, m, m), L (…, m, k) with diagonal 1, upper U (…, k, n); k is min(m, n)."""
    return lu_unpack(*lu_factor(x, pivot=pivot))


def _zero_pivots(x: Any) -> Any:
    """For each matrix 0, or the first place, from 1, where elimination meets a 0 on the diagonal."""
    diagonal = np.diagonal(lu_factor(x.detach()).LU.array, axis1=-2, axis2=-1)
    n = diagonal.shape[-1]
    first = np.where(diagonal == 0, np.arange(1, n + 1), n + 1).min(-1, initial=n + 1)
    return wrap(np.where(first > n, 0, first).astype(np.int32))


class Informed(NamedTuple):
    """What `inv_ex` and `solve_ex` return: info is 0 where the matrix was not singular."""

    result: Tensor
    info: Tensor


class CompactInformed(NamedTuple):
    """What `lu_factor_ex` returns."""

    LU: Tensor
    pivots: Tensor
    info: Tensor


def lu_factor_ex(x: Any, *, pivot: bool = True, check_errors: bool = False) -> CompactInformed:
    """`lu_factor` and, for each matrix, 0 or the place of the first 0 on the diagonal of U."""
    return CompactInformed(*lu_factor(x, pivot=pivot), _zero_pivots(x))


def inv_ex(x: Any, *, check_errors: bool = False) -> Informed:
    """`inv` and, for each matrix, 0 or where it is singular; if one is, and unless that is an error, all is NaN."""
    info = _zero_pivots(x)
    return Informed(x * math.nan if info.array.any() and not check_errors else inv(x), info)


def solve_ex(A: Any, B: Any, *, left: bool = True, check_errors: bool = False) -> Informed:
    """`solve` and, for each matrix, 0 or where it is singular; if one is, and unless that is an error, all is NaN."""
    info = _zero_pivots(A)
    return Informed(B * math.nan if info.array.any() and not check_errors else solve(A, B, left=left), info)


def lu_solve(LU: Any, pivots: Any, B: Any, *, left: bool = True, adjoint: bool = False) -> Tensor:
    """X with A X = B (or X A = B, or Aᵀ X = B), where `lu_factor` gave LU and pivots of A."""
    p, low, up = lu_unpack(LU, pivots)
    if not left:
        return flip_last(lu_solve(LU, pivots, flip_last(B), adjoint=not adjoint))
    if adjoint:
        return p @ solve(flip_last(low), solve(flip_last(up), B))
    return solve(up, solve(low, flip_last(p) @ B))

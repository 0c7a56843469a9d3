"""Decompositions of matrices (…, m, n): Cholesky, QR, eigenvalues, singular values. Called as `byhand.linalg`.

NumPy's `linalg` is the kernel. Parts come packed (see `packing`), and the rules read them from the result. Where two
eigenvalues or singular values are equal their vectors have no derivative: their share counts as 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from byhand.core.errors import UsageError
from byhand.core.op import OTHER, derive, op
from byhand.core.recorder import wrap
from byhand.core.variable import Array
from byhand.ops import elementwise as e
from byhand.ops.linalg import flip_last
from byhand.ops.packing import pack, unpack
from byhand.ops.shape import cat
from byhand.ops.solve import solution, square
from byhand.ops.triangle import lower
from byhand.ops.views import diagonal_of, diagonal_scattered, narrowed, reshaped

if TYPE_CHECKING:
    from byhand.tensor import Tensor


@op(OTHER, name="cholesky", expects="(…, n, n)")
def factored(x: Array) -> Array:
    """The lower L with L Lᵀ = x"""
    return np.linalg.cholesky(x)


@op(OTHER, name="eigh", expects="(…, n, n)")
def symmetric_parts(x: Array, *, uplo: str) -> Array:
    """The eigenvalues w (n) and, in columns, the eigenvectors V (n, n) of symmetric x, packed"""
    w, v = np.linalg.eigh(x, uplo)  # type: ignore[call-overload]
    return pack(w, v, batch=x.shape[:-2])


@op(OTHER, name="eig", expects="(…, n, n)")
def general_parts(x: Array) -> Array:
    """The eigenvalues w (n) and, in columns, the eigenvectors V (n, n) of x, packed; complex ones are refused"""
    w, v = np.linalg.eig(x)
    if w.dtype.kind == "c":
        raise np.linalg.LinAlgError("some eigenvalues are complex, which eig does not support; use eigh or svd")
    return pack(w, v, batch=x.shape[:-2])


@op(OTHER, name="svd", expects="(…, m, n)")
def singular_parts(x: Array, *, full: bool) -> Array:
    """U (m, k), the singular values s (k) and Vᵀ (k, n), packed; k is min(m, n), for U and Vᵀ m and n if full"""
    return pack(*np.linalg.svd(x, full), batch=x.shape[:-2])


@op(OTHER, name="qr", expects="(…, m, n)")
def orthogonal_parts(x: Array, *, full: bool) -> Array:
    """Orthogonal Q (m, k) and upper R (k, n), packed; k is min(m, n), or m if full"""
    return pack(*np.linalg.qr(x, "complete" if full else "reduced"), batch=x.shape[:-2])


def halved(x: Any) -> Any:
    """The lower triangle with half of the diagonal."""
    return 0.5 * (lower(x, diagonal=0) + lower(x, diagonal=-1))


def column(x: Any) -> Any:
    """Vectors (…, n) as columns (…, n, 1)."""
    return reshaped(x, shape=(*x.shape, 1))


def row(x: Any) -> Any:
    """Vectors (…, n) as rows (…, 1, n)."""
    return reshaped(x, shape=(*x.shape[:-1], 1, x.shape[-1]))


def embedded(x: Any) -> Any:
    """Vectors (…, n) as diagonals of matrices (…, n, n)."""
    n = len(x.shape)
    return diagonal_scattered(x, shape=(*x.shape, x.shape[-1]), offset=0, axis1=n - 1, axis2=n)


def _over_gaps(x: Any, gaps: Any) -> Any:
    """x / gaps, and 0 where the gap is 0."""
    apart = gaps != 0
    return e.select(apart, x, 0) / e.select(apart, gaps, 1)


def _cholesky_rule(g: Any, out: Any) -> Any:
    """L⁻ᵀ Φ(Lᵀ g) L⁻¹, made symmetric; Φ halves the diagonal of the lower triangle (Murray 2016)."""
    lt = flip_last(out)
    inner = halved(lt @ g)
    return flip_last(solution(lt, flip_last(solution(lt, 0.5 * (inner + flip_last(inner))))))


def _eigh_rule(g: Any, x_shape: tuple[int, ...], out: Any) -> Any:
    """V (diag gw + sym(Vᵀ gv / (wⱼ − wᵢ))) Vᵀ (Giles 2008)."""
    n = x_shape[-1]
    (w, v), (gw, gv) = unpack(out, (n,), (n, n)), unpack(g, (n,), (n, n))
    vt = flip_last(v)
    turns = _over_gaps(vt @ gv, row(w) - column(w))
    return v @ (embedded(gw) + 0.5 * (turns + flip_last(turns))) @ vt


def _eig_rule(g: Any, x_shape: tuple[int, ...], out: Any) -> Any:
    """V⁻ᵀ (diag gw + (Vᵀ gv − Vᵀ V diag(Vᵀ gv)) / (wⱼ − wᵢ)) Vᵀ: columns of V keep the length 1."""
    n = x_shape[-1]
    (w, v), (gw, gv) = unpack(out, (n,), (n, n)), unpack(g, (n,), (n, n))
    vt = flip_last(v)
    along = vt @ gv
    lengths = diagonal_of(along, offset=0, axis1=len(x_shape) - 2, axis2=len(x_shape) - 1)
    inner = embedded(gw) + _over_gaps(along - (vt @ v) * row(lengths), row(w) - column(w))
    return solution(vt, inner @ vt)


def _svd_rule(g: Any, x_shape: tuple[int, ...], out: Any, full: bool) -> Any:
    """U (skew(Uᵀ gu)/E s + s skew(Vᵀ gv)/E + diag gs) Vᵀ with E = sⱼ² − sᵢ², and what leaves the spaces of U and V."""
    m, n = x_shape[-2:]
    k = min(m, n)
    shapes = ((m, m if full else k), (k,), (n if full else k, n))
    (u, s, vt), (gu, gs, gvt) = unpack(out, *shapes), unpack(g, *shapes)
    last = len(x_shape) - 1
    u, gu = (narrowed(x, axis=last, start=0, stop=k) for x in (u, gu))
    vt, gvt = (narrowed(x, axis=last - 1, start=0, stop=k) for x in (vt, gvt))
    gaps = (row(s) - column(s)) * (row(s) + column(s))
    ut = flip_last(u)
    turns_u, turns_v = ut @ gu, vt @ flip_last(gvt)
    inner = _over_gaps(turns_u - flip_last(turns_u), gaps) * row(s)
    inner = inner + column(s) * _over_gaps(turns_v - flip_last(turns_v), gaps) + embedded(gs)
    total = u @ inner @ vt
    if m > k:
        total = total + _over_gaps(gu - u @ turns_u, row(s)) @ vt
    if n > k:
        total = total + u @ _over_gaps(gvt - flip_last(turns_v) @ vt, column(s))
    return total


def _qr_rule(g: Any, x_shape: tuple[int, ...], out: Any, full: bool) -> Any:
    """(gq + Q sym(triu(gr Rᵀ − Qᵀ gq))) R⁻ᵀ, for m ≥ n (Walter and Lehmann 2012)."""
    m, n = x_shape[-2:]
    if full and m > n:
        raise UsageError(
            f"the complete qr of a matrix of shape {x_shape} has no derivative, since its last {m - n} columns of Q "
            "are free; use mode='reduced'"
        )
    (q, r), (gq, gr) = unpack(out, (m, n), (n, n)), unpack(g, (m, n), (n, n))
    difference = flip_last(gr @ flip_last(r) - flip_last(q) @ gq)
    inner = halved(difference)
    return flip_last(solution(r, flip_last(gq + q @ (inner + flip_last(inner)))))


derive(factored, x=_cholesky_rule)
derive(symmetric_parts, x=_eigh_rule)
derive(general_parts, x=_eig_rule)
derive(singular_parts, x=_svd_rule)
derive(orthogonal_parts, x=_qr_rule)

# the public functions


class Eigen(NamedTuple):
    """What `eigh` and `eig` return."""

    eigenvalues: Tensor
    eigenvectors: Tensor


class SVD(NamedTuple):
    """What `svd` returns: x = U diag(S) Vh."""

    U: Tensor
    S: Tensor
    Vh: Tensor


class QR(NamedTuple):
    """What `qr` returns: x = Q R."""

    Q: Tensor
    R: Tensor


class CholeskyEx(NamedTuple):
    """What `cholesky_ex` returns."""

    L: Tensor
    info: Tensor


def cholesky(x: Any, *, upper: bool = False) -> Tensor:
    """The lower L with L Lᵀ = x, or the upper U with Uᵀ U = x, of positive definite matrices (…, n, n).

    Reads the lower triangle of x; the gradient is symmetric. Raises LinAlgError if a matrix is not positive definite.

    >>> import byhand
    >>> byhand.linalg.cholesky(byhand.tensor([[4.0, 2.0], [2.0, 5.0]]))
    tensor([[2., 0.],
            [1., 2.]])
    """
    square(x, "cholesky")
    found = factored(flip_last(x) if upper else x)
    return flip_last(found) if upper else found


def eigh(x: Any, UPLO: str = "L") -> Eigen:
    """The eigenvalues w, in ascending order, and eigenvectors V (in columns) of symmetric matrices: x = V diag(w) Vᵀ.

    Only one triangle of x is read. Eigenvectors have a derivative where the eigenvalues differ.

    >>> import byhand
    >>> byhand.linalg.eigh(byhand.tensor([[2.0, 1.0], [1.0, 2.0]])).eigenvalues
    tensor([1., 3.])
    """
    n = square(x, "eigh")
    return Eigen(*unpack(symmetric_parts(x, uplo=UPLO.upper()), (n,), (n, n)))


def eigvalsh(x: Any, UPLO: str = "L") -> Tensor:
    """The eigenvalues of symmetric matrices, in ascending order; see `eigh`."""
    return eigh(x, UPLO).eigenvalues


def eig(x: Any) -> Eigen:
    """The eigenvalues and eigenvectors of matrices whose eigenvalues are real; raises LinAlgError where some are not.

    Unlike PyTorch's, which is complex always, the result is real.
    """
    n = square(x, "eig")
    return Eigen(*unpack(general_parts(x), (n,), (n, n)))


def eigvals(x: Any) -> Tensor:
    """The eigenvalues of matrices that have real ones; see `eig`."""
    return eig(x).eigenvalues


def svd(x: Any, full_matrices: bool = True, *, driver: str | None = None) -> SVD:
    """x = U diag(S) Vh: U (…, m, m), S (…, k) in descending order, Vh (…, n, n); m and n become k if not full.

    U and Vh have a derivative where the singular values differ, of which the first k columns and rows count.

    >>> import byhand
    >>> byhand.linalg.svd(byhand.tensor([[3.0, 0.0], [0.0, 4.0]])).S
    tensor([4., 3.])
    """
    m, n = x.shape[-2:]
    k = min(m, n)
    parts = singular_parts(x, full=full_matrices)
    if full_matrices:
        return SVD(*unpack(parts, (m, m), (k,), (n, n)))
    return SVD(*unpack(parts, (m, k), (k,), (k, n)))


def svdvals(x: Any, *, driver: str | None = None) -> Tensor:
    """The singular values (…, min(m, n)), in descending order."""
    return svd(x, False).S


def qr(x: Any, mode: str = "reduced") -> QR:
    """x = Q R, with orthonormal columns Q and upper triangular R.

    mode  "reduced" (Q (…, m, k), R (…, k, n)), "complete" (Q (…, m, m), R (…, m, n)) or "r" (Q is empty)
    """
    m, n = x.shape[-2:]
    if mode not in ("reduced", "complete", "r"):
        raise UsageError(f"qr: mode is 'reduced', 'complete' or 'r', not {mode!r}")
    full = mode == "complete"
    if m < n:  # the rest of R is Qᵀ times the rest of x, so that the rule need only know m ≥ n
        last = x.ndim - 1
        q, left = unpack(orthogonal_parts(narrowed(x, axis=last, start=0, stop=m), full=False), (m, m), (m, m))
        r = cat([left, flip_last(q) @ narrowed(x, axis=last, start=m, stop=n)], last)
    else:
        k = m if full else n
        q, r = unpack(orthogonal_parts(x, full=full), (m, k), (k, n))
    return QR(wrap(np.zeros(0, x.dtype)) if mode == "r" else q, r)


def cholesky_ex(x: Any, *, upper: bool = False, check_errors: bool = False) -> CholeskyEx:
    """`cholesky` and, for each matrix, 0, or the size of the first leading block that is not positive definite.

    If there is such a block and it is not to be an error, L is NaN as a whole.
    """
    n = square(x, "cholesky_ex")
    sizes = np.zeros(x.shape[:-2], np.int32)
    for k in () if check_errors else range(n, 0, -1):
        least = np.linalg.eigvalsh(x.array[..., :k, :k])[..., 0]
        sizes[least <= 0] = k
    return CholeskyEx(x * float("nan") if sizes.any() else cholesky(x, upper=upper), wrap(sizes))

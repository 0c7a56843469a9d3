"""Linear systems, inverses and the matrix exponential, for matrices (…, n, n) at once.

Called by users as `byhand.linalg`, and by the rules of `decomposition`. NumPy's `linalg` is the kernel; the rules are
written in the same ops, so that the set is closed. A singular matrix raises LinAlgError.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from byhand.core.errors import ShapeError, UsageError
from byhand.core.op import OTHER, derive, op
from byhand.core.variable import Array
from byhand.ops.axes import together
from byhand.ops.linalg import flip_last
from byhand.ops.shape import cat, pad
from byhand.ops.triangle import lower, upper
from byhand.ops.views import expanded, narrowed, permuted, reshaped

if TYPE_CHECKING:
    from byhand.tensor import Tensor


@op(OTHER, name="solve", expects="A (…, n, n) and B (…, n, k)")
def solution(x: Array, y: Array) -> Array:
    """x⁻¹ y"""
    return np.linalg.solve(x, y)


@op(OTHER, name="inv", expects="(…, n, n)")
def inverted(x: Array) -> Array:
    """x⁻¹"""
    return np.linalg.inv(x)


@op(OTHER, name="pinv")
def pseudoinverse(x: Array, *, atol: Any, rtol: Any) -> Array:
    """The Moore–Penrose inverse; singular values up to max(atol, rtol · the largest) count as 0"""
    u, s, vh = np.linalg.svd(x, full_matrices=False)
    tolerance = np.maximum(atol, rtol * s.max(-1, initial=0))
    large = s > tolerance[..., None]
    inverse = np.where(large, 1 / np.where(large, s, 1), 0)
    return np.swapaxes(vh, -1, -2) @ (inverse[..., None] * np.swapaxes(u, -1, -2))


# Higham (2005): the coefficients of the [13/13] Padé approximant of eˣ, and up to which 1-norm it is exact in float64
PADE = (
    64764752532480000, 32382376266240000, 7771770303897600, 1187353796428800, 129060195264000, 10559470521600,
    670442572800, 33522128640, 1323241920, 40840800, 960960, 16380, 182, 1,
)  # fmt: skip
REACH = 5.371920351148152


@op(OTHER, expects="(…, n, n)")
def matrix_exp(x: Array) -> Array:
    """eˣ = Σ xᵏ / k! of matrices (…, n, n), by scaling and squaring (Higham 2005)"""
    top = float(np.abs(x).sum(-2).max(initial=0.0))
    halvings = math.ceil(math.log2(top / REACH)) if REACH < top < math.inf else 0
    a, unit = x * 0.5**halvings, np.eye(x.shape[-1], dtype=x.dtype)
    b = [c / PADE[0] for c in PADE]
    a2 = a @ a
    a4 = a2 @ a2
    a6 = a4 @ a2
    odd = a @ (a6 @ (b[13] * a6 + b[11] * a4 + b[9] * a2) + b[7] * a6 + b[5] * a4 + b[3] * a2 + b[1] * unit)
    even = a6 @ (b[12] * a6 + b[10] * a4 + b[8] * a2) + b[6] * a6 + b[4] * a4 + b[2] * a2 + b[0] * unit
    out = np.linalg.solve(even - odd, even + odd)
    for _ in range(halvings):
        out = out @ out
    return out


def _pinv_rule(g: Any, x: Any, out: Any) -> Any:
    """Golub and Pereyra (1973): dP = −P dA P + P Pᵀ dAᵀ (1 − A P) + (1 − P A) dAᵀ Pᵀ P."""
    pt, gt = flip_last(out), flip_last(g)
    left, right = gt - (x @ out) @ gt, gt - gt @ (out @ x)
    return left @ (out @ pt) + (pt @ out) @ right - (pt @ g) @ pt


def _exponential_rule(g: Any, x: Any) -> Any:
    """The derivative of eˣ towards g is a block of the exponential of (x, g; 0, x) (Najfeld and Havel 1995)."""
    n, last, xt = x.shape[-1], len(x.shape) - 1, flip_last(x)
    whole = matrix_exp(cat([cat([xt, g], last), pad(xt, (n, 0))], last - 1))
    rows = narrowed(whole, axis=last - 1, start=0, stop=n)
    return narrowed(rows, axis=last, start=n, stop=2 * n)


derive(
    solution,
    x=lambda g, x, out: -(solution(flip_last(x), g) @ flip_last(out)),
    y=lambda g, x: solution(flip_last(x), g),
)
derive(inverted, x=lambda g, out: -(flip_last(out) @ g @ flip_last(out)))
derive(pseudoinverse, x=_pinv_rule)
derive(matrix_exp, x=_exponential_rule)

# the public functions


def square(x: Any, name: str) -> int:
    """The n of matrices (…, n, n); raises ShapeError if they are none."""
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise ShapeError(f"{name}: square matrices (…, n, n) are expected, x has shape {x.shape}")
    size: int = x.shape[-1]
    return size


def inv(x: Any) -> Tensor:
    """The inverses of matrices (…, n, n); raises LinAlgError if one is singular.

    >>> import byhand
    >>> byhand.linalg.inv(byhand.tensor([[2.0, 0.0], [0.0, 4.0]]))
    tensor([[0.5000, 0.0000],
            [0.0000, 0.2500]])
    """
    square(x, "inv")
    return inverted(x)


inverse = inv


def solve(A: Any, B: Any, *, left: bool = True) -> Tensor:
    """X with A X = B, or X A = B if `left` is off; A (…, n, n), B (…, n, k) or a vector (or batch of vectors) (…, n).

    >>> import byhand
    >>> byhand.linalg.solve(byhand.tensor([[2.0, 0.0], [0.0, 4.0]]), byhand.tensor([1.0, 1.0]))
    tensor([0.5000, 0.2500])
    """
    n = square(A, "solve")
    vector = B.ndim == 1 or (B.ndim == A.ndim - 1 and B.shape == A.shape[:-1])
    if vector:
        B = reshaped(B, shape=(*B.shape, 1))
    rows = -2 if left or vector else -1
    if B.ndim < 2 or B.shape[rows] != n:
        raise ShapeError(f"solve got A {A.shape} and B {B.shape}; expected A (…, n, n) and B (…, n, k)")
    if vector or left:
        found = _solved(A, B)
        return reshaped(found, shape=found.shape[:-1]) if vector else found
    return flip_last(_solved(flip_last(A), flip_last(B)))


def _solved(A: Any, B: Any) -> Any:
    together("solve", A.shape[:-2], B.shape[:-2])
    return solution(A, B)


def solve_triangular(A: Any, B: Any, *, upper: bool, left: bool = True, unitriangular: bool = False) -> Tensor:
    """X with A X = B, where only one triangle of A is read, whose diagonal counts as 1 if `unitriangular`."""
    return solve(_triangle(A, upper, unitriangular), B, left=left)


def _triangle(A: Any, is_upper: bool, unit: bool) -> Any:
    n = square(A, "solve_triangular")
    offset = int(unit)
    part = upper(A, diagonal=offset) if is_upper else lower(A, diagonal=-offset)
    return part + np.eye(n, dtype=A.dtype) if unit else part


def cholesky_solve(B: Any, L: Any, upper: bool = False) -> Tensor:
    """X with (L Lᵀ) X = B, or (Lᵀ L) X = B if the factor is upper."""
    factor = flip_last(_triangle(L, True, False)) if upper else _triangle(L, False, False)
    return solve(flip_last(factor), solve(factor, B))


def cholesky_inverse(L: Any, upper: bool = False) -> Tensor:
    """(L Lᵀ)⁻¹, or (Lᵀ L)⁻¹ if the factor is upper."""
    factor = flip_last(_triangle(L, True, False)) if upper else _triangle(L, False, False)
    half = inv(factor)
    return flip_last(half) @ half


def tolerances(x: Any, atol: Any, rtol: Any) -> tuple[Any, Any]:
    """PyTorch's defaults: rtol = max(m, n) · ε, or 0 if atol is given and positive."""
    atol, rtol = (None if t is None else getattr(t, "array", t) for t in (atol, rtol))
    if rtol is None:
        usual = float(max(x.shape[-2:]) * np.finfo(x.dtype).eps)
        rtol = usual if atol is None else np.where(np.asarray(atol) > 0, 0.0, usual)
    return (0.0 if atol is None else atol), rtol


def pinv(x: Any, rcond: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None) -> Tensor:
    """The Moore–Penrose inverses of matrices (…, m, n); singular values up to max(atol, rtol · the largest) count as 0.

    The derivative is that of Golub and Pereyra (1973), right where the rank does not change.
    """
    atol, rtol = tolerances(x, atol, rcond if rtol is None else rtol)
    if hermitian:  # the lower triangle is read
        x = lower(x, diagonal=0) + flip_last(lower(x, diagonal=-1))
    return pseudoinverse(x, atol=atol, rtol=rtol)


pinverse = pinv


def matrix_power(x: Any, n: int) -> Tensor:
    """x multiplied by itself n times by squaring; the inverse for n = −1, the unit matrix for 0."""
    size = square(x, "matrix_power")
    if n == 0:
        return expanded(np.eye(size, dtype=x.dtype) + reshaped(x, shape=x.shape) * 0, shape=x.shape)
    base, n = (inv(x), -n) if n < 0 else (x, n)
    result = None
    while True:
        if n % 2:
            result = base if result is None else result @ base
        n //= 2
        if not n:
            return result + 0 if result is x else result  # type: ignore[return-value]
        base = base @ base


def tensorinv(x: Any, ind: int = 2) -> Tensor:
    """The inverse of the map between the first `ind` axes and the rest: tensordot(tensorinv(x), x, ind) is the unit."""
    if ind < 1:
        raise UsageError(f"tensorinv: ind must be positive, not {ind}")
    first, rest = x.shape[:ind], x.shape[ind:]
    if math.prod(first) != math.prod(rest):
        raise ShapeError(f"tensorinv: the axes {first} and {rest} of x have different numbers of values")
    n = math.prod(first)
    return reshaped(inv(reshaped(x, shape=(n, n))), shape=(*rest, *first))


def tensorsolve(A: Any, B: Any, dims: Any = None) -> Tensor:
    """X with tensordot(A, X, X.ndim) = B; the axes `dims` of A are moved to its end before."""
    if dims is not None:
        moved = [d % A.ndim for d in dims]
        A = permuted(A, axes=(*[i for i in range(A.ndim) if i not in moved], *moved))
    shape = A.shape[B.ndim :]
    n = math.prod(shape)
    if n != math.prod(B.shape):
        raise ShapeError(f"tensorsolve got A {A.shape} and B {B.shape}; expected A (*B.shape, …) with as many values")
    return reshaped(solve(reshaped(A, shape=(n, n)), reshaped(B, shape=(n,))), shape=shape)

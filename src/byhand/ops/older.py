"""Linear algebra by its names from before `torch.linalg`, as `byhand` has them: the results differ a little."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from byhand.ops import decomposition, elimination, product, reduce
from byhand.ops.linalg import flip_last
from byhand.ops.matrix_norm import matrix_norm
from byhand.ops.solve import solve_triangular

if TYPE_CHECKING:
    from byhand.tensor import Tensor


def norm(x: Any, p: Any = "fro", dim: Any = None, keepdim: Any = None, **options: Any) -> Tensor:
    """The p-norm (Σ |x|ᵖ)^(1/p) over one, several or all axes; p may be "fro", "nuc" (of matrices), ±inf or a number.

    >>> import byhand
    >>> byhand.norm(byhand.tensor([3.0, 4.0]))
    tensor(5.)
    """
    if p == "nuc":
        return matrix_norm(x, "nuc", (-2, -1) if dim is None else dim, bool(keepdim))
    return reduce.norm(x, p, dim, keepdim, **options)


def vander(x: Any, N: int | None = None, increasing: bool = False) -> Tensor:
    """`linalg.vander` with the highest power first unless told otherwise."""
    return product.vander(x, N, increasing)


class SVD(NamedTuple):
    """What `byhand.svd` returns: x = U diag(S) Vᵀ."""

    U: Tensor
    S: Tensor
    V: Tensor


class TriangularSolution(NamedTuple):
    """What `triangular_solve` returns."""

    solution: Tensor
    cloned_coefficient: Tensor


def svd(x: Any, some: bool = True, compute_uv: bool = True) -> SVD:
    """x = U diag(S) Vᵀ with V itself, where `linalg.svd` gives Vᵀ; zeros for U and V if they are not wanted."""
    u, s, vh = decomposition.svd(x, not some)
    return SVD(u, s, flip_last(vh)) if compute_uv else SVD(u.detach() * 0, s, flip_last(vh).detach() * 0)


def qr(x: Any, some: bool = True) -> decomposition.QR:
    """`linalg.qr`, reduced if `some`, else complete."""
    return decomposition.qr(x, "reduced" if some else "complete")


def cholesky(x: Any, upper: bool = False) -> Tensor:
    """`linalg.cholesky`."""
    return decomposition.cholesky(x, upper=upper)


def lu(x: Any, pivot: bool = True, get_infos: bool = False) -> tuple[Tensor, ...]:
    """`linalg.lu_factor`, or with get_infos `linalg.lu_factor_ex`."""
    return tuple((elimination.lu_factor_ex if get_infos else elimination.lu_factor)(x, pivot=pivot))


def lu_solve(b: Any, LU_data: Any, LU_pivots: Any) -> Tensor:
    """`linalg.lu_solve` with the right side first."""
    return elimination.lu_solve(LU_data, LU_pivots, b)


def triangular_solve(
    b: Any, A: Any, upper: bool = True, transpose: bool = False, unitriangular: bool = False
) -> TriangularSolution:
    """X with A X = b for triangular A (or Aᵀ X = b), and A."""
    matrix = flip_last(A) if transpose else A
    found = solve_triangular(matrix, b, upper=upper != transpose, unitriangular=unitriangular)
    return TriangularSolution(found, A * np.ones((), A.dtype))

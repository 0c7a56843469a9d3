"""Linear algebra under PyTorch's names, `torch.linalg`: an alias for the ops, where each function is documented."""

from __future__ import annotations

from typing import Any

from byhand.core.errors import LinAlgError
from byhand.ops.decomposition import cholesky, cholesky_ex, eig, eigh, eigvals, eigvalsh, qr, svd, svdvals
from byhand.ops.determinant import det, slogdet
from byhand.ops.elimination import inv_ex, lu, lu_factor, lu_factor_ex, lu_solve, solve_ex
from byhand.ops.least_squares import lstsq
from byhand.ops.linalg import matmul
from byhand.ops.matrix_norm import cond, matrix_norm, matrix_rank, norm, vector_norm
from byhand.ops.product import crossed as cross
from byhand.ops.product import householder_product, multi_dot, vander, vecdot
from byhand.ops.solve import (
    inv,
    matrix_exp,
    matrix_power,
    pinv,
    solve,
    solve_triangular,
    tensorinv,
    tensorsolve,
)  # fmt: skip
from byhand.ops.triangle import diagonal as _diagonal


def diagonal(A: Any, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Any:
    """The diagonals of matrices in the last two axes; a view."""
    return _diagonal(A, offset, dim1, dim2)


__all__ = [
    "LinAlgError", "cholesky", "cholesky_ex", "cond", "cross", "det", "diagonal", "eig", "eigh", "eigvals", "eigvalsh",
    "householder_product", "inv", "inv_ex", "lstsq", "lu", "lu_factor", "lu_factor_ex", "lu_solve", "matmul",
    "matrix_exp", "matrix_norm", "matrix_power", "matrix_rank", "multi_dot", "norm", "pinv", "qr", "slogdet", "solve",
    "solve_ex", "solve_triangular", "svd", "svdvals", "tensorinv", "tensorsolve", "vander", "vecdot", "vector_norm",
]  # fmt: skip

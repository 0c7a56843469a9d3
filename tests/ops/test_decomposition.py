"""Linear algebra: what singular, odd or complex input is told. Values are in the laws and in parity."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import byhand
from byhand import linalg
from byhand.core.errors import LinAlgError, ShapeError, UsageError
from byhand.tensor import Tensor

RNG = np.random.default_rng(0)
SINGULAR = byhand.tensor(np.stack([np.eye(2), np.ones((2, 2))]))


def matrix(*shape: int) -> Tensor:
    return Tensor(RNG.standard_normal(shape))


def test_singular_matrices_raise() -> None:
    for call in (linalg.inv, lambda x: linalg.solve(x, byhand.ones(2, 2, 1, dtype=byhand.float64))):
        with pytest.raises(LinAlgError, match=r"Singular matrix; the operands have shapes \(2, 2, 2\)"):
            call(SINGULAR)
    assert issubclass(LinAlgError, RuntimeError)
    assert issubclass(LinAlgError, ValueError)


def test_matrices_that_are_not_positive_definite() -> None:
    x = byhand.tensor(np.diag([1.0, -1.0, 2.0]))
    with pytest.raises(LinAlgError, match="cholesky: Matrix is not positive definite"):
        linalg.cholesky(x)
    found = linalg.cholesky_ex(x)
    assert found.info.item() == 2
    assert found.L.isnan().all()
    with pytest.raises(LinAlgError):
        linalg.cholesky_ex(x, check_errors=True)


def test_singular_matrices_are_told_by_info() -> None:
    found = linalg.inv_ex(SINGULAR)
    assert found.info.tolist() == [0, 2]
    assert found.result.isnan().all()
    assert linalg.solve_ex(SINGULAR[0], SINGULAR[0]).info.item() == 0
    with pytest.raises(LinAlgError):
        linalg.inv_ex(SINGULAR, check_errors=True)


def test_complex_eigenvalues_are_refused() -> None:
    with pytest.raises(LinAlgError, match="eig: some eigenvalues are complex, which eig does not support; use eigh"):
        linalg.eig(byhand.tensor([[0.0, -1.0], [1.0, 0.0]]))


@pytest.mark.parametrize(
    "call", [linalg.inv, linalg.det, linalg.cholesky, linalg.eigh, linalg.eig, lambda x: linalg.matrix_power(x, 2)]
)
def test_matrices_must_be_square(call: Any) -> None:
    with pytest.raises(ShapeError, match=r"square matrices \(…, n, n\) are expected, x has shape \(2, 3\)"):
        call(matrix(2, 3))


def test_shapes_are_named() -> None:
    with pytest.raises(ShapeError, match=r"solve got A \(3, 3\) and B \(2, 1\); expected A \(…, n, n\)"):
        linalg.solve(matrix(3, 3), matrix(2, 1))
    with pytest.raises(ShapeError, match=r"lstsq got A \(4, 3\) and B \(3, 1\)"):
        linalg.lstsq(matrix(4, 3), matrix(3, 1))
    with pytest.raises(ShapeError, match=r"cross got .* expected the size 3 along axis -1"):
        linalg.cross(matrix(2), matrix(2))
    with pytest.raises(ShapeError, match="multi_dot got"):
        linalg.multi_dot([matrix(2, 3), matrix(2, 3, 4)])
    with pytest.raises(ShapeError, match="tensorinv: the axes"):
        linalg.tensorinv(matrix(2, 3), 1)
    with pytest.raises(ShapeError, match="tensorsolve got"):
        linalg.tensorsolve(matrix(2, 3), matrix(2))
    with pytest.raises(ShapeError, match="matrix_norm takes two axes"):
        linalg.matrix_norm(matrix(3))


def test_words_that_are_not_known() -> None:
    with pytest.raises(UsageError, match="qr: mode is 'reduced', 'complete' or 'r', not 'full'"):
        linalg.qr(matrix(2, 2), "full")
    with pytest.raises(UsageError, match="ord='max' is not known"):
        linalg.matrix_norm(matrix(2, 2), "max")
    with pytest.raises(UsageError, match="ord='nuc' is for matrices"):
        linalg.norm(matrix(2), "nuc")


def test_the_complete_qr_has_no_derivative() -> None:
    q, _ = linalg.qr(matrix(3, 2).requires_grad_(), "complete")
    with pytest.raises(UsageError, match="its last 1 columns of Q are free; use mode='reduced'"):
        q.sum().backward()


def test_equal_eigenvalues_have_gradients() -> None:
    x = byhand.eye(3, dtype=byhand.float64).requires_grad_()
    linalg.eigvalsh(x).sum().backward()
    assert x.grad is not None
    np.testing.assert_allclose(x.grad.array, np.eye(3), atol=1e-12)
    x.grad = None
    linalg.svdvals(x).sum().backward()
    np.testing.assert_allclose(x.grad.array, np.eye(3), atol=1e-12)  # type: ignore[attr-defined]


@pytest.mark.parametrize("rank", [1, 2])
def test_gradient_of_a_determinant_that_is_zero(rank: int) -> None:
    """The cofactors: those of a matrix of rank n − 1 are not 0."""
    array = np.diag([2.0, 3.0, 0.0][:rank] + [0.0] * (3 - rank))
    x = byhand.tensor(array).requires_grad_()
    linalg.det(x).backward()
    assert x.grad is not None
    np.testing.assert_allclose(x.grad.array, np.diag([0.0, 0.0, 6.0 if rank == 2 else 0.0]), atol=1e-12)


@pytest.mark.parametrize("shape", [(4, 3), (3, 4), (3, 3)])
def test_decompositions_give_the_matrix_back(shape: tuple[int, int]) -> None:
    x = matrix(2, *shape)
    for mode in ("reduced", "complete"):
        q, r = linalg.qr(x, mode)
        np.testing.assert_allclose((q @ r).array, x.array, atol=1e-12)
    u, s, vh = linalg.svd(x, full_matrices=False)
    np.testing.assert_allclose(((u * s.unsqueeze(-2)) @ vh).array, x.array, atol=1e-12)
    p, low, up = linalg.lu(x)
    np.testing.assert_allclose((p @ low @ up).array, x.array, atol=1e-12)
    assert linalg.qr(x, "r").Q.shape == (0,)

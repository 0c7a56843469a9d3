"""Linear algebra beside PyTorch's, at PyTorch's own sample inputs."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import byhand  # noqa: E402
from parity.questions import agree, questions  # noqa: E402

NAMES = [
    "linalg.cholesky", "linalg.cholesky_ex", "linalg.cond", "linalg.cross", "linalg.det", "linalg.diagonal",
    "linalg.eigh", "linalg.eigvalsh", "linalg.householder_product", "linalg.inv", "linalg.inv_ex", "linalg.lstsq",
    "linalg.lu", "linalg.lu_factor", "linalg.lu_factor_ex", "linalg.lu_solve", "linalg.matrix_norm",
    "linalg.matrix_power", "linalg.matrix_rank", "linalg.matrix_rank/hermitian", "linalg.multi_dot", "linalg.norm",
    "linalg.pinv", "linalg.qr", "linalg.slogdet", "linalg.solve", "linalg.solve_ex", "linalg.solve_triangular",
    "linalg.svd", "linalg.svdvals", "linalg.tensorinv", "linalg.tensorsolve", "linalg.vander", "linalg.vecdot",
    "linalg.vector_norm", "addbmm", "addmm", "addmv", "addr", "baddbmm", "cholesky", "cross", "kron",
    "logdet", "lu_solve", "lu_unpack", "matrix_exp", "pinverse", "qr", "svd", "tensordot", "trace", "triangular_solve",
]  # fmt: skip
UNSIGNED = {"linalg.eigh": (1,), "linalg.svd": (0, 2), "svd": (0, 2)}  # results whose columns have free signs


def function(name: str) -> object:
    found: object = byhand
    for part in name.split("/")[0].split("."):
        found = getattr(found, part)
    return found


def free_columns(name: str, args: tuple, kwargs: dict) -> bool:
    """Whether U or V has columns that may be any basis of a null space."""
    full = kwargs.get("full_matrices", True) if name == "linalg.svd" else not kwargs.get("some", True)
    return name.endswith("svd") and full and args[0].shape[-1] != args[0].shape[-2]


@pytest.mark.filterwarnings("ignore")  # PyTorch says of some names that they are old
@pytest.mark.parametrize("name", NAMES)
def test_like_pytorch(name):
    asked = 0
    for question in questions(name):
        if not free_columns(name, question[1], question[2]):
            agree(function(name), question, UNSIGNED.get(name, ()), 1e-8)
            asked += 1
    assert asked


@pytest.mark.parametrize("matrix", [np.diag([2.0, -1.0, 0.5]), np.array([[2.0, 1.0], [0.0, 3.0]])])
def test_eig_of_real_spectra(matrix):
    w, v = byhand.linalg.eig(byhand.tensor(matrix))
    order = np.argsort(w.array)
    theirs = torch.linalg.eig(torch.tensor(matrix))
    other = np.argsort(theirs.eigenvalues.real.numpy())
    np.testing.assert_allclose(w.array[order], theirs.eigenvalues.real.numpy()[other], rtol=1e-12)
    np.testing.assert_allclose(
        np.abs(v.array[:, order]), np.abs(theirs.eigenvectors.real.numpy()[:, other]), rtol=1e-12, atol=1e-12
    )


def test_chain_matmul_is_multi_dot():
    chain = [np.random.default_rng(0).standard_normal(s) for s in [(2, 5), (5, 1), (1, 4), (4, 3)]]
    found = byhand.chain_matmul(*map(byhand.tensor, chain))
    np.testing.assert_allclose(found.array, np.linalg.multi_dot(chain), rtol=1e-12)


@pytest.mark.parametrize("upper", [True, False])
def test_solving_with_a_cholesky_factor(upper):
    rng = np.random.default_rng(1)
    factor, right = np.tril(rng.standard_normal((3, 3))) + 3 * np.eye(3), rng.standard_normal((3, 2))
    factor = factor.T.copy() if upper else factor
    for mine, other, args in [
        (byhand.cholesky_solve, torch.cholesky_solve, (right, factor)),
        (byhand.cholesky_inverse, torch.cholesky_inverse, (factor,)),
    ]:
        a, b = mine(*map(byhand.tensor, args), upper=upper), other(*map(torch.tensor, args), upper=upper)
        np.testing.assert_allclose(a.array, b.numpy(), rtol=1e-10)

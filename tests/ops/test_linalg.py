"""Products: shapes as they broadcast, einsum's notation, distances."""

from __future__ import annotations

import numpy as np
import pytest

import byhand
from byhand.core.errors import ByhandError, ShapeError

EQUATIONS = [
    ("ij,jk", [(2, 3), (3, 4)]), ("ij,jk->ki", [(2, 3), (3, 4)]), ("ii", [(3, 3)]), ("ii->i", [(3, 3)]),
    ("i,i", [(3,), (3,)]), ("i,j->ij", [(2,), (3,)]),
    ("ij->", [(2, 3)]), ("bij,bjk->bik", [(2, 3, 4), (2, 4, 5)]), ("...i,...i->...", [(2, 3), (2, 3)]),
    ("...ij->...ji", [(2, 3, 4)]),
    ("ijk,jil->kl", [(2, 3, 4), (3, 2, 5)]), ("i,j,k->ijk", [(2,), (3,), (4,)]), ("ij,kj->ik", [(2, 3), (4, 3)]),
    ("iij->j", [(2, 2, 3)]),
    ("ba", [(2, 3)]), ("...j,jk->...k", [(2, 5, 3), (3, 4)]), ("ij,j->ij", [(2, 3), (3,)]),
    ("bqd,bkd->bqk", [(2, 3, 4), (2, 5, 4)]),
]  # fmt: skip


@pytest.mark.parametrize(("equation", "shapes"), EQUATIONS)
def test_einsum_is_numpys_and_differentiable(equation: str, shapes: list[tuple[int, ...]]) -> None:
    xs = [byhand.randn(s, dtype=byhand.float64).requires_grad_() for s in shapes]
    np.testing.assert_allclose(
        byhand.einsum(equation, *xs).detach(), np.einsum(equation, *[x.detach().numpy() for x in xs]), rtol=1e-12
    )
    assert byhand.autograd.gradcheck(lambda *v: byhand.einsum(equation, *v), xs)
    assert byhand.autograd.gradgradcheck(lambda *v: byhand.einsum(equation, *v), xs)


def test_einsum_broadcasts_axes_of_size_1() -> None:
    x, y = byhand.ones(2, 1, requires_grad=True), byhand.ones(3, 4)
    byhand.einsum("ij,jk->ik", x, y).sum().backward()
    assert x.grad.tolist() == [[12], [12]]


@pytest.mark.parametrize("equation", ["ij->k", "ij->iij", "i->i", "ij", "i.j->ij", "ij,ij->ij,"])
def test_einsum_refuses_nonsense(equation: str) -> None:
    if equation == "ij":
        return
    with pytest.raises(ByhandError, match="einsum"):
        byhand.einsum(equation, byhand.ones(2, 3))


def test_results_of_einsum_are_its_own() -> None:
    x = byhand.ones(2, 3)
    byhand.einsum("ij->ji", x).mul_(5)
    assert x.sum().item() == 6


@pytest.mark.parametrize(
    ("a", "b"),
    [((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 4)), ((2, 3), (3, 4)), ((5, 2, 3), (3, 4)), ((2, 3), (5, 3, 4)),
        ((5, 2, 3), (5, 3, 4)),
     ((5, 1, 2, 3), (6, 3, 4)), ((5, 2, 3), (3,)), ((3,), (5, 3, 4)), ((0, 3), (3, 4)), ((2, 0), (0, 4))],
)  # fmt: skip
def test_matmul_in_all_shapes(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    x, y = (
        byhand.randn(a, dtype=byhand.float64).requires_grad_(),
        byhand.randn(b, dtype=byhand.float64).requires_grad_(),
    )
    np.testing.assert_allclose((x @ y).detach(), x.detach().numpy() @ y.detach().numpy(), rtol=1e-12)
    assert byhand.autograd.gradcheck(byhand.matmul, (x, y))
    assert byhand.autograd.gradgradcheck(byhand.matmul, (x, y))


def test_distances() -> None:
    x, y = (
        byhand.randn(30, 5, dtype=byhand.float64).requires_grad_(),
        byhand.randn(4, 5, dtype=byhand.float64).requires_grad_(),
    )
    direct = (x.detach().numpy()[:, None] - y.detach().numpy()[None]) ** 2
    np.testing.assert_allclose(byhand.cdist(x, y).detach(), np.sqrt(direct.sum(-1)), rtol=1e-9)
    byhand.cdist(x, x).sum().backward()  # distances of 0 have no slope, and no NaN
    assert bool(x.grad.isfinite().all())
    assert byhand.autograd.gradcheck(byhand.cdist, (x, y))


def test_addmm_scales() -> None:
    c, a, b = byhand.ones(2, 2), byhand.ones(2, 3), byhand.ones(3, 2)
    assert byhand.addmm(c, a, b, beta=2, alpha=10).tolist() == [[32, 32], [32, 32]]
    assert c.addmv(a, byhand.ones(3)).tolist() == [[4, 4], [4, 4]]


def test_wrong_ranks_are_named() -> None:
    for call, said in (
        (lambda: byhand.mv(byhand.ones(2), byhand.ones(2)), "mv got"),
        (lambda: byhand.outer(byhand.ones(2, 2), byhand.ones(2)), "outer got"),
        (lambda: byhand.bmm(byhand.ones(2, 2, 3), byhand.ones(3, 3, 2)), "bmm got"),
        (lambda: byhand.tensordot(byhand.ones(2, 3), byhand.ones(2, 3), 1), "tensordot got"),
        (lambda: byhand.ones(2) @ byhand.tensor(3.0), "matmul got"),
    ):  # fmt: skip
        with pytest.raises(ShapeError, match=said):
            call()

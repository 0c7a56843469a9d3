from __future__ import annotations

import numpy as np
import pytest

import byhand
from byhand.core.errors import UsageError

RNG = np.random.default_rng(0)
Y, PLACES = RNG.standard_normal((3, 6)), np.sort(RNG.standard_normal(6))


def test_trapezoids_are_numpys() -> None:
    y, x = byhand.tensor(Y), byhand.tensor(PLACES)
    np.testing.assert_allclose(byhand.trapezoid(y, x), np.trapezoid(Y, PLACES), rtol=1e-12)
    np.testing.assert_allclose(byhand.trapz(y, dx=0.5, dim=0), np.trapezoid(Y, dx=0.5, axis=0), rtol=1e-12)
    running = byhand.cumulative_trapezoid(y, x)
    np.testing.assert_allclose(running[:, -1], np.trapezoid(Y, PLACES), rtol=1e-12)
    with pytest.raises(UsageError, match="6 values"):
        byhand.trapezoid(y, x[:3])


@pytest.mark.parametrize("edge_order", [1, 2])
def test_gradients_are_numpys(edge_order: int) -> None:
    y = byhand.tensor(Y)
    for mine, expected in zip(
        byhand.gradient(y, edge_order=edge_order), np.gradient(Y, edge_order=edge_order), strict=True
    ):
        np.testing.assert_allclose(mine, expected, rtol=1e-12)
    (along,) = byhand.gradient(y, spacing=[byhand.tensor(PLACES)], dim=1, edge_order=edge_order)
    np.testing.assert_allclose(along, np.gradient(Y, PLACES, axis=1, edge_order=edge_order), rtol=1e-9)


def test_running_logarithms_do_not_overflow() -> None:
    x = byhand.tensor([1000.0, 1001.0, -1000.0], dtype=byhand.float64, requires_grad=True)
    out = x.logcumsumexp(0)
    np.testing.assert_allclose(out.detach(), [1000, 1001 + np.log1p(np.exp(-1)), 1001 + np.log1p(np.exp(-1))])
    out.sum().backward()
    assert x.grad is not None and np.isfinite(x.grad.array).all() and x.grad.sum().item() == pytest.approx(3)

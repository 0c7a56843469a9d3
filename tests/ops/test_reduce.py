"""Edges of reductions: zeros among factors, ties, empty axes, old forms of PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

import byhand
from byhand.core.errors import ByhandError, UsageError
from byhand.ops.reduce import column_sums, unbroadcast


def test_gradient_of_a_product_with_zeros() -> None:
    for values, expected in ([[2.0, 0.0, 3.0], [0, 6, 0]], [[0.0, 0.0, 3.0], [0, 0, 0]], [[2.0, 3.0], [3, 2]]):
        x = byhand.tensor(values, requires_grad=True)
        x.prod().backward()
        assert x.grad.tolist() == expected


def test_equal_extremes_share_the_gradient() -> None:
    x = byhand.tensor([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]], dtype=byhand.float64, requires_grad=True)
    x.amax(1).sum().backward()
    np.testing.assert_allclose(x.grad, [[0, 0.5, 0.5], [1 / 3] * 3])
    x.grad = None
    x.max(1).values.sum().backward()  # the form with indices gives it to the one that it names
    assert x.grad.tolist() == [[0, 1, 0], [1, 0, 0]]


def test_empty_reductions() -> None:
    x = byhand.zeros(0, 3)
    assert x.sum().item() == 0 and x.prod().item() == 1 and x.sum(0).tolist() == [0, 0, 0] and x.sum(1).shape == (0,)
    assert not x.any() and x.all()
    for f in (byhand.amax, byhand.argmax, byhand.max):
        with pytest.raises(ByhandError):
            f(x)


def test_variance_of_one_value_and_of_none() -> None:
    with np.errstate(all="ignore"):
        assert byhand.tensor([5.0]).var().isnan() and byhand.tensor([5.0]).var(correction=0).item() == 0


def test_older_forms() -> None:
    x = byhand.tensor([1.0, 2.0, 4.0])
    assert x.var(False).item() == x.var(correction=0).item() == x.var(ddof=0).item() == pytest.approx(14 / 9)
    assert x.std(unbiased=True).item() == x.std().item()
    with pytest.raises(UsageError):
        x.var(correction=0, ddof=1)


def test_sums_of_booleans_and_small_integers() -> None:
    assert byhand.tensor([True, True]).sum().item() == 2 and byhand.ones(300, dtype=byhand.uint8).sum().item() == 300
    assert byhand.ones(4).sum(dtype=byhand.float64).dtype == byhand.float64
    assert (
        byhand.tensor([1, 2]).mean().item() == 1.5
        and byhand.tensor([1, 2]).mean(dtype=byhand.float32).dtype == byhand.float32
    )


def test_logsumexp_of_extremes() -> None:
    assert byhand.tensor([1e4, 1e4]).logsumexp(0).item() == pytest.approx(1e4 + np.log(2))
    x = byhand.tensor([-np.inf, -np.inf], requires_grad=True)
    out = x.logsumexp(0)
    assert out.item() == -np.inf
    out.backward()
    assert x.grad.tolist() == [0, 0]  # where all are −∞ none has a share


def test_norm_at_zero_has_derivative_zero() -> None:
    x = byhand.zeros(3, requires_grad=True)
    x.norm().backward()
    assert x.grad.tolist() == [0, 0, 0]


def test_nan_is_seen_and_can_be_left_out() -> None:
    x = byhand.tensor([1.0, np.nan, 3.0], requires_grad=True)
    assert x.max().isnan() and x.sum().isnan() and x.nansum().item() == 4 and x.nanmean().item() == 2
    x.nansum().backward()
    assert x.grad.tolist() == [1, 0, 1]


def test_unbroadcast() -> None:
    g = np.ones((2, 3, 4))
    for shape in ((2, 3, 4), (3, 4), (4,), (), (1, 4), (2, 1, 1), (1, 1, 1), (3, 1)):
        out = unbroadcast(g, shape=shape)
        assert out.shape == shape and out.sum() == 24
    assert unbroadcast(np.ones((1, 3)), shape=(3,)).shape == (3,)
    np.testing.assert_array_equal(column_sums(np.ones((5, 2))), [5, 5])


def test_columns_of_a_bias_keep_large_sums_exact() -> None:
    x = byhand.zeros(400, 4, requires_grad=True)
    bias = byhand.zeros(4, requires_grad=True)
    (x + bias).sum().backward()
    assert bias.grad.tolist() == [400] * 4

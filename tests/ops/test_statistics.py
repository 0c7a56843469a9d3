from __future__ import annotations

import numpy as np
import pytest

import byhand
from byhand.core.errors import ShapeError

RNG = np.random.default_rng(0)


def test_quantiles_skip_nan_or_become_it() -> None:
    x = byhand.tensor([[1.0, np.nan, 3.0, 2.0], [4.0, 5.0, 6.0, 7.0]])
    assert x.nanquantile(0.5, 1).tolist() == [2, 5.5]
    assert np.isnan(x.quantile(0.5, 1).tolist()[0]) and x.quantile(0.5, 1)[1] == 5.5
    assert x.nanmedian(1).values.tolist() == [2, 5] and x.nanmedian() == 4


def test_the_gradient_by_q_is_the_slope_between_neighbours() -> None:
    x = byhand.tensor([1.0, 2.0, 10.0], requires_grad=True)
    q = byhand.tensor(0.75, requires_grad=True)
    x.quantile(q).backward()
    assert q.grad is not None and q.grad == 16
    assert x.grad is not None and x.grad.tolist() == [0, 0.5, 0.5]


def test_mode_is_the_smallest_of_the_most_frequent() -> None:
    values, places = byhand.tensor([[2, 7, 7, 2, 1], [5, 5, 1, 1, 5]]).mode()
    assert values.tolist() == [2, 5] and places.tolist() == [3, 4]


def test_covariances_are_numpys() -> None:
    x, f, a = RNG.standard_normal((3, 6)), RNG.integers(1, 4, 6), RNG.uniform(0.5, 2, 6)
    t = byhand.tensor(x)
    np.testing.assert_allclose(t.cov(), np.cov(x), rtol=1e-12)
    np.testing.assert_allclose(t.corrcoef(), np.corrcoef(x), rtol=1e-12)
    weighted = byhand.cov(t, fweights=byhand.tensor(f), aweights=byhand.tensor(a))
    np.testing.assert_allclose(weighted, np.cov(x, fweights=f, aweights=a), rtol=1e-12)
    with pytest.raises(ShapeError, match="cov takes"):
        byhand.cov(byhand.ones(1, 2, 3))


def test_histograms_are_numpys() -> None:
    x = RNG.standard_normal((50, 2))
    hist, edges = byhand.histogram(byhand.tensor(x), 5, range=(-2.0, 2.0), density=True)
    expected = np.histogram(x, 5, (-2, 2), density=True)
    np.testing.assert_allclose(hist, expected[0])
    np.testing.assert_allclose(edges, expected[1])
    both, spans = byhand.histogramdd(byhand.tensor(x), [3, 4])
    np.testing.assert_allclose(both, np.histogramdd(x, (3, 4))[0])
    assert [s.shape for s in spans] == [(4,), (5,)]


def test_neighbours_that_are_equal_count_once() -> None:
    x = byhand.tensor([1, 1, 2, 2, 1])
    values, places, counts = x.unique_consecutive(return_inverse=True, return_counts=True)
    assert (values.tolist(), places.tolist(), counts.tolist()) == ([1, 2, 1], [0, 0, 1, 1, 2], [2, 2, 1])
    rows = byhand.tensor([[1, 1, 2], [3, 3, 3]])
    assert rows.unique_consecutive(dim=1).tolist() == [[1, 2], [3, 3]]

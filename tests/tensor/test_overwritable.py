from __future__ import annotations

import numpy as np
import pytest

import byhand

MOMENTS = [  # draw, mean, variance
    (lambda x: x.exponential_(2.0), 0.5, 0.25),
    (lambda x: x.geometric_(0.25), 4.0, 12.0),
    (lambda x: x.log_normal_(0.0, 0.5), np.exp(0.125), (np.exp(0.25) - 1) * np.exp(0.25)),
    (lambda x: x.random_(10), 4.5, 8.25),
    (lambda x: x.random_(5, 7), 5.5, 0.25),
]


@pytest.mark.parametrize(("draw", "mean", "variance"), MOMENTS, ids=range(len(MOMENTS)))
def test_draws_have_the_moments_of_their_distribution(draw, mean, variance) -> None:
    byhand.manual_seed(0)
    x = draw(byhand.zeros(100_000, dtype=byhand.float64))
    assert abs(x.mean() - mean) < 5 * np.sqrt(variance / 100_000)
    assert abs(x.var() / variance - 1) < 0.1


def test_cauchy_has_its_quartiles() -> None:
    byhand.manual_seed(0)
    x = byhand.zeros(100_000).cauchy_(1.0, 2.0)
    np.testing.assert_allclose(x.quantile(byhand.tensor([0.25, 0.5, 0.75])), [-1, 1, 3], atol=0.06)


def test_poisson_draws_around_its_rates() -> None:
    byhand.manual_seed(0)
    x = byhand.poisson(byhand.full((100_000,), 3.0))
    assert abs(x.mean() - 3) < 0.03 and x.dtype == byhand.float32


def test_functions_write_their_results() -> None:
    x = byhand.tensor([1.0, 4.0])
    assert x.apply_(lambda v: v + 1).tolist() == [2, 5]
    assert x.gt_(3).tolist() == [0, 1]
    assert byhand.relu_(byhand.tensor([-1.0, 2.0])).tolist() == [0, 2]

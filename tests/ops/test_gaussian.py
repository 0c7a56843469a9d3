from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

import byhand
from byhand import special


def test_the_inverse_goes_back_and_forth() -> None:
    p = np.concatenate([np.linspace(0.001, 0.999, 99), [1e-300, 1e-12]])
    found = special.ndtri(byhand.tensor(p))
    np.testing.assert_allclose(found, [NormalDist().inv_cdf(v) for v in p], rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(special.ndtr(found), p, rtol=1e-10)


def test_ends_of_the_inverses() -> None:
    assert byhand.erfinv(byhand.tensor([-1.0, 0.0, 1.0])).tolist() == [-math.inf, 0, math.inf]
    assert special.ndtri(byhand.tensor([0.0, 0.5, 1.0])).tolist() == [-math.inf, 0, math.inf]
    assert math.isnan(byhand.erfinv(byhand.tensor(1.5)))


def test_the_logarithm_is_exact_where_the_function_is_zero() -> None:
    x = byhand.tensor([-50.0], dtype=byhand.float64)
    assert special.ndtr(x) == 0
    series = -1250 - math.log(50 * math.sqrt(2 * math.pi)) + math.log1p(-1 / 2500 + 3 / 2500**2)
    np.testing.assert_allclose(special.log_ndtr(x), [series], rtol=1e-11)


def test_entropies() -> None:
    assert special.entr(byhand.tensor([-1.0, 0.0, 1.0])).tolist() == [-math.inf, 0, 0]
    x = byhand.tensor([0.0, 2.0])
    assert special.xlog1py(x, byhand.tensor([-1.0, 0.0])).tolist() == [0, 0]

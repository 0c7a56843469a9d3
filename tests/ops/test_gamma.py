from __future__ import annotations

import math

import numpy as np
import pytest

import byhand
from byhand.core.errors import DomainError


def test_log_gamma_is_pythons() -> None:
    x = np.concatenate([np.linspace(-9.95, 30, 200), [1e-9, 1e5, 1e100]])
    np.testing.assert_allclose(byhand.lgamma(byhand.tensor(x)), [math.lgamma(v) for v in x], rtol=1e-12, atol=1e-13)
    assert byhand.lgamma(byhand.tensor([0.0, -3.0, math.inf])).tolist() == [math.inf] * 3


def test_poles_of_the_derivatives() -> None:
    x = byhand.tensor([0.0, -1.0])
    assert byhand.digamma(x)[0] == -math.inf and math.isnan(byhand.digamma(x)[1])
    assert byhand.polygamma(1, x).tolist() == [math.inf, math.inf]
    with pytest.raises(DomainError, match="cannot be -1"):
        byhand.polygamma(-1, x)


def test_float32_stays_float32() -> None:
    assert byhand.special.multigammaln(byhand.ones(2) * 3, 2).dtype == byhand.float32


def test_the_multivariate_gamma_function() -> None:
    expected = math.lgamma(3.0) + math.lgamma(2.5) + 0.5 * math.log(math.pi)
    assert byhand.mvlgamma(byhand.tensor(3.0, dtype=byhand.float64), 2).item() == pytest.approx(expected)

"""erf and erfc against Python's, over their whole range."""

from __future__ import annotations

import math

import numpy as np
import pytest

from byhand.ops.activation import gelu, gelu_slope, gelu_tanh
from byhand.ops.special import BLOCK, erf, erfc

POINTS = np.concatenate(
    [np.linspace(-6, 6, 4001), np.linspace(-0.2, 0.2, 401), [0.0, -0.0, 1e-300, 1e-8, 26.0, -26.0, 100.0, -100.0]]
)


def exact(function, x):  # type: ignore[no-untyped-def]
    return np.array([function(v) for v in x.tolist()])


def test_erf_to_the_last_digits() -> None:
    np.testing.assert_allclose(erf(POINTS), exact(math.erf, POINTS), rtol=5e-15, atol=0)


def test_erfc_in_its_tail() -> None:
    np.testing.assert_allclose(erfc(POINTS), exact(math.erfc, POINTS), rtol=2e-13, atol=1e-300)


@pytest.mark.parametrize(("mine", "theirs"), [(erf, math.erf), (erfc, math.erfc)])
def test_float32(mine, theirs) -> None:  # type: ignore[no-untyped-def]
    x = np.linspace(-5, 5, 1001, dtype=np.float32)
    out = mine(x)
    assert out.dtype == np.float32
    np.testing.assert_allclose(out, exact(theirs, x.astype(np.float64)), rtol=3e-6, atol=1e-37)


def test_ends_and_symmetry() -> None:
    assert erf(np.array([np.inf, -np.inf])).tolist() == [1, -1] and erfc(np.array([np.inf, -np.inf])).tolist() == [0, 2]
    np.testing.assert_array_equal(erf(POINTS), -erf(-POINTS))
    assert np.isnan(erf(np.array(np.nan))) and np.isnan(erfc(np.array(np.nan)))
    assert erf(np.array([0, 1])).dtype == np.float64


def test_large_arrays_are_taken_in_blocks() -> None:
    """They are what their parts are, in either order in memory; and nothing warns of what is far out."""
    x = np.linspace(-9, 9, 3 * BLOCK // 2, dtype=np.float32).reshape(3, -1)
    x[0, 0], x[1, 1] = 1e30, -1e30
    for function in (erf, gelu, gelu_tanh, lambda x: gelu_slope(x, x, gelu(x)), lambda x: erf(x.astype(np.float64))):
        parts = np.concatenate([function(x[:, i : i + 1024]) for i in range(0, x.shape[1], 1024)], axis=1)
        np.testing.assert_array_equal(function(x), parts)
        np.testing.assert_array_equal(function(np.asfortranarray(x)), parts)


def test_gelu_in_float32() -> None:
    x = np.linspace(-6, 6, 3001, dtype=np.float32)
    wide = x.astype(np.float64)
    np.testing.assert_allclose(gelu(x), wide * (1 + exact(math.erf, wide / math.sqrt(2))) / 2, rtol=2e-7, atol=4e-7)

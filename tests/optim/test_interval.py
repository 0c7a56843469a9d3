"""The ranges of hyper-parameters."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import byhand
from byhand.core.errors import UsageError
from byhand.optim.interval import ANY, BETAS, DECAY, FRACTION, NONNEGATIVE, Interval


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_membership_is_the_two_comparisons(x):
    assert (x in NONNEGATIVE) == (x >= 0)
    assert (x in FRACTION) == (0 <= x <= 1)
    assert (x in DECAY) == (0 <= x < 1)
    assert (x in Interval(0, low_open=True)) == (x > 0)
    assert x in ANY


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_no_interval_holds_what_is_not_finite(value):
    assert value not in ANY
    with pytest.raises(UsageError, match=r"Adam: lr must be a finite number with 0 <= lr; got lr=-?(nan|inf)"):
        NONNEGATIVE.check("Adam", "lr", value)


@pytest.mark.parametrize(
    "value, kind", [(1, int), (0.5, float), (np.float64(0.5), float), (np.float32(0.5), float), (np.int64(1), float)]
)
def test_numbers_become_plain(value, kind):
    checked = NONNEGATIVE.check("SGD", "lr", value)
    assert type(checked) is kind
    assert checked == value


@pytest.mark.parametrize("value", ["0.1", None, [0.1], 1j])
def test_other_types_are_named(value):
    with pytest.raises(UsageError, match=f"got .*of type {type(value).__name__}"):
        NONNEGATIVE.check("SGD", "lr", value)


@pytest.mark.parametrize("value", [np.array([0.5]), np.array(0.5), byhand.tensor(0.5), byhand.tensor([[0.5]])])
def test_a_tensor_of_one_element_is_read(value):
    checked = NONNEGATIVE.check("SGD", "lr", value)
    assert (type(checked), checked) == (float, 0.5)


@pytest.mark.parametrize("value", [np.array([0.1, 0.1]), byhand.tensor([0.1, 0.1])])
def test_an_array_of_several_is_no_number(value):
    with pytest.raises(UsageError, match=r"SGD: lr must be .* with 0 <= lr; got a \w+ of shape \(2,\)"):
        NONNEGATIVE.check("SGD", "lr", value)


@pytest.mark.parametrize("value", [0.9, (0.9,), (0.9, 0.99, 0.999), "ab"])
def test_betas_are_a_pair(value):
    with pytest.raises(UsageError, match="betas must be a pair"):
        BETAS.check("Adam", "betas", value)


def test_each_beta_has_its_range():
    assert BETAS.check("Adam", "betas", [0.9, np.float64(0.99)]) == (0.9, 0.99)
    with pytest.raises(UsageError, match=r"betas\[1\] must be a finite number with 0 <= betas\[1\] < 1; got .*=1.0"):
        BETAS.check("Adam", "betas", (0.9, 1.0))


def test_descriptions():
    assert ANY.describe("x") == "a finite number"
    assert Interval(0, 1, low_open=True).describe("x") == "a finite number with 0 < x <= 1"

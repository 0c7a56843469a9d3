"""Comparisons and logic."""

from __future__ import annotations

import numpy as np

import byhand


def test_results_are_boolean_and_not_recorded() -> None:
    x = byhand.ones(2, requires_grad=True)
    for out in (x == 1, x != 1, x < 1, x <= 1, x > 1, x >= 1, x.isnan(), x.logical_not(), x.isclose(x)):
        assert out.dtype == byhand.bool and not out.requires_grad


def test_operators_on_booleans_and_integers() -> None:
    a, b = byhand.tensor([True, True, False]), byhand.tensor([True, False, False])
    assert (
        (a & b).tolist() == [True, False, False]
        and (a | b).tolist() == [True, True, False]
        and (a ^ b).tolist() == [False, True, False]
    )
    assert (~a).tolist() == [False, False, True] and (True & a).tolist() == a.tolist()
    n = byhand.tensor([6, 3])
    assert (
        (n & 2).tolist() == [2, 2]
        and (n << 1).tolist() == [12, 6]
        and (n >> 1).tolist() == [3, 1]
        and (~n).tolist() == [-7, -4]
    )
    a &= b
    assert a.tolist() == [True, False, False]


def test_closeness() -> None:
    x = byhand.tensor([1.0, np.nan])
    assert not byhand.allclose(x, x) and byhand.allclose(x, x, equal_nan=True)
    assert byhand.allclose(byhand.tensor([1.0]), byhand.tensor([1.001]), rtol=0.01)
    assert byhand.equal(byhand.ones(2), byhand.ones(2)) and not byhand.equal(byhand.ones(2), byhand.ones(2, 1))


def test_comparison_with_things_that_are_no_numbers() -> None:
    x = byhand.ones(2)
    assert (x == np.ones(2)).tolist() == [True, True]


def test_membership() -> None:
    assert byhand.isin(byhand.tensor([1, 2, 3]), byhand.tensor([2, 9])).tolist() == [False, True, False]
    assert byhand.isposinf(byhand.tensor([np.inf, -np.inf])).tolist() == [True, False]

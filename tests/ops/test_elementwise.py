"""Edges of elementwise ops: kinks, zeros, infinities. Values and gradients elsewhere: tests/laws, tests/parity."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import byhand


def slope(function: Any, at: Any) -> Any:
    x = byhand.tensor(at, dtype=byhand.float64, requires_grad=True)
    function(x).sum().backward()
    return x.grad.tolist()


def test_conventions_at_kinks() -> None:
    assert slope(byhand.abs, [0.0, -2.0]) == [0, -1]
    assert slope(byhand.relu, [0.0, -0.0, 1.0]) == [0, 0, 1]
    assert slope(lambda x: byhand.clamp(x, 0, 1), [0.0, 1.0, 0.5, 2.0]) == [1, 1, 1, 0]
    assert slope(lambda x: byhand.maximum(x, byhand.zeros(2, dtype=byhand.float64)), [0.0, 1.0]) == [0.5, 1]
    assert (
        slope(byhand.sign, [1.0, 0.0]) == slope(byhand.floor, [1.5, 2.0]) == slope(byhand.round, [1.5, 2.0]) == [0, 0]
    )


def test_ties_share_the_gradient() -> None:
    x = byhand.tensor([1.0, 2.0], requires_grad=True)
    y = byhand.tensor([1.0, 1.0], requires_grad=True)
    byhand.maximum(x, y).sum().backward()
    assert x.grad.tolist() == [0.5, 1] and y.grad.tolist() == [0.5, 0]
    assert byhand.maximum(x, x).requires_grad


def test_powers_at_zero() -> None:
    assert (
        slope(lambda x: x**2, [0.0]) == [0]
        and slope(lambda x: x**1, [0.0]) == [1]
        and slope(lambda x: x**0, [0.0]) == [0]
    )
    exponent = byhand.tensor([0.0, 2.0], dtype=byhand.float64, requires_grad=True)
    (byhand.zeros(2, dtype=byhand.float64) ** exponent).sum().backward()
    assert exponent.grad.tolist() == [0, 0]
    base = byhand.zeros(2, dtype=byhand.float64, requires_grad=True)
    (base ** byhand.tensor([0.0, 1.0], dtype=byhand.float64)).sum().backward()
    assert base.grad.tolist() == [0, 1]
    assert slope(lambda x: 0.0**x, [2.0]) == [0]


def test_negative_powers_of_integers_are_explained() -> None:
    with pytest.raises(byhand.ByhandError, match=r"pow got .*negative integer powers"):
        byhand.tensor([2, 3]) ** byhand.tensor([-1, 1])


def test_xlogy_at_zero() -> None:
    x = byhand.tensor([0.0, 0.0], dtype=byhand.float64, requires_grad=True)
    y = byhand.tensor([0.0, 2.0], dtype=byhand.float64)
    out = byhand.xlogy(x, y)
    assert out.tolist() == [0, 0]
    out.sum().backward()
    np.testing.assert_allclose(x.grad, [0, np.log(2)])


def test_where_keeps_gradients_of_the_other_branch_out() -> None:
    x = byhand.tensor([0.0, 4.0], dtype=byhand.float64, requires_grad=True)
    safe = byhand.where(x > 0, x, 1.0)
    byhand.where(x > 0, safe.sqrt(), 0.0).sum().backward()
    assert x.grad.tolist() == [0, 0.25]


def test_where_with_a_condition_alone() -> None:
    rows, columns = byhand.where(byhand.tensor([[True, False], [True, True]]))
    assert rows.tolist() == [0, 1, 1] and columns.tolist() == [0, 0, 1]
    assert byhand.where(np.array([True, False]))[0].tolist() == [0]


def test_nan_to_num() -> None:
    x = byhand.tensor([np.nan, np.inf, -np.inf, 1.0])
    assert byhand.nan_to_num(x, 0.0, 5.0, -5.0).tolist() == [0, 5, -5, 1]
    assert byhand.nan_to_num(x)[1].item() == byhand.finfo(byhand.float32).max
    assert byhand.nan_to_num(byhand.tensor([1, 2])).dtype == byhand.int64


def test_clamp_takes_tensors() -> None:
    x = byhand.tensor([-1.0, 5.0], requires_grad=True)
    low = byhand.tensor([0.0, 6.0], requires_grad=True)
    x.clamp(min=low).sum().backward()
    assert x.grad.tolist() == [0, 0] and low.grad.tolist() == [1, 1]


def test_functions_on_plain_arrays_are_numpys() -> None:
    a = np.array([0.25, 1.0])
    assert type(byhand.sqrt(a)) is np.ndarray and byhand.sqrt(a).tolist() == [0.5, 1]
    assert byhand.where(a > 0.5, a, 0.0).tolist() == [0, 1]


@pytest.mark.parametrize("name", ["floor_divide", "remainder", "fmod", "bitwise_and"])
def test_integers_stay_integers(name: str) -> None:
    assert getattr(byhand, name)(byhand.tensor([7, -7]), byhand.tensor([3, 3])).dtype == byhand.int64

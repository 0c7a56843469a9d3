"""Running sums, products and extremes."""

from __future__ import annotations

import pytest

import byhand
from byhand.core.errors import ByhandError


def test_vectors_need_no_axis_but_matrices_do() -> None:
    assert byhand.tensor([1, 2, 3]).cumsum().tolist() == [1, 3, 6]
    with pytest.raises(ByhandError, match="cumsum: dim is an integer"):
        byhand.ones(2, 2).cumsum()
    assert byhand.tensor(2.0).cumsum(0).shape == byhand.tensor(2.0).cumprod(0).shape == ()


def test_dtypes() -> None:
    assert byhand.tensor([True, True]).cumsum(0).tolist() == [1, 2]
    assert (
        byhand.ones(3).cumsum(0).dtype == byhand.float32
        and byhand.ones(3).cumsum(0, dtype=byhand.float64).dtype == byhand.float64
    )
    assert byhand.ones(300, dtype=byhand.uint8).cumsum(0)[-1].item() == 300


def test_products_with_zeros() -> None:
    x = byhand.tensor([2.0, 0.0, 3.0, 4.0], requires_grad=True)
    x.cumprod(0).sum().backward()
    assert x.grad.tolist() == [1, 2 + 6 + 24, 0, 0]


def test_running_extremes_name_the_last_of_equals() -> None:
    values, indices = byhand.tensor([1.0, 3.0, 2.0, 3.0]).cummax(0)
    assert values.tolist() == [1, 3, 3, 3] and indices.tolist() == [0, 1, 1, 3]


def test_differences() -> None:
    x = byhand.tensor([1.0, 4.0, 9.0, 16.0])
    assert x.diff().tolist() == [3, 5, 7] and x.diff(2).tolist() == [2, 2] and x.diff(0).tolist() == x.tolist()
    assert x.diff(prepend=byhand.zeros(1), append=byhand.ones(1)).tolist() == [1, 3, 5, 7, -15]
    assert x.diff(9).shape == (0,)

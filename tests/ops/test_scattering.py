from __future__ import annotations

import numpy as np
import pytest

import byhand
from byhand.core.errors import DomainError, ShapeError, UsageError


def test_what_meets_is_joined() -> None:
    x, index = byhand.tensor([1.0, 2.0, 3.0]), byhand.tensor([0, 0, 2])
    src = byhand.tensor([4.0, 6.0, 8.0])
    found = {r: x.scatter_reduce(0, index, src, r).tolist() for r in ("sum", "prod", "mean", "amax", "amin")}
    assert found["sum"] == [11, 2, 11] and found["prod"] == [24, 2, 24] and found["amax"] == [6, 2, 8]
    assert found["amin"] == [1, 2, 3] and found["mean"] == pytest.approx([11 / 3, 2, 5.5])
    assert x.scatter_reduce(0, index, src, "mean", include_self=False).tolist() == [5, 2, 8]
    assert x.scatter_reduce(0, index, src, "amin", include_self=False).tolist() == [4, 2, 8]
    integers = byhand.tensor([1, 2, 3]).scatter_reduce(0, index, byhand.tensor([4, 6, 8]), "mean", include_self=False)
    assert integers.tolist() == [5, 2, 8]


def test_the_gradient_of_a_product_passes_zeros() -> None:
    x = byhand.tensor([2.0], requires_grad=True)
    src = byhand.tensor([0.0, 3.0, 5.0], requires_grad=True)
    x.scatter_reduce(0, byhand.tensor([0, 0, 0]), src, "prod").sum().backward()
    assert src.grad is not None and src.grad.tolist() == [30, 0, 0]
    assert x.grad is not None and x.grad.tolist() == [0]


def test_wrong_requests_are_refused() -> None:
    x = byhand.ones(2, 3)
    with pytest.raises(UsageError, match="reduce is one of sum"):
        x.scatter_reduce(0, byhand.zeros(1, 3, dtype=byhand.int64), x, "max")
    with pytest.raises(DomainError, match="scatter_reduce: index runs"):
        x.scatter_reduce(0, byhand.full((1, 3), 5), x, "sum")
    with pytest.raises(ShapeError, match="as_strided"):
        x.as_strided((3, 3), (3, 1))
    with pytest.raises(ShapeError, match="windows of 4"):
        x.unfold(1, 4, 1)


def test_the_written_out_forms_leave_x_as_it_is() -> None:
    x = byhand.zeros(2, 3)
    assert x.select_scatter(byhand.ones(3), 0, 1).tolist() == [[0, 0, 0], [1, 1, 1]]
    assert x.slice_scatter(byhand.ones(2, 2), 1, 0, 3, 2).tolist() == [[1, 0, 1], [1, 0, 1]]
    assert x.diagonal_scatter(byhand.ones(2)).tolist() == [[1, 0, 0], [0, 1, 0]]
    assert x.masked_scatter(x == 0, byhand.arange(6.0)).tolist() == [[0, 1, 2], [3, 4, 5]]
    where = (byhand.tensor([0, 0]), byhand.tensor([1, 1]))
    assert x.index_put(where, byhand.tensor([1.0, 2.0]), accumulate=True).tolist() == [[0, 3, 0], [0, 0, 0]]
    assert x.put(byhand.tensor([5, 0]), byhand.tensor([7.0, 8.0])).tolist() == [[8, 0, 0], [0, 0, 7]]
    assert not x.any()


def test_in_place() -> None:
    x = byhand.zeros(4)
    x.index_put_((byhand.tensor([1]),), byhand.tensor([3.0]))
    x.scatter_reduce_(0, byhand.tensor([1]), byhand.tensor([5.0]), "amax")
    x.masked_scatter_(x == 0, byhand.tensor([1.0, 2.0, 4.0]))
    assert x.tolist() == [1, 5, 2, 4]


def test_windows_and_coordinates() -> None:
    x = byhand.arange(7.0)
    assert x.unfold(0, 3, 2).tolist() == [[0, 1, 2], [2, 3, 4], [4, 5, 6]]
    assert x.as_strided((2, 2), (3, 1), 1).tolist() == [[1, 2], [4, 5]]
    rows, columns = byhand.unravel_index(byhand.tensor([0, 5, 7]), (3, 4))
    np.testing.assert_array_equal((rows, columns), np.unravel_index([0, 5, 7], (3, 4)))


def test_scatter_reduces_too() -> None:
    x, index = byhand.tensor([1, 2, 3]), byhand.tensor([0, 0])
    assert x.scatter(0, index, 5, reduce="add").tolist() == [11, 2, 3]
    assert x.clone().scatter_(0, index, byhand.tensor([2, 3]), reduce="multiply").tolist() == [6, 2, 3]
    with pytest.raises(UsageError, match="reduce is None"):
        x.scatter(0, index, 5, reduce="sum")

"""Gather, scatter and their kin: what is checked, what accumulates. Indexing itself: tests/parity/test_indexing.py."""

from __future__ import annotations

import numpy as np
import pytest

import byhand
from byhand.core.errors import DomainError, DtypeError
from byhand.ops.index import one_hot


def test_what_meets_at_one_place_is_summed() -> None:
    x = byhand.zeros(3)
    out = x.scatter_add(0, byhand.tensor([1, 1, 0]), byhand.tensor([1.0, 2.0, 4.0]))
    assert out.tolist() == [4, 3, 0] and x.tolist() == [0, 0, 0]
    assert x.index_add(0, byhand.tensor([2, 2]), byhand.ones(2)).tolist() == [0, 0, 2]
    y = byhand.ones(3, requires_grad=True)
    y[byhand.tensor([0, 0, 2])].sum().backward()
    assert y.grad.tolist() == [2, 0, 1]


def test_in_place_forms() -> None:
    x = byhand.zeros(3)
    assert x.scatter_add_(0, byhand.tensor([1, 1]), byhand.ones(2)) is x and x.tolist() == [0, 2, 0]
    assert x.index_add_(0, byhand.tensor([0]), byhand.ones(1), alpha=3).tolist() == [3, 2, 0]
    assert x.scatter_(0, byhand.tensor([2]), 7.0).tolist() == [3, 2, 7]
    assert x.masked_fill_(x > 2, 0.0).tolist() == [0, 2, 0]
    assert x.index_fill_(0, byhand.tensor([1]), 9.0).tolist() == [0, 9, 0]
    assert x.index_copy_(0, byhand.tensor([2, 0]), byhand.tensor([1.0, 2.0])).tolist() == [2, 9, 1]


def test_indices_are_checked() -> None:
    x = byhand.ones(2, 3)
    with pytest.raises(
        DomainError, match=r"gather: index runs from -1 to 0, axis 1 of x \(shape \(2, 3\)\) has the places 0 to 2"
    ):
        x.gather(1, byhand.tensor([[0], [-1]]))
    with pytest.raises(DomainError, match="scatter_add: index runs from 0 to 5"):
        x.scatter_add(0, byhand.tensor([[0, 5]]), byhand.ones(1, 2))
    with pytest.raises(DtypeError, match="scatter: index must be integer"):
        x.scatter(0, byhand.ones(1, 2), 1.0)


def test_a_number_counts_as_a_vector_of_one_value() -> None:
    x, place = byhand.tensor(1.0), byhand.tensor(0)
    assert x.gather(0, byhand.tensor([0, 0])).tolist() == [1, 1]
    assert x.scatter(0, place, 5.0).tolist() == 5
    assert x.scatter_add(0, place, byhand.tensor(2.0)).tolist() == 3
    assert x.index_add(0, byhand.tensor([0]), byhand.tensor([4.0]), alpha=2).tolist() == 9
    assert x.index_select(0, byhand.tensor([0])).shape == x.index_fill(0, place, 3.0).shape == ()


def test_masked_fill_keeps_the_dtype() -> None:
    x = byhand.ones(2)
    assert x.masked_fill(byhand.tensor([True, False]), byhand.tensor(2.0, dtype=byhand.float64)).dtype == byhand.float32
    assert byhand.tensor([1, 2]).masked_fill(byhand.tensor([True, False]), 7).tolist() == [7, 2]
    with pytest.raises(DtypeError, match=r"masked_fill: -inf does not fit into a tensor of int64"):
        byhand.tensor([1, 2]).masked_fill(byhand.tensor([True, False]), -np.inf)


def test_masks_of_attention() -> None:
    scores = byhand.zeros(2, 2, requires_grad=True)
    out = scores.masked_fill(byhand.tensor([[False, True], [False, False]]), -np.inf).softmax(-1)
    assert out.tolist() == [[1, 0], [0.5, 0.5]]
    (out * byhand.tensor([[1.0, 2.0], [3.0, 4.0]])).sum().backward()
    assert scores.grad.tolist() == [[0, 0], [-0.25, 0.25]]


def test_nonzero() -> None:
    assert byhand.tensor([[0, 1], [2, 0]]).nonzero().tolist() == [[0, 1], [1, 0]]
    assert byhand.zeros(3).nonzero().shape == (0, 1) and byhand.tensor(5).nonzero().shape == (1, 0)
    assert [i.tolist() for i in byhand.tensor([0, 3]).nonzero(as_tuple=True)] == [[1]]


def test_one_hot() -> None:
    assert one_hot(byhand.tensor([0, 2])).tolist() == [[1, 0, 0], [0, 0, 1]]
    assert one_hot(byhand.tensor([[1]]), 2).shape == (1, 1, 2)
    with pytest.raises(DomainError, match="labels start at 0"):
        one_hot(byhand.tensor([-1]))
    with pytest.raises(DomainError, match="largest label is 5"):
        one_hot(byhand.tensor([5]), 3)
    with pytest.raises(DtypeError):
        one_hot(byhand.tensor([1.0]))


def test_integers_beside_arrays_come_first() -> None:
    """x[0, :, [1, 2]] has the axes in order, as in PyTorch; NumPy would put the array's axis in front."""
    x = byhand.arange(24).reshape(2, 3, 4)
    assert x[0, :, [1, 2]].shape == (3, 2)
    x[0, :, [1, 2]] = byhand.zeros(3, 2, dtype=byhand.int64)
    assert x[0, :, 1:3].sum().item() == 0 and x[1].sum().item() == sum(range(12, 24))


def test_take_along_dim_broadcasts() -> None:
    x = byhand.arange(6.0).reshape(2, 3)
    assert x.take_along_dim(byhand.tensor([[2]]), 1).tolist() == [[2], [5]]
    assert x.take_along_dim(byhand.tensor([[-1]]), 1).tolist() == [[2], [5]]
    assert x.take_along_dim(x.argsort(1, descending=True), 1).tolist() == [[2, 1, 0], [5, 4, 3]]


def test_rows_are_added_by_small_integers_too() -> None:
    rows = np.array([200, 3, 200], np.uint8)
    x = byhand.ones(256, 5, requires_grad=True)
    x[byhand.tensor(rows)].sum().backward()
    assert x.grad is not None
    assert x.grad.array.sum(1).nonzero()[0].tolist() == [3, 200] and x.grad[200].tolist() == [2.0] * 5

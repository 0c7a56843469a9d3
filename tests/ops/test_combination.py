from __future__ import annotations

import itertools

import pytest

import byhand
from byhand.core.errors import ShapeError


def test_blocks_stand_along_the_diagonal() -> None:
    made = byhand.block_diag(byhand.tensor([[1, 2]]), byhand.tensor(3), byhand.tensor([[4], [5]]))
    assert made.tolist() == [[1, 2, 0, 0], [0, 0, 3, 0], [0, 0, 0, 4], [0, 0, 0, 5]]


def test_choices_are_those_of_itertools() -> None:
    x = byhand.arange(4)
    assert byhand.combinations(x, 3).tolist() == [list(c) for c in itertools.combinations(range(4), 3)]
    with_it = byhand.combinations(x, with_replacement=True).tolist()
    assert with_it == [list(c) for c in itertools.combinations_with_replacement(range(4), 2)]
    assert byhand.combinations(x, 5).shape == (0, 5)
    pairs = byhand.cartesian_prod(byhand.arange(2), byhand.arange(3)).tolist()
    assert pairs == [list(c) for c in itertools.product(range(2), range(3))]


def test_splits_are_equal_or_refused() -> None:
    x = byhand.arange(24).reshape(2, 6, 2)
    assert [p.shape for p in x.hsplit(3)] == [(2, 2, 2)] * 3
    assert [p.shape for p in byhand.vsplit(x, [1])] == [(1, 6, 2)] * 2
    assert [p.shape for p in x.dsplit(2)] == [(2, 6, 1)] * 2
    with pytest.raises(ShapeError, match="hsplit: axis 1"):
        x.hsplit(4)
    with pytest.raises(ShapeError, match="dsplit takes"):
        byhand.ones(2).dsplit(1)


def test_the_way_back_from_broadcasting() -> None:
    assert byhand.ones(3, 4).sum_to_size(1, 4).tolist() == [[3, 3, 3, 3]]
    with pytest.raises(ShapeError, match="sum_to_size"):
        byhand.ones(3, 4).sum_to_size(2, 4)


def test_depth() -> None:
    assert byhand.atleast_3d(byhand.ones(2)).shape == (1, 2, 1)
    assert byhand.dstack([byhand.ones(2, 3), byhand.ones(2, 3)]).shape == (2, 3, 2)

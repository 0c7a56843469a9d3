from __future__ import annotations

from collections import OrderedDict, namedtuple

import numpy as np
import pytest

import byhand
from byhand.core.errors import DataError, DtypeError, ShapeError
from byhand.data import default_collate, default_convert

Pair = namedtuple("Pair", "x y")


def test_numbers_become_tensors() -> None:
    assert default_collate([1, 2]).dtype == np.int64
    assert default_collate([1.0, 2.0]).dtype == np.float64
    assert default_collate([True, False]).dtype == np.bool_
    assert default_collate([np.float32(1), np.float32(2)]).dtype == np.float32


def test_tensors_and_arrays_are_stacked() -> None:
    assert default_collate([byhand.zeros(2, 3)] * 4).shape == (4, 2, 3)
    assert default_collate([np.zeros((2,), np.uint8)] * 3).dtype == np.uint8


def test_gradients_survive() -> None:
    w = byhand.tensor([1.0, 2.0], requires_grad=True)
    default_collate([w, w]).sum().backward()
    assert w.grad is not None
    assert w.grad.tolist() == [2.0, 2.0]


def test_containers_keep_their_type_but_tuples_become_lists() -> None:
    assert [x.tolist() for x in default_collate([(1, 2), (3, 4)])] == [[1, 3], [2, 4]]
    assert [x.tolist() for x in default_collate([[1, 2], [3, 4]])] == [[1, 3], [2, 4]]
    pair = default_collate([Pair(1, "a"), Pair(2, "b")])
    assert type(pair) is Pair
    assert pair.y == ("a", "b")
    assert type(default_collate([OrderedDict(a=1)])) is OrderedDict


def test_strings_stay() -> None:
    assert default_collate(["a", "b"]) == ["a", "b"]
    assert default_collate([b"a"]) == [b"a"]


def test_what_cannot_be_stacked_says_where() -> None:
    with pytest.raises(ShapeError, match=r"\(2,\) at position 0 of the batch, \(3,\) at position 2"):
        default_collate([byhand.zeros(2), byhand.zeros(2), byhand.zeros(3)])
    with pytest.raises(DataError, match=r"different numbers of parts: \[1, 2\]"):
        default_collate([(1, 2), (1,)])
    with pytest.raises(DtypeError, match="collate_fn"):
        default_collate([object()])
    with pytest.raises(DtypeError, match="<U1"):
        default_collate([np.array(["a"])])


def test_convert() -> None:
    sample = default_convert({"x": np.zeros(2), "y": (1, "a"), "z": np.array("s")})
    assert isinstance(sample["x"], byhand.Tensor)
    assert sample["y"] == [1, "a"]
    assert isinstance(sample["z"], np.ndarray)
    assert default_convert(Pair(np.int64(1), 2)) == Pair(byhand.tensor(1), 2)
    assert default_convert([1]) == [1]

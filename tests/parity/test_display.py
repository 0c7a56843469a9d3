"""How tensors are printed, compared with PyTorch's words."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

torch = pytest.importorskip("torch")

import byhand  # noqa: E402

rng = np.random.default_rng(0)

ARRAYS = [
    np.array(3.0, np.float32), np.array(3.5, np.float32), np.array(7), np.array(True), np.array([], np.float32),
    np.zeros((0, 3), np.float32), np.array([1.0, 2.0], np.float32), np.array([1.5, -2.25], np.float32),
    np.array([1, -20, 300]),
    np.array([True, False]), np.array([True, True]), np.array([[True, False], [True, True]]),
    np.array([1.0, np.nan, np.inf, -np.inf], np.float32),
    np.array([np.nan], np.float32), np.array([np.inf, 1.5], np.float32), np.array([1e-5, 1.0], np.float32),
    np.array([1e10, 1.0], np.float32),
    np.array([1e8], np.float32), np.array([123456.0], np.float32), np.array([1e5, 0.5], np.float32),
    np.array([0.0, -0.0], np.float32),
    np.array([1000.5, 1.0], np.float32), np.array([1001.0, 1.5], np.float32), np.array([0.00012, 0.5], np.float32),
    np.array([1e9, 2e9], np.float32),
    rng.standard_normal((3, 4)).astype(np.float32), rng.standard_normal((2, 3, 4)).astype(np.float32),
    rng.standard_normal(30).astype(np.float32),
    rng.standard_normal((20, 30)).astype(np.float32), rng.standard_normal((40, 40)).astype(np.float32), np.arange(2000),
    np.arange(24).reshape(2, 3, 4),
    np.arange(2000.0, dtype=np.float32), rng.standard_normal((2, 2, 2, 2)).astype(np.float32), np.array([1.0]),
    np.array([1], np.int32),
    np.array([1, 200], np.uint8), np.array([1.5], np.float16), rng.standard_normal((8, 200)).astype(np.float32),
    np.zeros((2, 0, 3), np.float32),
    np.array([[1.0]], np.float32), np.array([-1.0, 10.0, 100.0], np.float32), np.array(1e-20, np.float32),
    np.array(1e20, np.float32),
    np.array(math.nan, np.float32), np.arange(-5, 25).reshape(5, 6), np.array([[0.1, 22.5], [-3.0, 4.0]], np.float32),
    np.array(123456789.0),
]  # fmt: skip


def words(array: Any) -> tuple[str, str]:
    return repr(byhand.Tensor(array)), repr(torch.tensor(array)).replace("torch.", "")


@pytest.mark.parametrize("array", ARRAYS, ids=range(len(ARRAYS)))
def test_same_words(array: Any) -> None:
    mine, theirs = words(array)
    assert mine == theirs
    assert str(byhand.Tensor(array)) == mine


SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=7)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(hnp.arrays(np.float32, SHAPES, elements=st.floats(-1000, 1000, width=32)))
def test_random_floats(array: Any) -> None:
    mine, theirs = words(array)
    assert mine == theirs


@settings(max_examples=100, deadline=None, derandomize=True)
@given(hnp.arrays(np.float32, SHAPES, elements=st.floats(width=32, allow_subnormal=False)))
def test_wild_floats(array: Any) -> None:
    mine, theirs = words(array)
    assert mine == theirs


@settings(max_examples=100, deadline=None, derandomize=True)
@given(hnp.arrays(np.int64, SHAPES, elements=st.integers(-(10**6), 10**6)))
def test_random_integers(array: Any) -> None:
    mine, theirs = words(array)
    assert mine == theirs


def test_notes_on_gradients() -> None:
    assert repr(byhand.ones(2, requires_grad=True)) == repr(torch.ones(2, requires_grad=True))
    x = byhand.ones(2, requires_grad=True, dtype=byhand.float64)
    assert repr(x * 2) == "tensor([2., 2.], dtype=float64, grad_fn=<mul>)"


@pytest.mark.parametrize("spec", ["", ".3f", ".2e", "8.3f", "g"])
def test_format_of_a_number(spec: str) -> None:
    mine, theirs = byhand.tensor(2.34567), torch.tensor(2.34567)
    assert f"{mine:{spec}}" == f"{theirs:{spec}}"

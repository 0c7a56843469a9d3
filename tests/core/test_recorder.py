"""Calling an op: arrays compute, tensors record; scalars, mixed operands, promotion."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import byhand
from byhand.ops import elementwise as e

FLOATS = [np.float16, np.float32, np.float64]
INTEGERS = [np.int8, np.int16, np.int32, np.int64, np.uint8]
DTYPES = [*FLOATS, *INTEGERS, np.bool_]


def test_arrays_give_arrays() -> None:
    out = e.add(np.ones(2), np.ones(2))
    assert type(out) is np.ndarray


def test_a_tensor_anywhere_gives_a_tensor() -> None:
    x, a = byhand.ones(2), np.ones(2, np.float32)
    for out in (e.add(x, a), e.add(a, x), x + a, a + x, a * x, a - x, a / x, a @ x, a**x, a < x, a == x, a // x, a % x):
        assert type(out) is byhand.Tensor


def test_an_array_beside_a_tensor_is_a_constant() -> None:
    x = byhand.ones(2, requires_grad=True)
    (np.array([2.0, 3.0], np.float32) * x).sum().backward()
    np.testing.assert_array_equal(x.grad, [2, 3])
    x.grad = None
    (np.array([2.0, 3.0], np.float32) - x).sum().backward()
    np.testing.assert_array_equal(x.grad, [-1, -1])


def test_numpy_scalars_beside_tensors() -> None:
    x = byhand.ones(2, requires_grad=True)
    out = np.float32(3) * x + np.int64(1)
    assert type(out) is byhand.Tensor
    out.sum().backward()
    np.testing.assert_array_equal(x.grad, [3, 3])


def test_a_result_is_always_an_ndarray_underneath() -> None:
    x = byhand.ones(3)
    for out in (x.sum(), x[0], x @ x, x.max(), x.mean() * 2, -x.sum(), x.sum() == 3, x.argmax(), x.prod(), x.norm()):
        assert type(out.array) is np.ndarray and out.shape == ()


@pytest.mark.parametrize(("a", "b"), list(itertools.product(DTYPES, DTYPES)))
def test_kinds_come_before_sizes_in_promotion(a: Any, b: Any) -> None:
    floats = [dtype for dtype in (a, b) if dtype in FLOATS]
    x, y, numpys = byhand.Tensor(np.ones(2, a)), byhand.Tensor(np.ones(2, b)), np.result_type(a, b)
    expected = np.result_type(*floats) if floats and numpys == np.float64 else numpys
    assert (x * y).dtype == byhand.cat([x, y]).dtype == expected
    assert (x / y).dtype == (expected if floats else np.float32)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("number", [2, True])
def test_python_integers_are_weak(dtype: Any, number: Any) -> None:
    x = byhand.Tensor(np.ones(2, dtype))
    assert (x * number).dtype == (np.ones(2, dtype) * number).dtype == (number * x).dtype


def test_beside_floats_integers_become_the_default_float() -> None:
    n = byhand.tensor([1, 2, 3])
    for out in (n * 2.5, 2.5 * n, n / 2, n / n, n.sqrt(), n**0.5, byhand.where(n > 1, n, 0.5), n.sum() / n.sum()):
        assert out.dtype == byhand.float32, out
    byhand.set_default_dtype(byhand.float64)
    try:
        assert (n * 2.5).dtype == n.sqrt().dtype == byhand.float64
    finally:
        byhand.set_default_dtype(byhand.float32)


def test_tensors_without_axes_and_numpys_numbers_do_not_widen() -> None:
    x, n = byhand.ones(3), byhand.tensor([1, 2, 3])
    for out in (x * np.sqrt(2.0), np.float64(2) * x, x * byhand.tensor(2.0, dtype=byhand.float64), x / n.sum()):
        assert out.dtype == byhand.float32
    assert (byhand.tensor(2.0, dtype=byhand.float64) * n).dtype == byhand.float64
    assert (x * byhand.ones(3, dtype=byhand.float64)).dtype == byhand.float64


def test_gradients_pass_the_cast_of_a_promotion() -> None:
    x, n = byhand.ones(3, requires_grad=True), byhand.tensor([1, 2, 3])
    (x * n).sum().backward()
    assert x.grad.dtype == byhand.float32 and x.grad.tolist() == [1, 2, 3]


@given(st.sampled_from(FLOATS), st.floats(-100, 100, allow_nan=False))
def test_float_tensors_keep_their_dtype_beside_numbers(dtype: Any, number: float) -> None:
    x = byhand.Tensor(np.ones(2, dtype))
    for out in (x + number, number - x, x / 2, 1 / x, x**2, byhand.where(x > 0, x, number), byhand.maximum(x, 1.0)):
        assert out.dtype == dtype


def test_integer_division_and_means_are_floats() -> None:
    x = byhand.tensor([1, 2])
    assert (x / 2).dtype.kind == "f"
    assert (x // 2).dtype == byhand.int64
    assert (x > 1).dtype == byhand.bool
    assert (byhand.tensor([True, True]).sum()).dtype == byhand.int64


def test_attributes_are_stored_resolved() -> None:
    x = byhand.ones(2, 3, 4, requires_grad=True)
    assert x.sum(-1).grad_fn.attrs == {"axis": (2,), "keepdims": False}
    assert x.reshape(-1, 4).grad_fn.attrs == {"shape": (6, 4)}
    assert x.transpose(-1, 0).grad_fn.attrs == {"axes": (2, 1, 0)}
    assert x.softmax(-2).grad_fn.attrs == {"axis": 1}


def test_no_rule_no_node() -> None:
    x = byhand.ones(2, requires_grad=True)
    for out in (x > 0, x.argmax(), x.isnan(), x.argsort()):
        assert not out.requires_grad


def test_subclasses_compute_to_tensors() -> None:
    from byhand.nn import Parameter

    p = Parameter(byhand.ones(2))
    assert type(p * 2) is byhand.Tensor and type(p[0]) is byhand.Tensor


def test_functions_of_bytes_are_float32() -> None:
    for dtype in (byhand.uint8, byhand.int8, byhand.bool, byhand.int64):
        assert byhand.exp(byhand.ones(2, dtype=dtype)).dtype == byhand.float32
    assert byhand.exp(byhand.ones(2, dtype=byhand.float16)).dtype == byhand.float16

"""Indexing in all its forms against PyTorch and NumPy: values, gradients, writing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from laws.sample import spread

torch = pytest.importorskip("torch")

import byhand  # noqa: E402

X = spread(3, 4, 5)
MASK3, MASK34 = np.array([True, False, True]), spread(3, 4) > 0
I, J = np.array([0, 2, 2, -1]), np.array([[1], [0]])

KEYS: list[Any] = [
    0, -1, slice(None), slice(1, None), slice(None, None, 2), slice(-2, None), None, ..., (0, 1), (0, 1, 2), (..., 0),
    (0, ...),
    (slice(None), 1), (None, 0, None), (slice(1, 3), slice(None, 2), -1), (..., None), (0, ..., 2), (slice(0, 0),),
    I, [0, 2], (I, 1), (I, I), (I, slice(None), I), (slice(None), I), (slice(None), I, I),
    (slice(None), slice(None), I),
    (..., I), (J, I), (J, np.array([[0, 1]])), (I, None, 1), (I, ..., 0), ([0, 1], [1, 2]),
    ([0, 1], slice(1, 3), [2, 3]),
    MASK3, MASK34, (MASK3, 0), (slice(None), np.array([True, False, True, True])), (MASK34, 1), X > 0,
    np.zeros(3, bool),
    (MASK3, I[:2]), np.array(1), (np.array(1), slice(None), np.array(0)), (0, I), (I, 0), (0, slice(None), I),
    (None, I), True, False, (I, -1, I),
    np.zeros((0,), np.int64), [], (slice(None), []), np.int64(1), (np.array([[0, 1], [2, 0]]),),
    (slice(None, None, 3), MASK34[0]),
]  # fmt: skip


def keyed(key: Any, make: Any) -> Any:
    """The key with tensors in the place of arrays."""
    if isinstance(key, tuple):
        return tuple(keyed(k, make) for k in key)
    return make(key) if isinstance(key, np.ndarray) else int(key) if isinstance(key, np.integer) else key


@pytest.mark.parametrize("key", KEYS, ids=range(len(KEYS)))
@pytest.mark.parametrize("arrays", ["tensors", "arrays"])
def test_reading(key: Any, arrays: str) -> None:
    x, y = byhand.tensor(X, requires_grad=True), torch.tensor(X, requires_grad=True)
    mine = x[keyed(key, byhand.tensor) if arrays == "tensors" else key]
    other = y[keyed(key, torch.tensor)]
    assert mine.shape == tuple(other.shape)
    np.testing.assert_array_equal(mine.detach(), other.detach())
    if other.numel():
        (mine**3).sum().backward()
        (other**3).sum().backward()
        np.testing.assert_allclose(x.grad, y.grad.numpy(), rtol=1e-12)


@pytest.mark.parametrize("key", KEYS, ids=range(len(KEYS)))
def test_second_derivative(key: Any) -> None:
    x = byhand.tensor(X, requires_grad=True)
    (first,) = byhand.autograd.grad((x[key] ** 3).sum(), x, create_graph=True)
    (second,) = byhand.autograd.grad((first * byhand.tensor(X)).sum(), x)
    counts = np.zeros(X.shape)
    np.add.at(counts, tuple(key) if isinstance(key, tuple) else key, 1)
    np.testing.assert_allclose(second, 6 * X * X * counts, rtol=1e-12)


def distinct(key: Any) -> bool:
    """Whether no place is named twice: which value stays is not defined otherwise."""
    counts = np.zeros(X.shape)
    np.add.at(counts, key, 1)
    return bool((counts <= 1).all())


@pytest.mark.parametrize("key", [k for k in KEYS if distinct(k)], ids=range(sum(map(distinct, KEYS))))
def test_writing(key: Any) -> None:
    shape = X[key].shape
    x, y = byhand.tensor(X, requires_grad=True), torch.tensor(X, requires_grad=True)
    for values in (2.5, spread(*shape) if shape and 0 not in shape else np.float64(1.5), np.array(0.3)):
        x.grad = y.grad = None
        v, w = values, values
        if isinstance(values, np.ndarray):
            v, w = byhand.tensor(values, requires_grad=True), torch.tensor(values, requires_grad=True)
        mine, other = x * 1, y * 1
        mine[keyed(key, byhand.tensor)] = v
        other[keyed(key, torch.tensor)] = w
        np.testing.assert_array_equal(mine.detach(), other.detach())
        (mine**2).sum().backward()
        (other**2).sum().backward()
        np.testing.assert_allclose(x.grad, y.grad, rtol=1e-12)
        if isinstance(values, np.ndarray) and w.grad is not None:
            np.testing.assert_allclose(v.grad, w.grad, rtol=1e-12)


parts = st.one_of(
    st.integers(-3, 2),
    st.builds(
        slice,
        st.one_of(st.none(), st.integers(-4, 4)),
        st.one_of(st.none(), st.integers(-4, 4)),
        st.sampled_from([None, 1, 2]),
    ),
    st.none(),
    hnp.arrays(np.int64, hnp.array_shapes(max_dims=2, max_side=3), elements=st.integers(-3, 2)),
    hnp.arrays(np.bool_, 3),
)


@settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.lists(parts, min_size=1, max_size=4), st.integers(0, 5))
def test_random_keys(chosen: list[Any], dots: int) -> None:
    array = spread(3, 3, 3)
    if dots < len(chosen):
        chosen = [*chosen[:dots], ..., *chosen[dots:]]
    key = tuple(chosen)
    x, y = byhand.tensor(array, requires_grad=True), torch.tensor(array, requires_grad=True)
    try:
        other = y[keyed(key, torch.tensor)]
    except (IndexError, ValueError, RuntimeError):
        with pytest.raises(byhand.ByhandError):
            x[keyed(key, byhand.tensor)]
        return
    mine = x[keyed(key, byhand.tensor)]
    assert mine.shape == tuple(other.shape)
    np.testing.assert_array_equal(mine.detach(), other.detach())
    (mine**2).sum().backward()
    (other**2).sum().backward()
    np.testing.assert_allclose(x.grad, y.grad, rtol=1e-12)


def test_basic_indexing_is_a_view_and_arrays_copy() -> None:
    x = byhand.arange(6.0)
    for view in (x[1:], x[0], x[None], x[...], x[:, None], x[byhand.tensor(2)], x[np.int64(2)]):
        assert np.may_share_memory(view.array, x.array)
    for copy in (x[[0, 1]], x[x > 2], x[byhand.tensor([1, 2])]):
        assert not np.may_share_memory(copy.array, x.array)


@pytest.mark.parametrize("key", [7, (0, 9), (0, 0, 0, 0), I + 5, np.zeros(4, bool), "a", 1.5, np.array([0.5])])
def test_bad_keys(key: Any) -> None:
    for act in (lambda x: x[key], lambda x: x.__setitem__(key, 0.0)):
        with pytest.raises(byhand.ByhandError):
            act(byhand.tensor(X))

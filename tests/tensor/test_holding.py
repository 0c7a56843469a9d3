"""Properties, values, and the protocols of Python and NumPy."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import byhand
from byhand.core.errors import GraphError


@pytest.fixture
def x() -> byhand.Tensor:
    return byhand.Tensor(np.arange(24.0, dtype=np.float32).reshape(2, 3, 4))


def test_wrapping_does_not_copy() -> None:
    array = np.zeros(3)
    x = byhand.Tensor(array)
    assert x.array is array
    array[0] = 5
    assert x[0].item() == 5


def test_properties(x: byhand.Tensor) -> None:
    assert x.shape == (2, 3, 4) and isinstance(x.shape, tuple)
    assert x.size() == (2, 3, 4) and x.size(-1) == 4 and x.size(0) == 2
    assert x.ndim == x.dim() == x.ndimension() == 3
    assert x.numel() == x.nelement() == 24
    assert x.dtype is byhand.float32 and x.itemsize == x.element_size() == 4 and x.nbytes == 96
    assert x.stride() == (12, 4, 1) and x.stride(1) == 4
    assert str(x.device) == "cpu" and x.device == byhand.device("cpu") and x.device == "cpu"
    assert x.T.shape == (4, 3, 2) and x.mT.shape == (2, 4, 3)
    assert x.is_contiguous() and not x.T.is_contiguous() and x.T.contiguous().is_contiguous()
    assert x.contiguous() is x
    assert x.is_floating_point() and not x.long().is_floating_point() and not x.is_complex()
    assert x[1].data_ptr() == x.data_ptr() + 48


def test_dtypes_are_numpys() -> None:
    assert byhand.float32 is np.dtype("float32") and byhand.float is byhand.float32 and byhand.double is byhand.float64
    assert byhand.ones(1).dtype == byhand.float32 and byhand.tensor([1]).dtype == byhand.long == np.int64


def test_values() -> None:
    assert byhand.tensor(2.5).item() == 2.5 and type(byhand.tensor(2.5).item()) is float
    assert type(byhand.tensor([[3]]).item()) is int and type(byhand.tensor(True).item()) is bool
    assert byhand.tensor([[1, 2], [3, 4]]).tolist() == [[1, 2], [3, 4]]
    assert float(byhand.tensor(2.5)) == 2.5 and int(byhand.tensor(7.9)) == 7
    assert bool(byhand.tensor([1])) and not byhand.tensor(0.0)
    assert [10, 20, 30][byhand.tensor(1)] == 20 and list(range(byhand.tensor(3))) == [0, 1, 2]
    assert 2 in byhand.tensor([1, 2]) and 5 not in byhand.tensor([1, 2])


def test_iteration_gives_views(x: byhand.Tensor) -> None:
    rows = list(x)
    assert len(x) == len(rows) == 2 and all(np.may_share_memory(r.array, x.array) for r in rows)
    a, b = byhand.tensor([1.0, 2.0], requires_grad=True)
    assert a.requires_grad and b.item() == 2


def test_hash_and_identity(x: byhand.Tensor) -> None:
    assert {x: 1}[x] == 1
    assert hash(x) != hash(byhand.Tensor(x.array))


# NumPy


def test_numpy_shares_memory(x: byhand.Tensor) -> None:
    a = x.numpy()
    a[0, 0, 0] = 99
    assert x[0, 0, 0].item() == 99
    assert np.asarray(x) is x.array


def test_array_protocol(x: byhand.Tensor) -> None:
    assert np.asarray(x).dtype == np.float32
    assert np.asarray(x, dtype=np.float64).dtype == np.float64
    made = np.array(x)
    assert not np.may_share_memory(made, x.array)
    with pytest.raises(ValueError, match="copy"):
        np.array(x, dtype=np.float64, copy=False)
    assert np.sum(x.numpy()) == 276
    np.testing.assert_array_equal(np.stack([x, x]).shape, (2, 2, 3, 4))


def test_a_tracked_tensor_is_no_array() -> None:
    x = byhand.ones(2, requires_grad=True)
    for act in (lambda: x.numpy(), lambda: np.asarray(x), lambda: np.from_dlpack(x)):
        with pytest.raises(GraphError, match=r"detach\(\)\.numpy\(\)"):
            act()
    assert x.numpy(force=True) is x.array


def test_dlpack_with_numpy() -> None:
    x = byhand.arange(6.0).reshape(2, 3)
    a = np.from_dlpack(x)
    assert np.may_share_memory(a, x.array)
    y = byhand.from_dlpack(np.ones(3))
    assert y.dtype == byhand.float64 and y.tolist() == [1, 1, 1]


def test_dlpack_with_torch() -> None:
    torch = pytest.importorskip("torch")
    x = byhand.arange(6.0)
    t = torch.from_dlpack(x)
    t[0] = 42
    assert x[0].item() == 42
    y = byhand.from_dlpack(torch.ones(2))
    assert y.tolist() == [1, 1]


def test_operators_with_arrays_on_the_left(x: byhand.Tensor) -> None:
    a = np.full((3, 4), 2.0, np.float32)
    for out in (a + x, a - x, a * x, a / (x + 1), a**x, a // (x + 1), a % (x + 1), a < x, a >= x, a == x, a != x):
        assert isinstance(out, byhand.Tensor)
    np.testing.assert_array_equal(a - x, a - x.numpy())
    np.testing.assert_array_equal(np.ones((2, 3), np.float32) @ byhand.ones(3, 4), np.full((2, 4), 3.0))
    a += 1
    assert isinstance(a, np.ndarray)


# copies


@pytest.mark.parametrize("duplicate", [copy.deepcopy, copy.copy, lambda t: pickle.loads(pickle.dumps(t))])
@pytest.mark.parametrize("tracked", [True, False])
def test_copies_keep_values_and_tracking(duplicate: Any, tracked: bool) -> None:
    x = byhand.tensor([1.0, 2.0], requires_grad=tracked)
    y = duplicate(x)
    assert type(y) is byhand.Tensor and y is not x
    assert y.tolist() == [1, 2] and y.requires_grad == tracked and y.is_leaf
    assert y.dtype == x.dtype


def test_deep_copies_are_deep_and_keep_the_gradient() -> None:
    x = byhand.tensor([1.0, 2.0], requires_grad=True)
    (x * 3).sum().backward()
    y, z = copy.deepcopy([x, x])
    assert y is z  # one object stays one
    np.testing.assert_array_equal(y.grad, [3, 3])
    with byhand.no_grad():
        y.zero_()
        y.grad.zero_()
    assert x.tolist() == [1, 2] and x.grad.tolist() == [3, 3]


def test_a_computed_tensor_is_neither_copied_nor_pickled() -> None:
    y = byhand.ones(2, requires_grad=True) * 2
    for act in (copy.deepcopy, copy.copy, pickle.dumps):
        with pytest.raises(GraphError, match="detach"):
            act(y)


def test_views_pickle_as_themselves() -> None:
    x = byhand.arange(10.0)
    assert pickle.loads(pickle.dumps(x[2:4])).tolist() == [2, 3]


def test_parameters_keep_their_class() -> None:
    p = byhand.nn.Parameter(byhand.ones(2))
    for q in (copy.deepcopy(p), pickle.loads(pickle.dumps(p))):
        assert type(q) is byhand.nn.Parameter and q.requires_grad


def test_where_a_view_begins() -> None:
    x = byhand.zeros(3, 4)
    assert x.storage_offset() == 0 and x[1, 2:].storage_offset() == 6


def test_questions_about_memory_have_answers() -> None:
    x = byhand.ones(2)
    assert x.is_cpu and not (x.is_cuda or x.is_sparse or x.is_quantized) and x.get_device() == -1
    assert x.layout is byhand.strided and x.pin_memory() is x and x.is_signed() and not byhand.is_signed(x > 0)
    assert x.is_same_size(x + 1) and byhand.is_nonzero(byhand.tensor(3)) and not x.retains_grad

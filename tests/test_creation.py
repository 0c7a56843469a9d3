"""Tensors from data, constants, ranges and chance. Values against PyTorch: tests/parity/test_tensor.py."""

from __future__ import annotations

import numpy as np
import pytest

import byhand
from byhand.core.errors import DtypeError, ShapeError, UsageError


def test_dtypes_of_data() -> None:
    assert byhand.tensor([1.0, 2]).dtype == byhand.float32
    assert byhand.tensor([1, 2]).dtype == byhand.int64
    assert byhand.tensor([True]).dtype == byhand.bool
    assert byhand.tensor(np.ones(2)).dtype == byhand.float64  # an array knows its dtype
    assert byhand.tensor([np.float64(1.0)]).dtype == byhand.float64
    assert byhand.tensor(np.float64(1.0)).dtype == byhand.float64
    assert byhand.tensor(byhand.ones(2, dtype=byhand.float64)).dtype == byhand.float64
    assert byhand.tensor([1, 2], dtype=float).dtype == byhand.float32
    assert byhand.tensor([1.9], dtype=int).tolist() == [1]


def test_tensor_copies() -> None:
    array = np.ones(2)
    x, y = byhand.tensor(array), byhand.tensor(byhand.Tensor(array))
    array[0] = 5
    assert x[0].item() == 1 and y[0].item() == 1


def test_lists_of_tensors() -> None:
    assert byhand.tensor([byhand.tensor(1.0), byhand.tensor(2.0)]).tolist() == [1, 2]
    assert byhand.tensor([byhand.tensor([1, 2]), byhand.tensor([3, 4])]).shape == (2, 2)


def test_as_tensor_and_from_numpy_share_memory() -> None:
    array = np.ones(2, np.float32)
    x, y = byhand.as_tensor(array), byhand.from_numpy(array)
    array[0] = 5
    assert x[0].item() == 5 and y[0].item() == 5
    assert byhand.as_tensor(x) is x
    assert byhand.as_tensor(array, dtype=byhand.float64).dtype == byhand.float64
    y.mul_(2)
    assert array.tolist() == [10, 2]


def test_numbers_too_large_and_strings() -> None:
    for wrong in (["a"], [None], [{}], "abc", [[1], "b"]):
        with pytest.raises((DtypeError, ShapeError)):
            byhand.tensor(wrong)
    with pytest.raises(ShapeError, match="different lengths"):
        byhand.tensor([[1.0], [1.0, 2.0]])


@pytest.mark.parametrize("make", [byhand.zeros, byhand.ones, byhand.empty, byhand.rand, byhand.randn])
def test_shapes_as_numbers_or_one_sequence(make) -> None:  # type: ignore[no-untyped-def]
    assert make(2, 3).shape == make((2, 3)).shape == make([2, 3]).shape == (2, 3)
    assert make(4).shape == (4,) and make(()).shape == () and make(0, 3).shape == (0, 3)
    assert make(2, dtype=byhand.float64).dtype == byhand.float64
    x = make(2, requires_grad=True)
    assert x.requires_grad and x.is_leaf
    assert make(np.int64(2), byhand.tensor(3)).shape == (2, 3)
    with pytest.raises(UsageError, match="CPU"):
        make(2, device="cuda")


@pytest.mark.parametrize(
    "make", [byhand.zeros_like, byhand.ones_like, byhand.empty_like, byhand.rand_like, byhand.randn_like]
)
def test_like(make) -> None:  # type: ignore[no-untyped-def]
    x = byhand.zeros(2, 3, dtype=byhand.float64)
    assert make(x).shape == (2, 3) and make(x).dtype == byhand.float64
    assert make(x, dtype=byhand.float32).dtype == byhand.float32
    assert make(x, requires_grad=True).requires_grad


def test_full() -> None:
    assert byhand.full((2,), 1.5).dtype == byhand.float32 and byhand.full((2,), 3).dtype == byhand.int64
    assert (
        byhand.full((2,), True).dtype == byhand.bool
        and byhand.full((2,), 3, dtype=byhand.float64).dtype == byhand.float64
    )
    assert byhand.full_like(byhand.ones(2), 7).tolist() == [7, 7]
    assert byhand.full((2,), byhand.tensor(4.0)).tolist() == [4, 4]


def test_arange() -> None:
    assert byhand.arange(3).dtype == byhand.int64 and byhand.arange(3.0).dtype == byhand.float32
    assert byhand.arange(1, 7, 2).tolist() == [1, 3, 5] and byhand.arange(3, 0, -1).tolist() == [3, 2, 1]
    assert byhand.arange(byhand.tensor(3)).tolist() == [0, 1, 2]
    with pytest.raises(UsageError):
        byhand.arange(0, 1, 0)


def test_random_integers() -> None:
    byhand.manual_seed(0)
    x = byhand.randint(3, 7, (1000,))
    assert x.dtype == byhand.int64 and set(x.tolist()) == {3, 4, 5, 6}
    assert (
        byhand.randint(5, (2, 2)).shape == (2, 2)
        and byhand.randint(0, 5, [3], dtype=byhand.int32).dtype == byhand.int32
    )
    assert byhand.randint_like(byhand.ones(3), 2).shape == (3,)
    assert byhand.randint(high=3, low=1, size=(50,)).min().item() == 1


def test_permutations() -> None:
    byhand.manual_seed(0)
    assert sorted(byhand.randperm(20).tolist()) == list(range(20)) and byhand.randperm(20).tolist() != list(range(20))
    assert byhand.randperm(0).shape == (0,) and byhand.randperm(3).dtype == byhand.int64


def test_distributions() -> None:
    byhand.manual_seed(0)
    n = 20_000
    for x, mean, std in (
        (byhand.rand(n), 0.5, 1 / 12**0.5), (byhand.randn(n), 0, 1), (byhand.normal(3.0, 2.0, (n,)), 3, 2),
        (byhand.empty(n).normal_(1, 0.5), 1, 0.5),
        (byhand.empty(n).uniform_(-1, 3), 1, 4 / 12**0.5), (byhand.bernoulli(byhand.full((n,), 0.3)), 0.3, 0.21**0.5),
        (byhand.empty(n).bernoulli_(0.3), 0.3, 0.21**0.5),
        (byhand.normal(byhand.full((n,), 2.0), 3.0), 2, 3),
    ):  # fmt: skip
        assert x.dtype == byhand.float32
        assert x.mean().item() == pytest.approx(mean, abs=6 * std / n**0.5)
        assert x.std().item() == pytest.approx(std, rel=0.05)


def test_normal_of_tensors_broadcasts() -> None:
    x = byhand.normal(byhand.tensor([0.0, 100.0]), byhand.tensor([[1e-3], [1e-3]]))
    assert x.shape == (2, 2) and x[0, 1].item() == pytest.approx(100, abs=0.1)


def test_helpers_about_tensors() -> None:
    assert byhand.is_tensor(byhand.ones(1)) and not byhand.is_tensor(np.ones(1))
    assert byhand.numel(byhand.ones(2, 3)) == 6 and byhand.is_floating_point(byhand.ones(1))
    assert byhand.tril_indices(3, 3).tolist() == np.stack(np.tril_indices(3)).tolist()


def test_pytorchs_words_for_memory_are_taken() -> None:
    words = {"device": "cpu", "pin_memory": False, "layout": byhand.strided}
    x = byhand.zeros(2, 3, **words)
    for made in (
        byhand.tensor([[1.0] * 3] * 2, **words),
        byhand.rand(size=(2, 3), **words),
        byhand.randn_like(x, **words),
    ):
        assert made.shape == (2, 3)
    assert byhand.ones_like(x, memory_format=byhand.preserve_format).shape == x.new_ones(size=(2, 3), **words).shape
    assert byhand.randint(5, size=(2,), requires_grad=False).shape == byhand.normal(0.0, 1.0, (2,), device="cpu").shape
    with pytest.raises(UsageError, match="take no out="):
        byhand.zeros(2, out=x)
    with pytest.raises(UsageError, match="unknown keyword dtyp"):
        byhand.ones(2, dtyp=byhand.int64)


def test_dtypes_of_results() -> None:
    assert byhand.promote_types(byhand.int64, byhand.float16) == byhand.float16
    assert byhand.promote_types(byhand.uint8, byhand.int8) == byhand.int16
    assert byhand.result_type(byhand.tensor([1]), 1.5) == byhand.result_type(1, 1.5) == byhand.float32

"""Conversions of dtype and the new_… methods."""

from __future__ import annotations

import numpy as np
import pytest

import byhand
from byhand.core.errors import DtypeError, UsageError


def test_to_takes_dtypes_devices_and_tensors() -> None:
    x = byhand.ones(2)
    assert x.to(byhand.float32) is x and x.to("cpu") is x and x.to(byhand.device("cpu")) is x
    assert x.to(byhand.float64).dtype == byhand.float64
    assert x.to("cpu", byhand.int64).dtype == byhand.int64
    assert x.to(dtype=np.float64, device="cpu").dtype == byhand.float64
    assert x.to(byhand.tensor([1])).dtype == byhand.int64
    assert x.to("float64").dtype == byhand.float64
    assert x.to(byhand.float32, copy=True) is not x
    assert x.to("cpu", non_blocking=True) is x


@pytest.mark.parametrize("target", ["cuda", "cuda:1", "mps"])
def test_other_devices_are_refused(target: str) -> None:
    with pytest.raises(UsageError, match="CPU"):
        byhand.ones(1).to(target)
    with pytest.raises(UsageError, match="CPU"):
        byhand.device(target)


def test_unknown_dtypes_are_refused() -> None:
    for wrong in ("nonsense", object, "S3"):
        with pytest.raises(DtypeError):
            byhand.ones(1).to(dtype=wrong)


@pytest.mark.parametrize("name", ["half", "float", "double", "short", "int", "long", "bool", "byte"])
def test_shorthands(name: str) -> None:
    expected = {"byte": np.uint8, "half": np.float16, "float": np.float32, "double": np.float64, "short": np.int16,
                "int": np.int32, "long": np.int64, "bool": np.bool_}[name]  # fmt: skip
    assert getattr(byhand.tensor([0.0, 1.0]), name)().dtype == expected


def test_type() -> None:
    x = byhand.ones(1)
    assert x.type() == "float32" and x.type(byhand.int64).dtype == byhand.int64
    assert x.type_as(byhand.tensor([1])).dtype == byhand.int64


def test_cpu_and_cuda() -> None:
    x = byhand.ones(1)
    assert x.cpu() is x
    with pytest.raises(UsageError, match=r"leave \.cuda\(\) out"):
        x.cuda()


def test_new_tensors_have_the_same_dtype() -> None:
    x = byhand.ones(1, dtype=byhand.float64)
    assert x.new_zeros(2, 3).dtype == byhand.float64 and x.new_zeros(2, 3).shape == (2, 3)
    assert x.new_ones((2,)).tolist() == [1, 1]
    assert x.new_full((2,), 3).tolist() == [3, 3]
    assert x.new_empty(2, dtype=byhand.int64).dtype == byhand.int64
    assert x.new_tensor([1, 2]).dtype == byhand.float64


def test_default_dtype_can_be_changed() -> None:
    try:
        byhand.set_default_dtype(byhand.float64)
        assert byhand.tensor([1.0]).dtype == byhand.zeros(1).dtype == byhand.randn(1).dtype == byhand.float64
        assert byhand.get_default_dtype() == byhand.float64
        assert repr(byhand.ones(1)) == "tensor([1.])" and "float32" in repr(byhand.ones(1).float())
    finally:
        byhand.set_default_dtype(byhand.float32)
    assert byhand.zeros(1).dtype == byhand.float32


def test_limits() -> None:
    assert byhand.finfo(byhand.float32).eps == np.finfo(np.float32).eps and byhand.finfo().max > 1e38
    assert byhand.iinfo(byhand.int64).max == 2**63 - 1 and byhand.iinfo("uint8").min == 0

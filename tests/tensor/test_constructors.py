from __future__ import annotations

import pytest

import byhand
from byhand.core.errors import UsageError


def test_the_name_is_the_dtype() -> None:
    assert byhand.CharTensor([1, 2]).dtype == byhand.int8
    assert byhand.DoubleTensor(2, 3).shape == (2, 3)


def test_the_default_by_a_constructor() -> None:
    byhand.set_default_tensor_type("torch.DoubleTensor")
    assert byhand.tensor(1.0).dtype == byhand.float64
    byhand.set_default_tensor_type(byhand.FloatTensor)
    assert byhand.tensor(1.0).dtype == byhand.float32
    with pytest.raises(UsageError, match="not LongTensor"):
        byhand.set_default_tensor_type(byhand.LongTensor)

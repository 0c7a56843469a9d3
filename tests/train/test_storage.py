from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import byhand
from byhand.core.errors import CheckpointError
from byhand.interop.named_tensors import pack_tensors, unpack_tensors
from byhand.tensor import Tensor
from byhand.train import storage


def through_files(tree: Any) -> Any:
    tensors: dict[str, Any] = {}
    text = json.dumps(storage.encode(tree, tensors))
    return storage.decode(json.loads(text), unpack_tensors(pack_tensors(tensors)))


SCALARS = st.none() | st.booleans() | st.integers(-(2**130), 2**130) | st.floats(allow_nan=False) | st.text(max_size=4)
TREES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=3) | st.integers(0, 9), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(TREES)
@settings(max_examples=60, deadline=None)
def test_trees_survive_exactly(tree: Any) -> None:
    again = through_files(tree)
    assert again == tree
    assert repr(again) == repr(tree)  # -0.0, 1 and True, tuples and lists stay apart


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int64", "int32", "uint8", "bool"])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3)])
def test_arrays_survive_bit_for_bit(dtype: str, shape: tuple[int, ...]) -> None:
    array = np.random.default_rng(0).normal(size=shape).astype(dtype)
    found = through_files({"a": array, "t": Tensor(array), "transposed": array.T})
    assert isinstance(found["a"], np.ndarray) and isinstance(found["t"], Tensor)
    for value, expected in ((found["a"], array), (found["t"].array, array), (found["transposed"], array.T)):
        assert value.dtype == expected.dtype and value.shape == expected.shape
        assert value.tobytes() == expected.tobytes()


def test_special_values() -> None:
    tree = {"nan": math.nan, "inf": -math.inf, "f32": np.float32(0.1), "i": np.int64(3), "b": np.bool_(True)}
    found = through_files(tree)
    assert math.isnan(found["nan"]) and found["inf"] == -math.inf
    assert found["f32"] == np.float32(0.1) and type(found["f32"]) is np.float32
    assert found["i"] == 3 and found["b"] is True
    assert through_files({"$tensor": "a"}) == {"$tensor": "a"}
    assert through_files({1, 2}) == {1, 2}
    assert through_files(byhand.float32) == byhand.float32


def test_what_cannot_be_saved_is_named() -> None:
    with pytest.raises(CheckpointError, match="callbacks/mine: a function"):
        storage.encode({"callbacks": {"mine": test_special_values}}, {})

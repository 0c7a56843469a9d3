from __future__ import annotations

import errno
import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import byhand
from byhand.core.errors import CheckpointError
from byhand.tensor import Tensor
from byhand.train import storage


def through_files(tree: Any) -> Any:
    tensors: dict[str, Any] = {}
    text = json.dumps(storage.encode(tree, tensors))
    return storage.decode(json.loads(text), storage.unpack_tensors(storage.pack_tensors(tensors)))


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


def test_writing_replaces_the_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    storage.write_atomically(path, b"one")
    storage.write_atomically(path, b"two")
    assert path.read_bytes() == b"two"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("function", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_leaves_the_old_file_and_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str, error: BaseException
) -> None:
    path = tmp_path / "a"
    storage.write_atomically(path, b"one")

    def fail(*args: object) -> None:
        raise error

    monkeypatch.setattr(os, function, fail)
    expected = CheckpointError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected):
        storage.write_atomically(path, b"two")
    assert path.read_bytes() == b"one"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_a_missing_folder_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"could not save .*b: No such file"):
        storage.write_atomically(tmp_path / "a" / "b", b"")


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_others_may_read_what_the_umask_allows(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        storage.write_atomically(tmp_path / "a", b"")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o644

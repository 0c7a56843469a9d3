"""What `byhand.save` writes `byhand.load` reads; damaged and hostile files give an error, and run nothing."""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import struct
import tracemalloc
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import byhand
from byhand.core.errors import CheckpointError, UsageError
from byhand.interop.legacy import MAGIC

HEAD = (
    b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\n"
    b"X\x01\x00\x00\x000X\x03\x00\x00\x00cpu"
)


def saved(value: Any) -> bytes:
    file = io.BytesIO()
    byhand.save(value, file)
    return file.getvalue()


def loaded(data: bytes) -> Any:
    return byhand.load(io.BytesIO(data))


def hostile(pickled: bytes, storage: bytes = b"\x00" * 24, compression: int = zipfile.ZIP_STORED) -> bytes:
    """An archive around a pickle of one's own."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as made:
        made.writestr("archive/data.pkl", pickled)
        made.writestr("archive/data/0", storage)
    return file.getvalue()


def tensor(count: str = "6", offset: str = "0", size: str = "(I2\nI3\nt", stride: str = "(I3\nI1\nt") -> bytes:
    return HEAD + f"I{count}\ntQI{offset}\n{size}{stride}I00\nNtR.".encode()


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**90), 2**90)
    | st.floats(allow_nan=False)
    | st.text(max_size=5)
    | st.binary(max_size=5)
)
TREES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=3) | st.integers(0, 9), inner, max_size=3)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3).map(OrderedDict)
    ),
    max_leaves=12,
)


@given(TREES)
@settings(max_examples=60, deadline=None)
def test_trees_come_back_exactly(tree: Any) -> None:
    again = loaded(saved(tree))
    assert again == tree
    assert repr(again) == repr(tree)


def test_a_training_is_saved_and_continued(tmp_path: Path) -> None:
    def trained(path: Path, *, fresh: bool) -> Any:
        model = byhand.nn.Linear(3, 2)
        optimizer = byhand.optim.AdamW(model.parameters())
        if not fresh:
            checkpoint = byhand.load(path, map_location=byhand.device("cpu"), weights_only=True)
            model.load_state_dict(checkpoint["model"])
            optimizer.load_state_dict(checkpoint["optimizer"])
        for _ in range(3):
            optimizer.zero_grad()
            (model(byhand.ones(4, 3)) ** 2).sum().backward()
            optimizer.step()
        byhand.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3}, path)
        return model.weight.tolist()

    byhand.manual_seed(0)
    trained(tmp_path / "a.pt", fresh=True)
    (tmp_path / "b.pt").write_bytes((tmp_path / "a.pt").read_bytes())
    assert trained(tmp_path / "a.pt", fresh=False) == trained(tmp_path / "b.pt", fresh=False)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.pt", "b.pt"]


def test_the_same_object_gives_the_same_bytes() -> None:
    assert saved({"w": byhand.ones(3)}) == saved({"w": byhand.ones(3)})


def test_what_is_loaded_can_be_written_to() -> None:
    found = loaded(saved({"a": byhand.zeros(2), "b": byhand.zeros(2)}))
    found["a"].fill_(1.0)
    assert found["b"].tolist() == [0.0, 0.0]


def test_a_failed_save_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    byhand.save({"w": byhand.ones(2)}, path)
    with pytest.raises(CheckpointError, match=r"\['w'\]\[1\] is a Linear: .* save .state_dict\(\)"):
        byhand.save({"w": [1, byhand.nn.Linear(1, 1)]}, path)
    with pytest.raises(CheckpointError, match="No such file"):
        byhand.save({}, tmp_path / "nowhere" / "w.pt")
    assert byhand.load(path)["w"].tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    "value, message",
    [
        (byhand.nn.Linear(1, 1), "the object is a Linear"),
        ({"o": byhand.optim.SGD([byhand.ones(1, requires_grad=True)])}, r"\['o'\] is a SGD"),
        ({"f": [len]}, r"\['f'\]\[0\] is a builtin_function_or_method; what can be saved are tensors"),
        ({"a": np.array(["text"])}, r"\['a'\] has the dtype <U4"),
    ],
)
def test_what_cannot_be_saved_is_named(value: Any, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        saved(value)


def test_what_contains_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(CheckpointError, match=r"\[0\] contains itself"):
        saved(loop)


class Attack:
    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "function, arguments", [(os.system, ("touch PWNED",)), (eval, ("open('PWNED', 'w')",)), (open, ("PWNED", "w"))]
)
def test_nothing_is_run(tmp_path: Path, monkeypatch: Any, function: Any, arguments: Any, protocol: int) -> None:
    monkeypatch.chdir(tmp_path)
    data = pickle.dumps({"model": Attack(function, *arguments)}, protocol)
    with pytest.raises(CheckpointError, match=r"was refused: it asks for \w+\.(system|eval|open), and nothing"):
        loaded(hostile(data))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "pickled, message",
    [
        (b"ctorch\nFloatStorage\n.", "it holds torch.FloatStorage"),
        (b"ctorch\nFloatStorage\n)R.", "it calls torch.FloatStorage"),
        (b"ctorch._utils\n_rebuild_tensor_v2\n.", "it holds torch._utils._rebuild_tensor_v2"),
        (b"ccollections\nOrderedDict\n)R}X\x05\x00\x00\x00items}sb.", "sets attributes of a OrderedDict"),
        (b"ccollections\nOrderedDict\n}X\x05\x00\x00\x00items}sb.", "sets attributes of a Name"),
        (b"ctorch._utils\n_rebuild_tensor_v2\n(NI0\n))I00\nNtR.", "a tensor is made of a NoneType"),
        (b"ctorch._utils\n_rebuild_parameter\n(NNNtR.", "a parameter is made of a NoneType"),
        (b"(X\x04\x00\x00\x00evilNNNNtQ.", "refers to 'evil'"),
        (b"\x80\x02\x82\x07.", "extension 7"),
        (b"cbuiltins\nbytearray\n(I99999999999\ntR.", "a bytearray is made of a int"),
        (b"ctorch._tensor\n_rebuild_from_type_v2\n(c__main__\nf\nNNNtR.", "__main__.f"),
        (b"]" * 200 + b"a" * 199 + b".", "nested more than 100 deep"),
        (tensor(offset="1"), "claims more than the 6 numbers"),
        (tensor(size="(I3\nI3\nt"), "claims more than the 6 numbers"),
        (tensor(stride="(I-3\nI1\nt"), "claims the shape"),
        (tensor(offset="-1"), "claims the shape"),
        (tensor(stride="(I3\nt"), "claims the shape"),
        (tensor(size="(I9999999\nI9999999\nt", stride="(I0\nI0\nt"), "claims more than the 6 numbers"),
        (tensor(count="7"), "is damaged or truncated: the storage '0' should have 7 numbers, it has 24 bytes"),
        (tensor(count="99999999999999999999"), "should have 99,999,999,999,999,999,999 numbers"),
    ],
)
def test_what_a_hostile_pickle_claims_is_checked(pickled: bytes, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        loaded(hostile(pickled))


def test_a_sound_archive_around_such_a_tensor() -> None:
    assert loaded(hostile(tensor())).tolist() == [[0.0] * 3] * 2


@pytest.mark.parametrize(
    "data, message",
    [
        (b"", "is empty"),
        (b"<!DOCTYPE html>", "is a web page"),
        (b"\x89HDF\r\n", "HDF5"),
        (pickle.dumps({"a": 1}), "is a pickle, not a file of torch.save"),
        (MAGIC, "is damaged or truncated"),
        (b"\x00\x01\x02\x03", "does not begin as they do"),
        (b"PK\x03\x04 and so on", "is damaged or truncated"),
        (hostile(b"N.").replace(b"data.pkl", b"dato.pkl"), "it has no data.pkl"),
        (hostile(b"N.", b"\x00" * 99, zipfile.ZIP_DEFLATED), "is compressed"),
        (struct.pack("<Q", 5) + b"{oops", "is damaged, or not a safetensors file"),
    ],
)
def test_files_that_are_none(data: bytes, message: str) -> None:
    with pytest.raises(CheckpointError, match=f"the file.*{message}"):
        loaded(data)


def test_a_file_cut_anywhere_is_an_error() -> None:
    data = saved({"w": byhand.ones(100), "n": [1, "two"]})
    for end in range(0, len(data), 37):
        with pytest.raises(CheckpointError):
            loaded(data[:end])


def test_flipped_bytes_are_errors_or_other_values_but_nothing_else() -> None:
    data = saved({"w": byhand.ones(4), "n": [1, "two", 0.5]})
    rng = np.random.default_rng(0)
    for _ in range(300):
        changed = bytearray(data)
        changed[rng.integers(len(data))] = rng.integers(256)
        with contextlib.suppress(CheckpointError):
            loaded(bytes(changed))


@pytest.mark.parametrize(
    "pickled",
    [
        b"\x80\x02K\x05r\xff\xff\xff\x0f.",  # a memo index
        b"\x80\x05\x96\xff\xff\xff\xff\xff\x00\x00\x00.",  # a bytearray
        b"\x80\x04\x8e\xff\xff\xff\xff\xff\x00\x00\x00.",  # bytes
        b"\x80\x04\x95\xff\xff\xff\xff\xff\x00\x00\x00N.",  # a frame
    ],
)
def test_promised_sizes_reserve_no_memory(pickled: bytes) -> None:
    tracemalloc.start()
    try:
        with contextlib.suppress(CheckpointError):
            loaded(hostile(pickled))
        assert tracemalloc.get_traced_memory()[1] < 50_000_000
    finally:
        tracemalloc.stop()


def test_a_record_that_claims_more_than_the_file_is_refused() -> None:
    data = bytearray(hostile(tensor()))
    i = data.rindex(b"PK\x01\x02")
    data[i + 20 : i + 28] = struct.pack("<II", 10**9, 10**9)
    with pytest.raises(CheckpointError, match="its records claim more bytes than the file has"):
        loaded(bytes(data))


def test_devices() -> None:
    data = saved(byhand.ones(1))
    assert byhand.load(io.BytesIO(data), "cpu", weights_only=False).tolist() == [1.0]
    with pytest.raises(UsageError, match="no device 'cuda'"):
        byhand.load(io.BytesIO(data), map_location="cuda")


def test_a_missing_file_is_pythons_own_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        byhand.load(tmp_path / "w.pt")


@pytest.mark.parametrize(
    "value, message", [([byhand.ones(1)], "not a list"), ({"w": byhand.ones(1), "epoch": 3}, "'epoch' is a int; save")]
)
def test_safetensors_hold_tensors_only(tmp_path: Path, value: Any, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        byhand.save(value, tmp_path / "w.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_safetensors_come_back(tmp_path: Path) -> None:
    state = byhand.nn.Linear(3, 2).state_dict()
    byhand.save(state, tmp_path / "w.safetensors")
    found = byhand.load(tmp_path / "w.safetensors")
    assert {key: value.tolist() for key, value in found.items()} == {k: v.tolist() for k, v in state.items()}

from __future__ import annotations

import gzip
import hashlib
import pickle
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from byhand.core.errors import DataError
from byhand.data import TensorDataset
from byhand.data.datasets import fashion_mnist, idx, mnist, mnist_pkl
from byhand.data.datasets.idx import FILES, read_idx

SIZES = (12, 12, 5, 5)


def idx_bytes(array: Any) -> bytes:
    return struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def contents() -> dict[str, Any]:
    random = np.random.default_rng(0)
    arrays = {}
    for file, n in zip(FILES, SIZES, strict=True):
        high, shape = (256, (n, 28, 28)) if "images" in file else (10, (n,))
        arrays[file] = random.integers(0, high, shape, dtype=np.uint8)
    return arrays


def write(folder: Path, packed: bool = True, dotted: bool = False) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    arrays = contents()
    for file, array in arrays.items():
        name = file.replace("-idx", ".idx") if dotted else file
        data = idx_bytes(array)
        (folder / (f"{name}.gz" if packed else name)).write_bytes(gzip.compress(data) if packed else data)
    return arrays


def check(parts: tuple[TensorDataset, TensorDataset], arrays: dict[str, Any]) -> None:
    for part, images, labels in zip(parts, FILES[::2], FILES[1::2], strict=True):
        x, y = part.tensors
        assert x.shape == (len(arrays[labels]), 1, 28, 28)
        assert x.dtype == np.float32
        assert np.array_equal(x.array[:, 0], arrays[images].astype(np.float32) / np.float32(255))
        assert y.dtype == np.int64
        assert np.array_equal(y.array, arrays[labels])


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("dotted", [True, False])
def test_mnist_from_byhand_data(packed: bool, dotted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BYHAND_DATA", str(tmp_path))
    arrays = write(tmp_path / "mnist", packed, dotted)
    check(mnist(), arrays)


def test_mnist_from_a_given_folder_or_torchvisions(tmp_path: Path) -> None:
    arrays = write(tmp_path / "MNIST" / "raw")
    check(mnist(tmp_path), arrays)


def test_fashion_mnist_lives_in_its_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BYHAND_DATA", str(tmp_path))
    write(tmp_path / "mnist")
    with pytest.raises(DataError, match="fashion_mnist was not found"):
        fashion_mnist(download=False)
    arrays = write(tmp_path / "fashion_mnist")
    check(fashion_mnist(), arrays)


def test_what_is_missing_is_told_with_the_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BYHAND_DATA", str(tmp_path))
    write(tmp_path / "mnist")
    (tmp_path / "mnist" / f"{FILES[3]}.gz").unlink()
    with pytest.raises(DataError) as caught:
        mnist(download=False)
    message = str(caught.value)
    assert message.startswith("t10k-labels-idx1-ubyte.gz of mnist was not found")
    assert str(tmp_path / "mnist") in message
    assert str(tmp_path / "cache" / "byhand" / "mnist") in message
    assert "BYHAND_DATA" in message


def damaged(data: bytes, how: str) -> bytes:
    return {
        "truncated": data[:-1],
        "too long": data + b"\0",
        "wrong type": b"\0\0\x0d" + data[3:],
        "empty": b"",
        "html": b"<html>not found</html>",
    }[how]


@pytest.mark.parametrize("how", ["truncated", "too long", "wrong type", "empty", "html"])
@pytest.mark.parametrize("file", FILES)
def test_a_damaged_file_is_named(how: str, file: str, tmp_path: Path) -> None:
    write(tmp_path, packed=False)
    (tmp_path / file).write_bytes(damaged((tmp_path / file).read_bytes(), how))
    with pytest.raises(DataError, match=f"{file} is (truncated or corrupt|not an IDX file).*get it again"):
        mnist(tmp_path)


def test_files_that_do_not_belong_together(tmp_path: Path) -> None:
    write(tmp_path, packed=False)
    (tmp_path / FILES[1]).write_bytes(idx_bytes(np.zeros(7, np.uint8)))
    with pytest.raises(DataError, match="12 images, but 7 labels"):
        mnist(tmp_path)
    (tmp_path / FILES[1]).write_bytes(idx_bytes(np.full(12, 10, np.uint8)))
    with pytest.raises(DataError, match="label 10 of sample 0"):
        mnist(tmp_path)


def test_read_idx_keeps_the_bytes(tmp_path: Path) -> None:
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    (tmp_path / "x").write_bytes(idx_bytes(array))
    assert np.array_equal(read_idx(tmp_path / "x", 3), array)


# ── downloading ───────────────────────────────────────────────────────────────────────────────────────────────────────


def serve(mirror: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    arrays = contents()
    mirror.files |= {f"{file}.gz": gzip.compress(idx_bytes(array), mtime=0) for file, array in arrays.items()}
    digests = tuple(hashlib.sha256(mirror.files[f"{file}.gz"]).hexdigest() for file in FILES)
    monkeypatch.setattr(idx, "MNIST", replace(idx.MNIST, mirrors=(mirror.url + "gone/", mirror.url), sha256=digests))
    return arrays


def test_mnist_is_downloaded_once(mirror: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = serve(mirror, monkeypatch)
    check(mnist(), arrays)
    assert sorted(p.name for p in (tmp_path / "cache" / "byhand" / "mnist").iterdir()) == sorted(mirror.files)
    asked = len(mirror.requests)
    check(mnist(), arrays)
    assert len(mirror.requests) == asked == 8


def test_mnist_is_downloaded_to_a_given_folder(mirror: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = serve(mirror, monkeypatch)
    check(mnist(tmp_path / "here"), arrays)
    assert (tmp_path / "here" / f"{FILES[0]}.gz").is_file()


def test_only_what_is_missing_is_downloaded(mirror: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = serve(mirror, monkeypatch)
    monkeypatch.setenv("BYHAND_DATA", str(tmp_path))
    write(tmp_path / "mnist")
    (tmp_path / "mnist" / f"{FILES[2]}.gz").unlink()
    check(mnist(), arrays)
    assert {name.rsplit("/")[-1] for name, _ in mirror.requests} == {f"{FILES[2]}.gz"}


def test_a_truncated_download_goes_on(mirror: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = serve(mirror, monkeypatch)
    mirror.breaks_after[f"{FILES[0]}.gz"] = 5000
    with pytest.raises(DataError, match="ended after 5,000"):
        mnist()
    del mirror.breaks_after[f"{FILES[0]}.gz"]
    check(mnist(), arrays)
    assert (f"{FILES[0]}.gz", "bytes=5000-") in mirror.requests


# ── mnist.pkl.gz ──────────────────────────────────────────────────────────────────────────────────────────────────────


def pickled_parts() -> Any:
    random = np.random.default_rng(0)
    return tuple((random.random((n, 784), dtype=np.float32), random.integers(0, 10, n)) for n in (6, 3, 2))


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("packed", [True, False])
def test_mnist_pkl(protocol: int, packed: bool, tmp_path: Path) -> None:
    parts = pickled_parts()
    path = tmp_path / "mnist.pkl"
    data = pickle.dumps(parts, protocol)
    path.write_bytes(gzip.compress(data) if packed else data)
    loaded = mnist_pkl(path)
    assert [len(part) for part in loaded] == [6, 3, 2]
    for part, (pixels, labels) in zip(loaded, parts, strict=True):
        x, y = part.tensors
        assert (x.dtype, y.dtype) == (np.float32, np.int64)
        assert np.array_equal(x.array, pixels.reshape(-1, 1, 28, 28))
        assert np.array_equal(y.array, labels)


def test_mnist_pkl_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BYHAND_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"mnist\.pkl\.gz was not found"):
        mnist_pkl()
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / "mnist.pkl.gz").write_bytes(gzip.compress(pickle.dumps(pickled_parts())))
    assert len(mnist_pkl()) == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2, 3], "three pairs"),
        (((1, 2),) * 3, "three pairs"),
        (((np.zeros((2, 100)), np.zeros(2, int)),) * 3, r"expected \(N, 784\)"),
        (((np.zeros((2, 784)), np.zeros(2)),) * 3, r"expected \(N, 784\)"),
        (((np.zeros((2, 784)), np.zeros(3, int)),) * 3, "2 images, but 3 labels"),
    ],
)
def test_mnist_pkl_of_something_else(content: Any, message: str, tmp_path: Path) -> None:
    (tmp_path / "x.pkl").write_bytes(pickle.dumps(content))
    with pytest.raises(DataError, match=message):
        mnist_pkl(tmp_path / "x.pkl")


def test_mnist_pkl_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        mnist_pkl(tmp_path / "x.pkl")

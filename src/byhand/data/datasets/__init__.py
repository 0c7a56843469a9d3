"""Datasets: bundled, read from files, downloaded, or made. Functions return a `TensorDataset`, or a pair of them.

Images are float32 in [0, 1] of (N, C, H, W), points float32 (N, 2), labels int64 (N,). Files are looked for in
`$BYHAND_DATA`, then in the platform's cache folder. `load(name)` is what `byhand train NAME` uses.

>>> import byhand
>>> byhand.data.datasets.names()[:3]
['digits', 'mnist', 'fashion_mnist']
"""

from __future__ import annotations

from byhand.data.datasets.bundled import digits
from byhand.data.datasets.characters import TextDataset, text, tiny_shakespeare
from byhand.data.datasets.cifar import cifar10
from byhand.data.datasets.folder import cache_folder
from byhand.data.datasets.idx import fashion_mnist, mnist, mnist_pkl
from byhand.data.datasets.points import circles, gaussian_quantiles, moons, planar_flower, ring, spirals
from byhand.data.datasets.registry import Row, Splits, catalog, load, names
from byhand.data.datasets.series import sine_waves
from byhand.data.datasets.tables import Table, table
from byhand.data.datasets.worlds import WindyLine

__all__ = [
    "digits",
    "mnist",
    "fashion_mnist",
    "mnist_pkl",
    "cifar10",
    "planar_flower",
    "spirals",
    "moons",
    "circles",
    "gaussian_quantiles",
    "ring",
    "sine_waves",
    "WindyLine",
    "tiny_shakespeare",
    "text",
    "TextDataset",
    "table",
    "Table",
    "load",
    "names",
    "catalog",
    "Splits",
    "Row",
    "cache_folder",
]

"""Data: datasets, samplers and the loader with PyTorch's names (`torch.utils.data`), and real and made datasets.

>>> import byhand
>>> digits = byhand.data.datasets.digits()
>>> x, y = next(iter(byhand.data.DataLoader(digits, batch_size=50, shuffle=True)))
>>> x.shape, y.shape
((50, 1, 8, 8), (50,))
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from byhand.data.collate import default_collate, default_convert
from byhand.data.dataset import (
    ChainDataset,
    ConcatDataset,
    Dataset,
    IterableDataset,
    StackDataset,
    Subset,
    TensorDataset,
    random_split,
)
from byhand.data.loader import DataLoader, get_worker_info
from byhand.data.sampler import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)

if TYPE_CHECKING:
    from byhand.data import datasets

__all__ = [
    "Dataset",
    "IterableDataset",
    "TensorDataset",
    "StackDataset",
    "ConcatDataset",
    "ChainDataset",
    "Subset",
    "random_split",
    "Sampler",
    "SequentialSampler",
    "RandomSampler",
    "SubsetRandomSampler",
    "WeightedRandomSampler",
    "BatchSampler",
    "DataLoader",
    "default_collate",
    "default_convert",
    "get_worker_info",
    "datasets",
]


def __getattr__(name: str) -> Any:
    # on first use: readers of CSV, ZIP and archives cost 15 ms, which `import byhand` need not pay
    if name == "datasets":
        return importlib.import_module("byhand.data.datasets")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

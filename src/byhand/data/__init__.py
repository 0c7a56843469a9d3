"""Data: datasets, samplers and the loader with PyTorch's names (`torch.utils.data`), and real and made datasets.

>>> import byhand
>>> digits = byhand.data.datasets.digits()
>>> x, y = next(iter(byhand.data.DataLoader(digits, batch_size=50, shuffle=True)))
>>> x.shape, y.shape
((50, 1, 8, 8), (50,))
"""

from __future__ import annotations

from byhand.data import datasets
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
from byhand.data.loader import DataLoader
from byhand.data.sampler import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)

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
    "datasets",
]

"""PyTorch's path to `byhand.data`: `from byhand.utils.data import DataLoader, TensorDataset` works as there."""

from __future__ import annotations

import sys

from byhand.core import paths
from byhand.data import (
    BatchSampler,
    ChainDataset,
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    Sampler,
    SequentialSampler,
    StackDataset,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    dataset,
    default_collate,
    default_convert,
    get_worker_info,
    loader,
    random_split,
    sampler,
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
    "get_worker_info",
]

paths.lead(sys.modules[__name__], {"dataset": dataset, "dataloader": loader, "sampler": sampler})

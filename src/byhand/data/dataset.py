"""Datasets: anything with `__getitem__` and `__len__`, and the ways to cut and join them.

Used by `DataLoader`, by `byhand.data.datasets` (which returns `TensorDataset`s) and by people, with PyTorch's names
(`torch.utils.data`).
"""

from __future__ import annotations

import bisect
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any, Generic, TypeVar

import numpy as np

from byhand.core.errors import DataError, ShapeError, UsageError
from byhand.core.generator import Generator, numpy_generator
from byhand.data.whole import Fetch, Where, fetcher, rows
from byhand.tensor import Tensor

T_co = TypeVar("T_co", covariant=True)


class Dataset(Generic[T_co]):
    """What has samples by index: subclasses define `__getitem__(index)` and usually `__len__()`.

    A subclass that can read many samples at once may also define `fetch(where)`, which takes a slice or an int64
    array of indices and returns the whole collated batch; `DataLoader` then calls that instead.

    >>> import byhand
    >>> class Squares(byhand.data.Dataset):
    ...     def __len__(self): return 5
    ...     def __getitem__(self, i): return i, i * i
    >>> [x.tolist() for x in next(iter(byhand.data.DataLoader(Squares(), batch_size=3)))]
    [[0, 1, 2], [0, 1, 4]]
    """

    def __getitem__(self, index: Any) -> T_co:
        raise NotImplementedError(f"{type(self).__name__} must define __getitem__(self, index)")

    def __add__(self, other: Dataset[Any]) -> ConcatDataset[Any]:
        return ConcatDataset([self, other])


class IterableDataset(Dataset[T_co]):
    """What has samples in one order only (a stream, a file read line by line): subclasses define `__iter__()`."""

    def __iter__(self) -> Iterator[T_co]:
        raise NotImplementedError(f"{type(self).__name__} must define __iter__(self)")

    def __add__(self, other: Dataset[Any]) -> ChainDataset:  # type: ignore[override]
        return ChainDataset([self, other])


class TensorDataset(Dataset[tuple[Tensor, ...]]):
    """Tensors side by side: sample `i` is `tuple(t[i] for t in tensors)`.

    Takes tensors (or NumPy arrays, which are wrapped without a copy) of shapes (N, ...). Raises ShapeError if they
    disagree about N.

    >>> import byhand
    >>> data = byhand.data.TensorDataset(byhand.zeros(4, 2), byhand.arange(4))
    >>> len(data), data[3][1].item()
    (4, 3)
    """

    tensors: tuple[Tensor, ...]

    def __init__(self, *tensors: Tensor) -> None:
        self.tensors = tuple(_as_tensor(t, i) for i, t in enumerate(tensors))
        if not tensors:
            raise UsageError("TensorDataset() needs at least one tensor")
        shapes = [t.shape for t in self.tensors]
        if any(not shape for shape in shapes) or len({shape[0] for shape in shapes}) > 1:
            raise ShapeError(
                f"TensorDataset got tensors of shapes {', '.join(map(str, shapes))}; "
                "their first dimension counts the samples and must be the same for all"
            )

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(t[index] for t in self.tensors)

    def __len__(self) -> int:
        return len(self.tensors[0].array)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{t.shape} {t.dtype}' for t in self.tensors)})"

    def fetch(self, where: Where) -> list[Tensor]:
        """The batch of the samples `where` (a slice or int64 indices), by one index operation a tensor."""
        return [rows(t, where) for t in self.tensors]


def _as_tensor(value: object, position: int) -> Tensor:
    if isinstance(value, Tensor):
        return value
    if isinstance(value, np.ndarray):
        return Tensor(value)
    raise UsageError(
        f"TensorDataset takes tensors, but argument {position} is a {type(value).__name__}; "
        "write byhand.tensor(...) around it"
    )


class Subset(Dataset[T_co]):
    """The samples of `dataset` at `indices`, in that order. Raises DataError for an index outside of the dataset.

    >>> import byhand
    >>> byhand.data.Subset([10, 20, 30], [2, 0])[0]
    30
    """

    def __init__(self, dataset: Dataset[T_co] | Sequence[T_co], indices: Sequence[Any]) -> None:
        self.dataset = dataset
        self.indices = indices
        self._where = indices if isinstance(indices, range) else np.asarray(indices)
        if isinstance(self._where, np.ndarray):
            if self._where.dtype == bool:
                raise DataError("Subset takes indices, not a mask; write np.flatnonzero(mask)")
            if self._where.size == 0:
                self._where = self._where.astype(np.int64)
        self._check_range()

    def _check_range(self) -> None:
        if not hasattr(self.dataset, "__len__") or not len(self._where):
            return
        if isinstance(self._where, np.ndarray) and self._where.dtype.kind not in "iu":
            return  # keys of a mapping-like dataset
        size, low, high = len(self.dataset), int(np.min(self._where)), int(np.max(self._where))
        if low < -size or high >= size:
            wrong = high if high >= size else low
            raise DataError(f"Subset of a dataset of {size} samples: index {wrong} is outside of 0 … {size - 1}")

    def __getitem__(self, index: Any) -> T_co:
        if isinstance(index, list):
            return self.dataset[[self.indices[i] for i in index]]  # type: ignore[call-overload]
        return self.dataset[self.indices[index]]

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def fetch(self) -> Fetch | None:
        """The function that reads whole batches, if the dataset underneath has one."""
        inner = fetcher(self.dataset)
        if inner is None or (isinstance(self._where, np.ndarray) and self._where.dtype.kind not in "iu"):
            return None
        table = self._where

        def fetch(where: Where) -> Any:
            if not isinstance(table, range):
                return inner(table[where])
            if isinstance(where, slice):
                part = table[where]
                return inner(slice(part.start, part.stop) if part.step == 1 else np.array(part))
            return inner(where if table.start == 0 and table.step == 1 else table.start + table.step * where)

        return fetch


class ConcatDataset(Dataset[T_co]):
    """Datasets one after the other, as one. Raises UsageError for none, or for an `IterableDataset` among them."""

    def __init__(self, datasets: Sequence[Dataset[T_co]]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise UsageError("ConcatDataset([]) has nothing to join")
        if any(isinstance(d, IterableDataset) for d in self.datasets):
            raise UsageError("ConcatDataset cannot index an IterableDataset; use ChainDataset")
        self.cumulative_sizes = list(accumulate(len(d) for d in self.datasets))  # type: ignore[arg-type]

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, index: int) -> T_co:
        position = index + len(self) if index < 0 else index
        if not 0 <= position < len(self):
            raise IndexError(f"index {index} is outside of a ConcatDataset of {len(self)} samples")
        which = bisect.bisect_right(self.cumulative_sizes, position)
        return self.datasets[which][position - (self.cumulative_sizes[which - 1] if which else 0)]


class ChainDataset(IterableDataset[Any]):
    """Streams one after the other, as one."""

    def __init__(self, datasets: Sequence[Any]) -> None:
        self.datasets = list(datasets)

    def __iter__(self) -> Iterator[Any]:
        for dataset in self.datasets:
            yield from dataset

    def __len__(self) -> int:
        return sum(len(dataset) for dataset in self.datasets)


class StackDataset(Dataset[Any]):
    """Datasets side by side: sample `i` is the tuple of their samples `i`, or a dict of them if given by name.

    Raises ShapeError if they differ in length.

    >>> import byhand
    >>> byhand.data.StackDataset(x=byhand.arange(3), name=["a", "b", "c"])[1]["name"]
    'b'
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if bool(args) == bool(kwargs):
            raise UsageError("StackDataset takes either datasets or name=dataset, and at least one")
        self.datasets: tuple[Any, ...] | dict[str, Any] = args or kwargs
        lengths = [len(d) for d in self._each()]
        if len(set(lengths)) > 1:
            raise ShapeError(f"StackDataset got datasets of lengths {', '.join(map(str, lengths))}; they must agree")
        self._length = lengths[0]

    def _each(self) -> list[Any]:
        return list(self.datasets.values()) if isinstance(self.datasets, Mapping) else list(self.datasets)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(self.datasets, Mapping):
            return {name: dataset[index] for name, dataset in self.datasets.items()}
        return tuple(dataset[index] for dataset in self.datasets)

    def __len__(self) -> int:
        return self._length

    @property
    def fetch(self) -> Fetch | None:
        """The function that reads whole batches, if every dataset inside has one."""
        parts = [f for f in map(fetcher, self._each()) if f is not None]
        if len(parts) < len(self.datasets):
            return None
        if isinstance(self.datasets, Mapping):
            names = list(self.datasets)
            return lambda where: {name: part(where) for name, part in zip(names, parts, strict=True)}
        return lambda where: [part(where) for part in parts]


def random_split(
    dataset: Dataset[T_co], lengths: Sequence[int | float], generator: Generator | None = None
) -> list[Subset[T_co]]:
    """Cut a dataset at random into disjoint subsets of the given lengths, or fractions that sum to 1.

    With fractions each part gets `floor(fraction · N)` and the remainder is dealt out one by one, first parts first.
    Raises UsageError if the lengths do not add up.

    >>> import byhand
    >>> data = byhand.data.TensorDataset(byhand.arange(10))
    >>> [len(part) for part in byhand.data.random_split(data, [0.75, 0.25])]
    [8, 2]
    """
    size = len(dataset)  # type: ignore[arg-type]
    if math.isclose(sum(lengths), 1) or any(0 < n < 1 for n in lengths):
        lengths = _lengths_from_fractions(lengths, size)
    if any(n < 0 for n in lengths) or sum(lengths) != size:
        raise UsageError(
            f"random_split of {size} samples into {list(lengths)}: the lengths must add up to {size}, "
            "or be fractions that add up to 1"
        )
    order = numpy_generator(generator).permutation(size).tolist()
    ends = list(accumulate(int(n) for n in lengths))
    return [Subset(dataset, order[end - int(n) : end]) for end, n in zip(ends, lengths, strict=True)]


def _lengths_from_fractions(fractions: Sequence[float], size: int) -> list[int]:
    if any(not 0 <= f <= 1 for f in fractions) or not math.isclose(sum(fractions), 1):
        raise UsageError(f"random_split into fractions {list(fractions)}: each lies in [0, 1] and they add up to 1")
    lengths = [math.floor(size * f) for f in fractions]
    for i in range(size - sum(lengths)):
        lengths[i % len(lengths)] += 1
    for i, n in enumerate(lengths):
        if n == 0:
            warnings.warn(f"random_split: part {i} is empty ({fractions[i]} of {size} samples)", stacklevel=3)
    return lengths

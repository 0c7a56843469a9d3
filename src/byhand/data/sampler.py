"""Samplers: in which order the samples of a dataset are read. `DataLoader` makes one, or is given one.

Each of ours has `order()`, the whole epoch's indices at once (a `range` or an int64 array), from which both
`__iter__` and the loader's whole batches are cut. A sampler of one's own only needs `__iter__` (and `__len__`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import Any, Generic, TypeVar

import numpy as np

from byhand.core.errors import UsageError
from byhand.core.generator import Generator, numpy_generator
from byhand.data.whole import Indices

T_co = TypeVar("T_co", covariant=True)


class Sampler(Generic[T_co]):
    """The order of one epoch: subclasses define `__iter__()` and usually `__len__()`."""

    def __iter__(self) -> Iterator[T_co]:
        raise NotImplementedError(f"{type(self).__name__} must define __iter__(self)")


class SequentialSampler(Sampler[int]):
    """0, 1, 2, …: the samples as they come."""

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def order(self) -> range:
        """The indices of one epoch."""
        return range(len(self.data_source))

    def __iter__(self) -> Iterator[int]:
        return iter(self.order())

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler[int]):
    """A new permutation each epoch, or `num_samples` independent draws with `replacement=True`.

    Without replacement more samples than there are come from several permutations. Draws from `generator`, else from
    the default one that `byhand.manual_seed` sets.
    """

    def __init__(
        self,
        data_source: Sized,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Generator | None = None,
    ) -> None:
        if not isinstance(replacement, bool):
            raise UsageError(f"RandomSampler: replacement is True or False, not {replacement!r}")
        if num_samples is not None:
            check_positive("RandomSampler: num_samples", num_samples)
        self.data_source = data_source
        self.replacement = replacement
        self.generator = generator
        self._num_samples = num_samples

    @property
    def num_samples(self) -> int:
        """How many indices an epoch has."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def order(self) -> Indices:
        """Draw the indices of one epoch."""
        random, size, wanted = numpy_generator(self.generator), len(self.data_source), self.num_samples
        if size == 0:
            return np.empty(0, np.int64)
        if self.replacement:
            return random.integers(0, size, wanted)
        if wanted <= size:
            return random.permutation(size)[:wanted]
        return np.concatenate([random.permutation(size) for _ in range(-(-wanted // size))])[:wanted]

    def __iter__(self) -> Iterator[int]:
        return iter(self.order().tolist())

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler[int]):
    """The given indices in a new random order each epoch."""

    def __init__(self, indices: Sequence[int], generator: Generator | None = None) -> None:
        self.indices = indices
        self.generator = generator

    def order(self) -> Indices:
        """Draw the indices of one epoch."""
        return numpy_generator(self.generator).permutation(np.asarray(self.indices, dtype=np.int64))

    def __iter__(self) -> Iterator[int]:
        return iter(self.order().tolist())

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler[int]):
    """`num_samples` draws in which index `i` has probability `weights[i] / sum(weights)`.

    The usual cure for unbalanced classes: weight each sample by one over its class's count.
    """

    def __init__(
        self,
        weights: Sequence[float],
        num_samples: int,
        replacement: bool = True,
        generator: Generator | None = None,
    ) -> None:
        check_positive("WeightedRandomSampler: num_samples", num_samples)
        if not isinstance(replacement, bool):
            raise UsageError(f"WeightedRandomSampler: replacement is True or False, not {replacement!r}")
        self.weights = np.asarray(weights, dtype=np.float64)
        if self.weights.ndim != 1:
            raise UsageError(f"WeightedRandomSampler: weights has shape {self.weights.shape}; expected one dimension")
        if not (np.isfinite(self.weights).all() and (self.weights >= 0).all() and self.weights.sum() > 0):
            raise UsageError("WeightedRandomSampler: weights must be finite, none negative and not all zero")
        possible = int(np.count_nonzero(self.weights))
        if not replacement and num_samples > possible:
            raise UsageError(
                f"WeightedRandomSampler: cannot draw {num_samples} samples without replacement "
                f"from {possible} weights above zero"
            )
        self.num_samples = num_samples
        self.replacement = replacement
        self.generator = generator

    def order(self) -> Indices:
        """Draw the indices of one epoch."""
        random = numpy_generator(self.generator)
        chances = self.weights / self.weights.sum()
        return random.choice(len(chances), self.num_samples, self.replacement, chances)

    def __iter__(self) -> Iterator[int]:
        return iter(self.order().tolist())

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler[list[int]]):
    """The indices of another sampler in lists of `batch_size`; `drop_last` leaves out a last, shorter one.

    >>> import byhand
    >>> list(byhand.data.BatchSampler(byhand.data.SequentialSampler(range(5)), 2, drop_last=False))
    [[0, 1], [2, 3], [4]]
    """

    def __init__(self, sampler: Iterable[int], batch_size: int, drop_last: bool) -> None:
        check_positive("batch_size", batch_size)
        if not isinstance(drop_last, bool):
            raise UsageError(f"drop_last is True or False, not {drop_last!r}")
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last

    def __iter__(self) -> Iterator[list[int]]:
        batch: list[int] = []
        for index in self.sampler:
            batch.append(index)
            if len(batch) == self.batch_size:
                yield batch
                batch = []
        if batch and not self.drop_last:
            yield batch

    def __len__(self) -> int:
        size = len(self.sampler)  # type: ignore[arg-type]
        return size // self.batch_size if self.drop_last else -(-size // self.batch_size)


def check_positive(name: str, value: Any) -> None:
    """Raise UsageError unless `value` is a positive integer."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value <= 0:
        raise UsageError(f"{name} is a positive integer, not {value!r}")

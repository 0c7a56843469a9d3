"""`DataLoader`: a dataset in batches, an epoch at a time. Called by `train.fit`, and by every loop written by hand.

It also keeps where an epoch stands, so that a run that was killed in the middle goes on with the very next batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice, repeat
from typing import Any, Generic, TypeVar

import numpy as np

from byhand.core.capture import refuse
from byhand.core.errors import CheckpointError, DataError, UsageError
from byhand.core.generator import Generator, default_generator
from byhand.data.collate import default_collate, default_convert
from byhand.data.dataset import Dataset, IterableDataset
from byhand.data.prefetch import END, prefetched
from byhand.data.sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler, check_positive
from byhand.data.whole import fetcher, written_together

T_co = TypeVar("T_co", covariant=True)

Collate = Callable[[list[Any]], Any]


@dataclass(slots=True)
class Epoch:
    """One pass: the generator's state before its order was drawn, and how many batches were handed out."""

    order: dict[str, Any] | None
    batches: int = 0
    over: bool = False


class DataLoader(Generic[T_co]):
    """Iterate over a dataset in batches, with PyTorch's arguments.

    Datasets made of tensors (`TensorDataset`, `Subset` and `StackDataset` of it, any with a `fetch` method) are read
    whole: one index operation a tensor and batch, a slice when not shuffled. Others are read sample by sample and
    joined by `collate_fn` (default: `default_collate`); with `num_workers > 0` that many threads read ahead, at most
    `prefetch_factor` (2) batches each. For tensors in memory there is nothing to wait for, and no thread is started.
    Randomness inside of a dataset that threads read does not come in a reproducible order.

    `shuffle=True` draws a new permutation each epoch from `generator`, else from the default one that
    `byhand.manual_seed` sets. It is drawn when `iter(loader)` is called. `pin_memory`, `pin_memory_device`,
    `persistent_workers`, `multiprocessing_context` and `in_order` are taken and mean nothing here.

    Raises DataError for an empty dataset, UsageError for arguments that contradict each other. An exception from a
    dataset keeps its type and gets a note with the index of the sample.

    **Resuming.** `state_dict()` is the generator's state at the start of the epoch and the number of batches handed
    out since, as plain JSON. After `load_state_dict(state)` the next `iter(loader)` yields exactly the remaining
    batches of that permutation, and leaves the default generator as it found it; the epochs that follow draw from
    it, so whoever writes a checkpoint saves and restores `default_generator` as well (in either order).

    >>> import byhand
    >>> data = byhand.data.TensorDataset(byhand.arange(6))
    >>> loader = byhand.data.DataLoader(data, batch_size=2)
    >>> for (x,) in loader:
    ...     print(x.tolist())
    ...     if x[0] == 2:
    ...         state = loader.state_dict()
    [0, 1]
    [2, 3]
    [4, 5]
    >>> loader.load_state_dict(state)
    >>> [x.tolist() for (x,) in loader]
    [[4, 5]]
    """

    def __init__(
        self,
        dataset: Dataset[T_co] | Sequence[T_co],
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Sampler[Any] | Iterable[Any] | None = None,
        batch_sampler: Sampler[Any] | Iterable[Any] | None = None,
        num_workers: int = 0,
        collate_fn: Collate | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], None] | None = None,
        multiprocessing_context: Any = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:
        self.dataset: Any = dataset
        self.num_workers = num_workers
        self.pin_memory = pin_memory
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.generator = generator
        self.prefetch_factor = prefetch_factor
        self.drop_last = drop_last
        self._check(batch_size, shuffle, sampler, batch_sampler)
        if sampler is None and not isinstance(dataset, IterableDataset):
            source: Any = dataset
            sampler = RandomSampler(source, generator=generator) if shuffle else SequentialSampler(source)
        if batch_sampler is not None:
            batch_size = None
        elif batch_size is not None and sampler is not None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.batch_size = batch_size
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        batched = batch_size is not None or batch_sampler is not None
        self.collate_fn: Callable[[Any], Any] = collate_fn or (default_collate if batched else default_convert)
        self._epoch: Epoch | None = None
        self._resume: Epoch | None = None

    def _check(self, batch_size: int | None, shuffle: bool | None, sampler: object, batch_sampler: object) -> None:
        """Raise for arguments that make no sense, alone or together."""
        if batch_sampler is not None and (batch_size != 1 or shuffle or sampler is not None or self.drop_last):
            raise UsageError("batch_sampler decides alone: leave out batch_size, shuffle, sampler and drop_last")
        if sampler is not None and shuffle:
            raise UsageError("sampler and shuffle=True contradict each other; pass RandomSampler(...) as the sampler")
        if batch_size is None and self.drop_last:
            raise UsageError("drop_last=True needs a batch_size")
        if batch_size is not None:
            check_positive("batch_size", batch_size)
        if self.num_workers < 0:
            raise UsageError(f"num_workers counts threads: 0 or more, not {self.num_workers!r}")
        if self.timeout < 0:
            raise UsageError(f"timeout is in seconds, 0 for none, not {self.timeout!r}")
        if self.prefetch_factor is not None and (self.prefetch_factor < 1 or not self.num_workers):
            raise UsageError("prefetch_factor is 1 or more, and needs num_workers > 0")
        if isinstance(self.dataset, IterableDataset):
            if shuffle or sampler is not None or batch_sampler is not None:
                raise UsageError("an IterableDataset decides its order itself: leave out shuffle and the samplers")
        elif hasattr(self.dataset, "__len__") and len(self.dataset) == 0:
            raise DataError(
                f"the dataset ({type(self.dataset).__name__}) is empty: there is nothing to make batches of"
            )

    def __len__(self) -> int:
        if self.batch_sampler is not None:
            return len(self.batch_sampler)  # type: ignore[arg-type]
        if self.sampler is not None:
            return len(self.sampler)  # type: ignore[arg-type]
        size = len(self.dataset)
        if self.batch_size is None:
            return size
        return size // self.batch_size if self.drop_last else -(-size // self.batch_size)

    def __iter__(self) -> Iterator[Any]:
        refuse("read inside of the step, which a program would do never again; hand each batch in", "a DataLoader")
        start, self._resume = self._resume, None
        stream = self._stream()
        now = stream.get_state()
        if start is not None and start.order is not None:
            stream.set_state(start.order)
        epoch = self._epoch = Epoch(stream.get_state(), 0 if start is None else start.batches)
        try:
            read, tasks, threads = self._plan(epoch.batches)
        finally:
            if start is not None:  # what the resumed permutation was drawn from has long been used up
                stream.set_state(now)
        if threads:
            ahead = threads * (self.prefetch_factor or 2)
            batches = prefetched(
                read, tasks, workers=threads, ahead=ahead, timeout=self.timeout, initialize=self.worker_init_fn
            )
        else:
            batches = map(read, tasks)
        return _counted(batches, epoch)

    def _stream(self) -> Generator:
        """The generator that the order of an epoch is drawn from."""
        sampler = getattr(self.batch_sampler, "sampler", self.batch_sampler)
        sampler = self.sampler if sampler is None else sampler
        own = getattr(sampler, "generator", self.generator)
        return own if isinstance(own, Generator) else default_generator

    def _plan(self, skip: int) -> tuple[Callable[[Any], Any], Iterator[Any], int]:
        """How to read, what to read after the first `skip` batches, and by how many threads."""
        if isinstance(self.dataset, IterableDataset):
            return self._stream_reader(skip), repeat(None), min(self.num_workers, 1)
        fetch = fetcher(self.dataset) if self.collate_fn is default_collate else None
        if fetch is not None:
            return fetch, self._index_batches(skip, whole=True), 0
        if self.batch_sampler is None:
            return self._read_one, _after(skip, self.sampler), self.num_workers
        return self._read_batch, self._index_batches(skip, whole=False), self.num_workers

    def _index_batches(self, skip: int, whole: bool) -> Iterator[Any]:
        """The indices of each batch: as slices or int64 arrays for `fetch`, else as lists."""
        batches = self.batch_sampler
        if type(batches) is not BatchSampler or not written_together(type(batches.sampler), "order", "__iter__"):
            rest = _after(skip, batches)
            return (np.asarray(batch, dtype=np.int64) for batch in rest) if whole else rest
        order, size = batches.sampler.order(), batches.batch_size  # type: ignore[attr-defined]
        stop = len(order) - len(order) % size if batches.drop_last else len(order)
        starts = range(skip * size, stop, size)
        if not isinstance(order, range):
            parts = (order[i : i + size] for i in starts)
            return parts if whole else (part.tolist() for part in parts)
        if whole and order.step == 1:
            first = order.start
            return (slice(first + i, first + min(i + size, stop)) for i in starts)
        return (np.array(order[i : i + size]) if whole else list(order[i : i + size]) for i in starts)

    def _read_batch(self, indices: Sequence[Any]) -> Any:
        read_many = getattr(self.dataset, "__getitems__", None)
        if callable(read_many):
            return self.collate_fn(read_many(list(indices)))
        return self.collate_fn([self._sample(index) for index in indices])

    def _read_one(self, index: Any) -> Any:
        return self.collate_fn(self._sample(index))

    def _sample(self, index: Any) -> Any:
        try:
            return self.dataset[index]
        except Exception as error:
            error.add_note(f"while reading sample {index} of {type(self.dataset).__name__}")
            raise

    def _stream_reader(self, skip: int) -> Callable[[Any], Any]:
        """A function that reads the next batch of an `IterableDataset`, or returns END."""
        samples = iter(self.dataset)
        size = self.batch_size
        for _ in islice(samples, skip * (size or 1)):
            pass

        def read(_: None) -> Any:
            if size is None:
                sample = next(samples, END)
                return sample if sample is END else self.collate_fn(sample)
            batch = list(islice(samples, size))
            if not batch or (self.drop_last and len(batch) < size):
                return END
            return self.collate_fn(batch)

        return read

    def state_dict(self) -> dict[str, Any]:
        """Where the newest epoch stands, as plain JSON (see *Resuming* above).

        Keys: `order`, the generator's state from which the epoch's order was drawn, None between epochs; `batches`,
        how many were handed out; `generator`, the present state of the loader's own generator, None if it has none;
        `batch_size` and `samples`, to recognise a loader that does not fit.
        """
        epoch = self._resume or self._epoch
        stream = self._stream()
        active = epoch is not None and not epoch.over
        return {
            "order": epoch.order if epoch is not None and active else None,
            "batches": epoch.batches if epoch is not None and active else 0,
            "generator": None if stream is default_generator else stream.get_state(),
            "batch_size": getattr(self.batch_sampler, "batch_size", self.batch_size),
            "samples": len(self.dataset) if hasattr(self.dataset, "__len__") else None,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state_dict()` was taken: the next `iter(loader)` yields the batches that were left.

        Raises CheckpointError if this loader has another number of samples or, in the middle of an epoch, another
        batch size.
        """
        mine = self.state_dict()
        try:
            batches, order, own = int(state["batches"]), state["order"], state["generator"]
            theirs = {key: state[key] for key in ("samples", "batch_size")}
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"this is not a state of a DataLoader: {error!r}") from error
        for key, what in (("samples", "samples in its dataset"), ("batch_size", "samples a batch")):
            if order is not None and theirs[key] != mine[key]:
                raise CheckpointError(
                    f"the state was saved in the middle of an epoch with {theirs[key]} {what}, this DataLoader has "
                    f"{mine[key]}; resume with the same data and batch size"
                )
        stream = self._stream()
        if own is not None and stream is default_generator:
            raise CheckpointError(
                "the state is of a DataLoader with a generator of its own; make this one with one, too"
            )
        if own is not None:
            stream.set_state(own)
        self._epoch = None
        self._resume = None if order is None else Epoch(order, batches)


def _counted(batches: Iterator[Any], epoch: Epoch) -> Iterator[Any]:
    """Hand batches on, counting them as given before the consumer has them."""
    for batch in batches:
        if batch is END:
            break
        epoch.batches += 1
        yield batch
    epoch.over = True


def _after(skip: int, source: Iterable[Any] | None) -> Iterator[Any]:
    """What `source` yields after the first `skip`; at least one is drawn now, for samplers that draw when begun."""
    items = iter(source if source is not None else ())
    first = list(islice(items, skip + 1))
    return chain(first[skip:], items)


def get_worker_info() -> None:
    """None, as in PyTorch's main process: workers here are threads, which share one dataset."""

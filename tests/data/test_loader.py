from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from itertools import chain
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import byhand
from byhand.core.errors import ByhandError, CheckpointError, DataError, UsageError
from byhand.core.generator import default_generator
from byhand.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    Sampler,
    Subset,
    TensorDataset,
    WeightedRandomSampler,
    random_split,
)


class Squares(Dataset[tuple[int, int]]):
    def __init__(self, n: int = 10) -> None:
        self.n = n

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int) -> tuple[int, int]:
        if index >= self.n:
            raise IndexError(index)
        return index, index * index


class Stream(IterableDataset[int]):
    def __init__(self, n: int = 10) -> None:
        self.n = n

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.n))


class Backwards(Sampler[int]):
    def __init__(self, n: int = 10) -> None:
        self.n = n

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.n - 1, -1, -1))

    def __len__(self) -> int:
        return self.n


class Lazy(Sampler[int]):
    """Draws its order with the first `next`, as a generator function does."""

    def __len__(self) -> int:
        return 10

    def __iter__(self) -> Iterator[int]:
        yield from default_generator.numpy.permutation(10).tolist()


def tensors(n: int = 10) -> TensorDataset:
    return TensorDataset(byhand.arange(n), byhand.arange(n) ** 2)


def loader_threads() -> int:
    """How many reading threads live, after a moment for those that are about to end."""
    deadline = time.monotonic() + 5
    while True:
        alive = sum(thread.name.startswith("byhand-loader") for thread in threading.enumerate())
        if alive == 0 or time.monotonic() > deadline:
            return alive
        time.sleep(0.001)


def joined(batches: list[list[Any]]) -> list[Any]:
    return sorted(chain.from_iterable(batches))


def firsts(batches: Any) -> list[Any]:
    """The first tensor of every batch as lists."""
    return [(batch[0] if isinstance(batch, list) else batch).tolist() for batch in batches]


DATASETS = [tensors, Squares, lambda: Subset(tensors(), range(10)), lambda: Subset(Squares(), list(range(10)))]


@pytest.mark.parametrize("make", DATASETS)
@pytest.mark.parametrize("drop_last", [False, True])
def test_in_order(make: Any, drop_last: bool) -> None:
    loader = DataLoader(make(), batch_size=4, drop_last=drop_last)
    expected = [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]][: 2 if drop_last else 3]
    assert firsts(loader) == expected
    assert len(loader) == len(expected)
    for x, y in loader:
        assert np.array_equal(y.array, x.array**2)


@pytest.mark.parametrize("make", DATASETS)
def test_shuffled_is_a_seeded_permutation(make: Any) -> None:
    loader = DataLoader(make(), batch_size=4, shuffle=True)
    byhand.manual_seed(1)
    first, second = firsts(loader), firsts(loader)
    assert joined(first) == joined(second) == list(range(10))
    assert first != second
    byhand.manual_seed(1)
    assert firsts(loader) == first


def test_every_way_of_reading_draws_the_same_order() -> None:
    seen = []
    for make in DATASETS:
        byhand.manual_seed(7)
        seen.append(firsts(DataLoader(make(), batch_size=3, shuffle=True)))
    assert all(order == seen[0] for order in seen)


def test_a_generator_of_ones_own_leaves_the_default_one_alone() -> None:
    before = default_generator.get_state()
    own = byhand.Generator().manual_seed(3)
    first = firsts(DataLoader(tensors(), 5, shuffle=True, generator=own))
    assert default_generator.get_state() == before
    own.manual_seed(3)
    assert firsts(DataLoader(Squares(), 5, shuffle=True, generator=own)) == first


def test_tensor_batches_are_read_whole() -> None:
    class Counted(TensorDataset):
        reads = 0

        def __getitem__(self, index: Any) -> Any:
            raise AssertionError("sample by sample")

        def fetch(self, where: Any) -> Any:
            self.reads += 1
            return super().fetch(where)

    data = Counted(byhand.arange(100))
    for shuffle in (False, True):
        assert joined(firsts(DataLoader(data, 10, shuffle))) == list(range(100))
    assert data.reads == 20


def test_a_batch_may_be_changed_in_place() -> None:
    data = tensors()
    for shuffle in (False, True):
        for x, _ in DataLoader(data, 5, shuffle):
            x.array[:] = -1
    assert data.tensors[0].tolist() == list(range(10))


def test_an_overridden_getitem_is_respected() -> None:
    class Negative(TensorDataset):
        def __getitem__(self, index: Any) -> Any:
            return tuple(-x for x in super().__getitem__(index))

    assert firsts(DataLoader(Negative(byhand.arange(3)), 3)) == [[0, -1, -2]]


def test_getitems_is_used_where_there_is_one() -> None:
    class Many(Squares):
        def __getitems__(self, indices: list[int]) -> list[int]:
            return [100 + i for i in indices]

    assert firsts(DataLoader(Many(4), 3)) == [[100, 101, 102], [103]]


def test_samplers() -> None:
    assert firsts(DataLoader(tensors(), 4, sampler=Backwards())) == [[9, 8, 7, 6], [5, 4, 3, 2], [1, 0]]
    assert firsts(DataLoader(tensors(), 4, sampler=[1, 5])) == [[1, 5]]
    assert firsts(DataLoader(tensors(), batch_sampler=[[1, 2], [7]])) == [[1, 2], [7]]
    assert firsts(DataLoader(Squares(), batch_sampler=[[1, 2], [7]])) == [[1, 2], [7]]
    own = BatchSampler(Backwards(), 6, drop_last=True)
    assert firsts(DataLoader(tensors(), batch_sampler=own)) == [[9, 8, 7, 6, 5, 4]]
    weighted = WeightedRandomSampler([0] * 9 + [1], 4)
    assert firsts(DataLoader(tensors(), 4, sampler=weighted)) == [[9, 9, 9, 9]]


def test_a_sampler_subclass_with_its_own_order_is_respected() -> None:
    class Sorted(RandomSampler):
        def __iter__(self) -> Iterator[int]:
            return iter(sorted(super().__iter__()))

    assert firsts(DataLoader(tensors(), 10, sampler=Sorted(range(10)))) == [list(range(10))]


def test_collate_fn_gets_the_samples() -> None:
    assert list(DataLoader(Squares(4), 2, collate_fn=lambda samples: samples)) == [[(0, 0), (1, 1)], [(2, 4), (3, 9)]]
    batch = next(iter(DataLoader(tensors(4), 2, collate_fn=lambda samples: samples)))
    assert [[x.item() for x in sample] for sample in batch] == [[0, 0], [1, 1]]


def test_batch_size_none_yields_samples() -> None:
    assert list(DataLoader(Squares(3), batch_size=None)) == [[0, 0], [1, 1], [2, 4]]
    assert [x.item() for x, _ in DataLoader(tensors(3), batch_size=None)] == [0, 1, 2]
    assert list(DataLoader(Stream(3), batch_size=None)) == [0, 1, 2]


@pytest.mark.parametrize("workers", [0, 2])
def test_streams(workers: int) -> None:
    assert firsts(DataLoader(Stream(), 4, num_workers=workers)) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert firsts(DataLoader(Stream(), 4, drop_last=True, num_workers=workers)) == [[0, 1, 2, 3], [4, 5, 6, 7]]
    with pytest.raises(TypeError):
        len(DataLoader(Stream(), 4))


@pytest.mark.parametrize("workers", [1, 3])
def test_threads_keep_the_order(workers: int) -> None:
    byhand.manual_seed(2)
    alone = firsts(DataLoader(Squares(50), 4, shuffle=True))
    byhand.manual_seed(2)
    assert firsts(DataLoader(Squares(50), 4, shuffle=True, num_workers=workers)) == alone


def test_tensors_in_memory_need_no_threads() -> None:
    assert loader_threads() == 0
    batches = iter(DataLoader(tensors(), 2, num_workers=2))
    next(batches)
    assert loader_threads() == 0


@pytest.mark.parametrize("workers", [0, 2])
def test_an_exception_names_the_sample(workers: int) -> None:
    class Broken(Squares):
        def __getitem__(self, index: int) -> Any:
            if index == 5:
                raise OSError("no such picture")
            return super().__getitem__(index)

    batches = iter(DataLoader(Broken(), 2, num_workers=workers))
    assert len([next(batches), next(batches)]) == 2
    with pytest.raises(OSError, match="no such picture") as caught:
        next(batches)
    assert caught.value.__notes__ == ["while reading sample 5 of Broken"]


def test_stopping_early_does_not_hang() -> None:
    for _ in range(5):
        for _ in DataLoader(Squares(1000), 2, num_workers=2):
            break
    assert loader_threads() == 0


def test_timeout_and_worker_init() -> None:
    class Stuck(Squares):
        def __getitem__(self, index: int) -> Any:
            release.wait(10)
            return index

    release, seen = threading.Event(), []
    with pytest.raises(DataError, match="timeout"):
        next(iter(DataLoader(Stuck(), 2, num_workers=1, timeout=0.02, worker_init_fn=seen.append)))
    release.set()
    assert seen == [0]


BAD: list[tuple[dict[str, Any], type[ByhandError], str]] = [
    ({"batch_size": 0}, UsageError, "batch_size is a positive integer, not 0"),
    ({"batch_size": -1}, UsageError, "batch_size is a positive integer"),
    ({"batch_size": 2.5}, UsageError, "batch_size is a positive integer"),
    ({"shuffle": True, "sampler": [0]}, UsageError, "contradict"),
    ({"batch_sampler": [[0]], "batch_size": 2}, UsageError, "batch_sampler decides alone"),
    ({"batch_sampler": [[0]], "shuffle": True}, UsageError, "batch_sampler decides alone"),
    ({"batch_sampler": [[0]], "drop_last": True}, UsageError, "batch_sampler decides alone"),
    ({"batch_size": None, "drop_last": True}, UsageError, "needs a batch_size"),
    ({"num_workers": -1}, UsageError, "num_workers"),
    ({"timeout": -1}, UsageError, "timeout"),
    ({"prefetch_factor": 2}, UsageError, "needs num_workers"),
    ({"prefetch_factor": 0, "num_workers": 1}, UsageError, "prefetch_factor"),
]


@pytest.mark.parametrize(("arguments", "error", "message"), BAD)
def test_arguments_that_make_no_sense(arguments: dict[str, Any], error: type[ByhandError], message: str) -> None:
    with pytest.raises(error, match=message):
        DataLoader(Squares(), **arguments)


@pytest.mark.parametrize("dataset", [Squares(0), TensorDataset(byhand.zeros(0, 2)), []])
def test_an_empty_dataset_is_an_error(dataset: Any) -> None:
    with pytest.raises(DataError, match="is empty"):
        DataLoader(dataset, 2, shuffle=True)


@pytest.mark.parametrize("arguments", [{"shuffle": True}, {"sampler": [0]}, {"batch_sampler": [[0]]}])
def test_streams_have_no_order_to_choose(arguments: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="decides its order itself"):
        DataLoader(Stream(), **arguments)


def test_pytorchs_other_arguments_are_taken() -> None:
    loader = DataLoader(
        tensors(4), 2, pin_memory=True, multiprocessing_context="fork", persistent_workers=True, in_order=True
    )
    assert len(list(loader)) == 2


# ── resuming ──────────────────────────────────────────────────────────────────────────────────────────────────────────

LOADERS: dict[str, Any] = {
    "tensors": lambda: DataLoader(tensors(), 3, shuffle=True),
    "in order": lambda: DataLoader(tensors(), 3),
    "split": lambda: DataLoader(
        random_split(tensors(), [7, 3], byhand.Generator().manual_seed(0))[0], 2, shuffle=True, drop_last=True
    ),
    "samples": lambda: DataLoader(Squares(), 3, shuffle=True),
    "threads": lambda: DataLoader(Squares(), 3, shuffle=True, num_workers=2),
    "one by one": lambda: DataLoader(Squares(), batch_size=None, shuffle=True),
    "own sampler": lambda: DataLoader(Squares(), 3, sampler=Lazy()),
    "own sampler, whole": lambda: DataLoader(tensors(), 3, sampler=Lazy()),
    "own generator": lambda: DataLoader(tensors(), 3, shuffle=True, generator=byhand.Generator().manual_seed(9)),
    "stream": lambda: DataLoader(Stream(), 3),
}


def flat(batch: Any) -> Any:
    return [flat(x) for x in batch] if isinstance(batch, list) else getattr(batch, "array", np.asarray(batch)).tolist()


def noisy_epochs(loader: Any, epochs: int, log: list[Any], stop: int | None = None) -> tuple[Any, Any] | None:
    """A training loop: every step draws from the default generator, as dropout does. Stops after `stop` steps."""
    for _ in range(epochs):
        for batch in loader:
            log.append((flat(batch), default_generator.numpy.random()))
            if len(log) == stop:
                return loader.state_dict(), default_generator.get_state()
    return None


@pytest.mark.parametrize("kind", LOADERS)
@pytest.mark.parametrize("stop", range(1, 11))
def test_a_killed_run_goes_on_bit_for_bit(kind: str, stop: int) -> None:
    make = LOADERS[kind]
    byhand.manual_seed(11)
    whole: list[Any] = []
    noisy_epochs(make(), 3, whole)
    stop = min(stop, len(whole))

    byhand.manual_seed(11)
    log: list[Any] = []
    saved = noisy_epochs(make(), 3, log, stop)
    assert saved is not None
    position, random = json.loads(json.dumps(saved))

    byhand.manual_seed(99)  # the new process
    loader = make()
    loader.load_state_dict(position)
    default_generator.set_state(random)
    per_epoch = len(whole) // 3
    noisy_epochs(loader, 3 - (stop - 1) // per_epoch, log)
    assert log == whole


def test_resuming_without_a_checkpoint_of_the_generator_yields_the_same_batches() -> None:
    loader = DataLoader(tensors(), 2, shuffle=True)
    seen, batches = [], iter(loader)
    for _ in range(2):
        seen += firsts([next(batches)])
    state = loader.state_dict()
    rest = firsts(batches)
    byhand.manual_seed(1234)
    before = default_generator.get_state()
    other = DataLoader(tensors(), 2, shuffle=True)
    other.load_state_dict(state)
    assert firsts(other) == rest
    assert default_generator.get_state() == before
    assert joined(seen + rest) == list(range(10))
    assert len(firsts(other)) == 5  # the next epoch is a whole one


def test_state_before_between_and_right_after_loading() -> None:
    loader = DataLoader(tensors(), 5, shuffle=True)
    fresh = loader.state_dict()
    assert (fresh["batches"], fresh["order"]) == (0, None)
    batches = iter(loader)
    next(batches)
    middle = loader.state_dict()
    assert middle["batches"] == 1
    other = DataLoader(tensors(), 5, shuffle=True)
    other.load_state_dict(middle)
    assert other.state_dict() == middle
    assert len(list(batches)) == 1
    assert loader.state_dict() == fresh
    other.load_state_dict(fresh)
    assert len(list(other)) == 2


def test_after_the_last_batch_nothing_remains_of_the_epoch() -> None:
    loader = DataLoader(tensors(), 5, shuffle=True)
    for _ in loader:
        state = loader.state_dict()
    assert state["batches"] == 2
    other = DataLoader(tensors(), 5, shuffle=True)
    other.load_state_dict(state)
    assert list(other) == []
    assert len(list(other)) == 2


def test_a_new_pass_forgets_the_one_before() -> None:
    loader = DataLoader(tensors(), 5)
    next(iter(loader))
    list(loader)
    assert loader.state_dict()["batches"] == 0


def test_a_state_that_does_not_fit_is_refused() -> None:
    loader = DataLoader(tensors(), 5)
    next(iter(loader))
    state = loader.state_dict()
    with pytest.raises(CheckpointError, match="10 samples in its dataset, this DataLoader has 20"):
        DataLoader(tensors(20), 5).load_state_dict(state)
    with pytest.raises(CheckpointError, match="5 samples a batch, this DataLoader has 2"):
        DataLoader(tensors(), 2).load_state_dict(state)
    with pytest.raises(CheckpointError, match="not a state of a DataLoader"):
        loader.load_state_dict({"epoch": 3})


@pytest.mark.parametrize(
    "make", [lambda s: DataLoader(tensors(), 5, sampler=s), lambda s: DataLoader(Squares(), 5, sampler=s)]
)
def test_the_order_is_drawn_when_the_pass_begins(make: Any) -> None:
    orders = []
    for draws_between in (0, 3):
        byhand.manual_seed(4)
        batches = iter(make(Lazy()))
        default_generator.numpy.random(draws_between)
        orders.append(firsts(batches))
    assert orders[0] == orders[1]


def test_a_state_with_a_generator_needs_one() -> None:
    state = DataLoader(tensors(), 2, shuffle=True, generator=byhand.Generator()).state_dict()
    before = default_generator.get_state()
    with pytest.raises(CheckpointError, match="generator of its own"):
        DataLoader(tensors(), 2, shuffle=True).load_state_dict(state)
    assert default_generator.get_state() == before


def test_a_sampler_without_a_generator_draws_from_the_default_one_whatever_the_loader_has() -> None:
    def make() -> Any:
        return DataLoader(tensors(), 2, sampler=RandomSampler(range(10)), generator=byhand.Generator().manual_seed(0))

    loader = make()
    batches = iter(loader)
    next(batches)
    state, rest = loader.state_dict(), firsts(batches)
    other = make()
    other.load_state_dict(state)
    assert firsts(other) == rest


@settings(deadline=None)
@given(st.integers(1, 30), st.integers(1, 12), st.booleans(), st.booleans(), st.data())
def test_whatever_the_sizes_the_rest_is_the_rest(
    size: int, batch_size: int, shuffle: bool, drop_last: bool, data: st.DataObject
) -> None:
    loader = DataLoader(tensors(size), batch_size, shuffle, drop_last=drop_last)
    taken = data.draw(st.integers(0, len(loader)))
    batches = iter(loader)
    for _ in range(taken):
        next(batches)
    state = loader.state_dict()
    rest = firsts(batches)
    other = DataLoader(tensors(size), batch_size, shuffle, drop_last=drop_last)
    other.load_state_dict(state)
    assert firsts(other) == rest
    assert len(rest) == len(loader) - taken

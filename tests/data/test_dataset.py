from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import byhand
from byhand.core.errors import DataError, ShapeError, UsageError
from byhand.data import (
    ChainDataset,
    ConcatDataset,
    Dataset,
    IterableDataset,
    StackDataset,
    Subset,
    TensorDataset,
    random_split,
)
from byhand.data.whole import fetcher


def numbers(n: int) -> TensorDataset:
    return TensorDataset(byhand.arange(n), byhand.arange(n) * 10)


class Plain(Dataset[int]):
    def __init__(self, n: int) -> None:
        self.n = n

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int) -> int:
        if not -self.n <= index < self.n:
            raise IndexError(index)
        return index * index


class Stream(IterableDataset[int]):
    def __iter__(self) -> Any:
        return iter([1, 2, 3])


def test_tensor_dataset_samples_are_tuples_of_tensors() -> None:
    data = numbers(4)
    sample = data[2]
    assert type(sample) is tuple
    assert [x.item() for x in sample] == [2, 20]
    assert len(data) == 4
    assert [x.tolist() for x in data[1:3]] == [[1, 2], [10, 20]]
    assert "(4,) int64" in repr(data)


def test_tensor_dataset_wraps_arrays_without_a_copy() -> None:
    array = np.arange(3.0)
    assert np.shares_memory(TensorDataset(array).tensors[0].array, array)


def test_tensor_dataset_names_the_shapes_that_disagree() -> None:
    with pytest.raises(ShapeError, match=r"\(3, 2\), \(4,\)"):
        TensorDataset(byhand.zeros(3, 2), byhand.zeros(4))
    with pytest.raises(ShapeError, match="first dimension"):
        TensorDataset(byhand.tensor(1.0))


def test_tensor_dataset_takes_tensors_only() -> None:
    with pytest.raises(UsageError, match="argument 1 is a list"):
        TensorDataset(byhand.zeros(2), [1, 2])
    with pytest.raises(UsageError, match="at least one"):
        TensorDataset()


def test_a_batch_is_a_copy() -> None:
    data = numbers(4)
    for where in (slice(0, 2), np.array([0, 1])):
        batch = data.fetch(where)
        batch[0].array[:] = 99
    assert data.tensors[0].tolist() == [0, 1, 2, 3]


def test_fetch_reads_arrays_that_are_not_contiguous() -> None:
    array = np.arange(24.0).reshape(2, 3, 4).transpose(2, 0, 1)
    data = TensorDataset(byhand.Tensor(array))
    for where in (slice(1, 3), np.array([3, 0])):
        assert np.array_equal(data.fetch(where)[0].array, array[where])


def test_fetch_of_tensors_with_gradients_keeps_them() -> None:
    weights = byhand.tensor([1.0, 2.0, 3.0], requires_grad=True)
    TensorDataset(weights).fetch(np.array([2, 2]))[0].sum().backward()
    assert weights.grad is not None
    assert weights.grad.tolist() == [0.0, 0.0, 2.0]


def test_subset() -> None:
    part = Subset(Plain(10), [3, 1, -1])
    assert [part[i] for i in range(len(part))] == [9, 1, 1]
    assert part.fetch is None
    assert part.indices == [3, 1, -1]


def test_subset_of_tensors_reads_whole() -> None:
    inner = Subset(numbers(10), [9, 7, 5, 3])
    outer = Subset(inner, range(1, 4))
    fetch = fetcher(outer)
    assert fetch is not None
    assert [x.tolist() for x in fetch(slice(0, 2))] == [[7, 5], [70, 50]]
    assert [x.tolist() for x in fetch(np.array([2, 0]))] == [[3, 7], [30, 70]]


@pytest.mark.parametrize("indices", [range(10), range(3, 9), range(0, 10, 3), range(9, 0, -2), [4, 4, 0, -1]])
def test_every_subset_reads_whole_what_it_reads_one_by_one(indices: Any) -> None:
    part = Subset(numbers(10), indices)
    fetch = fetcher(part)
    assert fetch is not None
    n = len(part)
    for where in (slice(1, 3), slice(0, n), np.array([n - 1, 0, 1])):
        positions = list(range(n))[where] if isinstance(where, slice) else where.tolist()
        assert fetch(where)[1].tolist() == [part[i][1].item() for i in positions]


@pytest.mark.parametrize("indices", [[0, 10], [-11], range(5, 12)])
def test_subset_refuses_indices_outside(indices: Any) -> None:
    with pytest.raises(DataError, match=r"of 10 samples: index .* outside of 0 … 9"):
        Subset(Plain(10), indices)


def test_subset_refuses_masks() -> None:
    with pytest.raises(DataError, match="flatnonzero"):
        Subset(Plain(2), np.array([True, False]))


def test_empty_subset() -> None:
    assert len(Subset(numbers(3), [])) == 0


def test_subset_of_a_mapping() -> None:
    assert Subset({"a": 1, "b": 2}, ["b"])[0] == 2


def test_concat_and_its_negative_indices() -> None:
    joined = Plain(3) + Plain(2)
    assert isinstance(joined, ConcatDataset)
    assert [joined[i] for i in range(5)] == [0, 1, 4, 0, 1]
    assert joined[-1] == 1
    assert joined.cumulative_sizes == [3, 5]
    with pytest.raises(IndexError, match="index 5 is outside"):
        joined[5]
    with pytest.raises(IndexError, match="index -6 is outside"):
        joined[-6]


def test_concat_refuses_nothing_and_streams() -> None:
    with pytest.raises(UsageError, match="nothing"):
        ConcatDataset([])
    with pytest.raises(UsageError, match="ChainDataset"):
        ConcatDataset([Plain(1), Stream()])


def test_chain() -> None:
    chained = Stream() + Stream()
    assert isinstance(chained, ChainDataset)
    assert list(chained) == [1, 2, 3, 1, 2, 3]


def test_stack_in_order_and_by_name() -> None:
    stacked = StackDataset(Plain(3), byhand.arange(3))
    assert stacked[2][0] == 4
    assert stacked[2][1].item() == 2
    assert stacked.fetch is None
    named = StackDataset(x=numbers(4), w=byhand.ones(4))
    assert set(named[0]) == {"x", "w"}
    fetch = named.fetch
    assert fetch is not None
    batch = fetch(slice(1, 3))
    assert [x.tolist() for x in batch["x"]] == [[1, 2], [10, 20]]
    assert batch["w"].tolist() == [1.0, 1.0]


def test_stack_refuses_what_does_not_fit() -> None:
    with pytest.raises(ShapeError, match="lengths 3, 2"):
        StackDataset(Plain(3), Plain(2))
    with pytest.raises(UsageError, match="at least one"):
        StackDataset()
    with pytest.raises(UsageError, match="either"):
        StackDataset(Plain(1), x=Plain(1))


def test_a_dataset_without_getitem_says_so() -> None:
    with pytest.raises(NotImplementedError, match="Dataset must define __getitem__"):
        Dataset()[0]
    with pytest.raises(NotImplementedError, match="IterableDataset must define __iter__"):
        iter(IterableDataset())


@settings(deadline=None)
@given(st.lists(st.integers(0, 20), min_size=1, max_size=5))
def test_random_split_by_lengths_deals_out_everything(lengths: list[int]) -> None:
    size = sum(lengths)
    if size < 2:
        return
    parts = random_split(Plain(size), lengths)
    assert [len(part) for part in parts] == lengths
    assert sorted(i for part in parts for i in part.indices) == list(range(size))


def test_random_split_by_fractions() -> None:
    assert [len(p) for p in random_split(Plain(10), [0.33, 0.33, 0.34])] == [4, 3, 3]
    assert [len(p) for p in random_split(Plain(1797), [0.8, 0.2])] == [1438, 359]


def test_random_split_is_the_generators() -> None:
    def draw(seed: int) -> list[Any]:
        return [p.indices for p in random_split(Plain(20), [15, 5], byhand.Generator().manual_seed(seed))]

    assert draw(3) == draw(3) != draw(4)


def test_random_split_says_what_does_not_add_up() -> None:
    with pytest.raises(UsageError, match="add up to 10"):
        random_split(Plain(10), [4, 5])
    with pytest.raises(UsageError, match=r"each lies in .* and they add up to 1"):
        random_split(Plain(10), [0.5, 0.4])
    with pytest.raises(UsageError, match="add up to 10"):
        random_split(Plain(10), [12, -2])
    with pytest.warns(UserWarning, match="part 1 is empty"):
        random_split(Plain(2), [0.5, 0.0, 0.5])


def test_shortcut_is_not_taken_past_an_override() -> None:
    class Augmented(TensorDataset):
        def __getitem__(self, index: Any) -> Any:
            return tuple(-x for x in super().__getitem__(index))

    class Whole(Augmented):
        def fetch(self, where: Any) -> Any:
            return [-x for x in super().fetch(where)]

    assert fetcher(Augmented(byhand.arange(3))) is None
    assert fetcher(Whole(byhand.arange(3))) is not None
    assert fetcher(Plain(3)) is None

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import byhand
from byhand.core.errors import UsageError
from byhand.data import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)


def test_sequential() -> None:
    assert list(SequentialSampler("abc")) == [0, 1, 2]
    assert len(SequentialSampler("abc")) == 3


def test_random_is_a_new_permutation_each_time() -> None:
    sampler = RandomSampler(range(50))
    first, second = list(sampler), list(sampler)
    assert sorted(first) == sorted(second) == list(range(50))
    assert first != second
    assert all(type(i) is int for i in first)


def test_random_draws_from_the_default_generator_or_its_own() -> None:
    byhand.manual_seed(5)
    first = list(RandomSampler(range(20)))
    byhand.manual_seed(5)
    assert list(RandomSampler(range(20))) == first
    own = byhand.Generator().manual_seed(5)
    assert list(RandomSampler(range(20), generator=own)) == first


def test_random_of_more_or_fewer_samples() -> None:
    few = list(RandomSampler(range(10), num_samples=4))
    assert len(few) == len(set(few)) == 4
    many = RandomSampler(range(10), num_samples=25)
    drawn = list(many)
    assert len(many) == len(drawn) == 25
    assert sorted(drawn[:10]) == sorted(drawn[10:20]) == list(range(10))


def test_random_with_replacement() -> None:
    drawn = list(RandomSampler(range(5), replacement=True, num_samples=200))
    assert len(drawn) == 200
    assert set(drawn) == set(range(5))


def test_random_of_nothing() -> None:
    assert list(RandomSampler([])) == []


def test_subset_random() -> None:
    sampler = SubsetRandomSampler([3, 5, 7, 9, 11, 13])
    assert sorted(sampler) == [3, 5, 7, 9, 11, 13]
    assert len(sampler) == 6


def test_weighted_frequencies() -> None:
    drawn = np.bincount(list(WeightedRandomSampler([0.0, 1.0, 3.0], 8000)), minlength=3)
    assert drawn[0] == 0
    # binomial with p = 1/4: six standard deviations are 232
    assert abs(drawn[1] - 2000) < 240


def test_weighted_without_replacement() -> None:
    assert sorted(WeightedRandomSampler([1, 0, 2, 3], 3, replacement=False)) == [0, 2, 3]
    with pytest.raises(UsageError, match="4 samples without replacement from 3"):
        WeightedRandomSampler([1, 0, 2, 3], 4, replacement=False)


@pytest.mark.parametrize("weights", [[-1.0, 2.0], [0.0, 0.0], [float("nan"), 1.0], [[1.0]]])
def test_weighted_refuses_weights(weights: Any) -> None:
    with pytest.raises(UsageError, match="weights"):
        WeightedRandomSampler(weights, 2)


@pytest.mark.parametrize("count", [0, -3, 2.0, True])
def test_num_samples_is_a_positive_integer(count: Any) -> None:
    with pytest.raises(UsageError, match="num_samples is a positive integer"):
        WeightedRandomSampler([1.0], count)
    with pytest.raises(UsageError, match="num_samples is a positive integer"):
        RandomSampler([1], num_samples=count)


def test_replacement_is_a_bool() -> None:
    with pytest.raises(UsageError, match="True or False"):
        RandomSampler([1], replacement=3)
    with pytest.raises(UsageError, match="True or False"):
        WeightedRandomSampler([1.0], 1, replacement=None)


@pytest.mark.parametrize(("drop_last", "expected"), [(False, [[0, 1], [2, 3], [4]]), (True, [[0, 1], [2, 3]])])
def test_batch_sampler(drop_last: bool, expected: list[list[int]]) -> None:
    sampler = BatchSampler(SequentialSampler(range(5)), 2, drop_last)
    assert list(sampler) == expected
    assert len(sampler) == len(expected)


def test_batch_sampler_checks_its_arguments() -> None:
    with pytest.raises(UsageError, match="batch_size is a positive integer, not 0"):
        BatchSampler([1], 0, False)
    with pytest.raises(UsageError, match="drop_last"):
        BatchSampler([1], 1, None)


def test_a_sampler_without_iter_says_so() -> None:
    with pytest.raises(NotImplementedError, match="must define __iter__"):
        iter(Sampler())

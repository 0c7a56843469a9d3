from __future__ import annotations

import math

import numpy as np
import pytest

import byhand
from byhand.train.likeness import MOST, Precision, Recall, share_among


def test_shares_of_samples_among_others() -> None:
    grid = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [9.0, 9.0]])
    near = np.array([[0.5, 0.5], [5.0, 0.0]])
    assert share_among(near, grid[:4], neighbours=1) == 0.5
    assert share_among(grid[:4], near[:1]) == 0.0  # a sample alone reaches nowhere


def test_made_up_samples_of_one_kind_are_precise_and_miss_the_rest() -> None:
    random = np.random.default_rng(0)
    real = np.concatenate([random.normal(0, 0.1, (100, 2)), random.normal(5, 0.1, (100, 2))])
    made = random.normal(0, 0.1, (200, 2))
    output = (None, byhand.tensor(made))
    assert Precision().of(output, byhand.tensor(real)) > 0.9
    assert Recall().of(output, byhand.tensor(real)) == pytest.approx(0.5, abs=0.05)


def test_no_more_is_compared_than_need_be_and_nothing_is_nan() -> None:
    metric = Precision()
    assert math.isnan(metric.compute())
    x = byhand.randn(300, 2)
    for _ in range(5):
        metric.update((x,), x)
    assert sum(map(len, metric.made)) < MOST + 300
    assert metric.compute() == 1.0

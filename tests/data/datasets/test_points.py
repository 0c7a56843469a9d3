from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import byhand
from byhand.core.errors import UsageError
from byhand.data.datasets import circles, gaussian_quantiles, moons, planar_flower, spirals

ALL: list[Any] = [
    lambda seed=None: planar_flower(seed=seed),
    lambda seed=None: spirals(seed=seed),
    lambda seed=None: moons(seed=seed),
    lambda seed=None: circles(seed=seed),
    lambda seed=None: gaussian_quantiles(seed=seed),
]


def arrays(data: Any) -> Any:
    return tuple(t.array for t in data.tensors)


@pytest.mark.parametrize("make", ALL)
def test_shapes_types_and_seeds(make: Any) -> None:
    x, y = arrays(make(3))
    assert (x.dtype, y.dtype) == (np.float32, np.int64)
    assert x.shape == (len(y), 2)
    assert np.array_equal(arrays(make(3))[0], x)
    assert not np.array_equal(arrays(make(4))[0], x)
    byhand.manual_seed(0)
    first, second = arrays(make())[0], arrays(make())[0]
    assert not np.array_equal(first, second)
    byhand.manual_seed(0)
    assert np.array_equal(arrays(make())[0], first)


def test_the_flower_is_the_courses() -> None:
    x, y = arrays(planar_flower(m=400, seed=1))
    assert y.tolist() == [0] * 200 + [1] * 200
    # as the course's notebook prints them
    expected = [
        [1.20444229, 3.57611415],
        [0.1587099, -1.4821709],
        [-0.5858464, -3.0912600],
        [-1.07049581, 3.68252461],
        [0.73078083, 3.06832921],
    ]
    assert np.allclose(x[[0, 1, 199, 200, 399]], expected, rtol=0, atol=1e-6)
    assert np.allclose([x.sum(dtype=float), np.abs(x).sum(dtype=float)], [10.087982, 1289.404078], rtol=0, atol=1e-3)


def test_spirals_are_cs231ns() -> None:
    x, y = arrays(spirals(100, 3, seed=0))
    assert np.bincount(y).tolist() == [100, 100, 100]
    radius = np.hypot(x[:, 0], x[:, 1])
    assert np.allclose(radius, np.tile(np.linspace(0, 1, 100), 3), atol=1e-6)
    assert np.allclose(
        x[[1, 150, 299]], [[0.00121358, 0.01002784], [-0.13793781, 0.48584890], [-0.47270638, 0.88121998]], atol=1e-6
    )


def test_moons_without_noise_are_half_circles() -> None:
    x, y = arrays(moons(101, noise=None, shuffle=False))
    assert np.bincount(y).tolist() == [50, 51]
    assert np.allclose(np.hypot(*x[y == 0].T), 1, atol=1e-6)
    assert np.allclose(np.hypot(*(x[y == 1] - [1, 0.5]).T), 1, atol=1e-6)
    assert x[y == 0, 1].min() > -1e-6
    assert x[y == 1, 1].max() < 0.5 + 1e-6


def test_circles_without_noise() -> None:
    x, y = arrays(circles(60, noise=None, factor=0.3))
    assert np.allclose(np.hypot(*x.T), np.where(y == 0, 1, 0.3), atol=1e-6)


def test_gaussian_quantiles_are_shells_of_equal_size() -> None:
    x, y = arrays(gaussian_quantiles(100, n_classes=3, mean=[1, 2], seed=0))
    assert np.bincount(y).tolist() == [33, 33, 34]
    radius = np.hypot(*(x - [1, 2]).T)
    assert radius[y == 0].max() < radius[y == 1].min()
    assert radius[y == 1].max() < radius[y == 2].min()
    assert (np.diff(y) < 0).any()  # shuffled


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: planar_flower(m=401), "m must be even"),
        (lambda: planar_flower(m=0), "m is an integer of at least 2, not 0"),
        (lambda: spirals(points=0), "points is an integer of at least 1"),
        (lambda: spirals(classes=2.0), "classes is an integer"),
        (lambda: moons(1), "n_samples is an integer of at least 2"),
        (lambda: circles(factor=1.5), "factor is the inner radius"),
        (lambda: gaussian_quantiles(3, n_classes=5), "3 samples cannot fill 5 classes"),
    ],
)
def test_sizes_that_make_no_sense(call: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        call()

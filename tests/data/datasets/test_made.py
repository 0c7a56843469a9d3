"""Series and worlds: what is made for networks that forecast and that act."""

from __future__ import annotations

import numpy as np
import pytest

import byhand
from byhand.core.errors import UsageError
from byhand.data.datasets import WindyLine, load, ring, sine_waves


def test_a_wave_goes_on_as_its_target_says() -> None:
    x, y = (tensor.array for tensor in sine_waves(5, length=30, noise=0.0, seed=3).tensors)
    assert x.shape == y.shape == (5, 30, 1) and x.dtype == np.float32
    assert np.array_equal(x[:, 1:], y[:, :-1])
    # sin(a + d) + sin(a - d) = 2 cos(d) sin(a): each wave has one d, from its period
    ratio = (x[:, :-2] + x[:, 2:])[:, :, 0] / (2 * x[:, 1:-1, 0])
    steep = abs(x[:, 1:-1, 0]) > 0.3
    for row, use in zip(ratio, steep, strict=True):
        assert np.ptp(row[use]) < 1e-4
        assert 10 <= 2 * np.pi / np.arccos(row[use][0]) <= 20
    noisy = sine_waves(5, length=30, seed=3).tensors[0].array
    assert 0.03 < (noisy - x).std() < 0.07


def test_a_ring_has_all_its_clouds() -> None:
    points, labels = (tensor.array for tensor in ring(800, seed=0).tensors)
    assert np.bincount(labels).shape == (8,)
    for j in range(8):
        centre = 2 * np.array([np.cos(np.pi * j / 4), np.sin(np.pi * j / 4)])
        assert np.abs(points[labels == j] - centre).max() < 0.3


def test_a_cart_is_pushed_and_blown_about() -> None:
    byhand.manual_seed(0)
    world = WindyLine()
    states = world.begin(2000)
    assert states.dtype == np.float32 and (abs(states[:, 0]) <= 0.3).all() and not states[:, 1].any()
    moved, rewards, over = world.move(states, np.repeat([0, 1], 1000))
    assert np.allclose(moved[:, 0] - states[:, 0], moved[:, 1], atol=1e-6)
    for part, push in ((moved[:1000, 1], -0.04), (moved[1000:, 1], 0.04)):
        assert part.mean() == pytest.approx(push, abs=0.003) and part.std() == pytest.approx(0.02, abs=0.003)
    assert (rewards == 1).all() and not over.any()
    _, _, over = world.move(np.array([[0.99, 0.2], [-0.99, -0.2], [0.0, 0.0]], np.float32), np.array([1, 0, 1]))
    assert over.tolist() == [True, True, False]


def test_they_are_loaded_by_name() -> None:
    waves, world = load("sine_waves"), load("windy_line", episodes=7)
    assert (waves.kind, waves.shape, waves.classes) == ("series", (60, 1), None)
    assert (world.kind, world.shape, world.class_names, len(world.train)) == ("world", (2,), ("left", "right"), 7)
    with pytest.raises(UsageError, match="windy_line: episodes is an integer of at least 1"):
        load("windy_line", episodes=0)

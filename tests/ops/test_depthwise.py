"""Depthwise convolution gives what a convolution of each channel by itself does; laws and parity hold the rest."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from byhand.ops import convolution, depthwise
from laws.sample import spread

SIZES = {1: (9,), 2: (7, 8), 3: (5, 4, 6)}
SETTINGS = [(1, (1, 1), 1), (2, (1, 1), 1), (3, (0, 2), 1), (1, (2, 2), 2), (2, (3, 0), 2), (1, (-1, 0), 1)]


def each_alone(function: Any, one: Any, other: Any, axis: int, **settings: Any) -> Any:
    """The function of each channel: `other` has it along `axis`."""
    channels = [
        function(one[:, [c]], other.take([c], axis), *([] if "kernel" in settings else [None]), groups=1, **settings)
        for c in range(one.shape[1])
    ]
    return np.concatenate(channels, 0 if "kernel" in settings else 1)


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize(("stride", "padding", "dilation"), SETTINGS)
@pytest.mark.parametrize("in_parts", [False, True])
def test_each_channel_is_convolved_with_its_own_kernel(
    ndim: int, stride: int, padding: tuple[int, int], dilation: int, in_parts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, w = spread(3, 4, *SIZES[ndim]), spread(4, 1, *(3, 2, 2)[:ndim])
    settings = {"stride": (stride,) * ndim, "padding": (padding,) * ndim, "dilation": (dilation,) * ndim}
    if in_parts:
        monkeypatch.setattr(depthwise, "PART", 1)
    y = convolution.convolution(x, w, None, groups=4, **settings)
    np.testing.assert_allclose(y, each_alone(convolution.convolution, x, w, 0, **settings), rtol=1e-12, atol=1e-12)
    for function, one, other, axis, more in (
        (convolution.convolution_transpose, y, w, 0, {"size": SIZES[ndim]}),
        (convolution.convolution_weight, y, x, 1, {"kernel": w.shape[2:]}),
    ):
        rest = [] if "kernel" in more else [None]
        found = function(one, other, *rest, groups=4, **settings, **more)
        np.testing.assert_allclose(
            found, each_alone(function, one, other, axis, **settings, **more), rtol=1e-12, atol=1e-12
        )


def test_runs_are_as_long_as_fits() -> None:
    assert depthwise._together(28, 64) == 28
    assert depthwise._together(112, 64) == 56
    assert depthwise._together(113, 64) == 1
    assert depthwise._together(5, 10_000) == 1


def test_nothing_comes_of_nothing() -> None:
    settings = {"stride": (1,), "padding": ((0, 0),), "dilation": (1,), "groups": 2}
    y = convolution.convolution(np.zeros((0, 2, 5)), np.ones((2, 1, 3)), None, **settings)
    assert y.shape == (0, 2, 3)
    assert not convolution.convolution_weight(y, np.zeros((0, 2, 5)), kernel=(3,), **settings).any()

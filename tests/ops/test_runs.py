"""Longer runs for NumPy's loops: the same values, in the same order of memory."""

from __future__ import annotations

import numpy as np
import pytest

from byhand.ops import runs
from laws.sample import spread

LAST = (0, 3, 1, 2)


def view(n, size, channels, dtype=np.float32):
    return spread(n, size, size, channels).astype(dtype).transpose(LAST)[..., ::2, 1::2]


@pytest.mark.parametrize(("x", "runs_found"), [
    (view(32, 28, 16), True), (view(32, 28, 16, np.float64), True), (view(16, 28, 6), True),
    (view(32, 28, 256), False),  # long enough as they are
    (view(2, 8, 16), False),  # few
    (view(32, 28, 16).transpose(0, 2, 3, 1)[..., ::2], False),  # nothing lies beside each other
])  # fmt: skip
def test_gathered_values_are_the_values(x, runs_found):
    found = runs.gathered(x)
    assert (found is not x) == runs_found
    assert (found == x).all()
    if runs_found:
        assert found.strides == np.empty_like(x).strides


@pytest.mark.parametrize("channels", [16, 256])
@pytest.mark.parametrize("order", ["K", "C"])
def test_moved_values_are_at_their_places(channels, order):
    whole = np.zeros((32, 28, 28, channels), np.float32).transpose(LAST)
    x = np.empty_like(whole[..., ::2, 1::2], order=order)
    x[...] = spread(*x.shape)
    runs.moved(x, whole[..., ::2, 1::2])
    assert (whole[..., ::2, 1::2] == x).all()
    assert not whole[..., 1::2, :].any()
    assert not whole[..., ::2].any()


@pytest.mark.parametrize("shape", [(64, 32, 32), (4096, 16), (4099, 16), (100, 4)])
def test_a_row_meets_each_row(shape):
    x, row = spread(*shape), spread(shape[-1])
    expected = x - row
    assert (runs.by_row(np.subtract, x, row) == expected).all()
    assert runs.by_row(np.subtract, x, row[None], x).shape == shape
    assert (x == expected).all()

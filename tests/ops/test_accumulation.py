"""Values added at places that are named more than once, sorted or not, beside NumPy's own `add.at`."""

from __future__ import annotations

import numpy as np
import pytest

from byhand.ops import accumulation
from byhand.ops.accumulation import add_at


@pytest.mark.parametrize("often", [0, accumulation.OFTEN, 10**9])
@pytest.mark.parametrize(("places", "rows", "width"), [((3000,), 5, (7,)), ((40, 50), 30, (2, 3)), ((1,), 4, (2,))])
def test_as_numpy_adds(monkeypatch, often, places, rows, width):
    monkeypatch.setattr(accumulation, "OFTEN", often)
    random = np.random.default_rng(0)
    for low in (0, -rows):
        index = random.integers(low, rows, places)
        x, start = random.standard_normal((*places, *width)), random.standard_normal((rows, *width))
        found, expected = start.copy(), start.copy()
        add_at(found, (index,), x)
        np.add.at(expected, index, x)
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_sums_of_sorted_rows_begin_with_the_first():
    """Added to zeros the result is NumPy's, bit for bit: so gradients did not change when sorting came."""
    random = np.random.default_rng(1)
    index, x = random.integers(0, 3, 2000), random.standard_normal((2000, 5)).astype(np.float32)
    found, expected = np.zeros((3, 5), np.float32), np.zeros((3, 5), np.float32)
    add_at(found, (index,), x)
    np.add.at(expected, index, x)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("place", [3, -4])
def test_places_outside_are_refused(place):
    with pytest.raises(IndexError, match="out of bounds"):
        add_at(np.zeros((3, 2)), (np.array([place] * 5000),), np.ones((5000, 2)))


def test_nothing_is_added_for_no_places():
    out = np.ones((3, 2))
    add_at(out, (np.zeros(0, np.int64),), np.zeros((0, 2)))
    np.testing.assert_array_equal(out, 1)

"""Windows: which value wins, what happens to NaN, and in which order results lie in memory."""

from __future__ import annotations

import numpy as np
import pytest

from byhand.ops import pooling

PAIRS = ((2, 2, 0, 1, 2), (2, 2, 0, 1, 2))
OVERLAPPING = ((3, 2, 1, 1, 2), (3, 2, 1, 1, 2))


@pytest.mark.parametrize("windows", [PAIRS, OVERLAPPING])
def test_the_first_of_equals_in_row_major_order_wins(windows):
    x = np.zeros((1, 4, 4))
    out = pooling.max_pooled(x, windows=windows)
    places = pooling.max_places(x, out, windows=windows)
    found = pooling.window_put(np.ones((1, 2, 2)), places, windows=windows, shape=x.shape)
    expected = np.zeros((1, 4, 4))
    for row in range(2):
        for column in range(2):  # a window with padding before begins at a place of the padding
            at = [max(2 * i - windows[0][2], 0) for i in (row, column)]
            expected[0, at[0], at[1]] += 1
    np.testing.assert_array_equal(found, expected)


def test_nan_is_the_maximum():
    x = np.arange(16.0).reshape(1, 4, 4)
    x[0, 0, 1] = np.nan
    out = pooling.max_pooled(x, windows=PAIRS)
    np.testing.assert_array_equal(out, [[[np.nan, 7], [13, 15]]])


@pytest.mark.parametrize("windows", [PAIRS, OVERLAPPING])
def test_results_lie_in_memory_as_operands_do(windows):
    def last(array):
        return np.moveaxis(array, 1, -1).flags.c_contiguous

    rng = np.random.default_rng(0)
    for transposed in (True, False):
        x = rng.standard_normal((2, 4, 4, 5)).transpose(0, 3, 1, 2) if transposed else rng.standard_normal((2, 5, 4, 4))
        out = pooling.max_pooled(x, windows=windows)
        places = pooling.max_places(x, out, windows=windows)
        y = np.ones(out.shape)  # a gradient in another order is brought into that of the places
        made = [
            out, places, pooling.window_put(y, places, windows=windows, shape=x.shape),
            pooling.window_take(x, places, windows=windows), pooling.window_sum(x, windows=windows),
            pooling.window_spread(out, windows=windows, shape=x.shape),
        ]  # fmt: skip
        assert [last(array) for array in made] == [transposed] * len(made)


def test_integers_have_maxima():
    x = np.array([[-5, -3, -8, -9]])
    np.testing.assert_array_equal(pooling.max_pooled(x, windows=((3, 2, 1, 1, 2),)), [[-3, -3]])
    assert pooling.max_pooled(x, windows=((3, 2, 1, 1, 2),)).dtype == np.int64

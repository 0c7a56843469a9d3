from __future__ import annotations

import numpy as np

import byhand


def test_integers_divided_towards_zero_stay_integers() -> None:
    x, y = byhand.tensor([7, -7, 7, -7]), byhand.tensor([2, 2, -2, -2])
    rounded = byhand.div(x, y, rounding_mode="trunc")
    assert rounded.dtype == byhand.int64 and rounded.tolist() == [3, -3, -3, 3]
    assert byhand.div(x * 1.0, 2, rounding_mode="floor").tolist() == [3, -4, 3, -4]


def test_slices_that_are_too_long_are_shrunk() -> None:
    x = byhand.tensor([[3.0, 4.0], [0.3, 0.4]])
    np.testing.assert_allclose(byhand.renorm(x, 2, 0, 1.0), [[0.6, 0.8], [0.3, 0.4]], rtol=1e-6)

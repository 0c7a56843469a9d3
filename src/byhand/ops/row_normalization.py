"""Normalisation of the rows of an array, as layer normalisation has it, with hardly a broadcast.

NumPy takes a matrix and a value for each row one row at a time: x · rate takes 48 µs for 1024 rows of 128, x · y 15.
The BLAS spreads a vector over a matrix, as a product with a vector of ones or of weights, in 13. With R = rate ⊗ weight
and C = −(center · rate) ⊗ weight + 1 ⊗ bias the result is x · R + C, which is how PyTorch rounds, too.

Called by `normalization` for arrays; what is captured is written in its formulas, of which a compiler makes one loop.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from byhand.core.variable import Array

SMALLEST = 1 << 14  # values: with less the calls cost more than the loops
ROW = 512  # values of a row, from where NumPy's loops are long enough


def in_rows(x: Any, axes: tuple[int, ...], *given: Any) -> bool:
    """Whether x is an array of many short rows, each of which is normalised, and what is given is like a row."""
    if type(x) is not np.ndarray or x.size < SMALLEST or x.dtype.kind != "f" or not x.flags.c_contiguous:
        return False
    row = x.shape[x.ndim - len(axes) :]
    last = axes == tuple(range(x.ndim - len(axes), x.ndim)) and math.prod(row) <= ROW
    return last and all(value is None or (value.shape == row and value.dtype == x.dtype) for value in given)


def scaled(x: Array, weight: Array | None, bias: Array | None, center: Array | None, rate: Array) -> Array:
    """(x − center) · rate · weight + bias."""
    size = x.size // rate.size
    out = _spread(rate, weight, size=size)
    out *= x.reshape(-1, size)
    if center is not None:
        out += _spread(-center * rate, weight, bias, size=size)
    elif bias is not None:
        out += bias.reshape(-1)
    return out.reshape(x.shape)


def slope(y: Array, x: Array, weight: Array | None, center: Array | None, rate: Array) -> Array:
    """rate · (yw − mean(yw) − h · mean(yw · h)) with yw = y · weight, h = (x − center) · rate.

    That is y · rate · weight − x · a − b, for each row a = rate² · mean(yw · h), b = rate · mean(yw) − center · a.
    """
    shape, size = x.shape, x.size // rate.size
    x, y, rate = x.reshape(-1, size), y.reshape(-1, size), rate.reshape(-1)
    w = np.ones(size, x.dtype) if weight is None else weight.reshape(-1)
    a = np.square(rate) * rate / size
    a *= (y * x) @ w
    out = _spread(rate, w, size=size)
    out *= y
    if center is not None:
        total, center = y @ w, center.reshape(-1)
        a -= center * total * (np.square(rate) * rate / size)
        out -= _spread(rate * total / size - center * a, size=size)
    out -= np.multiply(_spread(a, size=size), x)
    return out.reshape(shape)


def weighed(g: Array, x: Array, center: Array | None, rate: Array) -> Array:
    """Σ over the rows of g · (x − center) · rate: the gradient of the weight."""
    size = x.size // rate.size
    g, rate = g.reshape(-1, size), rate.reshape(-1)
    found: Array = rate @ (g * x.reshape(-1, size))
    return found if center is None else found - (center.reshape(-1) * rate) @ g


def _spread(row: Array, weight: Array | None = None, bias: Array | None = None, *, size: int) -> Array:
    """row ⊗ weight + 1 ⊗ bias, with ones for no weight: a matrix, by a product of two columns with two rows.

    Of one column NumPy leaves less to the BLAS: that takes twice the time.
    """
    columns, rows = np.empty((row.size, 2), row.dtype), np.empty((2, size), row.dtype)
    columns[:, 0], columns[:, 1] = row.reshape(-1), 1
    rows[0] = 1 if weight is None else weight.reshape(-1)
    rows[1] = 0 if bias is None else bias.reshape(-1)
    return columns @ rows

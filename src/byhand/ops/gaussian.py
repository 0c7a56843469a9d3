"""The normal distribution function, its logarithm and its inverse, the inverse of erf, and entropies.

Called as functions of `byhand.special`. The inverses are found by Halley's method on our own erf, in float64.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from byhand.core.op import ELEMENTWISE, derive, op
from byhand.core.variable import Array
from byhand.ops import elementwise as e
from byhand.ops.special import COEFFICIENTS, erfc, tail, wide

if TYPE_CHECKING:
    from byhand.tensor import Tensor

ROOT2, ROOT_PI = math.sqrt(2), math.sqrt(math.pi)


def in_double(x: Array) -> tuple[Array, Any]:
    """x in float64, and the dtype that the result is to have: that of x, or float64 for integers."""
    x = np.asarray(x)
    return x.astype(np.float64), x.dtype if x.dtype.kind == "f" else np.dtype(np.float64)


def _inverse(body: Array, rest: Array) -> Array:
    """z ≥ 0 with erf(z) = body and erfc(z) = rest; which of the two is used is the one that is known better.

    It begins with Winitzki's approximation, good to 2 parts in 1000, and each of Halley's steps cubes the error.
    """
    with np.errstate(all="ignore"):
        bend = np.log(rest * (2 - rest))
        middle = 2 / (math.pi * 0.147) + bend / 2
        z = np.sqrt(np.sqrt(middle * middle - bend / 0.147) - middle)
        for _ in range(3):
            error = np.where(body < 0.5, wide(z) - body, rest - tail(z))
            step = error * np.exp(z * z) * (ROOT_PI / 2)
            z = z - step / (1 + z * step)
    return np.where(rest == 0, np.inf, np.where(body == 0, 0.0, z))


@op(ELEMENTWISE)
def erfinv(x: Array) -> Array:
    """The inverse of erf: NaN outside of [−1, 1], infinite at its ends"""
    x, dtype = in_double(x)
    size = np.abs(x)
    return np.copysign(_inverse(size, 1 - size), x).astype(dtype)


@op(ELEMENTWISE)
def ndtri(x: Array) -> Array:
    """The inverse of the normal distribution function: NaN outside of [0, 1], infinite at its ends"""
    x, dtype = in_double(x)
    rest = 2 * np.minimum(x, 1 - x)
    return np.copysign(ROOT2 * _inverse(1 - rest, rest), x - 0.5).astype(dtype)


@op(ELEMENTWISE)
def log_ndtr(x: Array) -> Array:
    """ln of the normal distribution function, exact far into its tail"""
    x, dtype = in_double(x)
    z = np.abs(x) / ROOT2
    t = 2 / (2 + z)
    u = 4 * t - 2
    high = low = np.zeros_like(z)
    for c in COEFFICIENTS[:0:-1]:
        high, low = u * high - low + c, high
    below = np.log(t / 2) + (COEFFICIENTS[0] + 0.5 * u * high - low - z * z)
    return np.where(x < 0, below, np.log1p(-np.exp(below))).astype(dtype)


derive(erfinv, x=lambda g, out: g * (ROOT_PI / 2 * e.exp(out * out)))
derive(ndtri, x=lambda g, out: g * (ROOT2 * ROOT_PI * e.exp(out * out / 2)))
derive(log_ndtr, x=lambda g, x, out: g * (e.exp(-x * x / 2 - out) / (ROOT2 * ROOT_PI)))


def ndtr(x: Any) -> Tensor:
    """The normal distribution function: the area under the density left of x."""
    return 0.5 * erfc(x / -ROOT2)


def entr(x: Any) -> Tensor:
    """−x ln x, and 0 at 0; −∞ for negative x"""
    return e.select(x < 0, -math.inf, e.select(x == 0, 0, -(x * e.log(e.select(x > 0, x, 1)))))


def xlog1py(x: Any, other: Any) -> Tensor:
    """x · ln(1 + other), and 0 where x is 0"""
    return e.mul(x, e.log1p(e.select((x == 0) & (other <= -1), 0, other)))

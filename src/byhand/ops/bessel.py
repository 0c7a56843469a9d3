"""Modified Bessel functions of the first kind, I₀ and I₁. Called as functions of `byhand` and `byhand.special`.

The power series up to 20, whose terms are all positive, and Hankel's series beyond (Abramowitz & Stegun, Handbook of
Mathematical Functions, 9.6.10 and 9.7.1). Computed in float64.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from byhand.core.op import ELEMENTWISE, derive, op
from byhand.core.variable import Array
from byhand.ops.elementwise import sign
from byhand.ops.gaussian import in_double

if TYPE_CHECKING:
    from byhand.tensor import Tensor

NEAR = 20.0


@op(ELEMENTWISE)
def modified_bessel(x: Array, *, order: int, scaled: bool) -> Array:
    """Iₙ(x) of order n, times e^(−|x|) if scaled"""
    x, dtype = in_double(x)
    size = np.abs(x)
    half = np.minimum(size, NEAR) / 2
    square = half * half
    near = np.zeros_like(half)
    for k in range(48, 0, -1):
        near = (near + 1) * (square / (k * (k + order)))
    near = (near + 1) * half**order / math.factorial(order)
    inverse = 1 / np.maximum(size, NEAR)
    far = np.zeros_like(half)
    for k in range(28, 0, -1):
        far = (far + 1) * (((2 * k - 1) ** 2 - 4 * order**2) * inverse / (8 * k))
    far = (far + 1) * np.sqrt(inverse / (2 * math.pi))
    with np.errstate(over="ignore"):
        if scaled:
            out = np.where(size < NEAR, near * np.exp(-np.minimum(size, NEAR)), far)
        else:
            out = np.where(size < NEAR, near, far * np.exp(np.maximum(size, NEAR)))
    return (out if order % 2 == 0 else np.where(x < 0, -out, out)).astype(dtype)


def _slope(g: Any, x: Any, out: Any, order: int, scaled: bool) -> Any:
    """2 Iₙ′ = Iₙ₋₁ + Iₙ₊₁, and I₋₁ = I₁."""
    below, above = (modified_bessel(x, order=n, scaled=scaled) for n in (abs(order - 1), order + 1))
    slope = 0.5 * (below + above)
    return g * (slope - sign(x) * out if scaled else slope)


derive(modified_bessel, x=_slope)


def i0(x: Any) -> Tensor:
    """The modified Bessel function I₀"""
    return modified_bessel(x, order=0, scaled=False)


def i0e(x: Any) -> Tensor:
    """e^(−|x|) I₀(x)"""
    return modified_bessel(x, order=0, scaled=True)


def i1(x: Any) -> Tensor:
    """The modified Bessel function I₁"""
    return modified_bessel(x, order=1, scaled=False)


def i1e(x: Any) -> Tensor:
    """e^(−|x|) I₁(x)"""
    return modified_bessel(x, order=1, scaled=True)

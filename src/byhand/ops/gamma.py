"""The gamma function's logarithm and its derivatives. Called as functions of `byhand` and `byhand.special`.

Stirling's series for large arguments; smaller ones are shifted up by the recurrence, negative ones reflected
(Abramowitz & Stegun, Handbook of Mathematical Functions, 6.1.41, 6.4.6, 6.4.7 and 6.4.11). Computed in float64.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from byhand.core.errors import DomainError
from byhand.core.op import ELEMENTWISE, derive, op
from byhand.core.variable import Array
from byhand.ops.gaussian import in_double

if TYPE_CHECKING:
    from byhand.tensor import Tensor

BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510)  # B₂, B₄, …
SHIFT = 10  # from here on eight terms of the series are exact to the last digit


@op(ELEMENTWISE)
def lgamma(x: Array) -> Array:
    """ln |Γ(x)|, infinite at 0 and the negative integers"""
    x, dtype = in_double(x)
    with np.errstate(all="ignore"):
        z = np.where(x < 0.5, 1 - x, x)
        low = z < SHIFT
        product = np.ones_like(z)
        for k in range(SHIFT):
            product = product * np.where(low, z + k, 1)
        z = np.where(low, z + SHIFT, z)
        series = np.zeros_like(z)
        for k in range(len(BERNOULLI), 0, -1):
            series = (series + BERNOULLI[k - 1] / (2 * k * (2 * k - 1))) / (z if k == 1 else z * z)
        out = (z - 0.5) * np.log(z) - z + 0.5 * math.log(2 * math.pi) + series - np.log(product)
        out = np.where(z == np.inf, np.inf, out)
        sine = np.sin(math.pi * (x - np.floor(x)))
        reflected = np.log(math.pi / np.where(sine == 0, 1, np.abs(sine))) - out
        pole = (x <= 0) & (x == np.floor(x))
    return np.where(pole, np.inf, np.where(x < 0.5, reflected, out)).astype(dtype)


@op(ELEMENTWISE, name="polygamma")
def polygamma_of(x: Array, *, n: int) -> Array:
    """The n-th derivative of ψ = (ln Γ)′"""
    x, dtype = in_double(x)
    with np.errstate(all="ignore"):
        z = np.where(x < 0.5, 1 - x, x)
        low = z < SHIFT
        sign = -1 if n % 2 == 0 else 1  # of ψ⁽ⁿ⁾ at positive x, from n = 1 on
        out = np.zeros_like(z)
        for k in range(SHIFT):
            out = out + np.where(low, sign * math.factorial(n) / (z + k) ** (n + 1), 0)
        z = np.where(low, z + SHIFT, z)
        out = out + _asymptotic(z, n)
        turn = x - np.round(x)
        sine = np.sin(math.pi * turn)
        cotangent = np.cos(math.pi * turn) / np.where(sine == 0, 1, sine)  # 0 at whole numbers: poles, or not asked
        reflected = (out if n % 2 == 0 else -out) - math.pi * np.polyval(_cotangent_slope(n), cotangent)
        pole = (x <= 0) & (x == np.floor(x))
        at_pole = np.where(x == 0, -np.copysign(np.inf, x), np.nan) if n == 0 else np.where(n % 2, np.inf, np.nan)
    return np.where(pole, at_pole, np.where(x < 0.5, reflected, out)).astype(dtype)


def _asymptotic(z: Array, n: int) -> Array:
    """Stirling's series of ψ⁽ⁿ⁾ for z ≥ 10 and as many more as n asks for."""
    out = np.zeros_like(z)
    for k in range(len(BERNOULLI), 0, -1):
        factor = math.factorial(2 * k + n - 1) / math.factorial(2 * k)
        out = out + BERNOULLI[k - 1] * factor / z ** (2 * k + n)
    if n == 0:
        return np.log(z) - 0.5 / z - out
    leading = math.factorial(n - 1) / z**n + math.factorial(n) / (2 * z ** (n + 1))
    return (leading + out) * (-1 if n % 2 == 0 else 1)


def _cotangent_slope(n: int) -> Array:
    """The n-th derivative of cot(πx) as a polynomial in c = cot(πx), since c′ = −π (1 + c²)."""
    polynomial = np.array([1.0, 0.0])
    for _ in range(n):
        polynomial = np.polymul(np.polyder(polynomial), [-math.pi, 0.0, -math.pi])
    return polynomial


derive(polygamma_of, x=lambda g, x, n: g * polygamma_of(x, n=n + 1))
derive(lgamma, x=lambda g, x: g * polygamma_of(x, n=0))


def digamma(x: Any) -> Tensor:
    """ψ(x) = Γ′(x) / Γ(x), the derivative of `lgamma`"""
    return polygamma_of(x, n=0)


def polygamma(n: int, x: Any) -> Tensor:
    """The n-th derivative of `digamma`; raises DomainError for negative n."""
    if n < 0:
        raise DomainError(f"polygamma: n counts derivatives and cannot be {n}")
    return polygamma_of(x, n=int(n))


def mvlgamma(x: Any, p: int) -> Tensor:
    """ln of the multivariate gamma function: p (p − 1) / 4 · ln π + Σ_{j < p} ln Γ(x − j / 2)."""
    total = lgamma(x) + p * (p - 1) / 4 * math.log(math.pi)
    for j in range(1, p):
        total = total + lgamma(x - j / 2)
    return total

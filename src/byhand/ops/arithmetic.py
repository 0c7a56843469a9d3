"""Less common functions of numbers: of signs, of bits, of integers, and the larger and smaller beside NaN.

Called as functions of `byhand` and as methods of `Tensor`; what can be made of other ops is no op of its own.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from byhand.core.op import ELEMENTWISE, derive, op
from byhand.core.variable import Array
from byhand.ops import elementwise as e
from byhand.ops.trigonometry import sin

if TYPE_CHECKING:
    from byhand.tensor import Tensor


@op(ELEMENTWISE, ufunc=np.copysign)
def copysign(x: Array, y: Array) -> Array:
    """|x| with the sign of y"""
    return np.copysign(x, y)


@op(ELEMENTWISE)
def signbit(x: Array) -> Array:
    """x is below 0, or −0"""
    return np.signbit(x)


@op(ELEMENTWISE)
def nextafter(x: Array, y: Array) -> Array:
    """The number next to x in the direction of y"""
    return np.nextafter(x, y)


@op(ELEMENTWISE, name="heaviside")
def step_of(x: Array, y: Array) -> Array:
    """0 for negative x, 1 for positive x, y where x is 0"""
    return np.where(x == 0, y, (x > 0).astype(x.dtype))


@op(ELEMENTWISE, ufunc=np.gcd)
def gcd(x: Array, y: Array) -> Array:
    """The greatest common divisor"""
    return np.gcd(x, y)


@op(ELEMENTWISE, ufunc=np.lcm)
def lcm(x: Array, y: Array) -> Array:
    """The least common multiple"""
    return np.lcm(x, y)


@op(ELEMENTWISE, ufunc=np.logaddexp2)
def logaddexp2(x: Array, y: Array) -> Array:
    """log₂(2ˣ + 2ʸ)"""
    return np.logaddexp2(x, y)


@op(ELEMENTWISE)
def binary_exponent(x: Array) -> Array:
    """The k with 2ᵏ⁻¹ ≤ |x| < 2ᵏ, as int32; 0 for 0"""
    return np.frexp(x)[1]


derive(nextafter, x=lambda g: g, y=lambda g: g * 0)
derive(copysign, x=lambda g, x, out: g * (e.sign(x) * e.sign(out)), y=lambda g: g * 0)
derive(logaddexp2, x=lambda g, x, out: g * e.exp2(x - out), y=lambda g, y, out: g * e.exp2(y - out))


class Mantissa(NamedTuple):
    """x = mantissa · 2^exponent, with 1/2 ≤ |mantissa| < 1, as `frexp` returns it."""

    mantissa: Tensor
    exponent: Tensor


def frexp(x: Any) -> Mantissa:
    """(mantissa, exponent) with x = mantissa · 2^exponent and 1/2 ≤ |mantissa| < 1."""
    exponent = binary_exponent(x)
    return Mantissa(ldexp(x, -exponent), exponent)


def ldexp(x: Any, other: Any) -> Tensor:
    """x · 2^other"""
    kind = x.dtype if x.dtype.kind == "f" else np.dtype(np.float32)
    return e.mul(x, e.exp2(e.cast(other, dtype=kind) if hasattr(other, "shape") else float(other)))


def heaviside(x: Any, values: Any) -> Tensor:
    """0 for negative x, 1 for positive x, `values` where x is 0."""
    return step_of(x, values)


def fmax(x: Any, other: Any) -> Tensor:
    """The larger of x and other; where one is NaN, the other."""
    return e.select((x >= other) | (other != other), x, other)


def fmin(x: Any, other: Any) -> Tensor:
    """The smaller of x and other; where one is NaN, the other."""
    return e.select((x <= other) | (other != other), x, other)


def float_power(x: Any, exponent: Any) -> Tensor:
    """xʸ in float64."""
    base, power = (e.cast(v, dtype=np.dtype(np.float64)) if hasattr(v, "shape") else float(v) for v in (x, exponent))
    return e.pow(base, power)


def positive(x: Any) -> Any:
    """x itself."""
    return x


def rsub(x: Any, other: Any, *, alpha: float = 1) -> Tensor:
    """other − alpha · x"""
    return e.sub(other, x if alpha == 1 else alpha * x)


def sinc(x: Any) -> Tensor:
    """sin(πx) / (πx), and 1 at 0"""
    zero = x == 0
    angle = math.pi * e.select(zero, 1, x)
    return e.select(zero, 1, sin(angle) / angle)

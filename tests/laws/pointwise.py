"""Samples of ops that work value by value. To add an op, add one line."""

from __future__ import annotations

import math

import numpy as np

from byhand.core.capture import values
from byhand.ops import activation as a
from byhand.ops import compare as c
from byhand.ops import elementwise as e
from byhand.ops import special
from byhand.ops import trigonometry as trig
from laws.sample import INNER, INTEGERS, MASK, OTHERS, POSITIVE, X, Y, each, phi, sample, sigma


def tanh_slope(x: float) -> float:
    """The derivative of x (1 + tanh u) / 2."""
    bent = math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))
    return (1 + bent) / 2 + x / 2 * (1 - bent * bent) * math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x * x)


ARITHMETIC = [
    sample(e.add, X, Y, reference=each(lambda x, y: x + y)),
    sample(e.sub, X, Y, reference=each(lambda x, y: x - y)),
    sample(e.mul, X, Y, reference=each(lambda x, y: x * y)),
    sample(e.mul, X, 3.0, reference=each(lambda x, y: x * y)),
    sample(e.true_divide, X, Y, reference=each(lambda x, y: x / y)),
    sample(e.true_divide, 1.0, Y, reference=each(lambda x, y: x / y)),
    sample(e.neg, X, reference=each(lambda x: -x)),
    sample(e.pow, POSITIVE, Y, reference=each(math.pow)),
    sample(e.pow, X, 3, reference=each(lambda x, y: x * x * x)),
    sample(e.pow, X, 0, reference=each(lambda x, y: 1.0)),
    sample(e.pow, 2.0, X, reference=each(math.pow)),
    sample(e.square, X, reference=each(lambda x: x**2)),
    sample(e.sqrt, POSITIVE, reference=each(math.sqrt)),
    sample(e.rsqrt, POSITIVE, reference=each(lambda x: x**-0.5)),
    sample(e.reciprocal, X, reference=each(lambda x: 1 / x)),
    sample(e.abs, X, reference=each(math.fabs)),
    sample(e.sign, X, reference=each(lambda x: math.copysign(1, x))),
    sample(e.cast, X, dtype=np.dtype(np.float64), reference=lambda x, dtype: x),
    sample(e.clone, X, reference=each(float)),
]

EXPONENTIALS = [
    sample(e.exp, X, reference=each(math.exp)),
    sample(e.exp2, X, reference=each(lambda x: 2.0**x)),
    sample(e.expm1, X, reference=each(math.expm1)),
    sample(e.log, POSITIVE, reference=each(math.log)),
    sample(e.log2, POSITIVE, reference=each(math.log2)),
    sample(e.log10, POSITIVE, reference=each(math.log10)),
    sample(e.log1p, POSITIVE, reference=each(math.log1p)),
    sample(e.logaddexp, X, Y, reference=each(lambda x, y: math.log(math.exp(x) + math.exp(y)))),
    sample(e.xlogy, X, POSITIVE, reference=each(lambda x, y: x * math.log(y))),
]

TRIGONOMETRY = [
    sample(trig.sin, X, reference=each(math.sin)),
    sample(trig.cos, X, reference=each(math.cos)),
    sample(trig.tan, INNER, reference=each(math.tan)),
    sample(trig.asin, INNER, reference=each(math.asin)),
    sample(trig.acos, INNER, reference=each(math.acos)),
    sample(trig.atan, X, reference=each(math.atan)),
    sample(trig.atan2, X, Y, reference=each(math.atan2)),
    sample(trig.hypot, X, Y, reference=each(math.hypot)),
    sample(trig.sinh, X, reference=each(math.sinh)),
    sample(trig.cosh, X, reference=each(math.cosh)),
    sample(trig.tanh, X, reference=each(math.tanh)),
    sample(trig.asinh, X, reference=each(math.asinh)),
    sample(trig.acosh, POSITIVE + 1, reference=each(math.acosh)),
    sample(trig.tanh_slope, X, INNER, reference=each(lambda u, y: u * (1 - y * y))),
    sample(trig.atanh, INNER, reference=each(math.atanh)),
    sample(special.erf, X, reference=each(math.erf)),
    sample(special.erf, 0.05 * X, reference=each(math.erf)),
    sample(special.erfc, 4 * X, reference=each(math.erfc)),
]

ROUNDING = [
    sample(e.floor, X, reference=each(math.floor)),
    sample(e.ceil, X, reference=each(math.ceil)),
    sample(e.trunc, X, reference=each(math.trunc)),
    sample(e.rounded, X, decimals=1, reference=each(lambda x, decimals: round(x, decimals))),
    sample(e.floor_divide, X, Y, reference=each(lambda x, y: math.floor(x / y))),
    sample(e.remainder, X, Y, reference=each(lambda x, y: x - y * math.floor(x / y))),
    sample(e.fmod, X, Y, reference=each(math.fmod)),
]

SELECTION = [
    sample(e.maximum, X, Y, reference=each(max)),
    sample(e.minimum, X, Y, reference=each(min)),
    sample(e.select, MASK, X, Y, reference=each(lambda k, x, y: x if k else y)),
    sample(e.select, MASK, X, 0.0, reference=each(lambda k, x, y: x if k else y)),
    sample(e.clip, X, low=-1.0, high=0.5, reference=each(lambda x, low, high: min(max(x, low), high))),
    sample(e.clip, X, low=None, high=0.5, reference=each(lambda x, low, high: min(x, high))),
    sample(e.within, X, low=-1.0, high=0.5, reference=each(lambda x, low, high: low <= x <= high)),
    sample(e.within, X, low=-1.0, high=None, reference=each(lambda x, low, high: low <= x)),
]

COMPARISON = [
    sample(c.eq, X, X * (X > 0), reference=each(lambda x, y: x == y)),
    sample(c.ne, X, X * (X > 0), reference=each(lambda x, y: x != y)),
    sample(c.lt, X, Y, reference=each(lambda x, y: x < y)),
    sample(c.le, X, Y, reference=each(lambda x, y: x <= y)),
    sample(c.gt, X, Y, reference=each(lambda x, y: x > y)),
    sample(c.ge, X, Y, reference=each(lambda x, y: x >= y)),
    sample(c.bitwise_and, INTEGERS, OTHERS, reference=each(lambda x, y: x & y)),
    sample(c.bitwise_or, INTEGERS, OTHERS, reference=each(lambda x, y: x | y)),
    sample(c.bitwise_xor, INTEGERS, OTHERS, reference=each(lambda x, y: x ^ y)),
    sample(c.bitwise_not, INTEGERS, reference=each(lambda x: ~x)),
    sample(c.bitwise_not, MASK, reference=each(lambda x: not x)),
    sample(c.bitwise_left_shift, INTEGERS, OTHERS, reference=each(lambda x, y: x << y)),
    sample(c.bitwise_right_shift, INTEGERS, OTHERS, reference=each(lambda x, y: x >> y)),
    sample(c.logical_and, INTEGERS, MASK, reference=each(lambda x, y: bool(x and y))),
    sample(c.logical_or, INTEGERS, MASK, reference=each(lambda x, y: bool(x or y))),
    sample(c.logical_xor, INTEGERS, MASK, reference=each(lambda x, y: bool(x) != bool(y))),
    sample(c.logical_not, INTEGERS, reference=each(lambda x: not x)),
    sample(c.isnan, np.array([0.0, math.nan, math.inf]), reference=each(math.isnan)),
    sample(c.isinf, np.array([0.0, math.nan, -math.inf]), reference=each(math.isinf)),
    sample(c.isin, INTEGERS, OTHERS, reference=lambda x, y: (x[..., None] == y).any(-1)),
    sample(c.isfinite, np.array([0.0, math.nan, math.inf]), reference=each(math.isfinite)),
    sample(
        c._isclose, X, X + np.array([0, 1e-9, 1.0]), rtol=1e-5, atol=1e-8, equal_nan=False,
        reference=each(lambda x, y, rtol, atol, equal_nan: abs(x - y) <= atol + rtol * abs(y)),
    ),
]  # fmt: skip

ACTIVATIONS = [
    sample(a.relu, X, reference=each(lambda x: max(x, 0.0))),
    sample(a.prelu, X, Y, reference=each(lambda x, w: x if x > 0 else w * x)),
    sample(a.sigmoid, X, reference=each(sigma)),
    sample(a.logsigmoid, X, reference=each(lambda x: math.log(sigma(x)))),
    sample(
        a.softened, X, beta=2.0, threshold=3.0,
        reference=each(lambda x, beta, threshold: x if beta * x > threshold else math.log1p(math.exp(beta * x)) / beta),
    ),
    sample(
        a.exponential_linear, X, alpha=1.5, scale=1.2, rate=0.7,
        reference=each(lambda x, alpha, scale, rate: scale * (x if x > 0 else alpha * math.expm1(rate * x))),
    ),
    sample(
        a.gelu_slope, Y, X, compose=lambda y, x: a.gelu_slope(y, x, a.gelu(values(x))),
        reference=each(lambda y, x: y * (phi(x) + x * math.exp(-x * x / 2) / math.sqrt(2 * math.pi))),
    ),
    sample(
        a.gelu_tanh_slope, Y, X, compose=lambda y, x: a.gelu_tanh_slope(y, x, a.gelu_tanh(values(x))),
        reference=each(lambda y, x: y * tanh_slope(x)),
    ),
    sample(a.gelu, X, reference=each(lambda x: x * phi(x))),
    sample(
        a.gelu_tanh, X,
        reference=each(lambda x: 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))),
    ),
    sample(a.silu, X, reference=each(lambda x: x * sigma(x))),
    sample(a.mish, X, reference=each(lambda x: x * math.tanh(math.log1p(math.exp(x))))),
    sample(a.softsign, X, reference=each(lambda x: x / (1 + abs(x)))),
    sample(a.hardsigmoid, 2 * X, reference=each(lambda x: min(max(x / 6 + 0.5, 0), 1))),
    sample(a.hardswish, 2 * X, reference=each(lambda x: x * min(max(x / 6 + 0.5, 0), 1))),
    sample(a.clipped, X, low=-1.0, high=0.5, reference=each(lambda x, low, high: min(max(x, low), high))),
    sample(a.hard_shrunk, X, limit=0.5, reference=each(lambda x, limit: x if abs(x) > limit else 0.0)),
    sample(
        a.soft_shrunk, X, limit=0.5,
        reference=each(lambda x, limit: math.copysign(max(abs(x) - limit, 0.0), x)),
    ),
    sample(a.thresholded, X, limit=0.4, value=-2.0, reference=each(lambda x, limit, value: x if x > limit else value)),
    sample(
        a.normalized_exp, X, axis=1,
        reference=lambda x, axis: np.array([[math.exp(v) / sum(map(math.exp,
            row)) for v in row] for row in x.tolist()]),
    ),
    sample(
        a.log_normalized, X, axis=0,
        reference=lambda x, axis: x - np.array([math.log(sum(map(math.exp, col))) for col in x.T.tolist()]),
    ),
]  # fmt: skip

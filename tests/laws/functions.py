"""Samples of the less common functions of tensors: special functions, writing by place. To add an op, add one line."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from byhand.ops import arithmetic, bessel, calculus, gamma, gaussian, scattering, sort, statistics
from laws.sample import CUBE, INNER, INTEGERS, OTHERS, PLACES, POSITIVE, X, Y, each, phi, sample, scanning, spread

ZETA3 = 1.2020569031595942  # Apéry's constant
EULER = 0.5772156649015329
WHOLE = {0: -EULER, 1: math.pi**2 / 6, 2: -2 * ZETA3}  # the n-th derivative of ψ at 1
HALVES = {0: -EULER - 2 * math.log(2), 1: math.pi**2 / 2, 2: -14 * ZETA3}  # and at 1/2


def polygamma(x: float, n: int) -> float:
    """The n-th derivative of ψ at a whole or a half number: from those at 1 and 1/2 by the recurrence."""
    start, value = (1.0, WHOLE[n]) if x % 1 == 0 else (0.5, HALVES[n])
    factor = (-1) ** n * math.factorial(n)
    up = [start + k for k in range(max(int(x - start), 0))]
    down = [x + k for k in range(max(int(start - x), 0))]
    return value + factor * (math.fsum(v ** -(n + 1) for v in up) - math.fsum(v ** -(n + 1) for v in down))


def bessel_by_integral(x: float, order: int, scaled: bool) -> float:
    """Iₙ(x) = 1/π ∫ e^(x cos θ) cos nθ dθ from 0 to π."""
    angles = (np.arange(200) + 0.5) * math.pi / 200
    shift = abs(x) if scaled else 0.0
    return float(np.mean(np.exp(x * np.cos(angles) - shift) * np.cos(order * angles)))


def bisected(f: Any, target: float, low: float, high: float) -> float:
    """Where a growing function has this value."""
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if f(middle) < target else (low, middle)
    return (low + high) / 2


def joined_one_by_one(x: Any, index: Any, src: Any, axis: int, reduce: str) -> np.ndarray:
    out = x.copy()
    join = {"prod": lambda a, b: a * b, "amax": max, "amin": min}[reduce]
    for place in np.ndindex(*index.shape):
        to = tuple(index[place] if a == axis else i for a, i in enumerate(place))
        out[to] = join(out[to], src[place])
    return out


FUNCTIONS = [
    sample(arithmetic.copysign, X, Y, reference=each(math.copysign)),
    sample(arithmetic.signbit, X, reference=each(lambda x: x < 0)),
    sample(arithmetic.step_of, X * (X > 0), Y, reference=each(lambda x, y: y if x == 0 else float(x > 0))),
    sample(arithmetic.gcd, INTEGERS, OTHERS, reference=each(math.gcd)),
    sample(arithmetic.lcm, INTEGERS, OTHERS, reference=each(math.lcm)),
    sample(arithmetic.logaddexp2, X, Y, reference=each(lambda x, y: math.log2(2**x + 2**y))),
    sample(arithmetic.binary_exponent, X, reference=each(lambda x: math.frexp(x)[1])),
    sample(arithmetic.nextafter, X, np.array([-math.inf, 0.0, math.inf]), reference=each(math.nextafter)),
    sample(gaussian.erfinv, INNER, reference=each(lambda y: bisected(math.erf, y, -6, 6))),
    sample(gaussian.ndtri, POSITIVE / 3, reference=each(lambda p: bisected(phi, p, -9, 9))),
    sample(gaussian.log_ndtr, 2 * X, reference=each(lambda x: math.log(phi(x)))),
    sample(gamma.lgamma, 2 * X, reference=each(math.lgamma)),
    *[
        sample(
            gamma.polygamma_of, np.array([[1.0, 4.0, 11.0], [2.5, -0.5, -1.5]]), n=n, reference=each(polygamma)
        )
        for n in (0, 1, 2)
    ],
    *[
        sample(bessel.modified_bessel, 3 * X, order=order, scaled=scaled, reference=each(bessel_by_integral))
        for order, scaled in ((0, False), (1, False), (0, True), (1, True))
    ],
    sample(bessel.modified_bessel, 30 * X, order=1, scaled=True, reference=each(bessel_by_integral)),
    *[
        sample(
            scattering.scatter_reduced, CUBE[0], PLACES[:, :3], spread(2, 3), axis=0, reduce=reduce,
            reference=joined_one_by_one,
        )
        for reduce in ("prod", "amax", "amin")
    ],
    sample(
        calculus.running_logsumexp, CUBE, axis=1,
        reference=scanning(lambda v: math.log(math.fsum(map(math.exp, v)))),
    ),
    sample(
        statistics.mode_place, np.array([[3, 1, 3, 1, 2], [5, 4, 4, 4, 5]]), axis=1,
        reference=lambda x, axis: np.array([[3], [3]]),
    ),
    sample(
        sort.place_of, np.array([[1.0, 3.0, 5.0], [0.0, 3.0, 3.0]]), np.array([[3.0, 9.0], [3.0, -1.0]]), side="left",
        reference=lambda x, v, side: np.array([[1, 3], [1, 0]]),
    ),
]  # fmt: skip

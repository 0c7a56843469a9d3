"""The error function and its relatives, which NumPy lacks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from byhand.core.op import ELEMENTWISE, derive, op
from byhand.core.variable import Array
from byhand.ops import elementwise as e

# Chebyshev coefficients of ln(erfc(z) / t) + z² in u = 2t − 1 with t = 2 / (2 + z), for z ≥ 0, computed with 40
# digits at 40 nodes. 26 of them leave an error below 1e-16; 12 suffice for float32.
COEFFICIENTS = (
    -0.6513268598908547, 0.6419697923564902, 0.019476473204185836, -0.009561514786808632, -0.0009465953444820369,
    0.00036683949785276145, 4.252332480690777e-05, -2.0278578112534242e-05, -1.6242900046470256e-06,
    1.3036558355805232e-06, 1.5626441722066142e-08, -8.523809591492654e-08, 6.5290544390988515e-09,
    5.059343495551469e-09, -9.91364156493033e-10, -2.273651222931836e-10, 9.646791102015527e-11,
    2.3940380830391146e-12, -6.886027526497553e-12, 8.944879273090725e-13, 3.130921399342958e-13,
    -1.1270822361367252e-13, 3.810905255189232e-16, 7.106097613609237e-15, -1.5230282014571041e-15,
    -9.457494571291254e-17,
)  # fmt: skip

# artanh(erf(x)) / x as a polynomial in x² up to x = 4.2, the highest power first: what is left of its error in erf is
# 9.5e-8. NumPy's tanh is fast: half the time of a quotient of polynomials that is as near.
BENT = (
    1.418375643e-07, -5.668191466e-06, 8.76353977e-05, -0.0006197789708, -0.0001918381044, 0.1027690593, 1.128379274,
)  # fmt: skip
FARTHEST = 17.64  # of x²

BLOCK = 1 << 16
"""Values that a long chain of NumPy's calls takes at a time: what is between them then stays in the cache. The erf of
524288 float32 takes 1.2 ms in place of 2.5."""


def in_blocks(function: Callable[..., Array], *xs: Array) -> Array:
    """A function value by value, computed in blocks if that can be done; symbols are taken whole.

    function(*xs, out) is given arrays of one shape, and writes what it returns to `out`, unless that is None. What
    overflows on its way does no harm.
    """
    if len({x.shape for x in xs}) > 1:  # a program leaves out what only repeats values
        xs = tuple(np.broadcast_to(x, np.broadcast_shapes(*[x.shape for x in xs])) for x in xs)
    first = xs[0]
    plain = all(type(x) is np.ndarray and x.strides == first.strides and x.shape == first.shape for x in xs)
    with np.errstate(over="ignore"):
        if not any(x.shape for x in xs):  # NumPy's arithmetic makes numbers of these, which nothing can be written to
            return function(*[x.reshape(1) for x in xs], None).reshape(())
        if not plain or first.size <= BLOCK or not (first.flags.c_contiguous or first.flags.f_contiguous):
            return function(*xs, None)
        out = np.empty_like(first)
        flat, parts = out.ravel("K"), [x.ravel("K") for x in xs]
        for start in range(0, out.size, BLOCK):
            function(*[x[start : start + BLOCK] for x in parts], flat[start : start + BLOCK])
        return out


def bent(x: Array, stretch: float = 1.0) -> Array:
    """artanh(erf(stretch · x)) in float32; where erf is 1, something else whose tanh is 1."""
    square = x * x
    np.clip(square, 0, FARTHEST / stretch**2, out=square)  # half the time of np.minimum, which has no fast loop
    powers = range(2 * len(BENT) - 1, 0, -2)
    first, *others = [c * stretch**n for c, n in zip(BENT, powers, strict=True)]
    out = square * first
    for c in others[:-1]:
        out += c
        out *= square
    out += others[-1]
    out *= x
    return out


def _narrow(x: Array, out: Array | None) -> Array:
    """erf in float32."""
    return np.tanh(bent(x), out=out)


def tail(z: Array) -> Array:
    """erfc(z) for z ≥ 0, by Clenshaw's recurrence."""
    t = 2 / (2 + z)
    u = 4 * t - 2
    coefficients = COEFFICIENTS[:12] if z.dtype == np.float32 else COEFFICIENTS
    high = low = np.zeros_like(z)
    for c in coefficients[:0:-1]:
        high, low = u * high - low + c, high
    return t * np.exp(coefficients[0] + 0.5 * u * high - low - z * z)


@op(ELEMENTWISE, onnx="Erf")
def erf(x: Array) -> Array:
    """2/√π ∫₀ˣ e^(−t²) dt"""
    x = np.asarray(x)
    x = x if x.dtype.kind == "f" else x.astype(np.float64)
    return in_blocks(_narrow if x.dtype == np.float32 else wide, x)


def wide(x: Array, out: Array | None = None) -> Array:
    """erf in float64."""
    # near 0 the series 2/√π (x − x³/3 + x⁵/10 …) is exact to the last digit, where 1 − erfc(x) would lose them
    xx = np.minimum(x * x, 0.01)
    series = x * (1 - xx * (1 / 3 - xx * (1 / 10 - xx * (1 / 42 - xx * (1 / 216 - xx / 1320))))) * 1.1283791670955126
    found = np.where(np.abs(x) < 0.1, series, np.copysign(1 - tail(np.abs(x)), x))
    if out is not None:
        out[...] = found
    return found


@op(ELEMENTWISE)
def erfc(x: Array) -> Array:
    """1 − erf(x), exact in its tail"""
    x = np.asarray(x)
    x = x if x.dtype.kind == "f" else x.astype(np.float64)
    upper = tail(np.abs(x))
    return np.where(x >= 0, upper, 2 - upper)


derive(erf, x=lambda g, x: g * (1.1283791670955126 * e.exp(-x * x)))
derive(erfc, x=lambda g, x: g * (-1.1283791670955126 * e.exp(-x * x)))

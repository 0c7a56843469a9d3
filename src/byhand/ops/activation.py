"""Activations: one op and one rule each, of the courses and then some. Called by `nn.functional` and the layers.

Where a rule can be written with the result alone, it is: then the input need not be kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from byhand.core.dtypes import resolve
from byhand.core.errors import UsageError
from byhand.core.op import ELEMENTWISE, OTHER, derive, op
from byhand.core.variable import Array
from byhand.ops import elementwise as e
from byhand.ops import trigonometry as trig
from byhand.ops.axes import either, one
from byhand.ops.reduce import sum_over
from byhand.ops.special import bent, erf, in_blocks

if TYPE_CHECKING:
    from byhand.tensor import Tensor


CLIPPED = 1 << 14  # values from which `clip` is faster than `maximum`


@op(ELEMENTWISE, onnx="Relu")
def relu(x: Any) -> Array:
    """max(x, 0)"""
    if isinstance(x, np.ndarray) and x.size >= CLIPPED and x.dtype.kind == "f":
        return np.clip(x, 0, np.inf)  # 0.1 ms for 800,000 float32, where `maximum` with a scalar takes 0.3
    return np.maximum(0, x)  # in this order −0 stays −0, as it does in PyTorch


@op(ELEMENTWISE, onnx="PRelu")
def prelu(x: Array, weight: Array) -> Array:
    """x where x > 0, else weight · x"""
    return np.where(x > 0, x, weight * x)


@op(ELEMENTWISE, onnx="Sigmoid")
def sigmoid(x: Array) -> Array:
    """1 / (1 + e⁻ˣ)"""
    with np.errstate(over="ignore"):  # e⁻ˣ = ∞ is no error here: 1/∞ is the right answer
        return 1 / (1 + np.exp(-x))


@op(ELEMENTWISE)
def logsigmoid(x: Array) -> Array:
    """ln(1 / (1 + e⁻ˣ)) = min(x, 0) − ln(1 + e^(−|x|))"""
    return np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x)))


@op(ELEMENTWISE, name="softplus", onnx="Softplus")
def softened(x: Array, *, beta: float, threshold: float) -> Array:
    """ln(1 + e^(βx)) / β, and x itself where βx > threshold"""
    return np.where(beta * x > threshold, x, np.log1p(np.exp(np.minimum(beta * x, threshold))) / beta)


@op(ELEMENTWISE, name="elu", onnx="Elu")
def exponential_linear(x: Array, *, alpha: float, scale: float, rate: float) -> Array:
    """scale · x where x > 0, else scale · α (e^(rate·x) − 1)"""
    return np.where(x > 0, scale * x, scale * alpha * np.expm1(np.minimum(rate * x, 0)))


@op(ELEMENTWISE, onnx="Gelu")
def gelu(x: Array) -> Array:
    """x Φ(x), with the normal distribution's Φ(x) = (1 + erf(x / √2)) / 2"""
    return in_blocks(_erf_share, x)


def _erf_share(x: Array, out: Array | None) -> Array:
    if x.dtype == np.float32:
        share: Any = bent(x, 0.7071067811865476)
        np.tanh(share, out=share)
    else:
        share = erf(x * 0.7071067811865476)
    share += 1
    share *= x
    return np.multiply(share, 0.5, out=out)


@op(ELEMENTWISE)
def gelu_slope(y: Array, x: Array, z: Array) -> Array:
    """y (Φ(x) + x Φ'(x)) for z = x Φ(x), whose quotient with x saves the error function"""
    return in_blocks(_erf_slope, y, x, z)


def _erf_slope(y: Array, x: Array, z: Array, out: Array | None) -> Array:
    slope = x * -0.5
    slope *= x
    np.exp(slope, out=slope)
    slope *= 0.3989422804014327
    slope *= x
    slope += _share(x, z)
    return np.multiply(slope, y, out=out)


def _share(x: Array, z: Array) -> Array:
    """What `gelu` leaves of x: z / x, and 1/2 where both are 0."""
    share: Any = z + 1e-36
    share /= x + 2e-36
    return share


@op(ELEMENTWISE)
def gelu_tanh(x: Array) -> Array:
    """x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2"""
    return in_blocks(_tanh_share, x)


def _tanh_share(x: Array, out: Array | None) -> Array:
    share = x * x
    share *= 0.035677408136300125
    share += 0.7978845608028654
    share *= x
    np.tanh(share, out=share)
    share += 1
    share *= x
    return np.multiply(share, 0.5, out=out)


@op(ELEMENTWISE)
def gelu_tanh_slope(y: Array, x: Array, z: Array) -> Array:
    """y (S + x S') for z = x S with S = (1 + tanh u) / 2, so that S' = 2 S (1 − S) u'"""
    return in_blocks(_tanh_slope, y, x, z)


def _tanh_slope(y: Array, x: Array, z: Array, out: Array | None) -> Array:
    share = _share(x, z)
    slope = x * x
    slope *= 0.21406444881780073
    slope += 1.5957691216057308
    slope *= z
    slope *= 1 - share
    slope += share
    return np.multiply(slope, y, out=out)


@op(ELEMENTWISE)
def silu(x: Array) -> Array:
    """x / (1 + e⁻ˣ)"""
    with np.errstate(over="ignore"):
        return x / (1 + np.exp(-x))


@op(ELEMENTWISE, onnx="Mish")
def mish(x: Array) -> Array:
    """x tanh(ln(1 + eˣ))"""
    return x * np.tanh(np.logaddexp(0, x))


@op(ELEMENTWISE, onnx="Softsign")
def softsign(x: Array) -> Array:
    """x / (1 + |x|)"""
    return x / (1 + np.abs(x))


@op(ELEMENTWISE, onnx="HardSigmoid")
def hardsigmoid(x: Array) -> Array:
    """x / 6 + 1/2 within 0 and 1"""
    return np.clip(x + 3, 0, 6) / 6


@op(ELEMENTWISE, onnx="HardSwish")
def hardswish(x: Array) -> Array:
    """x · hardsigmoid(x)"""
    return x * (np.clip(x + 3, 0, 6) / 6)


@op(ELEMENTWISE, name="hardtanh")
def clipped(x: Array, *, low: float, high: float) -> Array:
    """x within low and high; at the bounds the derivative is 0"""
    return np.clip(x, low, high)


@op(ELEMENTWISE, name="hardshrink")
def hard_shrunk(x: Array, *, limit: float) -> Array:
    """x, and 0 where |x| ≤ limit"""
    return np.where(np.abs(x) > limit, x, 0)


@op(ELEMENTWISE, name="softshrink")
def soft_shrunk(x: Array, *, limit: float) -> Array:
    """x moved towards 0 by limit, and 0 where |x| ≤ limit"""
    return np.where(x > limit, x - limit, np.where(x < -limit, x + limit, 0))


@op(ELEMENTWISE, name="threshold")
def thresholded(x: Array, *, limit: float, value: float) -> Array:
    """x where x > limit, else value"""
    return np.where(x > limit, x, value)


@op(OTHER, name="softmax", onnx="Softmax")
def normalized_exp(x: Array, *, axis: int) -> Array:
    """eˣ / Σ eˣ along an axis"""
    out = np.exp(x - x.max(axis=axis, keepdims=True))
    out /= out.sum(axis=axis, keepdims=True)
    return out


@op(OTHER, name="log_softmax", onnx="LogSoftmax")
def log_normalized(x: Array, *, axis: int) -> Array:
    """x − ln Σ eˣ along an axis"""
    out = x - x.max(axis=axis, keepdims=True)
    out -= np.log(np.exp(out).sum(axis=axis, keepdims=True))
    return out


def _silu_rule(g: Any, x: Any) -> Any:
    s = sigmoid(x)
    return g * (s * (1 + x * (1 - s)))


def _gelu_curve(g: Any, y: Any, x: Any) -> Any:
    """2 Φ' + x Φ''"""
    density = 0.3989422804014327 * e.exp(-0.5 * x * x)
    return g * y * density * (2 - x * x)


def _gelu_tanh_curve(g: Any, y: Any, x: Any) -> Any:
    """2 S' + x S'', with S' = (1 − tanh² u) u' / 2"""
    bent = trig.tanh(0.7978845608028654 * (x + 0.044715 * x * x * x))
    slope, curve = 0.7978845608028654 * (1 + 0.134145 * x * x), 0.2140644488178007 * x
    return g * y * (1 - bent * bent) * (slope + x * (0.5 * curve - bent * slope * slope))


def _mish_rule(g: Any, x: Any) -> Any:
    bent = trig.tanh(e.logaddexp(x, 0.0 * x))
    return g * (bent + x * (1 - bent * bent) * sigmoid(x))


derive(relu, x=lambda g, out: g * (out > 0))
derive(
    prelu,
    x=lambda g, x, weight: e.select(x > 0, g, weight * g),
    weight=lambda g, x: e.select(x > 0, 0, x * g),
)
derive(sigmoid, x=lambda g, out: g * (out * (1 - out)))
derive(logsigmoid, x=lambda g, x: g * sigmoid(-x))
derive(softened, x=lambda g, x, beta, threshold: g * e.select(beta * x > threshold, 1, sigmoid(beta * x)))
derive(
    exponential_linear,
    x=lambda g, x, alpha, scale, rate: (
        g * e.select(x > 0, scale, (scale * alpha * rate) * e.exp(rate * e.select(x > 0, 0, x)))
    ),
)
derive(gelu, x=lambda g, x, out: gelu_slope(g, x, out))
derive(gelu_slope, y=lambda g, x, z: gelu_slope(g, x, z), x=_gelu_curve)
derive(gelu_tanh, x=lambda g, x, out: gelu_tanh_slope(g, x, out))
derive(gelu_tanh_slope, y=lambda g, x, z: gelu_tanh_slope(g, x, z), x=_gelu_tanh_curve)
derive(silu, x=_silu_rule)
derive(mish, x=_mish_rule)
derive(softsign, x=lambda g, x: g / e.square(1 + e.abs(x)))
derive(hardsigmoid, x=lambda g, x: g * ((x > -3) & (x < 3)) / 6)
derive(hardswish, x=lambda g, x: g * e.select(x <= -3, 0, e.select(x >= 3, 1, x / 3 + 0.5)))
derive(clipped, x=lambda g, x, low, high: g * ((x > low) & (x < high)))
derive(hard_shrunk, x=lambda g, out: g * (out != 0))
derive(soft_shrunk, x=lambda g, out: g * (out != 0))
derive(thresholded, x=lambda g, x, limit: g * (x > limit))
derive(normalized_exp, x=lambda g, out, axis: out * (g - sum_over(g * out, axis=(axis,), keepdims=True)))
derive(
    log_normalized,
    x=lambda g, out, axis: g - e.exp(out) * sum_over(g, axis=(axis,), keepdims=True),
)


def softmax(x: Any, dim: int | None = None, *, dtype: Any = None, axis: int | None = None) -> Tensor:
    """eˣ / Σ eˣ along an axis: what is left sums to 1.

    >>> import byhand
    >>> byhand.softmax(byhand.tensor([0.0, 0.0]), dim=0)
    tensor([0.5000, 0.5000])
    """
    x = x if dtype is None else e.cast(x, dtype=resolve(dtype))
    place = _chosen(dim, axis, x.ndim, "softmax")
    if not (x.ndim and x.shape[place]):  # one number is its own whole, and of nothing there is no largest
        return e.exp(x - x)
    return normalized_exp(x, axis=place)


def log_softmax(x: Any, dim: int | None = None, *, dtype: Any = None, axis: int | None = None) -> Tensor:
    """x − ln Σ eˣ along an axis; safer and faster than the logarithm of softmax."""
    x = x if dtype is None else e.cast(x, dtype=resolve(dtype))
    place = _chosen(dim, axis, x.ndim, "log_softmax")
    if not (x.ndim and x.shape[place]):
        return x - x
    return log_normalized(x, axis=place)


def _chosen(dim: int | None, axis: int | None, ndim: int, name: str) -> int:
    chosen = either(dim, axis, "dim and axis")
    if chosen is None:
        raise UsageError(f"{name}: say along which axis, for example dim=-1 or dim=1 for rows of logits")
    return one(chosen, ndim, name)

"""Activations as functions, with PyTorch's arguments. Called by `nn.activation` and by users.

Each is one op of `byhand.ops.activation`. `inplace=True` overwrites the input, as far as its gradient allows it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from byhand.core.capture import values
from byhand.core.errors import DomainError, ShapeError, UsageError
from byhand.ops import activation as ops
from byhand.ops import elementwise as e
from byhand.ops import random
from byhand.ops import trigonometry as trig
from byhand.ops.axes import one
from byhand.ops.inplace import change
from byhand.ops.reduce import argmax_over, max_over
from byhand.ops.views import narrowed, reshaped
from byhand.tensor import Tensor

# the constants for which mean 0 and variance 1 are a fixed point (Klambauer et al., 2017)
SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805


def _applied(op: Any, input: Tensor, inplace: bool, **attrs: Any) -> Tensor:
    """op(input), or input overwritten by it."""
    out: Tensor = change(input, op, **attrs) if inplace else op(input, **attrs)
    return out


def sigmoid(input: Tensor) -> Tensor:
    """1 / (1 + e⁻ˣ), elementwise."""
    return ops.sigmoid(input)


def tanh(input: Tensor) -> Tensor:
    """(eˣ − e⁻ˣ) / (eˣ + e⁻ˣ), elementwise."""
    return trig.tanh(input)


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(x, 0), elementwise. Nair & Hinton, Rectified linear units improve restricted Boltzmann machines, 2010."""
    return _applied(ops.relu, input, True) if inplace else ops.relu(input)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(x, 0), 6), elementwise."""
    return _applied(ops.clipped, input, inplace, low=0.0, high=6.0)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x where x > 0, else negative_slope · x. Maas et al., Rectifier nonlinearities improve acoustic models, 2013."""
    return _sloped(input, negative_slope, inplace)


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """x where x > 0, else weight · x; the weight is one number or one for each channel of axis 1, and is learned.

    He et al., Delving deep into rectifiers, 2015. Raises ShapeError if the sizes differ.
    """
    count, shape = weight.array.size, input.shape
    if weight.ndim > 1 or (count != 1 and count != (shape[1] if len(shape) > 1 else 1)):
        raise ShapeError(f"prelu: {count} slopes for an input of shape {shape}; expected 1, or the size of axis 1")
    if count > 1 and len(shape) > 2:
        weight = reshaped(weight, shape=(count, *(1,) * (len(shape) - 2)))
    return ops.prelu(input, weight if count > 1 or shape else reshaped(weight, shape=()))


def rrelu(
    input: Tensor, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False, inplace: bool = False
) -> Tensor:
    """`leaky_relu` with slopes drawn from U(lower, upper) while training, else their mean.

    Xu et al., Empirical evaluation of rectified activations in convolutional network, 2015.
    """
    if not lower <= upper:
        raise UsageError(f"rrelu draws slopes between lower and upper; got lower={lower} > upper={upper}")
    if not training:
        return leaky_relu(input, (lower + upper) / 2, inplace)
    slopes = e.add(e.mul(random.uniform(input.shape, input.dtype), upper - lower), lower)
    return _sloped(input, slopes, inplace)


def _sloped(input: Tensor, slopes: Any, inplace: bool) -> Tensor:
    out: Tensor = change(input, ops.prelu, slopes) if inplace else ops.prelu(input, slopes)
    return out


def maxout(input: Tensor, pool_size: int, dim: int = -1) -> Tensor:
    """The largest of each `pool_size` neighbours along an axis: (…, n · pool_size) → (…, n). Not in PyTorch.

    Goodfellow et al., Maxout networks, 2013. Raises ShapeError unless pool_size divides the axis.

    >>> import byhand
    >>> from byhand.nn import functional as F
    >>> F.maxout(byhand.tensor([1.0, 3.0, 2.0, 0.0]), 2)
    tensor([3., 2.])
    """
    axis, shape = one(dim, input.ndim, "maxout"), input.shape
    if not shape or pool_size < 1 or shape[axis] % pool_size:
        raise ShapeError(f"maxout: axis {axis} of shape {shape} cannot be divided into groups of {pool_size}")
    groups = (*shape[:axis], shape[axis] // pool_size, pool_size, *shape[axis + 1 :])
    return max_over(reshaped(input, shape=groups), axis=(axis + 1,), keepdims=False)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where x > 0, else α (eˣ − 1). Clevert et al., Fast and accurate deep network learning by ELUs, 2015."""
    return _applied(ops.exponential_linear, input, inplace, alpha=alpha, scale=1.0, rate=1.0)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where x > 0, else α (e^(x/α) − 1). Barron, Continuously differentiable exponential linear units, 2017."""
    if alpha == 0:
        raise DomainError("celu: alpha divides x, it cannot be 0")
    return _applied(ops.exponential_linear, input, inplace, alpha=alpha, scale=1.0, rate=1.0 / alpha)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """1.0507 x where x > 0, else 1.7581 (eˣ − 1). Klambauer et al., Self-normalizing neural networks, 2017."""
    return _applied(ops.exponential_linear, input, inplace, alpha=SELU_ALPHA, scale=SELU_SCALE, rate=1.0)


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """x Φ(x) with the normal distribution's Φ, or with "tanh" its approximation.

    Hendrycks & Gimpel, Gaussian error linear units, 2016.
    """
    if approximate not in ("none", "tanh"):
        raise UsageError(f"gelu: approximate is 'none' or 'tanh', not {approximate!r}")
    return ops.gelu(input) if approximate == "none" else ops.gelu_tanh(input)


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """x / (1 + e⁻ˣ), also called swish. Ramachandran et al., Searching for activation functions, 2017."""
    return _applied(ops.silu, input, inplace)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """x tanh(ln(1 + eˣ)). Misra, Mish: a self regularized non-monotonic activation function, 2019."""
    return _applied(ops.mish, input, inplace)


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """ln(1 + e^(βx)) / β, and x itself where βx > threshold."""
    return ops.softened(input, beta=beta, threshold=threshold)


def softsign(input: Tensor) -> Tensor:
    """x / (1 + |x|)."""
    return ops.softsign(input)


def softmax(input: Tensor, dim: int | None = None, *, dtype: Any = None) -> Any:
    """eˣ / Σ eˣ along an axis. Raises UsageError unless it is told which: dim=1 for rows of logits."""
    return ops.softmax(input, dim, dtype=dtype)


def softmin(input: Tensor, dim: int | None = None, *, dtype: Any = None) -> Any:
    """softmax(−x) along an axis."""
    return ops.softmax(-input, dim, dtype=dtype)


def log_softmax(input: Tensor, dim: int | None = None, *, dtype: Any = None) -> Any:
    """x − ln Σ eˣ along an axis. Raises UsageError unless it is told which: dim=1 for rows of logits."""
    return ops.log_softmax(input, dim, dtype=dtype)


def logsigmoid(input: Tensor) -> Tensor:
    """ln(1 / (1 + e⁻ˣ)), without overflow."""
    return ops.logsigmoid(input)


def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """x kept within min_val and max_val."""
    if min_val > max_val:
        raise UsageError(f"hardtanh: min_val={min_val} is greater than max_val={max_val}")
    return _applied(ops.clipped, input, inplace, low=min_val, high=max_val)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """x / 6 + 1/2 kept within 0 and 1."""
    return _applied(ops.hardsigmoid, input, inplace)


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """x · hardsigmoid(x). Howard et al., Searching for MobileNetV3, 2019."""
    return _applied(ops.hardswish, input, inplace)


def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x, and 0 where |x| ≤ lambd."""
    return ops.hard_shrunk(input, limit=lambd)


def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x moved towards 0 by lambd, and 0 where |x| ≤ lambd."""
    if lambd < 0:
        raise UsageError(f"softshrink: lambd is not negative, got {lambd}")
    return ops.soft_shrunk(input, limit=lambd)


def tanhshrink(input: Tensor) -> Tensor:
    """x − tanh x."""
    return input - trig.tanh(input)


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """x where x > threshold, else value."""
    return _applied(ops.thresholded, input, inplace, limit=threshold, value=value)


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """a · sigmoid(b) where a and b are the halves of an axis: (…, 2n) → (…, n). Dauphin et al., 2016."""
    axis, shape = one(dim, input.ndim, "glu"), input.shape
    if not shape or shape[axis] % 2:
        raise ShapeError(f"glu halves axis {axis}, which is odd in shape {shape}")
    half = shape[axis] // 2
    a, b = narrowed(input, axis=axis, start=0, stop=half), narrowed(input, axis=axis, start=half, stop=2 * half)
    return a * ops.sigmoid(b)


def gumbel_softmax(logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1) -> Tensor:
    """softmax((x + Gumbel noise) / τ): samples of softmax(x) through which gradients pass.

    With `hard`, one-hot vectors whose gradient is that of the soft ones. Uniform values below eps count as eps. Jang,
    Gu & Poole, Categorical reparameterization with Gumbel-softmax, 2017.
    """
    axis = one(dim, logits.ndim, "gumbel_softmax")
    drawn = e.maximum(random.uniform(logits.shape, logits.dtype), eps)
    noise = e.neg(e.log(e.neg(e.log(drawn))))
    soft: Tensor = ops.softmax((logits + noise) / tau, axis)
    if not hard:
        return soft
    now = values(soft)
    places = argmax_over(now, axis=axis, keepdims=True)
    along = np.arange(logits.shape[axis]).reshape([-1 if i == axis else 1 for i in range(logits.ndim)])
    out: Tensor = e.cast(places == along, dtype=logits.dtype) - now + soft
    return out


def relu_(input: Tensor) -> Tensor:
    """`relu`, in place."""
    return relu(input, True)


def leaky_relu_(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    """`leaky_relu`, in place."""
    return leaky_relu(input, negative_slope, True)


def rrelu_(input: Tensor, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False) -> Tensor:
    """`rrelu`, in place."""
    return rrelu(input, lower, upper, training, True)


def elu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """`elu`, in place."""
    return elu(input, alpha, True)


def celu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """`celu`, in place."""
    return celu(input, alpha, True)


def selu_(input: Tensor) -> Tensor:
    """`selu`, in place."""
    return selu(input, True)


def hardtanh_(input: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """`hardtanh`, in place."""
    return hardtanh(input, min_val, max_val, True)


def threshold_(input: Tensor, threshold: float, value: float) -> Tensor:
    """`threshold`, in place."""
    return _applied(ops.thresholded, input, True, limit=threshold, value=value)

"""Losses that deserve an op of their own, because the derivative of the whole is far simpler than that of the parts.

Called by `nn.functional`, which adds weights and reductions. Each works value by value or row by row.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from byhand.core.op import ELEMENTWISE, MOVE, OTHER, REDUCE, derive, op
from byhand.core.variable import Array
from byhand.ops import elementwise as e
from byhand.ops.activation import normalized_exp, relu, sigmoid
from byhand.ops.views import reshaped

FEW = 64  # classes


def _row_losses(x: Array, target: Array) -> tuple[Array, Array]:
    """−ln p[target] row by row, and p."""
    # one column a row of logits: NumPy reduces a few long rows three times as fast as many short ones; with many
    # classes the rows are long as they are, and the transpose costs more
    p = x.T.copy() if x.shape[1] <= FEW else x.copy().T
    p -= np.maximum.reduce(p, 0)
    at_target = p[target, np.arange(len(x))]
    np.exp(p, p)
    total = np.add.reduce(p, 0)
    p /= total
    losses = np.log(total)
    losses -= at_target
    return losses, p.T


@op(OTHER, name="cross_entropy", residuals={"p": lambda x: normalized_exp(x, axis=1)})
def softmax_cross_entropy(x: Array, target: Array) -> tuple[Array, Array]:
    """−ln p[target] row by row, with p = softmax(x): logits (N, C), labels (N) → (N)"""
    return _row_losses(x, target)


@op(OTHER, name="cross_entropy_mean", residuals={"p": lambda x: normalized_exp(x, axis=1)})
def mean_cross_entropy(x: Array, target: Array) -> tuple[Array, Array]:
    """The mean over rows of −ln p[target], with p = softmax(x): logits (N, C), labels (N) → ()"""
    losses, p = _row_losses(x, target)
    return np.add.reduce(losses) / len(x), p


@op(OTHER)
def less_one_hot(p: Array, target: Array) -> Array:
    """p with 1 subtracted at the target of each row: the cross-entropy's derivative by the logits, for p = softmax"""
    if p.shape[1] <= FEW:  # by comparison: half the time for (400, 2), and no index arrays
        return (p.T - (target == np.arange(p.shape[1])[:, None])).T
    out = p.copy("K")
    out[np.arange(len(p)), target] -= 1
    return out


@op(REDUCE)
def out_of_range(target: Array, *, classes: int) -> Any:
    """Whether some label is not one of 0 … classes − 1; a negative one is huge without its sign"""
    return np.maximum.reduce(target.astype(np.uint64)) >= classes


@op(MOVE)
def picked(x: Array, target: Array) -> Array:
    """x[target] row by row: (N, C), labels (N) → (N)"""
    return x[np.arange(len(x)), target]


@op(MOVE)
def planted(x: Array, target: Array, *, classes: int) -> Array:
    """Zeros with x[i] at target[i] in row i: (N), labels (N) → (N, classes)"""
    out = np.zeros((len(x), classes), x.dtype)
    out[np.arange(len(x)), target] = x
    return out


@op(OTHER, name="multi_margin")
def hinge(x: Array, target: Array, *, margin: float, power: int) -> Array:
    """Σ max(0, margin − x[target] + x[j])ᵖ / C over j ≠ target, row by row: scores (N, C), labels (N) → (N)"""
    rows = np.arange(len(x))
    excess = x - (x[rows, target] - margin)[:, None]
    np.maximum(excess, 0, out=excess)
    excess[rows, target] = 0
    return (excess if power == 1 else excess * excess).sum(axis=1) / x.shape[1]


@op(OTHER)
def compared(x: Array, target: Array) -> Array:
    """x[j] − x[target] for all j, row by row: scores (N, C), labels (N) → (N, C)"""
    return x - x[np.arange(len(x)), target][:, None]


@op(OTHER)
def balanced(x: Array, target: Array) -> Array:
    """x with the sum of its row taken off at target: the transpose of `compared`"""
    out = x.copy()
    out[np.arange(len(x)), target] -= x.sum(axis=1)
    return out


BOUND = 9.999999960041972e-13  # of x (1 − x), so that the slope at 0 and 1 is finite: PyTorch's 1e-12, in float32


@op(ELEMENTWISE, name="binary_cross_entropy")
def bernoulli_loss(x: Array, target: Array) -> Array:
    """−t ln x − (1 − t) ln(1 − x), with logarithms not below −100"""
    with np.errstate(divide="ignore"):  # ln 0 = −∞, which the bound then catches
        low = np.maximum(np.log1p(-x), -100)
        return (target - 1) * low - target * np.maximum(np.log(x), -100)


@op(ELEMENTWISE, name="binary_cross_entropy_with_logits")
def sigmoid_cross_entropy(x: Array, target: Array) -> Array:
    """−t ln σ(x) − (1 − t) ln(1 − σ(x)) = max(x, 0) − x t + ln(1 + e^(−|x|))"""
    return np.maximum(x, 0) - x * target + np.log1p(np.exp(-np.abs(x)))


@op(ELEMENTWISE, name="huber")
def huber_of(x: Array, *, delta: float) -> Array:
    """x² / 2 where |x| ≤ δ, else δ (|x| − δ/2)"""
    return np.where(np.abs(x) <= delta, 0.5 * x * x, delta * (np.abs(x) - 0.5 * delta))


def _hinge_rule(g: Any, x: Any, target: Any, margin: float, power: int) -> Any:
    excess = compared(x, target) + margin
    slope = e.cast(excess > 0, dtype=x.dtype) if power == 1 else 2 * relu(excess)
    # at the label's own place compared is 0: what stands there in slope is taken off again by balanced
    return balanced(reshaped(g / x.shape[1], shape=(*g.shape, 1)) * slope, target)


derive(softmax_cross_entropy, x=lambda g, p, target: reshaped(g, shape=(*g.shape, 1)) * less_one_hot(p, target))
derive(mean_cross_entropy, x=lambda g, p, target: (g / p.shape[0]) * less_one_hot(p, target))
derive(less_one_hot, p=lambda g: g)
derive(picked, x=lambda g, x_shape, target: planted(g, target, classes=x_shape[1]))
derive(planted, x=lambda g, target: picked(g, target))
derive(hinge, x=_hinge_rule)
derive(compared, x=lambda g, target: balanced(g, target))
derive(balanced, x=lambda g, target: compared(g, target))
derive(
    bernoulli_loss,
    x=lambda g, x, target: g * (x - target) / e.clip(x * (1 - x), low=BOUND, high=None),
    target=lambda g, x: g * (e.clip(e.log1p(-x), low=-100, high=None) - e.clip(e.log(x), low=-100, high=None)),
)
derive(
    sigmoid_cross_entropy,
    x=lambda g, x, target: g * (sigmoid(x) - target),
    target=lambda g, x: -(g * x),
)
derive(huber_of, x=lambda g, x, delta: g * e.clip(x, low=-delta, high=delta))

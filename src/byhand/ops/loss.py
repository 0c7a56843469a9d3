"""Losses that deserve an op of their own, because the derivative of the whole is far simpler than that of the parts.

Called by `nn.functional`, which adds weights and reductions. Each works value by value or row by row.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from byhand.core.op import ELEMENTWISE, OTHER, derive, op
from byhand.core.variable import Array
from byhand.ops import elementwise as e
from byhand.ops.activation import normalized_exp, sigmoid
from byhand.ops.reduce import sum_over
from byhand.ops.views import reshaped


@op(OTHER, name="cross_entropy")
def softmax_cross_entropy(x: Array, target: Array) -> Array:
    """−ln softmax(x)[target] row by row: logits (N, C), labels (N) → (N)"""
    shifted = x - x.max(axis=1, keepdims=True)
    return np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(x)), target]


@op(OTHER, name="cross_entropy_mean", onnx="SoftmaxCrossEntropyLoss")
def mean_cross_entropy(x: Array, target: Array) -> Array:
    """The mean over rows of −ln softmax(x)[target]: logits (N, C), labels (N) → ()"""
    shifted = x - x.max(axis=1, keepdims=True)
    losses = np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(x)), target]
    return losses.sum() / len(x)


@op(OTHER)
def softmax_residual(x: Array, target: Array) -> Array:
    """softmax(x) − onehot(target): the derivative of the cross-entropy by the logits"""
    out = np.exp(x - x.max(axis=1, keepdims=True))
    out /= out.sum(axis=1, keepdims=True)
    out[np.arange(len(x)), target] -= 1
    return out


@op(ELEMENTWISE, name="binary_cross_entropy_with_logits")
def sigmoid_cross_entropy(x: Array, target: Array) -> Array:
    """−t ln σ(x) − (1 − t) ln(1 − σ(x)) = max(x, 0) − x t + ln(1 + e^(−|x|))"""
    return np.maximum(x, 0) - x * target + np.log1p(np.exp(-np.abs(x)))


@op(ELEMENTWISE, name="huber")
def huber_of(x: Array, *, delta: float) -> Array:
    """x² / 2 where |x| ≤ δ, else δ (|x| − δ/2)"""
    return np.where(np.abs(x) <= delta, 0.5 * x * x, delta * (np.abs(x) - 0.5 * delta))


def _softmax_rule(g: Any, x: Any) -> Any:
    p = normalized_exp(x, axis=1)
    return p * (g - sum_over(g * p, axis=(1,), keepdims=True))


derive(
    softmax_cross_entropy,
    x=lambda g, x, target: reshaped(g, shape=(*g.shape, 1)) * softmax_residual(x, target),
)
derive(mean_cross_entropy, x=lambda g, x, target: (g / x.shape[0]) * softmax_residual(x, target))
derive(softmax_residual, x=_softmax_rule)
derive(
    sigmoid_cross_entropy,
    x=lambda g, x, target: g * (sigmoid(x) - target),
    target=lambda g, x: -(g * x),
)
derive(huber_of, x=lambda g, x, delta: g * e.clip(x, low=-delta, high=delta))

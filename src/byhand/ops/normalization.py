"""Normalisation as one op: batch normalisation and layer normalisation differ only in the axes they average over.

Called by `nn.functional.batch_norm` and `layer_norm`, which compute the statistics (and keep the running ones).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from byhand.core.op import OTHER, derive, op
from byhand.core.variable import Array
from byhand.ops import elementwise as e
from byhand.ops.axes import Axes
from byhand.ops.reduce import mean_over


def statistics(x: Array, axes: Axes, eps: float) -> tuple[Array, Array, Array]:
    """The mean, the variance (divided by n) and 1 / √(variance + ε) over the axes, which stay with size 1."""
    size = math.prod([x.shape[i] for i in axes])
    center = np.add.reduce(x, axes, keepdims=True) / size
    away = x - center
    away *= away
    variance = np.add.reduce(away, axes, keepdims=True) / size
    return center, variance, 1 / np.sqrt(variance + eps)


@op(OTHER, name="normalize")
def normalized(
    x: Array,
    weight: Array | None,
    bias: Array | None,
    center: Array | None,
    rate: Array | None,
    *,
    axes: Axes,
    eps: float,
) -> Array:
    """(x − mean) / √(variance + ε) · weight + bias; center and rate are the first two if they are known already"""
    if center is None or rate is None:
        center, _, rate = statistics(x, axes, eps)
    out = x - center
    out *= rate
    if weight is not None:
        out *= weight
    if bias is not None:
        out += bias
    return out


def _standard(x: Any, center: Any, rate: Any, axes: Axes, eps: float) -> tuple[Any, Any]:
    """(x − center) · rate, and rate = 1 / √(variance + ε)."""
    if isinstance(x, np.ndarray) and center is not None:
        return (x - center) * rate, rate
    # a graph of the backward pass is wanted: they depend on x, so they are computed on the tape
    size = math.prod([x.shape[i] for i in axes])
    away = x - mean_over(x, axis=axes, keepdims=True, size=size)
    rate = e.rsqrt(mean_over(e.square(away), axis=axes, keepdims=True, size=size) + eps)
    return away * rate, rate


def _normalized_x(g: Any, x: Any, weight: Any, center: Any, rate: Any, axes: Axes, eps: float) -> Any:
    """rate · (gw − mean(gw) − h · mean(gw · h)) with gw = g · weight and h = (x − center) · rate"""
    h, rate = _standard(x, center, rate, axes, eps)
    size = math.prod([x.shape[i] for i in axes])
    gw = g if weight is None else g * weight
    along = mean_over(gw * h, axis=axes, keepdims=True, size=size)
    return (gw - mean_over(gw, axis=axes, keepdims=True, size=size) - h * along) * rate


derive(
    normalized,
    x=_normalized_x,
    weight=lambda g, x, center, rate, axes, eps: g * _standard(x, center, rate, axes, eps)[0],
    bias=lambda g: g,
)

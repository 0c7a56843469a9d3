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


def statistics(x: Any, axes: Axes, eps: float) -> tuple[Any, Any, Any]:
    """The mean, the variance (divided by n) and 1 / √(variance + ε) over the axes, which stay with size 1.

    Of a tensor by ops, when a step is captured; of an array with one temporary less.
    """
    size = math.prod([x.shape[i] for i in axes])
    if not isinstance(x, np.ndarray):
        center = mean_over(x, axis=axes, keepdims=True, size=size)
        variance = mean_over(e.square(x - center), axis=axes, keepdims=True, size=size)
        return center, variance, 1 / e.sqrt(variance + eps)
    center = np.add.reduce(x, axes, keepdims=True) / size
    away = x - center
    away *= away
    variance = np.add.reduce(away, axes, keepdims=True) / size
    return center, variance, 1 / np.sqrt(variance + eps)


@op(OTHER, name="normalize")
def normalized(
    x: Array, weight: Array | None, bias: Array | None, center: Array, rate: Array, *, axes: Axes, eps: float
) -> Array:
    """(x − center) · rate · weight + bias, where center and rate are `statistics` of x itself, over the axes"""
    out = x - center
    out *= rate
    if weight is not None:
        out *= weight
    if bias is not None:
        out += bias
    return out


@op(OTHER, name="normalize_slope")
def normalized_slope(
    y: Array, x: Array, weight: Array | None, center: Array, rate: Array, *, axes: Axes, eps: float
) -> Array:
    """rate · (yw − mean(yw) − h · mean(yw · h)) with yw = y · weight, h = (x − center) · rate: `normalize` backward"""
    size = math.prod([x.shape[i] for i in axes])
    if weight is not None and shared(weight, x.ndim, axes):
        yw, scale = y, rate * weight
    else:
        yw, scale = y if weight is None else y * weight, rate
    out = x - center
    out *= np.add.reduce(yw * out, axes, keepdims=True) * (rate * rate / size)
    np.subtract(yw, out, out=out)
    out -= np.add.reduce(yw, axes, keepdims=True) / size
    out *= scale
    return out


def shared(weight: Array, ndim: int, axes: Axes) -> bool:
    """Whether the values averaged together have one weight: in batch normalisation, not in layer normalisation."""
    lead = ndim - weight.ndim
    return all(axis < lead or weight.shape[axis - lead] == 1 for axis in axes)


def _weighed(x: Any, weight: Any) -> Any:
    return x if weight is None else x * weight


def _slope_x(g: Any, y: Any, x: Any, weight: Any, center: Any, rate: Any, axes: Axes, eps: float) -> Any:
    """What reaches x through h, and what through rate.

    Σ g · slope = rate · n · (⟨g yw⟩ − ⟨g⟩⟨yw⟩ − ⟨g h⟩⟨yw h⟩), with ⟨ ⟩ the mean over the n values of the axes.
    """
    size = math.prod([x.shape[i] for i in axes])

    def mean(values: Any) -> Any:
        return mean_over(values, axis=axes, keepdims=True, size=size)

    yw = _weighed(y, weight)
    away = x - mean(x)
    k = e.rsqrt(mean(e.square(away)) + eps)  # rate again, such that the tape sees it depend on x
    h = away * k
    gh, yh = mean(g * h), mean(yw * h)
    through_h = normalized_slope(-k * (g * yh + yw * gh), x, None, center, rate, axes=axes, eps=eps)
    return through_h - k * k * h * (mean(g * yw) - mean(g) * mean(yw) - gh * yh)


derive(
    normalized,
    x=lambda g, x, weight, center, rate, axes, eps: normalized_slope(g, x, weight, center, rate, axes=axes, eps=eps),
    weight=lambda g, x, center, rate, axes, eps: g * normalized(x, None, None, center, rate, axes=axes, eps=eps),
    bias=lambda g: g,
)
derive(
    normalized_slope,  # linear in y, and symmetric but for the weight
    y=lambda g, x, weight, center, rate, axes, eps: _weighed(
        normalized_slope(g, x, None, center, rate, axes=axes, eps=eps), weight
    ),
    x=_slope_x,
    weight=lambda g, y, x, center, rate, axes, eps: y * normalized_slope(g, x, None, center, rate, axes=axes, eps=eps),
)

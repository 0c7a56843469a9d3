"""Integrals and derivatives of sampled functions along an axis, and running logarithms of sums."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from byhand.core.errors import UsageError
from byhand.core.op import SCAN, derive, op
from byhand.core.variable import Array
from byhand.ops import elementwise as e
from byhand.ops.axes import one
from byhand.ops.reduce import max_over, sum_over
from byhand.ops.scan import diff, reversed_sum, running_sum
from byhand.ops.shape import joined
from byhand.ops.views import narrowed, reshaped

if TYPE_CHECKING:
    from byhand.tensor import Tensor


@op(SCAN, name="logcumsumexp")
def running_logsumexp(x: Array, *, axis: int) -> Array:
    """out_i = ln Σ_{j ≤ i} e^(x_j), without overflow"""
    return np.logaddexp.accumulate(x, axis=axis)


def _running_shares(g: Any, x: Any, out: Any, axis: int) -> Any:
    """dx_j = Σ_{i ≥ j} g_i e^(x_j − out_i); the largest x is taken out of both, so that neither factor overflows."""
    top = max_over(x, axis=(axis,), keepdims=True)
    top = e.select((top == np.inf) | (top == -np.inf), 0, top)
    return e.exp(x - top) * reversed_sum(g * e.exp(top - out), axis)


derive(running_logsumexp, x=_running_shares)


def logcumsumexp(x: Any, dim: int) -> Tensor:
    """out_i = ln Σ_{j ≤ i} e^(x_j) along an axis."""
    axis = one(dim, x.ndim, "logcumsumexp")
    return running_logsumexp(x, axis=axis) if x.ndim and x.shape[axis] else e.clone(x)


def _panels(y: Any, x: Any, dx: Any, dim: int, name: str) -> tuple[Any, int]:
    """The areas of the trapezoids between neighbours along an axis."""
    axis = one(dim, y.ndim, name)
    n = y.shape[axis]
    if not n:
        return y, axis
    heights = narrowed(y, axis=axis, start=1, stop=n) + narrowed(y, axis=axis, start=0, stop=n - 1)
    if x is None:
        return heights * (dx / 2), axis
    if x.ndim == 1:
        if x.shape[0] != n:
            raise UsageError(f"{name}: there are {x.shape[0]} places in x and {n} values along axis {axis} of y")
        widths = reshaped(diff(x), shape=tuple(-1 if a == axis else 1 for a in range(y.ndim)))
    else:
        widths = diff(x, dim=axis - y.ndim)
    return heights * widths / 2, max(y.ndim, x.ndim) + axis - y.ndim


def trapezoid(y: Any, x: Any = None, *, dx: Any = 1, dim: int = -1) -> Tensor:
    """The integral by trapezoids along an axis, at distances dx or at the places x: Σ (yᵢ + yᵢ₊₁) / 2 · (xᵢ₊₁ − xᵢ)."""
    areas, axis = _panels(y, x, dx, dim, "trapezoid")
    return sum_over(areas, axis=(axis,), keepdims=False)


def cumulative_trapezoid(y: Any, x: Any = None, *, dx: Any = 1, dim: int = -1) -> Tensor:
    """The integrals by trapezoids up to each place but the first."""
    areas, axis = _panels(y, x, dx, dim, "cumulative_trapezoid")
    return running_sum(areas, axis=axis)


def gradient(x: Any, *, spacing: Any = 1, dim: Any = None, edge_order: int = 1) -> tuple[Tensor, ...]:
    """The derivatives along axes (all unless some are named) by central differences, one-sided at the ends.

    spacing   one distance, one for each axis, or a vector of places for each axis
    """
    wanted = range(x.ndim) if dim is None else [dim] if isinstance(dim, int) else dim
    axes = [one(d, x.ndim, "gradient") for d in wanted]
    spacing = 1 if spacing is None else spacing
    each = list(spacing) if isinstance(spacing, (list, tuple)) else [spacing] * len(axes)
    if edge_order not in (1, 2) or len(each) != len(axes):
        raise UsageError(f"gradient: edge_order is 1 or 2, not {edge_order}; {len(each)} spacings for {len(axes)} axes")
    return tuple(_slopes(x, axis, step, edge_order) for axis, step in zip(axes, each, strict=True))


def _slopes(x: Any, axis: int, spacing: Any, edge_order: int) -> Any:
    n = x.shape[axis]
    if n < edge_order + 1:
        raise UsageError(f"gradient: edge_order={edge_order} needs {edge_order + 1} values, axis {axis} has {n}")
    shape = tuple(-1 if a == axis else 1 for a in range(x.ndim))
    if getattr(spacing, "ndim", 0):
        steps = reshaped(diff(spacing), shape=shape)
    else:
        steps = np.full(n - 1, 1, x.dtype if x.dtype.kind == "f" else np.float32).reshape(shape) * spacing

    def part(t: Any, start: int, stop: int) -> Any:
        return narrowed(t, axis=axis, start=start, stop=stop)

    rises = (part(x, 1, n) - part(x, 0, n - 1)) / steps
    if n == 2:
        return joined(rises, rises, axis=axis)
    before, after = part(steps, 0, n - 2), part(steps, 1, n - 1)
    inner = (after * part(rises, 0, n - 2) + before * part(rises, 1, n - 1)) / (before + after)
    first, last = part(rises, 0, 1), part(rises, n - 2, n - 1)
    if edge_order == 2:  # the slope at the end of the parabola through three values
        first = first + part(before, 0, 1) / (part(before, 0, 1) + part(after, 0, 1)) * (first - part(rises, 1, 2))
        h, k = part(before, n - 3, n - 2), part(after, n - 3, n - 2)
        last = last + k / (h + k) * (last - part(rises, n - 3, n - 2))
    return joined(first, inner, last, axis=axis)

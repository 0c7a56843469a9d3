"""Quantiles, modes, covariances and histograms.

Quantiles are read from the sorted values by places that are tensors, so that gradients reach the values and q.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from byhand.core.capture import insist, refuse, values
from byhand.core.errors import ShapeError, UsageError
from byhand.core.op import MOVE, op
from byhand.core.recorder import wrap
from byhand.core.variable import Array, Variable
from byhand.ops import elementwise as e
from byhand.ops.axes import count, one
from byhand.ops.index import gathered
from byhand.ops.linalg import matmul
from byhand.ops.reduce import sum, sum_over
from byhand.ops.shape import movedim
from byhand.ops.sort import Found, order
from byhand.ops.triangle import diagonal
from byhand.ops.views import expanded, lifted, reshaped

if TYPE_CHECKING:
    from byhand.tensor import Tensor

INTERPOLATIONS: dict[str, Callable[[Any], Any]] = {  # where to look instead of between two neighbours
    "linear": lambda place: place,
    "lower": e.floor,
    "higher": e.ceil,
    "midpoint": lambda place: (e.floor(place) + e.ceil(place)) / 2,
    "nearest": e.round,
}
INT64 = np.dtype(np.int64)


def quantile(x: Any, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear") -> Tensor:
    """The q-quantile along an axis, by default linear between neighbours; q is a number or a vector."""
    return _quantile(x, q, dim, keepdim, interpolation, False, "quantile")


def nanquantile(
    x: Any, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
) -> Tensor:
    """The q-quantile along an axis of all that is not NaN."""
    return _quantile(x, q, dim, keepdim, interpolation, True, "nanquantile")


def _quantile(x: Any, q: Any, dim: Any, keepdim: bool, interpolation: str, skip: bool, name: str) -> Any:
    if interpolation not in INTERPOLATIONS:
        raise UsageError(f"{name}: interpolation is one of {', '.join(INTERPOLATIONS)}, not {interpolation!r}")
    if not hasattr(q, "shape"):
        q = np.asarray(q, x.dtype)
        q = wrap(q) if isinstance(x, Variable) else q
    wanted = values(q)
    outside = ((wanted < 0) | (wanted > 1)).any()
    insist(outside, lambda q: UsageError(f"{name}: q must lie within 0 and 1, not {q}"), wanted)
    axis = 0 if dim is None or not x.ndim else one(dim, x.ndim, name)
    rows = reshaped(x, shape=(count(x),)) if dim is None or not x.ndim else movedim(x, axis, -1)
    shape = rows.shape[:-1]
    indices = order(rows, axis=len(shape), descending=False)  # NaN come last
    ordered = gathered(rows, indices, axis=len(shape))
    known = sum_over(e.cast(ordered == ordered, dtype=x.dtype), axis=(len(shape),), keepdims=True)
    n = rows.shape[-1]
    place = reshaped(q, shape=(count(q),)) * ((e.maximum(known, 1) if skip else n) - 1)
    place = INTERPOLATIONS[interpolation](expanded(place, shape=(*shape, count(q))))
    place = place if skip else e.select(known < n, n - 1, place)
    low, high = (e.cast(values(end(place)), dtype=INT64) for end in (e.floor, e.ceil))
    a, b = gathered(ordered, low, axis=len(shape)), gathered(ordered, high, axis=len(shape))
    out = movedim(a + (b - a) * (place - e.floor(place)), -1, 0)
    kept = ((1,) * x.ndim if dim is None else (*shape[:axis], 1, *shape[axis:])) if keepdim and x.ndim else shape
    return reshaped(out, shape=(*q.shape, *kept))


def nanmedian(x: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """The middle of all values that are not NaN, the lower of two; with an axis (values, indices) along it."""
    if dim is None:
        return nanmedian(reshaped(x, shape=(count(x),)), 0).values
    return _nanmedian(x, dim, keepdim)


@lifted
def _nanmedian(x: Any, dim: int, keepdim: bool) -> Found:
    axis = one(dim, x.ndim, "nanmedian")
    known = sum_over(e.cast(x == x, dtype=INT64), axis=(axis,), keepdims=True)
    places = e.maximum(e.floor_divide(known - 1, 2), 0)
    return _found(x, gathered(order(x, axis=axis, descending=False), places, axis=axis), axis, keepdim)


def _found(x: Any, indices: Any, axis: int, keepdim: bool) -> Found:
    found = Found(gathered(x, indices, axis=axis), indices)
    shape = x.shape[:axis] + x.shape[axis + 1 :]
    return found if keepdim else Found(*[reshaped(part, shape=shape) for part in found])


@op(MOVE)
def mode_place(x: Array, *, axis: int) -> Array:
    """Where the most frequent value stands last, the smallest of those that are equally frequent; the axis stays"""
    order_of = np.argsort(x, axis=axis, kind="stable")
    ordered = np.moveaxis(np.take_along_axis(x, order_of, axis), axis, -1)
    span = np.arange(ordered.shape[-1])
    begins = np.ones(ordered.shape, bool)
    begins[..., 1:] = ordered[..., 1:] != ordered[..., :-1]
    length = span - np.maximum.accumulate(np.where(begins, span, 0), axis=-1)
    return np.take_along_axis(order_of, np.moveaxis(length.argmax(-1)[..., None], -1, axis), axis)


@lifted
def mode(x: Any, dim: int = -1, keepdim: bool = False) -> Found:
    """(value, index) of the most frequent value along an axis, the smallest of equally frequent ones."""
    axis = one(dim, x.ndim, "mode")
    return _found(x, mode_place(x, axis=axis), axis, keepdim)


def msort(x: Any) -> Tensor:
    """x sorted along axis 0."""
    return gathered(x, order(x, axis=0, descending=False), axis=0) if x.ndim else e.clone(x)


def cov(x: Any, *, correction: int = 1, fweights: Any = None, aweights: Any = None) -> Tensor:
    """The covariances of the rows of (variables, observations), each observation with its weight."""
    if x.ndim > 2:
        raise ShapeError(f"cov takes a vector or a matrix of observations, not shape {x.shape}")
    rows = x if x.ndim == 2 else reshaped(x, shape=(1, count(x)))
    rows = rows if rows.dtype.kind == "f" else e.cast(rows, dtype=np.dtype(np.float32))
    weights: Any = None
    for given in (fweights, aweights):
        if given is not None:
            weights = given if weights is None else weights * given
    weighted, total = (rows, rows.shape[1]) if weights is None else (rows * weights, sum(weights))
    centered = rows - sum(weighted, 1, True) / total
    product = matmul(centered if weights is None else centered * weights, centered.mT)
    spent = correction if aweights is None else correction * sum(weights * aweights) / total
    degrees: Any = max(total - spent, 0) if isinstance(total, int) else e.maximum(total - spent, 0)
    product = product * math.inf if isinstance(degrees, int) and not degrees else product / degrees
    return product if rows.shape[0] != 1 else reshaped(product, shape=())


def corrcoef(x: Any) -> Tensor:
    """The correlations of the rows of (variables, observations), kept within −1 and 1."""
    c = cov(x)
    if not c.ndim:
        return c / c
    deviations = e.sqrt(diagonal(c))
    return e.clamp(c / reshaped(deviations, shape=(-1, 1)) / deviations, -1, 1)


class Histogram(NamedTuple):
    """How much falls into each bin, and where the bins begin and end."""

    hist: Tensor
    bin_edges: Any


def histogram(x: Any, bins: Any, *, range: Any = None, weight: Any = None, density: bool = False) -> Histogram:
    """(hist, bin_edges): how many values, or how much weight, falls into each of some equal bins, or between edges."""
    refuse("counted by NumPy; compute it outside of the step", "the result of histogram")
    array, edges = x.array.ravel(), getattr(bins, "array", bins)
    weights = None if weight is None else weight.array.ravel()
    hist, edges = np.histogram(array, edges, range, density, weights)
    return Histogram(wrap(hist.astype(x.dtype)), wrap(edges.astype(x.dtype)))


def histogramdd(x: Any, bins: Any, *, range: Any = None, weight: Any = None, density: bool = False) -> Histogram:
    """(hist, bin_edges) of points (…, n) in n dimensions."""
    refuse("counted by NumPy; compute it outside of the step", "the result of histogramdd")
    array = x.array.reshape(-1, x.shape[-1])
    edges: Any = [getattr(b, "array", b) for b in bins] if isinstance(bins, Sequence) else bins
    spans = None if range is None else [tuple(range[i : i + 2]) for i in np.arange(0, len(range), 2)]
    weights = None if weight is None else weight.array.ravel()
    hist, found = np.histogramdd(array, edges, spans, density, weights)
    return Histogram(wrap(hist.astype(x.dtype)), tuple(wrap(b.astype(x.dtype)) for b in found))


def unique_consecutive(
    x: Any, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any:
    """x without repetitions of a value, or of a slice of an axis, that stand side by side; with places and counts."""
    refuse("as large as the values of its operand say, and a program has fixed shapes", "unique_consecutive")
    array = x.array.ravel() if dim is None else np.moveaxis(x.array, dim, 0)
    begins = np.ones(len(array), bool)
    begins[1:] = (array[1:] != array[:-1]).any(tuple(range(1, array.ndim)))
    places = np.cumsum(begins) - 1
    parts = [wrap(array[begins] if dim is None else np.moveaxis(array[begins], 0, dim))]
    if return_inverse:
        parts.append(wrap(places.reshape(x.shape) if dim is None else places))
    if return_counts:
        parts.append(wrap(np.bincount(places, minlength=0)))
    return parts[0] if len(parts) == 1 else tuple(parts)

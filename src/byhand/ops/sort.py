"""Sorting and what is found by order: extremes with their indices, top-k, median, unique values, histograms.

Indices carry no gradient; values are gathered by them, so one rule, that of `gather`, serves all of these.
"""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, Any, NamedTuple, overload

import numpy as np

from byhand.core.capture import refuse
from byhand.core.errors import ShapeError, UsageError
from byhand.core.op import MOVE, OTHER, op
from byhand.core.recorder import wrap
from byhand.core.variable import Array, Variable
from byhand.ops import elementwise as e
from byhand.ops.axes import count, either, many, one
from byhand.ops.index import gathered
from byhand.ops.reduce import argmax_over, argmin_over, max_over, min_over
from byhand.ops.views import lifted, narrowed, reshaped

if TYPE_CHECKING:
    from byhand.tensor import Tensor


class Found(NamedTuple):
    """Values and their indices, as PyTorch's functions return them."""

    values: Tensor
    indices: Tensor


class Extremes(NamedTuple):
    """The smallest and the largest values."""

    min: Tensor
    max: Tensor


@op(MOVE, name="argsort")
def order(x: Array, *, axis: int, descending: bool) -> Array:
    """The indices that sort x along an axis; equals keep their order"""
    if descending:  # sort the reversed values and count from the other end, so that equals keep their order
        flipped = np.flip(x, axis)
        return x.shape[axis] - 1 - np.flip(np.argsort(flipped, axis=axis, kind="stable"), axis)
    return np.argsort(x, axis=axis, kind="stable")


@lifted
def argsort(
    x: Any, dim: int | None = None, descending: bool = False, stable: bool = True, *, axis: int | None = None
) -> Tensor:
    """The indices that sort x along an axis."""
    return order(x, axis=one(either(dim, axis, "dim and axis", -1), x.ndim, "argsort"), descending=descending)


def sort(
    x: Any, dim: int | None = None, descending: bool = False, stable: bool = True, *, axis: int | None = None
) -> Found:
    """(values, indices) sorted along an axis.

    >>> import byhand
    >>> byhand.sort(byhand.tensor([3, 1, 2])).values
    tensor([1, 2, 3])
    """
    place = one(either(dim, axis, "dim and axis", -1), x.ndim, "sort")
    if x.ndim == 0:
        return Found(x, e.cast(x * 0, dtype=np.dtype(np.int64)))
    indices = order(x, axis=place, descending=descending)
    return Found(gathered(x, indices, axis=place), indices)


@lifted
def topk(x: Any, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Found:
    """(values, indices) of the k largest or smallest along an axis, in order."""
    axis = one(dim, x.ndim, "topk")
    if not 0 <= k <= x.shape[axis]:
        raise UsageError(f"topk: k={k} is not within 0 and {x.shape[axis]}, the size of axis {axis} of {x.shape}")
    indices = narrowed(order(x, axis=axis, descending=largest), axis=axis, start=0, stop=k)
    return Found(gathered(x, indices, axis=axis), indices)


@lifted
def kthvalue(x: Any, k: int, dim: int = -1, keepdim: bool = False) -> Found:
    """(value, index) of the k-th smallest along an axis, counted from 1."""
    axis = one(dim, x.ndim, "kthvalue")
    if not 1 <= k <= x.shape[axis]:
        raise UsageError(f"kthvalue: k={k} is not within 1 and {x.shape[axis]}, the size of axis {axis} of {x.shape}")
    indices = narrowed(order(x, axis=axis, descending=False), axis=axis, start=k - 1, stop=k)
    return _found(x, indices, axis, keepdim)


def _found(x: Any, indices: Any, axis: int, keepdim: bool) -> Found:
    values = gathered(x, indices, axis=axis)
    if keepdim:
        return Found(values, indices)
    shape = x.shape[:axis] + x.shape[axis + 1 :]
    return Found(reshaped(values, shape=shape), reshaped(indices, shape=shape))


def _extreme(x: Any, other: Any, keepdim: Any, pick: Any, over: Any, binary: Any, name: str) -> Any:
    if isinstance(other, (Variable, np.ndarray)):
        return binary(x, other)
    if other is None:
        return over(x, axis=tuple(range(x.ndim)), keepdims=bool(keepdim))
    if isinstance(other, (tuple, list)):
        return over(x, axis=tuple(builtins.sorted(one(a, x.ndim, name) for a in other)), keepdims=bool(keepdim))
    axis = one(other, x.ndim, name)
    return (
        _found(x, pick(x, axis=axis, keepdims=True), axis, bool(keepdim))
        if x.ndim
        else Found(x, pick(x, axis=None, keepdims=False))
    )


@overload
def max(x: Any) -> Tensor: ...
@overload
def max(x: Any, dim: int, keepdim: bool = ...) -> Found: ...
@overload
def max(x: Any, dim: Tensor) -> Tensor: ...
@overload
def max(
    x: Any, dim: Any = ..., keepdim: Any = ..., *, other: Any = ..., axis: Any = ..., keepdims: Any = ...
) -> Any: ...
def max(
    x: Any, dim: Any = None, keepdim: Any = None, *, other: Any = None, axis: Any = None, keepdims: Any = None
) -> Any:
    """The largest value; with an axis (values, indices) along it; with a tensor `maximum`.

    >>> import byhand
    >>> byhand.max(byhand.tensor([[1, 5], [7, 2]]), 1).indices
    tensor([1, 0])
    """
    dim = either(either(dim, other, "dim and other"), axis, "dim and axis")
    keep = either(keepdim, keepdims, "keepdim and keepdims", False)
    return _extreme(x, dim, keep, argmax_over, max_over, e.maximum, "max")


@overload
def min(x: Any) -> Tensor: ...
@overload
def min(x: Any, dim: int, keepdim: bool = ...) -> Found: ...
@overload
def min(x: Any, dim: Tensor) -> Tensor: ...
@overload
def min(
    x: Any, dim: Any = ..., keepdim: Any = ..., *, other: Any = ..., axis: Any = ..., keepdims: Any = ...
) -> Any: ...
def min(
    x: Any, dim: Any = None, keepdim: Any = None, *, other: Any = None, axis: Any = None, keepdims: Any = None
) -> Any:
    """The smallest value; with an axis (values, indices) along it; with a tensor `minimum`."""
    dim = either(either(dim, other, "dim and other"), axis, "dim and axis")
    keep = either(keepdim, keepdims, "keepdim and keepdims", False)
    return _extreme(x, dim, keep, argmin_over, min_over, e.minimum, "min")


@overload
def median(x: Any) -> Tensor: ...
@overload
def median(x: Any, dim: int, keepdim: bool = ...) -> Found: ...
def median(x: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """The middle value, the lower of two; with an axis (values, indices) along it."""
    if dim is None:
        flat = reshaped(x, shape=(count(x),))
        return kthvalue(flat, (count(x) + 1) // 2).values
    axis = one(dim, x.ndim, "median")
    size = x.shape[axis] if x.ndim else 1
    return kthvalue(x, (size + 1) // 2, axis, keepdim)


def unique(
    x: Any, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any:
    """The distinct values in order; with their places in x and counts if wanted."""
    refuse("as large as the values of its operand say, and a program has fixed shapes", "the result of unique")
    make = wrap
    found = np.unique(x.array, return_inverse=True, return_counts=True, axis=dim)
    parts = [make(found[0])]
    if return_inverse:
        parts.append(make(found[1].reshape(x.shape if dim is None else -1)))
    if return_counts:
        parts.append(make(found[2]))
    return parts[0] if len(parts) == 1 else tuple(parts)


def bincount(x: Any, weights: Any = None, minlength: int = 0) -> Tensor:
    """How often each of 0, 1, 2, … occurs, or the sum of its weights."""
    refuse("as large as the values of its operand say; use one_hot(x, num_classes).sum(0)", "the result of bincount")
    w = None if weights is None else getattr(weights, "array", weights)
    return wrap(np.bincount(x.array, w, minlength))


def histc(x: Any, bins: int = 100, min: float = 0, max: float = 0) -> Tensor:
    """How many values fall into each of `bins` equal intervals from min to max (of x, if both are 0)."""
    refuse("counted by NumPy; compute it outside of the step", "the result of histc")
    span = (float(x.array.min()), float(x.array.max())) if min == max == 0 and x.array.size else (min, max)
    return wrap(np.histogram(x.array, bins, span)[0].astype(x.dtype))


@op(OTHER, name="searchsorted")
def place_of(x: Array, value: Array, *, side: str) -> Any:
    """Where a value would be put into the sorted vector x, or into its row of x: before equals ("left") or behind"""
    if x.ndim == 1:
        return np.searchsorted(x, value, side)  # type: ignore[call-overload]
    before = np.less if side == "left" else np.less_equal
    return before(x[..., None, :], value[..., None]).sum(-1)


def searchsorted(
    sorted_sequence: Any, values: Any, *, out_int32: bool = False, right: bool = False, side: str | None = None,
    sorter: Any = None,
) -> Tensor:  # fmt: skip
    """Where the values would be put into a sorted vector, or row by row into (…, n), to keep it sorted.

    Before equal ones, or behind them (`right`, or side="right"); `sorter` is the order that sorts the sequence.
    """
    rows, given = sorted_sequence.shape[:-1], tuple(getattr(values, "shape", ()))
    if not sorted_sequence.ndim or (rows and given[:-1] != rows):
        raise ShapeError(f"searchsorted: values of shape {given} do not fit rows of shape {sorted_sequence.shape}")
    if sorter is not None:
        sorted_sequence = gathered(sorted_sequence, sorter, axis=sorted_sequence.ndim - 1)
    places = place_of(sorted_sequence, values, side="right" if right or side == "right" else "left")
    return e.cast(places, dtype=np.dtype(np.int32)) if out_int32 else places


def bucketize(x: Any, boundaries: Any, *, out_int32: bool = False, right: bool = False) -> Tensor:
    """Between which two of the sorted boundaries each value lies, as the index of the upper one."""
    return searchsorted(boundaries, x, out_int32=out_int32, right=right)


def aminmax(x: Any, *, dim: int | None = None, keepdim: bool = False) -> Extremes:
    """(min, max) of all values or along an axis."""
    axes = many(dim, x.ndim, "aminmax")
    return Extremes(min_over(x, axis=axes, keepdims=keepdim), max_over(x, axis=axes, keepdims=keepdim))


__all__ = [
    "Extremes", "Found", "aminmax", "argsort", "bincount", "bucketize", "histc", "kthvalue", "max", "median", "min",
    "searchsorted", "sort", "topk", "unique",
]  # fmt: skip

"""Writing to places: reductions of what meets at one place, and the forms of x[…] = y that leave x as it is.

The results are new tensors; `scatter_reduce_`, `index_put_` and their like write them back.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from byhand.core.capture import values
from byhand.core.errors import ShapeError, UsageError
from byhand.core.op import MOVE, derive, op
from byhand.core.variable import Array
from byhand.ops import elementwise as e
from byhand.ops.axes import count, one, together
from byhand.ops.index import (
    checked,
    cropped,
    gathered,
    getitem,
    grid,
    index_added,
    indexed,
    of_number,
    overwritten,
    resolved,
    scatter_added,
)  # fmt: skip
from byhand.ops.inplace import copied, view_written, written
from byhand.ops.scan import running_sum
from byhand.ops.shape import movedim
from byhand.ops.views import expanded, reshaped

if TYPE_CHECKING:
    from byhand.tensor import Tensor

REDUCTIONS = ("sum", "mean", "prod", "amax", "amin")


@op(MOVE, name="scatter_reduce")
def scatter_reduced(x: Array, index: Array, src: Array, *, axis: int, reduce: str) -> Array:
    """x with src at index along an axis joined to it: by "prod", "amax" or "amin"."""
    out = x.copy()
    join_at(out, grid(index, axis), src, reduce)
    return out


def join_at(out: Array, where: Any, src: Array, reduce: str) -> None:
    """out[where] ← out[where] joined with src, also where a place is named twice."""
    if reduce == "prod":
        np.multiply.at(out, where, src)
    elif reduce == "amax":
        np.maximum.at(out, where, src)
    else:
        np.minimum.at(out, where, src)


def _product_rule(g: Any, x: Any, index: Any, src: Any, axis: int) -> Any:
    """The gradient of x: the product of all src that met it, without a division where x is 0."""
    return g * scatter_reduced(x * 0 + 1, index, src, axis=axis, reduce="prod")


def _factor_rule(g: Any, x: Any, index: Any, src: Any, out: Any, axis: int) -> Any:
    """The gradient of src: the other factors, which are out / src where src is not 0."""
    zero = src == 0
    counts = scatter_added(e.cast(x * 0, dtype=g.dtype), index, e.cast(zero, dtype=g.dtype), axis=axis)
    zeros = gathered(counts, index, axis=axis)
    alone = zero & (zeros == 1)
    rest = gathered(scatter_reduced(x, index, e.select(alone, 1, src), axis=axis, reduce="prod"), index, axis=axis)
    others = gathered(out, index, axis=axis) / e.select(zero, 1, src)
    return gathered(g, index, axis=axis) * e.select(alone, rest, others)


def _hits(g: Any, x: Any, index: Any, src: Any, out: Any, axis: int) -> tuple[Any, Any, Any]:
    """Where x and src are the extreme, and g divided by how many are."""
    mine = e.cast(x == out, dtype=g.dtype)
    theirs = e.cast(src == gathered(out, index, axis=axis), dtype=g.dtype)
    return mine, theirs, g / scatter_added(mine, index, theirs, axis=axis)


def _x_rule(g: Any, x: Any, index: Any, src: Any, out: Any, axis: int, reduce: str) -> Any:
    if reduce == "prod":
        return _product_rule(g, x, index, src, axis)
    mine, _, part = _hits(g, x, index, src, out, axis)
    return mine * part


def _src_rule(g: Any, x: Any, index: Any, src: Any, out: Any, axis: int, reduce: str) -> Any:
    if reduce == "prod":
        return _factor_rule(g, x, index, src, out, axis)
    _, theirs, part = _hits(g, x, index, src, out, axis)
    return theirs * gathered(part, index, axis=axis)


derive(scatter_reduced, x=_x_rule, src=_src_rule)


def _neutral(reduce: str, dtype: Any) -> Any:
    """What changes nothing when it is joined to others."""
    if reduce in ("sum", "mean", "prod"):
        return 1 if reduce == "prod" else 0
    if dtype.kind == "f":
        return -math.inf if reduce == "amax" else math.inf
    limits = np.iinfo(dtype)
    return limits.min if reduce == "amax" else limits.max


def scatter(x: Any, dim: int, index: Any, src: Any = None, *, value: Any = None, reduce: str | None = None) -> Tensor:
    """x with src (a tensor or a number) written at index along an axis; or reduced by "add" or "multiply"."""
    src = value if src is None else src
    if reduce is None:
        return overwritten(x, dim, index, src)
    if reduce not in ("add", "multiply"):
        raise UsageError(f"scatter: reduce is None, 'add' or 'multiply', not {reduce!r}")
    src = src if hasattr(src, "shape") else np.full(index.shape, src, x.dtype)
    return scatter_reduce(x, dim, index, src, "sum" if reduce == "add" else "prod")


def scatter_reduce(x: Any, dim: int, index: Any, src: Any, reduce: str, *, include_self: bool = True) -> Tensor:
    """x with src joined to it at index along an axis: by "sum", "prod", "mean", "amax" or "amin".

    With include_self=False the values of x that something meets do not count.
    """
    if reduce not in REDUCTIONS:
        raise UsageError(f"scatter_reduce: reduce is one of {', '.join(REDUCTIONS)}, not {reduce!r}")
    if not x.ndim:
        return of_number(scatter_reduce, x, dim, index, src, reduce, include_self=include_self)
    axis = checked(x, dim, index, "scatter_reduce")
    src = cropped(src, index.shape)
    base = x if include_self else overwritten(x, axis, index, _neutral(reduce, x.dtype))
    if reduce in ("prod", "amax", "amin"):
        return scatter_reduced(base, index, src, axis=axis, reduce=reduce)
    total = scatter_added(base, index, src, axis=axis)
    if reduce == "sum":
        return total
    ones = np.ones(x.shape, x.dtype)
    base = ones if include_self else overwritten(ones, axis, values(index), 0)
    counts = e.maximum(scatter_added(base, values(index), np.ones(index.shape, x.dtype), axis=axis), 1)
    return total / counts if x.dtype.kind == "f" else e.floor_divide(total, counts)


def index_reduce(x: Any, dim: int, index: Any, source: Any, reduce: str, *, include_self: bool = True) -> Tensor:
    """x with the slices of source joined to those at these places of an axis: "prod", "mean", "amax" or "amin"."""
    if not x.ndim:
        return of_number(index_reduce, x, dim, index, source, reduce, include_self=include_self)
    axis = one(dim, x.ndim, "index_reduce")
    places = reshaped(index, shape=tuple(-1 if a == axis else 1 for a in range(x.ndim)))
    return scatter_reduce(x, axis, expanded(places, shape=source.shape), source, reduce, include_self=include_self)


def index_put(x: Any, indices: Any, values: Any, accumulate: bool = False) -> Tensor:
    """x with values written (or, if they accumulate, added) at x[indices]."""
    pattern, arrays = resolved(tuple(indices), x.ndim)
    if not accumulate:
        return written(x, values, *arrays, index=pattern)
    if not arrays:
        return written(x, getitem(x, tuple(indices)) + values, index=pattern)
    wanted = indexed(np.empty(x.shape, np.bool_), *[getattr(a, "array", a) for a in arrays], index=pattern).shape
    return x + index_added(expanded(values, shape=wanted), *arrays, index=pattern, shape=x.shape)


def put(x: Any, index: Any, source: Any, accumulate: bool = False) -> Tensor:
    """x with the values of source written (or added) at these places of the flattened x."""
    flat, places = reshaped(x, shape=(count(x),)), reshaped(index, shape=(count(index),))
    changed = index_put(flat, (places,), reshaped(source, shape=(count(index),)), accumulate)
    return reshaped(changed, shape=x.shape)


def masked_scatter(x: Any, mask: Any, source: Any) -> Tensor:
    """x with the first values of source, in order, where the mask holds."""
    shape = together("masked_scatter", x.shape, mask.shape)
    flags = reshaped(expanded(mask, shape=shape), shape=(math.prod(shape),))
    if not count(source):
        return e.clone(expanded(x, shape=shape))
    places = running_sum(e.cast(flags, dtype=np.dtype(np.int64)), axis=0) - 1
    places = e.clip(places, low=0, high=count(source) - 1)
    taken = gathered(reshaped(source, shape=(count(source),)), places, axis=0)
    return e.select(mask, reshaped(taken, shape=shape), x)


def fill(x: Any, value: Any) -> Tensor:
    """This value in the shape and dtype of x."""
    return copied(x, value)


def select_scatter(x: Any, src: Any, dim: int, index: int) -> Tensor:
    """x with src in the place of x.select(dim, index)."""
    axis = one(dim, x.ndim, "select_scatter")
    return written(x, src, index=(slice(None),) * axis + (int(index), ...))


def slice_scatter(
    x: Any, src: Any, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Tensor:
    """x with src in the place of x[start:end:step] along an axis."""
    axis = one(dim, x.ndim, "slice_scatter")
    return written(x, src, index=(slice(None),) * axis + (slice(start, end, step),))


def diagonal_scatter(x: Any, src: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """x with src on a diagonal of two axes."""
    axes = {"axis1": one(dim1, x.ndim, "diagonal_scatter"), "axis2": one(dim2, x.ndim, "diagonal_scatter")}
    return view_written(x, src, view="diagonal", attrs={"offset": offset, **axes})


def as_strided(x: Any, size: Any, stride: Any, storage_offset: int | None = None) -> Tensor:
    """The values of x at storage_offset + Σ iₖ · strideₖ of its values in order, as a copy."""
    places = np.full((), storage_offset or 0)
    for n, step in zip(size, stride, strict=True):
        places = places[..., None] + np.arange(n) * step
    if places.size and not 0 <= places.min() <= places.max() < count(x):
        raise ShapeError(f"as_strided: sizes {tuple(size)} with strides {tuple(stride)} leave the {count(x)} values")
    return getitem(reshaped(x, shape=(count(x),)), places)


def unfold(x: Any, dimension: int, size: int, step: int) -> Tensor:
    """Windows of an axis: (…, n, …) → (…, (n − size) // step + 1, …, size), as a copy."""
    if not x.ndim:
        return reshaped(x, shape=(1,))[:size]
    axis = one(dimension, x.ndim, "unfold")
    if not 0 <= size <= x.shape[axis] or step < 1:
        raise ShapeError(f"unfold: windows of {size} with steps of {step} do not fit axis {axis} of shape {x.shape}")
    starts = np.arange(0, x.shape[axis] - size + 1, step)
    found = getitem(x, (slice(None),) * axis + (starts[:, None] + np.arange(size),))
    return movedim(found, axis + 1, -1)


def unravel_index(indices: Any, shape: Any) -> tuple[Tensor, ...]:
    """The coordinates in a tensor of this shape of the values with these numbers."""
    found: list[Any] = []
    for n in reversed((shape,) if isinstance(shape, int) else tuple(shape)):
        found.append(e.remainder(indices, n))
        indices = e.floor_divide(indices, n)
    return tuple(reversed(found))

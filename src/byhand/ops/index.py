"""Reading by index, in all of NumPy's and PyTorch's forms, and adding back by index, which is its gradient.

`getitem` sorts an index into basic parts (a view) and arrays (a copy); gather and scatter work along one axis.
Writing by index (`x[i] = v`) is in `inplace`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from byhand.core.capture import insist, refuse, traced, values
from byhand.core.errors import DomainError, DtypeError, ShapeError
from byhand.core.op import MOVE, VIEW, derive, op
from byhand.core.recorder import wrap
from byhand.core.variable import Array, Variable
from byhand.ops import elementwise as e
from byhand.ops.accumulation import add_at
from byhand.ops.axes import count, one, together
from byhand.ops.views import expanded, narrowed, reshaped

if TYPE_CHECKING:
    from byhand.tensor import Tensor

Index = tuple[Any, ...]


class Slot:
    """Where in an index an array stands; the arrays are operands of the op."""

    def __repr__(self) -> str:
        return "·"


SLOT = Slot()


def filled(index: Index, arrays: Sequence[Any]) -> Index:
    """The index with its arrays put back."""
    rest = iter(arrays)
    return tuple(next(rest) if part is SLOT else part for part in index)


@op(VIEW, name="getitem", onnx="Slice", part=True)
def sliced(x: Array, *, index: Index) -> Array:
    """x[index] for integers, slices, None and ...: a view"""
    return x[index]


@op(MOVE, name="index", onnx="GatherND")
def indexed(x: Array, *arrays: Array, index: Index) -> Array:
    """x[index] where some parts of the index are arrays: a copy"""
    return x[filled(index, arrays)]


@op(MOVE)
def placed(x: Array, *, index: Index, shape: tuple[int, ...]) -> Array:
    """Zeros of `shape` with x at a basic index"""
    out = np.zeros(shape, x.dtype)
    out[index] = x
    return out


@op(MOVE, onnx="ScatterND")
def index_added(x: Array, *arrays: Array, index: Index, shape: tuple[int, ...]) -> Array:
    """Zeros of `shape` with the values of x added at an index; what meets at one place is summed"""
    out = np.zeros(shape, x.dtype)
    where = filled(index, arrays)
    if all(a.dtype == bool for a in arrays):  # a mask names no place twice, and add.at is slow
        out[where] = x
    else:
        add_at(out, where, x)
    return out


derive(sliced, x=lambda g, x_shape, index: placed(g, index=index, shape=x_shape))
derive(placed, x=lambda g, index: sliced(g, index=index))
derive(indexed, x=lambda g, x_shape, arrays, index: index_added(g, *arrays, index=index, shape=x_shape))
derive(index_added, x=lambda g, arrays, index: indexed(g, *arrays, index=index))


def getitem(x: Any, key: Any) -> Tensor:
    """x[key] with integers, slices, None, ..., boolean masks and integer arrays; slices are views."""
    if type(key) is slice or (type(key) is int and x.ndim > 1):
        return sliced(x, index=(key,))
    index, arrays = resolved(key, x.ndim)
    if not arrays:
        return sliced(x, index=index)
    basic, index = integers_first(index, arrays)
    return indexed(x if basic is None else sliced(x, index=basic), *arrays, index=index)


def resolved(key: Any, ndim: int) -> tuple[Index, list[Any]]:
    """An index split into its fixed parts and its arrays; raises DtypeError for what is no index."""
    parts: list[Any] = []
    arrays: list[Any] = []
    for part in key if isinstance(key, tuple) else (key,):
        if part is None or part is Ellipsis or isinstance(part, slice):
            parts.append(_plain(part) if isinstance(part, slice) else part)
        elif isinstance(part, (bool, np.bool_)):
            parts.append(SLOT)
            arrays.append(np.asarray(part))
        elif isinstance(part, (int, np.integer)):
            parts.append(int(part))
        else:
            array = part if isinstance(part, Variable) else np.asarray(part)
            plain: Any = array.array if isinstance(array, Variable) else array
            dtype = plain.dtype
            if isinstance(array, np.ndarray) and not array.size:
                array, dtype = array.astype(np.int64), np.dtype(np.int64)
            if dtype.kind not in "iub":
                raise DtypeError(f"an index must be integer or boolean, not {dtype}; use .long()")
            if dtype.kind in "iu" and plain.ndim == 0 and isinstance(plain, np.ndarray) and not traced(plain):
                parts.append(int(plain))
                continue
            parts.append(SLOT)
            arrays.append(array)
    if not arrays and Ellipsis not in parts and [type(part) for part in parts].count(int) == ndim:
        parts.append(Ellipsis)  # else NumPy gives a copy of the number, not a view
    return tuple(parts), arrays


def integers_first(index: Index, arrays: Sequence[Any]) -> tuple[Index | None, Index]:
    """Integers beside arrays taken out as an index of their own, which comes first (None if there are none).

    So PyTorch does it; NumPy counts them as arrays, and x[0, :, [1, 2]] is the transpose of what one expects.
    """
    if not any(type(part) is int for part in index):
        return None, index
    rest = iter(arrays)
    basic: list[Any] = []
    advanced: list[Any] = []
    for part in index:
        if part is SLOT:
            array = next(rest)
            basic += [slice(None)] * (array.ndim if array.dtype == bool else 1)
            advanced.append(SLOT)
        else:
            basic.append(part)
            if type(part) is not int:
                advanced.append(part if part is Ellipsis else slice(None))
    return tuple(basic), tuple(advanced)


def _plain(part: slice) -> slice:
    return slice(*[None if v is None else int(v) for v in (part.start, part.stop, part.step)])


# along one axis


def grid(index: Array, axis: int) -> Index:
    """The index that reads `index` along an axis and stays in place along the others."""
    return tuple(index if a == axis else part for a, part in enumerate(np.ogrid[tuple(map(slice, index.shape))]))


@op(MOVE, name="gather", onnx="GatherElements")
def gathered(x: Array, index: Array, *, axis: int) -> Array:
    """out[…, i, …] = x[…, index[…, i, …], …]"""
    return x[grid(index, axis)]


@op(MOVE, name="scatter_add", onnx="ScatterElements")
def scatter_added(x: Array, index: Array, src: Array, *, axis: int) -> Array:
    """x with src added at index along an axis; what meets at one place is summed"""
    out = x.copy()
    np.add.at(out, grid(index, axis), src)
    return out


@op(MOVE, name="scatter", onnx="ScatterElements")
def scattered(x: Array, index: Array, src: Array, *, axis: int) -> Array:
    """x with src written at index along an axis; of what meets at one place the last stays"""
    out = x.copy()
    out[grid(index, axis)] = src
    return out


def _zeros(shape: tuple[int, ...], like: Any) -> Array:
    return np.zeros(shape, like.dtype)


derive(gathered, x=lambda g, x_shape, index, axis: scatter_added(_zeros(x_shape, g), index, g, axis=axis))
derive(scatter_added, x=lambda g: g, src=lambda g, index, axis: gathered(g, index, axis=axis))
derive(
    scattered,
    x=lambda g, index, axis: scattered(g, index, 0, axis=axis),
    src=lambda g, index, axis: gathered(g, index, axis=axis),
)


def of_number(function: Any, x: Any, dim: int, *others: Any, shape: tuple[int, ...] = (), **options: Any) -> Any:
    """What a function of an axis gives for a number: that for a vector of one value, under this shape."""
    first, *rest = [reshaped(t, shape=(1,)) if getattr(t, "ndim", None) == 0 else t for t in (x, *others)]
    return reshaped(function(first, dim, *rest, **options), shape=shape)


def checked(x: Any, dim: int, index: Any, name: str) -> int:
    """The axis, counted from the front; raises ShapeError, DtypeError or DomainError if the index does not fit x."""
    axis = one(dim, x.ndim, name)
    if index.ndim != x.ndim:
        raise ShapeError(f"{name}: index has {index.ndim} axes and x has {x.ndim}; shapes {index.shape} and {x.shape}")
    if index.dtype.kind not in "iu":
        raise DtypeError(f"{name}: index must be integer, not {index.dtype}; use .long()")
    if count(index):
        found = values(index)
        low, high = found.min(), found.max()
        insist((low < 0) | (high >= x.shape[axis]), partial(_outside, name, axis, x.shape), low, high)
    return axis


def _outside(name: str, axis: int, shape: tuple[int, ...], low: Any, high: Any) -> DomainError:
    places = f"axis {axis} of x (shape {shape}) has the places 0 to {shape[axis] - 1}"
    return DomainError(f"{name}: index runs from {low} to {high}, {places}")


def gather(x: Any, dim: int, index: Any) -> Tensor:
    """out[…, i, …] = x[…, index[…, i, …], …] along an axis; out has the shape of index.

    >>> import byhand
    >>> byhand.gather(byhand.tensor([[1, 2], [3, 4]]), 1, byhand.tensor([[1], [0]]))
    tensor([[2],
            [3]])
    """
    if not x.ndim:
        return of_number(gather, x, dim, index, shape=index.shape)
    if not count(index):
        return indexed(reshaped(x, shape=(count(x),)), index, index=(SLOT,))
    return gathered(x, index, axis=checked(x, dim, index, "gather"))


def cropped(src: Any, shape: tuple[int, ...]) -> Any:
    """src reduced to the shape of the index, as PyTorch allows it to be larger."""
    for axis, n in enumerate(shape):
        if src.shape[axis] != n:
            src = narrowed(src, axis=axis, start=0, stop=n)
    return src


def scatter_add(x: Any, dim: int, index: Any, src: Any) -> Tensor:
    """x with src added at index along an axis; what meets at one place is summed."""
    if not x.ndim:
        return of_number(scatter_add, x, dim, index, src)
    axis = checked(x, dim, index, "scatter_add")
    return scatter_added(x, index, cropped(src, index.shape), axis=axis)


def overwritten(x: Any, dim: int, index: Any, src: Any) -> Tensor:
    """x with src (a tensor or a number) written at index along an axis: `scatter` without its reductions."""
    if not x.ndim:
        return of_number(overwritten, x, dim, index, src)
    axis = checked(x, dim, index, "scatter")
    return scattered(x, index, cropped(src, index.shape) if hasattr(src, "shape") else src, axis=axis)


def take_along_dim(x: Any, indices: Any, dim: int | None = None) -> Tensor:
    """`gather` whose index broadcasts along the other axes (NumPy's `take_along_axis`)."""
    if dim is None:
        return gather(reshaped(x, shape=(count(x),)), 0, reshaped(indices, shape=(count(indices),)))
    axis = one(dim, x.ndim, "take_along_dim")
    beside = [(*x_or_i.shape[:axis], 1, *x_or_i.shape[axis + 1 :]) for x_or_i in (x, indices)]
    both = list(together("take_along_dim", *beside))
    n = x.shape[axis]
    x = expanded(x, shape=(*both[:axis], n, *both[axis + 1 :]))
    indices = expanded(indices, shape=(*both[:axis], indices.shape[axis], *both[axis + 1 :]))
    return gather(x, axis, e.select(indices < 0, indices + n, indices))


def index_select(x: Any, dim: int, index: Any) -> Tensor:
    """The slices of x at these places of an axis."""
    if not x.ndim:
        return of_number(index_select, x, dim, index)
    axis = one(dim, x.ndim, "index_select")
    return indexed(x, index, index=(slice(None),) * axis + (SLOT,))


def index_add(x: Any, dim: int, index: Any, source: Any, *, alpha: float = 1) -> Tensor:
    """x with the slices of source added at these places of an axis; what meets at one place is summed."""
    if not x.ndim:
        return of_number(index_add, x, dim, index, source, alpha=alpha)
    pattern = (slice(None),) * one(dim, x.ndim, "index_add") + (SLOT,)
    return x + index_added(source if alpha == 1 else source * alpha, index, index=pattern, shape=x.shape)


def take(x: Any, index: Any) -> Tensor:
    """The values of the flattened x at these places, in the shape of index."""
    return indexed(reshaped(x, shape=(count(x),)), index, index=(SLOT,))


def masked_fill(x: Any, mask: Any, value: Any) -> Tensor:
    """x with `value` where the mask holds, in the dtype of x."""
    filled_in = e.select(mask, value, x)
    if filled_in.dtype == x.dtype:
        return filled_in
    if not np.can_cast(np.asarray(getattr(value, "array", value)).dtype, x.dtype, "same_kind"):
        raise DtypeError(f"masked_fill: {value!r} does not fit into a tensor of {x.dtype}; convert that with .float()")
    return e.cast(filled_in, dtype=x.dtype)


def masked_select(x: Any, mask: Any) -> Tensor:
    """The values of x where the mask holds, as a vector."""
    refuse("as large as the mask says, and a program has fixed shapes", "the result of masked_select")
    shape = together("masked_select", x.shape, mask.shape)
    return indexed(expanded(x, shape=shape), expanded(mask, shape=shape), index=(SLOT,))


@overload
def nonzero(x: Any, as_tuple: Literal[False] = ...) -> Tensor: ...
@overload
def nonzero(x: Any, as_tuple: Literal[True]) -> tuple[Tensor, ...]: ...
def nonzero(x: Any, as_tuple: bool = False) -> Any:
    """The indices of values that are not 0: a (n, ndim) tensor, or a tuple of vectors."""
    refuse("as large as the values of its operand say, and a program has fixed shapes", "the result of nonzero")
    if not x.ndim:
        found = np.nonzero(x.array.reshape(1))
        return (wrap(found[0]),) if as_tuple else wrap(np.zeros((len(found[0]), 0), np.int64))
    found = np.nonzero(x.array)
    if as_tuple:
        return tuple(wrap(i) for i in found)
    return wrap(np.stack(found, axis=1) if found else np.zeros((0, 0), np.int64))


def argwhere(x: Any) -> Tensor:
    """The indices of values that are not 0, one a row."""
    return nonzero(x)


def index_fill(x: Any, dim: int, index: Any, value: Any) -> Tensor:
    """x with `value` at these places of an axis."""
    if not x.ndim:
        return e.select(np.ones((), np.bool_), value, x)
    axis = one(dim, x.ndim, "index_fill")
    places = reshaped(values(index if hasattr(index, "shape") else np.asarray(index)), shape=(count(index),))
    mask = index_added(np.ones(count(places)), places, index=(SLOT,), shape=x.shape[axis : axis + 1]) > 0
    return e.select(reshaped(mask, shape=tuple(-1 if a == axis else 1 for a in range(x.ndim))), value, x)


def index_copy(x: Any, dim: int, index: Any, source: Any) -> Tensor:
    """x with the slices of source written to these places of an axis."""
    if not x.ndim:
        return of_number(index_copy, x, dim, index, source)
    axis = one(dim, x.ndim, "index_copy")
    places = reshaped(index, shape=tuple(-1 if a == axis else 1 for a in range(x.ndim)))
    return overwritten(x, axis, expanded(places, shape=source.shape), source)


@op(MOVE, onnx="OneHot")
def one_hot_of(x: Array, *, classes: int) -> Array:
    """1 at the place that x names, else 0: (…) → (…, classes)"""
    return (x[..., None] == np.arange(classes)).astype(np.int64)


def one_hot(x: Any, num_classes: int = -1) -> Tensor:
    """1 at the place that x names, else 0: int64 (…) → (…, num_classes); -1 takes the largest label."""
    if x.dtype.kind not in "iu":
        raise DtypeError(f"one_hot takes integer labels, not {x.dtype}; use .long()")
    if count(x):
        labels = values(x)
        low, high = labels.min(), labels.max()
        insist(low < 0, lambda low: DomainError(f"one_hot: labels start at 0, the smallest here is {low}"), low)
    if num_classes == -1:
        refuse("as large as the labels say, and a program has fixed shapes; pass num_classes", "the result of one_hot")
        num_classes = int(high) + 1 if count(x) else 0
    elif count(x):
        insist(high >= num_classes, lambda high: _too_high(int(high), num_classes), high)
    return one_hot_of(x, classes=num_classes)


def _too_high(high: int, classes: int) -> DomainError:
    return DomainError(f"one_hot: the largest label is {high}, num_classes={classes} allows 0 to {classes - 1}")


def repeat_interleave(x: Any, repeats: Any, dim: int | None = None, *, output_size: int | None = None) -> Tensor:
    """Each value, or each slice of an axis, repeated this many times in place."""
    if dim is None:
        x, dim = reshaped(x, shape=(count(x),)), 0
    axis = one(dim, x.ndim, "repeat_interleave")
    if traced(repeats):
        refuse("as large as the repeats say, and a program has fixed shapes", "the result of repeat_interleave")
    counts = np.asarray(getattr(repeats, "array", repeats))
    return index_select(x, axis, np.repeat(np.arange(x.shape[axis]), counts))

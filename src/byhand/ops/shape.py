"""The public functions on shapes: reshaping, reordering, joining, splitting, repeating. Methods of `Tensor` too.

They resolve axes and sizes, then record one of the ops of `views` or of the few defined here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from byhand.core.errors import ShapeError, UsageError
from byhand.core.op import MOVE, derive, op
from byhand.core.variable import Array
from byhand.ops.axes import completed, either, many, one, shape_of, together
from byhand.ops.elementwise import clone
from byhand.ops.views import expanded, narrowed, padded, permuted, reshaped

if TYPE_CHECKING:
    from byhand.tensor import Tensor


@op(MOVE, name="flip")
def flipped(x: Array, *, axis: tuple[int, ...]) -> Array:
    """x backwards along the axes"""
    return np.flip(x, axis).copy()


@op(MOVE, name="roll")
def rolled(x: Array, *, shift: tuple[int, ...], axis: tuple[int, ...]) -> Array:
    """x shifted along the axes; what falls off the end comes in at the front"""
    return np.roll(x, shift, axis)


@op(MOVE, name="cat", onnx="Concat")
def joined(*xs: Array, axis: int) -> Array:
    """The operands one after another along an axis"""
    return np.concatenate(xs, axis=axis)


@op(MOVE, name="contiguous")
def compact(x: Array) -> Array:
    """x with its values in C order in memory"""
    return np.ascontiguousarray(x)


def _segment(g: Any, i: int, xs: Any, axis: int) -> Any:
    start = sum(x.shape[axis] for x in xs[:i])
    return narrowed(g, axis=axis, start=start, stop=start + xs[i].shape[axis])


derive(flipped, x=lambda g, axis: flipped(g, axis=axis))
derive(rolled, x=lambda g, shift, axis: rolled(g, shift=tuple(-s for s in shift), axis=axis))
derive(joined, xs=_segment)
derive(compact, x=lambda g: g)

# reshaping


def reshape(x: Any, *shape: Any) -> Tensor:
    """The same values in another shape; one size may be -1. A view where memory allows, else a copy.

    >>> import byhand
    >>> byhand.arange(6).reshape(2, -1).shape
    (2, 3)
    """
    old = x.shape
    return reshaped(x, shape=completed(shape_of(shape), math.prod(old), "reshape", old))


def view(x: Any, *shape: Any) -> Tensor:
    """`reshape` that never copies; raises ShapeError where the memory does not allow it.

    The one exception is a matrix that owns memory in column order, as the weight of a Linear does: PyTorch's would be
    a view, so here the copy is returned, read-only, that nobody may believe to write into the weight.
    """
    if len(shape) == 1 and isinstance(shape[0], np.dtype):
        raise UsageError("view(dtype) is not there: use x.to(dtype) to convert values")
    out = reshape(x, *shape)
    made, given = (v if isinstance(v, np.ndarray) else v.array for v in (out, x))
    if made.size and not np.may_share_memory(made, given):
        if given.base is None and given.flags.f_contiguous:
            made.flags.writeable = False
            return out
        raise ShapeError(f"view: shape {x.shape} is not laid out so that {out.shape} is a view of it; use reshape")
    return out


def flatten(x: Any, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """The axes from start_dim to end_dim as one."""
    if x.ndim == 0:
        return reshaped(x, shape=(1,))
    start, end = one(start_dim, x.ndim, "flatten"), one(end_dim, x.ndim, "flatten")
    if start > end:
        raise UsageError(f"flatten: start_dim={start_dim} lies behind end_dim={end_dim}")
    shape = x.shape
    return reshaped(x, shape=(*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :]))


def ravel(x: Any) -> Tensor:
    """All values as a vector."""
    return reshaped(x, shape=(math.prod(x.shape),))


def atleast_1d(*tensors: Any) -> Any:
    """Numbers as vectors of one value; all else as it is."""
    return each_of(lambda x: x if x.ndim else reshaped(x, shape=(1,)), tensors)


def atleast_2d(*tensors: Any) -> Any:
    """Numbers and vectors as matrices of one row; all else as it is."""
    return each_of(lambda x: x if x.ndim > 1 else reshaped(x, shape=(1, math.prod(x.shape))), tensors)


def each_of(form: Any, tensors: tuple[Any, ...]) -> Any:
    """A form given to one tensor, or to each of several."""
    given = tensors[0] if len(tensors) == 1 else tensors
    return tuple(map(form, given)) if isinstance(given, (list, tuple)) else form(given)


def unflatten(x: Any, dim: int, sizes: Sequence[int]) -> Tensor:
    """One axis as several of these sizes."""
    axis = one(dim, x.ndim, "unflatten")
    inner = completed(tuple(sizes), x.shape[axis], "unflatten", (x.shape[axis],))
    return reshaped(x, shape=(*x.shape[:axis], *inner, *x.shape[axis + 1 :]))


def squeeze(x: Any, dim: Any = None, *, axis: Any = None) -> Tensor:
    """x without its axes of size 1, or without those of the given ones that have size 1."""
    axes = many(either(dim, axis, "dim and axis"), x.ndim, "squeeze")
    return reshaped(x, shape=tuple(n for i, n in enumerate(x.shape) if n != 1 or i not in axes))


def unsqueeze(x: Any, dim: Any = None, *, axis: Any = None) -> Tensor:
    """x with a new axis of size 1 at this place."""
    place = one(either(dim, axis, "dim and axis"), x.ndim + 1, "unsqueeze")
    return reshaped(x, shape=(*x.shape[:place], 1, *x.shape[place:]))


# reordering


def permute(x: Any, *axes_: Any, dims: Any = None) -> Tensor:
    """The axes in this order."""
    order = shape_of(axes_ if dims is None else (dims,))
    axes = tuple(one(a, x.ndim, "permute") for a in order)
    if sorted(axes) != list(range(x.ndim)):
        raise ShapeError(f"permute: {order} is no order of the {x.ndim} axes of shape {x.shape}")
    return permuted(x, axes=axes)


def transpose(x: Any, dim0: int, dim1: int) -> Tensor:
    """x with two axes exchanged."""
    order = list(range(x.ndim))
    a, b = one(dim0, x.ndim, "transpose"), one(dim1, x.ndim, "transpose")
    if order:
        order[a], order[b] = order[b], order[a]
    return permuted(x, axes=tuple(order))


swapaxes = swapdims = transpose


def t(x: Any) -> Tensor:
    """The transpose of a matrix; vectors and scalars stay as they are."""
    if x.ndim > 2:
        raise ShapeError(f"t: a matrix is expected, x has shape {x.shape}; use x.mT or permute")
    return permuted(x, axes=(1, 0)) if x.ndim == 2 else x


def movedim(x: Any, source: Any, destination: Any) -> Tensor:
    """x with some axes moved to other places, the rest in their order."""
    sources = [one(a, x.ndim, "movedim") for a in (source if isinstance(source, Sequence) else (source,))]
    places = [one(a, x.ndim, "movedim") for a in (destination if isinstance(destination, Sequence) else (destination,))]
    if len(sources) != len(places):
        raise UsageError(f"movedim: {len(sources)} axes cannot go to {len(places)} places")
    rest = iter([a for a in range(x.ndim) if a not in sources])
    where = dict(zip(places, sources, strict=True))
    return permuted(x, axes=tuple(where[i] if i in where else next(rest) for i in range(x.ndim)))


moveaxis = movedim


def flip(x: Any, *axes: Any, dims: Any = None) -> Tensor:
    """x backwards along these axes, as a copy."""
    return flipped(x, axis=many(shape_of(axes if dims is None else (dims,)), x.ndim, "flip"))


def fliplr(x: Any) -> Tensor:
    """x backwards along axis 1."""
    return flipped(x, axis=(1,))


def flipud(x: Any) -> Tensor:
    """x backwards along axis 0."""
    return flipped(x, axis=(0,))


def roll(x: Any, shifts: Any, dims: Any = None) -> Tensor:
    """x shifted along axes, or flattened if there are none; what falls off the end comes in at the front."""
    shift = tuple(shifts) if isinstance(shifts, Sequence) else (shifts,)
    if dims is None:
        return reshaped(rolled(reshaped(x, shape=(math.prod(x.shape),)), shift=shift, axis=(0,)), shape=x.shape)
    axes = tuple(one(a, x.ndim, "roll") for a in (dims if isinstance(dims, Sequence) else (dims,)))
    if len(axes) != len(shift):
        raise UsageError(f"roll: {len(shift)} shifts for {len(axes)} axes")
    return rolled(x, shift=shift, axis=axes)


def rot90(x: Any, k: int = 1, dims: Sequence[int] = (0, 1)) -> Tensor:
    """x turned by k quarter turns, from the first of two axes towards the second."""
    a, b = (one(d, x.ndim, "rot90") for d in dims)
    if k % 4 == 0:
        return clone(x)
    if k % 4 == 2:
        return flipped(x, axis=tuple(sorted((a, b))))
    return flipped(transpose(x, a, b), axis=(a,)) if k % 4 == 1 else transpose(flipped(x, axis=(a,)), a, b)


# repeating


def expand(x: Any, *sizes: Any) -> Tensor:
    """x repeated along axes of size 1 and new ones in front, without a copy; -1 keeps a size."""
    wanted = shape_of(sizes)
    lead = len(wanted) - x.ndim
    if lead < 0:
        raise ShapeError(f"expand: {wanted} has fewer axes than x of shape {x.shape}")
    full = tuple(x.shape[i - lead] if n == -1 and i >= lead else n for i, n in enumerate(wanted))
    return expanded(x, shape=full)


def broadcast_to(x: Any, shape: Sequence[int]) -> Tensor:
    """x repeated to this shape, without a copy."""
    return expand(x, tuple(shape))


def expand_as(x: Any, other: Any) -> Tensor:
    """x repeated to the shape of `other`, without a copy."""
    return expanded(x, shape=other.shape)


def broadcast_shapes(*shapes: Sequence[int]) -> tuple[int, ...]:
    """The shape that these broadcast to."""
    return together("broadcast_shapes", *[shape_of((shape,)) for shape in shapes])


def broadcast_tensors(*tensors: Any) -> tuple[Tensor, ...]:
    """All of them expanded to the shape they have together."""
    shape = together("broadcast_tensors", *[x.shape for x in tensors])
    return tuple(expanded(x, shape=shape) for x in tensors)


def repeat(x: Any, *repeats: Any) -> Tensor:
    """x copied this many times along each axis (NumPy's `tile`)."""
    counts = shape_of(repeats)
    if len(counts) < x.ndim:
        raise ShapeError(f"repeat: {len(counts)} counts for the {x.ndim} axes of shape {x.shape}")
    shape = (1,) * (len(counts) - x.ndim) + x.shape
    between = reshaped(x, shape=tuple(n for size in shape for n in (1, size)))
    many_times = expanded(between, shape=tuple(n for pair in zip(counts, shape, strict=True) for n in pair))
    # the clone is the copy: a reshape makes none where nothing, or an axis of size 1, is repeated
    return reshaped(clone(many_times), shape=tuple(c * n for c, n in zip(counts, shape, strict=True)))


def tile(x: Any, *counts_: Any, dims: Any = None) -> Tensor:
    """`repeat` with missing counts taken as 1."""
    counts = shape_of(counts_ if dims is None else (dims,))
    return repeat(x, (1,) * (x.ndim - len(counts)) + counts)


# joining and splitting


def cat(tensors: Sequence[Any], dim: int | None = None, *, axis: int | None = None) -> Tensor:
    """The tensors one after another along an axis.

    >>> import byhand
    >>> byhand.cat([byhand.zeros(1), byhand.ones(2)])
    tensor([0., 1., 1.])
    """
    tensors = list(tensors)
    if not tensors:
        raise UsageError("cat: there is no tensor in the list")
    tensors = [x for x in tensors if x.shape != (0,)] or tensors[:1]  # PyTorch skips empty vectors
    return joined(*tensors, axis=one(either(dim, axis, "dim and axis", 0), tensors[0].ndim, "cat"))


concat = concatenate = cat


def stack(tensors: Sequence[Any], dim: int | None = None, *, axis: int | None = None) -> Tensor:
    """Tensors of one shape along a new axis."""
    tensors = list(tensors)
    if len({x.shape for x in tensors}) != 1:
        raise ShapeError(f"stack: all shapes must be equal, these are {[x.shape for x in tensors]}")
    place = one(either(dim, axis, "dim and axis", 0), tensors[0].ndim + 1, "stack")
    return joined(*[unsqueeze(x, place) for x in tensors], axis=place)


def hstack(tensors: Sequence[Any]) -> Tensor:
    """Along axis 1, vectors and numbers along axis 0."""
    tensors = [x if x.ndim else unsqueeze(x, 0) for x in tensors]
    return cat(tensors, 0 if tensors[0].ndim <= 1 else 1)


def vstack(tensors: Sequence[Any]) -> Tensor:
    """Along axis 0, vectors and numbers as rows."""
    return cat([reshape(x, 1, -1) if x.ndim < 2 else x for x in tensors], 0)


def column_stack(tensors: Sequence[Any]) -> Tensor:
    """Along axis 1, vectors and numbers as columns."""
    return cat([reshape(x, -1, 1) if x.ndim < 2 else x for x in tensors], 1)


def narrow(x: Any, dim: int, start: int, length: int) -> Tensor:
    """x[start : start + length] along an axis; a view."""
    axis = one(dim, x.ndim, "narrow")
    start = start + x.shape[axis] if start < 0 else start
    if not 0 <= start <= start + length <= x.shape[axis]:
        raise ShapeError(f"narrow: {start} to {start + length} lies outside of axis {axis} of shape {x.shape}")
    return narrowed(x, axis=axis, start=start, stop=start + length)


def split(
    x: Any, split_size_or_sections: Any, dim: int | None = None, *, axis: int | None = None
) -> tuple[Tensor, ...]:
    """Pieces of this size (the last may be smaller), or of these sizes, along an axis; views."""
    place = one(either(dim, axis, "dim and axis", 0), x.ndim, "split")
    size = x.shape[place]
    if isinstance(split_size_or_sections, int):
        step = split_size_or_sections
        if step <= 0:
            raise UsageError(f"split: the size of a piece must be positive, not {step}")
        sections = [min(step, size - start) for start in range(0, size, step)] or [0]
    else:
        sections = list(split_size_or_sections)
        if sum(sections) != size:
            raise ShapeError(f"split: {sections} do not add up to {size}, the size of axis {place} of {x.shape}")
    ends = np.cumsum(sections).tolist()
    return tuple(narrowed(x, axis=place, start=end - n, stop=end) for n, end in zip(sections, ends, strict=True))


def chunk(x: Any, chunks: int, dim: int | None = None, *, axis: int | None = None) -> tuple[Tensor, ...]:
    """At most this many pieces of equal size (the last may be smaller) along an axis; views."""
    place = one(either(dim, axis, "dim and axis", 0), x.ndim, "chunk")
    if chunks <= 0:
        raise UsageError(f"chunk: the number of chunks must be positive, not {chunks}")
    return split(x, max(-(-x.shape[place] // chunks), 1), place)


def tensor_split(x: Any, indices_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """This many pieces, the first ones larger by one if need be, or pieces that end before these places; views."""
    axis = one(dim, x.ndim, "tensor_split")
    size = x.shape[axis]
    if hasattr(indices_or_sections, "tolist"):
        indices_or_sections = indices_or_sections.tolist()
    if isinstance(indices_or_sections, int):
        if indices_or_sections <= 0:
            raise UsageError(f"tensor_split: the number of pieces must be positive, not {indices_or_sections}")
        small, larger = divmod(size, indices_or_sections)
        ends = [k * small + min(k, larger) for k in range(1, indices_or_sections + 1)]
    else:
        ends = [*[min(i if i >= 0 else max(i + size, 0), size) for i in indices_or_sections], size]
    return tuple(narrowed(x, axis=axis, start=a, stop=max(a, b)) for a, b in zip([0, *ends], ends, strict=False))


def unbind(x: Any, dim: int | None = None, *, axis: int | None = None) -> tuple[Tensor, ...]:
    """The slices along an axis, without that axis; views."""
    place = one(either(dim, axis, "dim and axis", 0), x.ndim, "unbind")
    shape = x.shape[:place] + x.shape[place + 1 :]
    return tuple(reshaped(narrowed(x, axis=place, start=i, stop=i + 1), shape=shape) for i in range(x.shape[place]))


def pad(x: Any, pad: Sequence[int], value: float = 0.0) -> Tensor:
    """x with constant values around it: `pad` names (before, after) for the last axis first, as in PyTorch."""
    if len(pad) % 2 or len(pad) > 2 * x.ndim:
        raise ShapeError(f"pad: {tuple(pad)} must be pairs (before, after) for at most the {x.ndim} axes of {x.shape}")
    pairs = [(pad[i], pad[i + 1]) for i in range(0, len(pad), 2)]
    widths = [(0, 0)] * (x.ndim - len(pairs)) + pairs[::-1]
    for axis, (before, after) in enumerate(widths):  # negative widths crop
        if before < 0 or after < 0:
            start, stop = max(-before, 0), x.shape[axis] - max(-after, 0)
            x = narrowed(x, axis=axis, start=start, stop=stop)
    return padded(x, widths=tuple((max(b, 0), max(a, 0)) for b, a in widths), value=value)

"""Joining and splitting along named axes, products and choices of sets of values, the way back from broadcasting."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from byhand.core.errors import ShapeError, UsageError
from byhand.ops.axes import shape_of, together
from byhand.ops.index import getitem
from byhand.ops.reduce import unbroadcast
from byhand.ops.shape import cat, each_of, ravel, stack, tensor_split, transpose
from byhand.ops.views import expanded, padded, reshaped

if TYPE_CHECKING:
    from byhand.tensor import Tensor


def atleast_3d(*tensors: Any) -> Any:
    """Numbers, vectors and matrices with axes of size 1 around theirs: (n) as (1, n, 1), (n, m) as (n, m, 1)."""

    def form(x: Any) -> Any:
        shapes = {0: (1, 1, 1), 1: (1, *x.shape, 1), 2: (*x.shape, 1)}
        return reshaped(x, shape=shapes[x.ndim]) if x.ndim < 3 else x

    return each_of(form, tensors)


def dstack(tensors: Any) -> Tensor:
    """Along axis 2, numbers, vectors and matrices with axes of size 1 added as in `atleast_3d`."""
    return cat([atleast_3d(x) for x in tensors], 2)


def hsplit(x: Any, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """This many equal pieces, or pieces that end before these places, along axis 1 (of a vector: 0); views."""
    return _split(x, indices_or_sections, 0 if x.ndim == 1 else 1, 1, "hsplit")


def vsplit(x: Any, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """This many equal pieces, or pieces that end before these places, along axis 0; views."""
    return _split(x, indices_or_sections, 0, 2, "vsplit")


def dsplit(x: Any, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """This many equal pieces, or pieces that end before these places, along axis 2; views."""
    return _split(x, indices_or_sections, 2, 3, "dsplit")


def _split(x: Any, pieces: Any, axis: int, least: int, name: str) -> tuple[Tensor, ...]:
    if x.ndim < least:
        raise ShapeError(f"{name} takes at least {least} axes, not shape {x.shape}")
    if isinstance(pieces, int) and (pieces < 1 or x.shape[axis] % pieces):
        raise ShapeError(f"{name}: axis {axis} of shape {x.shape} cannot be split into {pieces} equal pieces")
    return tensor_split(x, pieces, axis)


def block_diag(*tensors: Any) -> Tensor:
    """A matrix with these matrices along its diagonal; numbers and vectors count as rows."""
    blocks = [reshaped(x, shape=(1, math.prod(x.shape))) if x.ndim < 2 else x for x in tensors]
    if any(x.ndim != 2 for x in blocks):
        raise ShapeError(f"block_diag takes matrices, not shapes {[x.shape for x in tensors]}")
    width, before, rows = sum(x.shape[1] for x in blocks), 0, []
    for x in blocks:
        rows.append(padded(x, widths=((0, 0), (before, width - before - x.shape[1])), value=0))
        before += x.shape[1]
    return cat(rows, 0)


def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Tensor, ...]:
    """The coordinates of a grid, one tensor an axis; "ij" is matrix order, "xy" NumPy's."""
    if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)):
        tensors = tuple(tensors[0])
    if indexing not in ("ij", "xy"):
        raise UsageError(f"meshgrid: indexing is 'ij' or 'xy', not {indexing!r}")
    shape = tuple(math.prod(x.shape) for x in tensors)
    grids = [
        expanded(reshaped(x, shape=tuple(n if i == k else 1 for k in range(len(shape)))), shape=shape)
        for i, (x, n) in enumerate(zip(tensors, shape, strict=True))
    ]
    return tuple(transpose(g, 0, 1) for g in grids) if indexing == "xy" and len(shape) > 1 else tuple(grids)


def cartesian_prod(*tensors: Any) -> Tensor:
    """All ways to take one value of each vector, a row each: (n), (m), … → (n · m · …, number of vectors)."""
    if len(tensors) == 1:
        return tensors[0]
    return stack([ravel(grid) for grid in meshgrid(*tensors)], 1)


def combinations(x: Any, r: int = 2, with_replacement: bool = False) -> Tensor:
    """All choices of r values of a vector, in order, a row each."""
    if x.ndim != 1:
        raise ShapeError(f"combinations takes a vector, not shape {x.shape}")
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    rows = np.array(list(choose(range(x.shape[0]), r)), np.int64)
    return getitem(x, rows.reshape(-1, r) if r else np.zeros(0, np.int64))


def sum_to_size(x: Any, *size: Any) -> Tensor:
    """x summed over the axes that were broadcast from this shape; raises ShapeError if it does not broadcast to x's."""
    shape = shape_of(size)
    if together("sum_to_size", shape, x.shape) != tuple(x.shape):
        raise ShapeError(f"sum_to_size: {shape} does not broadcast to the shape {x.shape} of x")
    return unbroadcast(x, shape=shape)

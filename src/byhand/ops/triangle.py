"""Triangles and diagonals of matrices. Functions of `byhand` and methods of `Tensor`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from byhand.core.errors import ShapeError
from byhand.core.op import MOVE, derive, op
from byhand.core.variable import Array
from byhand.ops.axes import one
from byhand.ops.elementwise import clone
from byhand.ops.shape import movedim
from byhand.ops.views import diagonal_of, diagonal_scattered, reshaped

if TYPE_CHECKING:
    from byhand.tensor import Tensor


@op(MOVE, name="tril", onnx="Trilu")
def lower(x: Array, *, diagonal: int) -> Array:
    """The lower triangle, zeros above"""
    return np.tril(x, diagonal)


@op(MOVE, name="triu", onnx="Trilu")
def upper(x: Array, *, diagonal: int) -> Array:
    """The upper triangle, zeros below"""
    return np.triu(x, diagonal)


derive(lower, x=lambda g, diagonal: lower(g, diagonal=diagonal))
derive(upper, x=lambda g, diagonal: upper(g, diagonal=diagonal))


def tril(x: Any, diagonal: int = 0) -> Tensor:
    """The lower triangle up to a diagonal, zeros above."""
    return lower(x, diagonal=diagonal)


def triu(x: Any, diagonal: int = 0) -> Tensor:
    """The upper triangle from a diagonal, zeros below."""
    return upper(x, diagonal=diagonal)


def diagonal(x: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """The diagonal of two axes, as the last axis; a view."""
    return diagonal_of(x, offset=offset, axis1=one(dim1, x.ndim, "diagonal"), axis2=one(dim2, x.ndim, "diagonal"))


def diag(x: Any, diagonal: int = 0) -> Tensor:
    """The diagonal of a matrix as a copy, or the matrix with this diagonal."""
    if x.ndim == 1:
        size = x.shape[0] + abs(diagonal)
        return diagonal_scattered(x, shape=(size, size), offset=diagonal, axis1=0, axis2=1)
    if x.ndim != 2:
        raise ShapeError(f"diag takes a vector or a matrix, x has shape {x.shape}; use diagonal")
    return clone(diagonal_of(x, offset=diagonal, axis1=0, axis2=1))


def diag_embed(x: Any, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Matrices with these diagonals: (…, n) → (…, n, n), or with the two axes at other places."""
    size = x.shape[-1] + abs(offset)
    shape = (*x.shape[:-1], size, size)
    made = diagonal_scattered(x, shape=shape, offset=offset, axis1=x.ndim - 1, axis2=x.ndim)
    return made if (dim1, dim2) == (-2, -1) else movedim(made, (-2, -1), (dim1, dim2))


def diagflat(x: Any, offset: int = 0) -> Tensor:
    """The matrix that has all values of x on a diagonal."""
    return diag(reshaped(x, shape=(math.prod(x.shape),)), offset)


def trace(x: Any) -> Tensor:
    """The sum of the diagonal of a matrix."""
    return diag(x).sum()

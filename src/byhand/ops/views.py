"""The view ops that rules and the engine need: reshape, permute, expand, narrow. Their public forms are in `shape`.

Views share memory with their operand, as in PyTorch and NumPy; attributes arrive here resolved.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from byhand.core.op import MOVE, VIEW, derive, op
from byhand.core.variable import Array

F = TypeVar("F", bound=Callable[..., Any])


@op(VIEW, name="reshape", onnx="Reshape")
def reshaped(x: Array, *, shape: tuple[int, ...]) -> Array:
    """The same values, in the same order, under another shape"""
    return x.reshape(shape)


@op(VIEW, name="permute", onnx="Transpose")
def permuted(x: Array, *, axes: tuple[int, ...]) -> Array:
    """The axes in another order"""
    return x.transpose(axes)


@op(VIEW, name="expand", onnx="Expand")
def expanded(x: Array, *, shape: tuple[int, ...]) -> Array:
    """x repeated along new axes and axes of size 1, without a copy"""
    return np.broadcast_to(x, shape)


@op(VIEW, name="narrow", onnx="Slice", part=True)
def narrowed(x: Array, *, axis: int, start: int, stop: int) -> Array:
    """x[start:stop] along an axis"""
    return x[(slice(None),) * axis + (slice(start, stop),)]


@op(VIEW, name="diagonal", part=True)
def diagonal_of(x: Array, *, offset: int, axis1: int, axis2: int) -> Array:
    """The diagonal of two axes, as the last axis"""
    out = x.diagonal(offset, axis1, axis2)
    out.flags.writeable = x.flags.writeable  # NumPy's own is read-only
    return out


@op(MOVE, name="pad", onnx="Pad")
def padded(x: Array, *, widths: tuple[tuple[int, int], ...], value: float) -> Array:
    """x with constant values around it; widths are (before, after) for each axis"""
    shape = tuple(n + before + after for n, (before, after) in zip(x.shape, widths, strict=True))
    out = np.full(shape, value, x.dtype)
    out[tuple(slice(before, before + n) for n, (before, _) in zip(x.shape, widths, strict=True))] = x
    return out


@op(MOVE)
def unpadded(x: Array, *, widths: tuple[tuple[int, int], ...]) -> Array:
    """x without its border"""
    return x[tuple(slice(before, n - after) for n, (before, after) in zip(x.shape, widths, strict=True))].copy()


@op(MOVE)
def diagonal_scattered(x: Array, *, shape: tuple[int, ...], offset: int, axis1: int, axis2: int) -> Array:
    """Zeros of `shape` with x on a diagonal"""
    out = np.zeros(shape, x.dtype)
    rows, columns = max(-offset, 0), max(offset, 0)
    moved = np.moveaxis(out, (axis1, axis2), (-2, -1))
    span = np.arange(x.shape[-1])
    moved[..., span + rows, span + columns] = x
    return out


def lifted(function: F) -> F:
    """The function, which for a number gives what it gives for a vector of that one value, less the axis."""

    @functools.wraps(function)
    def call(x: Any, *args: Any, **attrs: Any) -> Any:
        if x.ndim:
            return function(x, *args, **attrs)
        result = function(reshaped(x, shape=(1,)), *args, **attrs)
        if isinstance(result, tuple):
            return type(result)(*[reshaped(part, shape=()) for part in result])
        return reshaped(result, shape=())

    return call  # type: ignore[return-value]


def _around(axis: int, start: int, stop: int, shape: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    return tuple((start, n - stop) if i == axis else (0, 0) for i, n in enumerate(shape))


derive(reshaped, x=lambda g, x_shape: reshaped(g, shape=x_shape))
derive(permuted, x=lambda g, axes: permuted(g, axes=tuple(int(i) for i in np.argsort(axes))))
derive(expanded, x=lambda g: g)  # the engine sums it back
derive(
    narrowed,
    x=lambda g, x_shape, axis, start, stop: padded(g, widths=_around(axis, start, stop, x_shape), value=0),
)
derive(padded, x=lambda g, widths: unpadded(g, widths=widths))
derive(unpadded, x=lambda g, widths: padded(g, widths=widths, value=0))
derive(
    diagonal_of,
    x=lambda g, x_shape, offset, axis1, axis2: diagonal_scattered(
        g, shape=x_shape, offset=offset, axis1=axis1, axis2=axis2
    ),
)
derive(
    diagonal_scattered,
    x=lambda g, offset, axis1, axis2: diagonal_of(g, offset=offset, axis1=axis1, axis2=axis2),
)

"""Comparisons, logic and tests of values: results are boolean, no gradient passes. Operators of `Tensor`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from byhand.core.op import ELEMENTWISE, OTHER, op
from byhand.core.variable import Array

if TYPE_CHECKING:
    from byhand.tensor import Tensor


@op(ELEMENTWISE, onnx="Equal")
def eq(x: Array, y: Array) -> Array:
    """x = y"""
    return np.equal(x, y)


@op(ELEMENTWISE)
def ne(x: Array, y: Array) -> Array:
    """x ≠ y"""
    return np.not_equal(x, y)


@op(ELEMENTWISE, onnx="Less")
def lt(x: Array, y: Array) -> Array:
    """x < y"""
    return np.less(x, y)


@op(ELEMENTWISE, onnx="LessOrEqual")
def le(x: Array, y: Array) -> Array:
    """x ≤ y"""
    return np.less_equal(x, y)


@op(ELEMENTWISE, onnx="Greater")
def gt(x: Array, y: Array) -> Array:
    """x > y"""
    return np.greater(x, y)


@op(ELEMENTWISE, onnx="GreaterOrEqual")
def ge(x: Array, y: Array) -> Array:
    """x ≥ y"""
    return np.greater_equal(x, y)


@op(ELEMENTWISE, ufunc=np.bitwise_and, onnx="And")
def bitwise_and(x: Array, y: Array) -> Array:
    """x & y"""
    return np.bitwise_and(x, y)


@op(ELEMENTWISE, ufunc=np.bitwise_or, onnx="Or")
def bitwise_or(x: Array, y: Array) -> Array:
    """x | y"""
    return np.bitwise_or(x, y)


@op(ELEMENTWISE, ufunc=np.bitwise_xor, onnx="Xor")
def bitwise_xor(x: Array, y: Array) -> Array:
    """x ^ y"""
    return np.bitwise_xor(x, y)


@op(ELEMENTWISE, ufunc=np.invert)
def bitwise_not(x: Array) -> Array:
    """~x"""
    return np.invert(x)


@op(ELEMENTWISE, ufunc=np.left_shift)
def bitwise_left_shift(x: Array, y: Array) -> Array:
    """x << y"""
    return np.left_shift(x, y)


@op(ELEMENTWISE, ufunc=np.right_shift)
def bitwise_right_shift(x: Array, y: Array) -> Array:
    """x >> y"""
    return np.right_shift(x, y)


@op(ELEMENTWISE)
def logical_and(x: Array, y: Array) -> Array:
    """Both are non-zero"""
    return np.logical_and(x, y)


@op(ELEMENTWISE)
def logical_or(x: Array, y: Array) -> Array:
    """One of them is non-zero"""
    return np.logical_or(x, y)


@op(ELEMENTWISE)
def logical_xor(x: Array, y: Array) -> Array:
    """Just one of them is non-zero"""
    return np.logical_xor(x, y)


@op(ELEMENTWISE, onnx="Not")
def logical_not(x: Array) -> Array:
    """x is zero"""
    return np.logical_not(x)


@op(ELEMENTWISE, onnx="IsNaN")
def isnan(x: Array) -> Array:
    """x is not a number"""
    return np.isnan(x)


@op(ELEMENTWISE, onnx="IsInf")
def isinf(x: Array) -> Array:
    """x is an infinity"""
    return np.isinf(x)


@op(ELEMENTWISE)
def isfinite(x: Array) -> Array:
    """x is neither NaN nor an infinity"""
    return np.isfinite(x)


@op(ELEMENTWISE, name="isclose")
def _isclose(x: Array, y: Array, *, rtol: float, atol: float, equal_nan: bool) -> Array:
    """|x − y| ≤ atol + rtol |y|"""
    return np.isclose(x, y, rtol=rtol, atol=atol, equal_nan=equal_nan)


def isposinf(x: Any) -> Tensor:
    """x is +∞"""
    return eq(x, np.inf)


def isneginf(x: Any) -> Tensor:
    """x is −∞"""
    return eq(x, -np.inf)


@op(OTHER)
def isin(x: Array, values: Array) -> Array:
    """x is one of the values"""
    return np.isin(x, values)


def isclose(x: Any, y: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Tensor:
    """|x − y| ≤ atol + rtol |y|, elementwise."""
    return _isclose(x, y, rtol=rtol, atol=atol, equal_nan=equal_nan)


def allclose(x: Any, y: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
    """Whether `isclose` holds everywhere."""
    return bool(isclose(x, y, rtol, atol, equal_nan).all())


def equal(x: Any, y: Any) -> bool:
    """Whether both have the same shape and values."""
    return bool(np.array_equal(getattr(x, "array", x), getattr(y, "array", y)))

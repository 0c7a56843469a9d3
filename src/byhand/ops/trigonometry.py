"""Trigonometric and hyperbolic ops with their rules.

Called as functions of `byhand`, as methods of `Tensor`, and by the rules of activations. Each formula is its kernel's
one line; `g` is the incoming gradient.
"""

from __future__ import annotations

import numpy as np

from byhand.core.op import ELEMENTWISE, derive, op
from byhand.core.variable import Array
from byhand.ops.elementwise import sqrt


@op(ELEMENTWISE, ufunc=np.sin, onnx="Sin")
def sin(x: Array) -> Array:
    """sin x"""
    return np.sin(x)


@op(ELEMENTWISE, ufunc=np.cos, onnx="Cos")
def cos(x: Array) -> Array:
    """cos x"""
    return np.cos(x)


@op(ELEMENTWISE, ufunc=np.tan, onnx="Tan")
def tan(x: Array) -> Array:
    """tan x"""
    return np.tan(x)


@op(ELEMENTWISE, ufunc=np.arcsin, onnx="Asin")
def asin(x: Array) -> Array:
    """arcsin x"""
    return np.arcsin(x)


@op(ELEMENTWISE, ufunc=np.arccos, onnx="Acos")
def acos(x: Array) -> Array:
    """arccos x"""
    return np.arccos(x)


@op(ELEMENTWISE, ufunc=np.arctan, onnx="Atan")
def atan(x: Array) -> Array:
    """arctan x"""
    return np.arctan(x)


@op(ELEMENTWISE, ufunc=np.arctan2)
def atan2(x: Array, y: Array) -> Array:
    """The angle of the point (y, x), that is arctan(x / y) in the right quadrant"""
    return np.arctan2(x, y)


@op(ELEMENTWISE, ufunc=np.hypot)
def hypot(x: Array, y: Array) -> Array:
    """√(x² + y²)"""
    return np.hypot(x, y)


@op(ELEMENTWISE, ufunc=np.sinh, onnx="Sinh")
def sinh(x: Array) -> Array:
    """(eˣ − e⁻ˣ) / 2"""
    return np.sinh(x)


@op(ELEMENTWISE, ufunc=np.cosh, onnx="Cosh")
def cosh(x: Array) -> Array:
    """(eˣ + e⁻ˣ) / 2"""
    return np.cosh(x)


@op(ELEMENTWISE, ufunc=np.tanh, onnx="Tanh")
def tanh(x: Array) -> Array:
    """(eˣ − e⁻ˣ) / (eˣ + e⁻ˣ)"""
    return np.tanh(x)


@op(ELEMENTWISE)
def tanh_slope(u: Array, y: Array) -> Array:
    """u (1 − y²), the derivative of y = tanh x times u; with one temporary, where the formula as it stands has two"""
    out = np.asarray(y * y)
    np.subtract(1, out, out=out)
    return np.multiply(out, u, out if out.shape == np.shape(u) else None)


@op(ELEMENTWISE, ufunc=np.arcsinh, onnx="Asinh")
def asinh(x: Array) -> Array:
    """The inverse of sinh"""
    return np.arcsinh(x)


@op(ELEMENTWISE, ufunc=np.arccosh, onnx="Acosh")
def acosh(x: Array) -> Array:
    """The inverse of cosh"""
    return np.arccosh(x)


@op(ELEMENTWISE, ufunc=np.arctanh, onnx="Atanh")
def atanh(x: Array) -> Array:
    """The inverse of tanh"""
    return np.arctanh(x)


derive(sin, x=lambda g, x: g * cos(x))
derive(cos, x=lambda g, x: -(g * sin(x)))
derive(tan, x=lambda g, out: g * (1 + out * out))
derive(asin, x=lambda g, x: g / sqrt(1 - x * x))
derive(acos, x=lambda g, x: -(g / sqrt(1 - x * x)))
derive(atan, x=lambda g, x: g / (1 + x * x))
derive(atan2, x=lambda g, x, y: g * y / (x * x + y * y), y=lambda g, x, y: -(g * x / (x * x + y * y)))
derive(hypot, x=lambda g, x, out: g * x / out, y=lambda g, y, out: g * y / out)
derive(sinh, x=lambda g, x: g * cosh(x))
derive(cosh, x=lambda g, x: g * sinh(x))
derive(tanh, x=lambda g, out: tanh_slope(g, out))
derive(tanh_slope, u=lambda g, y: tanh_slope(g, y), y=lambda g, u, y: g * u * (-2 * y))
derive(asinh, x=lambda g, x: g / sqrt(x * x + 1))
derive(acosh, x=lambda g, x: g / sqrt(x * x - 1))
derive(atanh, x=lambda g, x: g / (1 - x * x))

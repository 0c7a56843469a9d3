"""Elementwise ops with their rules: arithmetic, powers, logarithms, rounding, selection.

Called as functions of `byhand`, as methods and operators of `Tensor`, and by the rules of other ops. Each formula is
its kernel's one line; `g` is the incoming gradient. Operands broadcast; the engine sums gradients back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

import numpy as np

from byhand.core import engine, promotion
from byhand.core.capture import refuse
from byhand.core.op import ELEMENTWISE, derive, op
from byhand.core.recorder import wrap
from byhand.core.variable import Array

if TYPE_CHECKING:
    from byhand.tensor import Tensor

# arithmetic


@op(ELEMENTWISE, ufunc=np.add, onnx="Add")
def add(x: Array, y: Array) -> Array:
    """x + y"""
    return x + y


@op(ELEMENTWISE, ufunc=np.subtract, onnx="Sub")
def sub(x: Array, y: Array) -> Array:
    """x − y"""
    return x - y


@op(ELEMENTWISE, ufunc=np.multiply, onnx="Mul")
def mul(x: Array, y: Array) -> Array:
    """x · y"""
    return x * y


@op(ELEMENTWISE, ufunc=np.true_divide, onnx="Div")
def true_divide(x: Array, y: Array) -> Array:
    """x / y"""
    return x / y


@op(ELEMENTWISE, ufunc=np.negative, onnx="Neg")
def neg(x: Array) -> Array:
    """−x"""
    return -x


@op(ELEMENTWISE, ufunc=np.power, onnx="Pow")
def pow(x: Array, y: Array) -> Array:
    """xʸ"""
    return x**y


@op(ELEMENTWISE, ufunc=np.square)
def square(x: Array) -> Array:
    """x²"""
    return x * x


@op(ELEMENTWISE, ufunc=np.sqrt, onnx="Sqrt")
def sqrt(x: Array) -> Array:
    """√x"""
    return np.sqrt(x)


@op(ELEMENTWISE)
def rsqrt(x: Array) -> Array:
    """1 / √x"""
    return 1 / np.sqrt(x)


@op(ELEMENTWISE, onnx="Reciprocal")
def reciprocal(x: Array) -> Array:
    """1 / x"""
    return 1 / x


@op(ELEMENTWISE, ufunc=np.absolute, onnx="Abs")
def abs(x: Array) -> Array:
    """|x|, with derivative 0 at 0"""
    return np.abs(x)


@op(ELEMENTWISE, ufunc=np.sign, onnx="Sign")
def sign(x: Array) -> Array:
    """−1, 0 or 1"""
    return np.sign(x)


@op(ELEMENTWISE, onnx="Cast")
def cast(x: Array, *, dtype: Any) -> Array:
    """x in another dtype"""
    return x.astype(dtype)


@op(ELEMENTWISE)
def clone(x: Array) -> Array:
    """A copy of x"""
    return x.copy(order="K")


promotion.cast = cast


def _abs_rule(g: Any, x: Any) -> Any:
    """g · sign x; of complex x g · x̄ / |x|, and 0 at 0."""
    if x.dtype.kind != "c":
        return g * sign(x)
    size = abs(x)
    return g * engine.conj(x) / select(size == 0, 1, size)


derive(add, x=lambda g: g, y=lambda g: g)
derive(sub, x=lambda g: g, y=lambda g: -g)
derive(mul, x=lambda g, y: g * y, y=lambda g, x: g * x)
derive(true_divide, x=lambda g, y: g / y, y=lambda g, y, out: -(g * out / y))
derive(neg, x=lambda g: -g)
derive(pow, x=lambda g, x, y: g * power_slope(x, y), y=lambda g, x, out: g * out * base_log(x))
derive(square, x=lambda g, x: g * (2 * x))
derive(sqrt, x=lambda g, out: g * 0.5 / out)
derive(rsqrt, x=lambda g, out: g * (-0.5 * out * out * out))
derive(reciprocal, x=lambda g, out: -(g * out * out))
derive(abs, x=_abs_rule)
derive(sign, x=lambda g: g * 0)
derive(cast, x=lambda g: g)
derive(clone, x=lambda g: g)


def power_slope(x: Any, y: Any) -> Any:
    """y · xʸ⁻¹, and 0 where y is 0 (there 0 · 0⁻¹ would be NaN)."""
    if isinstance(y, (int, float)):
        return y * x ** (y - 1) if y else 0 * x
    return where(y == 0, 0, y * where((x == 0) & (y == 0), 1, x) ** (y - 1))


def base_log(x: Any) -> Any:
    """ln x, and 0 where x is 0 (there 0ʸ · ln 0 would be NaN)."""
    if isinstance(x, (int, float)):
        return float(np.log(x)) if x else 0.0  # a Python number, so that float32 stays float32
    return log(where(x == 0, 1, x))


# exponentials and logarithms


@op(ELEMENTWISE, ufunc=np.exp, onnx="Exp")
def exp(x: Array) -> Array:
    """eˣ"""
    return np.exp(x)


@op(ELEMENTWISE, ufunc=np.exp2)
def exp2(x: Array) -> Array:
    """2ˣ"""
    return np.exp2(x)


@op(ELEMENTWISE, ufunc=np.expm1)
def expm1(x: Array) -> Array:
    """eˣ − 1, exact near 0"""
    return np.expm1(x)


@op(ELEMENTWISE, ufunc=np.log, onnx="Log")
def log(x: Array) -> Array:
    """ln x"""
    return np.log(x)


@op(ELEMENTWISE, ufunc=np.log2)
def log2(x: Array) -> Array:
    """log₂ x"""
    return np.log2(x)


@op(ELEMENTWISE, ufunc=np.log10)
def log10(x: Array) -> Array:
    """log₁₀ x"""
    return np.log10(x)


@op(ELEMENTWISE, ufunc=np.log1p)
def log1p(x: Array) -> Array:
    """ln(1 + x), exact near 0"""
    return np.log1p(x)


@op(ELEMENTWISE, ufunc=np.logaddexp)
def logaddexp(x: Array, y: Array) -> Array:
    """ln(eˣ + eʸ)"""
    return np.logaddexp(x, y)


@op(ELEMENTWISE)
def xlogy(x: Array, y: Array) -> Array:
    """x · ln y, and 0 where x is 0"""
    return x * np.log(np.where(x == 0, 1, y))


derive(exp, x=lambda g, out: g * out)
derive(exp2, x=lambda g, out: g * (out * np.log(2).item()))
derive(expm1, x=lambda g, out: g * (out + 1))
derive(log, x=lambda g, x: g / x)
derive(log2, x=lambda g, x: g / (x * np.log(2).item()))
derive(log10, x=lambda g, x: g / (x * np.log(10).item()))
derive(log1p, x=lambda g, x: g / (x + 1))
derive(logaddexp, x=lambda g, x, out: g * exp(x - out), y=lambda g, y, out: g * exp(y - out))
derive(xlogy, x=lambda g, x, y: g * log(where((x == 0) & (y <= 0), 1, y)), y=lambda g, x, y: g * x / y)

# rounding


@op(ELEMENTWISE, ufunc=np.floor, onnx="Floor")
def floor(x: Array) -> Array:
    """The largest integer not above x"""
    return np.floor(x)


@op(ELEMENTWISE, ufunc=np.ceil, onnx="Ceil")
def ceil(x: Array) -> Array:
    """The smallest integer not below x"""
    return np.ceil(x)


@op(ELEMENTWISE, ufunc=np.trunc)
def trunc(x: Array) -> Array:
    """The integer part of x"""
    return np.trunc(x)


@op(ELEMENTWISE, name="round", onnx="Round")
def rounded(x: Array, *, decimals: int) -> Array:
    """x rounded to `decimals` digits, halves to even"""
    return np.round(x, decimals)


def round(x: Any, *, decimals: int = 0) -> Tensor:
    """Round to `decimals` digits, halves to even."""
    return rounded(x, decimals=decimals)


@op(ELEMENTWISE, ufunc=np.floor_divide)
def floor_divide(x: Array, y: Array) -> Array:
    """⌊x / y⌋"""
    return x // y


@op(ELEMENTWISE, ufunc=np.remainder, onnx="Mod")
def remainder(x: Array, y: Array) -> Array:
    """x − y ⌊x / y⌋, with the sign of y"""
    return x % y


@op(ELEMENTWISE, ufunc=np.fmod)
def fmod(x: Array, y: Array) -> Array:
    """x − y · trunc(x / y), with the sign of x"""
    return np.fmod(x, y)


for step in (floor, ceil, trunc, rounded):
    derive(step, x=lambda g: g * 0)
derive(floor_divide, x=lambda g: g * 0, y=lambda g: g * 0)
derive(remainder, x=lambda g: g, y=lambda g, x, y: -(g * floor(x / y)))
derive(fmod, x=lambda g: g, y=lambda g, x, y: -(g * trunc(x / y)))


def deg2rad(x: Any) -> Tensor:
    """x π / 180"""
    return mul(x, np.pi / 180)


def rad2deg(x: Any) -> Tensor:
    """x 180 / π"""
    return mul(x, 180 / np.pi)


def logit(x: Any, eps: float | None = None) -> Tensor:
    """ln(x / (1 − x)), with x kept within [eps, 1 − eps] if that is given"""
    x = x if eps is None else clamp(x, eps, 1 - eps)
    return log(x / (1 - x))


def frac(x: Any) -> Tensor:
    """x − trunc x"""
    return x - trunc(x)


# selection


@op(ELEMENTWISE, ufunc=np.maximum, onnx="Max")
def maximum(x: Array, y: Array) -> Array:
    """The larger of x and y; where they are equal the gradient is shared"""
    return np.maximum(x, y)


@op(ELEMENTWISE, ufunc=np.minimum, onnx="Min")
def minimum(x: Array, y: Array) -> Array:
    """The smaller of x and y; where they are equal the gradient is shared"""
    return np.minimum(x, y)


@op(ELEMENTWISE, name="where", onnx="Where")
def select(condition: Array, x: Array, y: Array) -> Array:
    """x where the condition holds, else y"""
    return np.where(condition, x, y)


@overload
def where(condition: Any) -> tuple[Any, ...]: ...
@overload
def where(condition: Any, x: Any, y: Any) -> Tensor: ...
def where(condition: Any, x: Any = None, y: Any = None) -> Any:
    """x where the condition holds, else y; with the condition alone, the indices where it holds (as `nonzero`).

    >>> import byhand
    >>> byhand.where(byhand.tensor([True, False]), byhand.ones(2), 0.0)
    tensor([1., 0.])
    """
    if x is None and y is None:
        refuse("as large as the condition says; use where(condition, x, y)", "the result of where(condition)")
        found = np.nonzero(np.asarray(getattr(condition, "array", condition)))
        return tuple(wrap(i) for i in found) if hasattr(condition, "array") else found
    return select(condition, x, y)


@op(ELEMENTWISE, name="clamp", onnx="Clip")
def clip(x: Array, *, low: float | None, high: float | None) -> Array:
    """x kept within [low, high]"""
    return np.clip(x, low, high)


@op(ELEMENTWISE)
def within(x: Array, *, low: float | None, high: float | None) -> Array:
    """Whether low ≤ x ≤ high; None is no bound"""
    return (x >= (-np.inf if low is None else low)) & (x <= (np.inf if high is None else high))


def clamp(x: Any, min: Any = None, max: Any = None) -> Tensor:
    """min(max(x, low), high); the gradient passes where x lies within the bounds, which may be tensors.

    >>> import byhand
    >>> byhand.clamp(byhand.tensor([-2.0, 0.5, 9.0]), 0, 1)
    tensor([0.0000, 0.5000, 1.0000])
    """
    from byhand.core.errors import UsageError

    if min is None and max is None:
        raise UsageError("clamp needs min, max or both")
    if hasattr(min, "shape") or hasattr(max, "shape"):
        x = x if min is None else select(x < min, min, x)
        return x if max is None else select(x > max, max, x)
    return clip(x, low=min, high=max)


derive(maximum, x=lambda g, x, y: share(g, x, y, x > y), y=lambda g, x, y: share(g, x, y, x < y))
derive(minimum, x=lambda g, x, y: share(g, x, y, x < y), y=lambda g, x, y: share(g, x, y, x > y))
derive(select, x=lambda g, condition: select(condition, g, 0), y=lambda g, condition: select(condition, 0, g))
derive(clip, x=lambda g, x, low, high: g * within(x, low=low, high=high))


def share(g: Any, x: Any, y: Any, wins: Any) -> Any:
    """g where this operand wins, half of it in a tie."""
    return select(x == y, 0.5 * g, select(wins, g, 0))


def clamp_min(x: Any, min: Any) -> Tensor:
    """max(x, min)"""
    return clamp(x, min=min)


def clamp_max(x: Any, max: Any) -> Tensor:
    """min(x, max)"""
    return clamp(x, max=max)


def nan_to_num(x: Any, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Tensor:
    """x with NaN and infinities replaced; by the largest finite numbers unless told otherwise."""
    if x.dtype.kind != "f":
        return clone(x)
    limits = np.finfo(x.dtype)
    x = select(x != x, nan, x)
    x = select(x == np.inf, float(limits.max) if posinf is None else posinf, x)
    return select(x == -np.inf, float(limits.min) if neginf is None else neginf, x)

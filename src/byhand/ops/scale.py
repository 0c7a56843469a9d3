"""Sums and quotients with PyTorch's extra arguments: `alpha`, `value`, `rounding_mode`, `weight`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from byhand.core.errors import UsageError
from byhand.ops import elementwise as e
from byhand.ops.axes import one
from byhand.ops.reduce import norm

if TYPE_CHECKING:
    from byhand.tensor import Tensor


def add(x: Any, other: Any, *, alpha: float = 1) -> Tensor:
    """x + alpha · other"""
    return e.add(x, other if alpha == 1 else alpha * other)


def sub(x: Any, other: Any, *, alpha: float = 1) -> Tensor:
    """x − alpha · other"""
    return e.sub(x, other if alpha == 1 else alpha * other)


def div(x: Any, other: Any, *, rounding_mode: str | None = None) -> Tensor:
    """x / other, rounded towards zero ("trunc") or down ("floor") if wanted"""
    if rounding_mode is None:
        return e.true_divide(x, other)
    if rounding_mode == "floor":
        return e.floor_divide(x, other)
    if rounding_mode == "trunc":
        if all(v.dtype.kind in "iub" if hasattr(v, "dtype") else isinstance(v, int) for v in (x, other)):
            return e.floor_divide(x - e.fmod(x, other), other)
        return e.trunc(e.true_divide(x, other))
    raise UsageError(f"div: rounding_mode is None, 'floor' or 'trunc', not {rounding_mode!r}")


def renorm(x: Any, p: float, dim: int, maxnorm: float) -> Tensor:
    """x with the slices along an axis shrunk whose p-norm exceeds maxnorm, to that norm."""
    axis = one(dim, x.ndim, "renorm")
    length = norm(x, p, tuple(i for i in range(x.ndim) if i != axis), True)
    return x * e.select(length > maxnorm, maxnorm / (length + 1e-7), 1)


def addcmul(x: Any, tensor1: Any, tensor2: Any, *, value: float = 1) -> Tensor:
    """x + value · tensor1 · tensor2"""
    return x + (tensor1 * tensor2 if value == 1 else value * tensor1 * tensor2)


def addcdiv(x: Any, tensor1: Any, tensor2: Any, *, value: float = 1) -> Tensor:
    """x + value · tensor1 / tensor2"""
    return x + (tensor1 / tensor2 if value == 1 else value * tensor1 / tensor2)


def lerp(start: Any, end: Any, weight: Any) -> Tensor:
    """start + weight · (end − start)"""
    return start + weight * (end - start)

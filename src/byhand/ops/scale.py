"""Sums and quotients with PyTorch's extra arguments: `alpha`, `value`, `rounding_mode`, `weight`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from byhand.core.errors import UsageError
from byhand.ops import elementwise as e

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
        return e.trunc(e.true_divide(x, other))
    raise UsageError(f"div: rounding_mode is None, 'floor' or 'trunc', not {rounding_mode!r}")


def addcmul(x: Any, tensor1: Any, tensor2: Any, *, value: float = 1) -> Tensor:
    """x + value · tensor1 · tensor2"""
    return x + (tensor1 * tensor2 if value == 1 else value * tensor1 * tensor2)


def addcdiv(x: Any, tensor1: Any, tensor2: Any, *, value: float = 1) -> Tensor:
    """x + value · tensor1 / tensor2"""
    return x + (tensor1 / tensor2 if value == 1 else value * tensor1 / tensor2)


def lerp(start: Any, end: Any, weight: Any) -> Tensor:
    """start + weight · (end − start)"""
    return start + weight * (end - start)

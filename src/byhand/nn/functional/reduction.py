"""What all losses share: reductions, and checks that input and target fit. Called by the losses beside it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from byhand.core.errors import ShapeError, UsageError
from byhand.ops import elementwise as e
from byhand.ops.reduce import mean_over, sum_over

REDUCTIONS: tuple[str, ...] = ("mean", "sum", "none")


def chosen(
    reduction: str, size_average: bool | None, reduce: bool | None, allowed: tuple[str, ...] = REDUCTIONS
) -> str:
    """The reduction that is meant, also by PyTorch's older arguments; raises UsageError for an unknown one."""
    if size_average is not None or reduce is not None:
        if reduce is False:
            return "none"
        return "sum" if size_average is False else "mean"
    if reduction not in allowed:
        names = ", ".join(repr(name) for name in allowed)
        raise UsageError(f"reduction is one of {names}, not {reduction!r}")
    return reduction


def reduced(values: Any, reduction: str, name: str) -> Any:
    """The mean or sum of all values, or the values themselves."""
    if reduction == "none":
        return values
    shape = values.shape
    axes = tuple(range(len(shape)))
    if reduction == "sum":
        return sum_over(values, axis=axes, keepdims=False)
    if reduction != "mean":
        chosen(reduction, None, None)
    size = math.prod(shape)
    if not size:
        raise ShapeError(f"{name}: there is no value to average in shape {shape}; is the batch empty?")
    return mean_over(values, axis=axes, keepdims=False, size=size)


def weighed(values: Any, weight: Any, reduction: str, name: str) -> Any:
    """`reduced` after each value is multiplied with its weight; the mean is divided by the sum of the weights."""
    if weight is None:
        return reduced(values, reduction, name)
    if weight.shape != values.shape:
        raise ShapeError(f"{name}: weight has shape {weight.shape}; expected that of the input, {values.shape}")
    if reduction == "mean":
        return (values * weight).sum() / weight.sum()
    return reduced(values * weight, reduction, name)


def paired(input: Any, target: Any, name: str) -> Any:
    """The target, in the dtype of the input if it holds integers; raises ShapeError unless the shapes are equal.

    Broadcasting (N,) against (N, 1) would make N² values, and a loss that looks well but means nothing.
    """
    if input.shape != target.shape:
        raise ShapeError(_misfit(input.shape, target.shape, name))
    if target.dtype.kind != "f" and input.dtype.kind == "f":
        return e.cast(target, dtype=input.dtype)
    return target


def _misfit(a: tuple[int, ...], b: tuple[int, ...], name: str) -> str:
    message = f"{name}: input has shape {a} and target {b}"
    try:
        both = np.broadcast_shapes(a, b)
        message += f", which would broadcast to {both}; make them equal"
    except ValueError:
        return f"{message}; expected equal shapes"
    if a == (*b, 1):
        return f"{message}: input.squeeze(-1) or target.unsqueeze(-1)"
    if b == (*a, 1):
        return f"{message}: target.squeeze(-1) or input.unsqueeze(-1)"
    if both == a:
        return f"{message}: target.expand_as(input)"
    return message

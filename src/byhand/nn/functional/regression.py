"""Losses of regression, value by value. Called by `nn.loss` and by users. Shapes must be equal: nothing broadcasts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from byhand.core.capture import insist, values
from byhand.core.errors import DomainError, ShapeError, UsageError
from byhand.nn.functional.reduction import chosen, paired, reduced, weighed
from byhand.ops import elementwise as e
from byhand.ops.loss import huber_of
from byhand.ops.views import reshaped
from byhand.tensor import Tensor


def mse_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Any:
    """(x − t)², averaged unless told otherwise; with a weight the mean is divided by its sum.

    Raises ShapeError unless input and target have the same shape.
    """
    target = paired(input, target, "mse_loss")
    return weighed(e.square(input - target), weight, chosen(reduction, size_average, reduce), "mse_loss")


def l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Any:
    """|x − t|, averaged unless told otherwise; with a weight the mean is divided by its sum."""
    target = paired(input, target, "l1_loss")
    return weighed(e.abs(input - target), weight, chosen(reduction, size_average, reduce), "l1_loss")


def huber_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0, weight: Tensor | None = None
) -> Any:
    """d² / 2 where d = |x − t| ≤ δ, else δ (d − δ/2). Huber, Robust estimation of a location parameter, 1964."""
    target = paired(input, target, "huber_loss")
    if not delta > 0:
        raise UsageError(f"huber_loss: delta must be positive, got {delta}")
    losses = huber_of(input - target, delta=delta)
    if weight is not None:  # unlike mse_loss and l1_loss, PyTorch does not divide by the sum of the weights here
        losses = weighed(losses, weight, "none", "huber_loss")
    return reduced(losses, chosen(reduction, None, None), "huber_loss")


def smooth_l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Any:
    """d² / 2β where d = |x − t| < β, else d − β/2: `huber_loss` / β. Girshick, Fast R-CNN, 2015."""
    target = paired(input, target, "smooth_l1_loss")
    if beta < 0:
        raise UsageError(f"smooth_l1_loss: beta is not negative, got {beta}")
    away = input - target
    losses = e.abs(away) if beta == 0 else huber_of(away, delta=beta) / beta
    return reduced(losses, chosen(reduction, size_average, reduce), "smooth_l1_loss")


def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    size_average: bool | None = None,
    eps: float = 1e-8,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """eˣ − t x for counts t and the logarithm x of their rate, or x − t ln(x + ε) for the rate itself.

    `full` adds Stirling's approximation of ln t! where t > 1: t ln t − t + ln(2πt) / 2.
    """
    target = paired(input, target, "poisson_nll_loss")
    losses = e.exp(input) - target * input if log_input else input - target * e.log(input + eps)
    if full:
        large = e.select(target > 1, target, 1)
        stirling = large * e.log(large) - large + 0.5 * e.log(2 * math.pi * large)
        losses = losses + e.select(target > 1, stirling, 0)
    return reduced(losses, chosen(reduction, size_average, reduce), "poisson_nll_loss")


def gaussian_nll_loss(
    input: Tensor,
    target: Tensor,
    var: Tensor | float,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Any:
    """(ln v + (x − t)² / v) / 2 with v = max(var, ε), whose gradient passes the bound; `full` adds ln(2π) / 2.

    var has the shape of input, or that shape with one axis 1 or its last axis missing, or is a number.
    Nix & Weigend, Estimating the mean and variance of the target probability distribution, 1994.
    """
    target = paired(input, target, "gaussian_nll_loss")
    variance = _variance(input, var)
    now = values(variance)
    if 0 not in now.shape:
        low = now.min()
        insist(~(low >= 0), _negative, low)
    variance = variance + e.maximum(eps - now, 0)
    losses = 0.5 * (e.log(variance) + e.square(input - target) / variance)
    if full:
        losses = losses + 0.5 * math.log(2 * math.pi)
    return reduced(losses, chosen(reduction, None, None), "gaussian_nll_loss")


def _negative(low: Any) -> DomainError:
    return DomainError(f"gaussian_nll_loss: var must not be negative, the smallest here is {low:.4g}")


def _variance(input: Any, var: Any) -> Any:
    """The variance in a shape that broadcasts along one axis at most."""
    if not hasattr(var, "shape"):
        return np.full(input.shape, var, input.dtype)
    shape = input.shape
    if len(var.shape) == len(shape):
        other = [n for n, wanted in zip(var.shape, shape, strict=True) if n != wanted]
        if other in ([], [1]):
            return var
    if shape and var.shape == shape[:-1]:
        return reshaped(var, shape=(*var.shape, 1))
    raise ShapeError(
        f"gaussian_nll_loss: var has shape {var.shape}; expected that of the input, {shape}, or with one axis 1"
    )

"""Clipping gradients between `backward()` and `step()`. Called by training loops and by `byhand.train`."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from byhand.core.errors import DomainError, UsageError
from byhand.core.tape import no_grad
from byhand.tensor import Tensor

Tensors = Tensor | Iterable[Tensor]
Array = np.ndarray[Any, np.dtype[Any]]


def get_total_norm(
    tensors: Tensors, norm_type: float = 2.0, error_if_nonfinite: bool = False, foreach: bool | None = None
) -> Tensor:
    """The p-norm of all values of some tensors, as if they were one vector: (Σ |x|ᵖ)^(1/p), shape ().

    norm_type           p; `inf` for the largest magnitude, 0 for how many tensors are not all zero
    error_if_nonfinite  whether an infinite or undefined norm raises `DomainError`
    foreach             PyTorch's choice of kernel; here it changes nothing

    >>> import byhand
    >>> from byhand.nn.utils import get_total_norm
    >>> get_total_norm([byhand.tensor([3.0]), byhand.tensor([4.0])]).item()
    5.0
    """
    arrays = [t.array for t in _several(tensors)]
    if not arrays:
        return Tensor(np.zeros((), np.float32))
    total = _total(arrays, float(norm_type))
    if error_if_nonfinite and not math.isfinite(total):
        raise DomainError(
            f"the total norm of order {norm_type} is {total}: some gradient is not finite; look for a loss that "
            "overflows, lower the learning rate, or pass error_if_nonfinite=False"
        )
    return Tensor(np.array(total, np.result_type(*arrays)))


def clip_grads_with_norm_(
    parameters: Tensors, max_norm: float, total_norm: Tensor, foreach: bool | None = None
) -> None:
    """Scale the gradients in place by max_norm / (total_norm + 1e-6) where that is less than 1."""
    scale = float(max_norm) / (total_norm.item() + 1e-6)
    if scale >= 1:
        return
    with no_grad(), np.errstate(invalid="ignore"):  # a norm of inf or nan makes the gradients nan: PyTorch's choice
        for grad in _grads(parameters):
            grad.mul_(scale)


def clip_grad_norm_(
    parameters: Tensors,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scale all gradients in place so that together they are no longer than `max_norm`; return their norm before.

    parameters  a tensor or some tensors; those without a gradient are passed over
    max_norm    the longest that the gradient may be
    norm_type, error_if_nonfinite, foreach   as in `get_total_norm`

    Pascanu, Mikolov & Bengio, On the difficulty of training recurrent neural networks, 2013.
    """
    parameters = _several(parameters)
    total = get_total_norm(_grads(parameters), norm_type, error_if_nonfinite)
    clip_grads_with_norm_(parameters, max_norm, total)
    return total


def clip_grad_value_(parameters: Tensors, clip_value: float, foreach: bool | None = None) -> None:
    """Bring each value of the gradients, in place, into [-clip_value, clip_value]."""
    bound = float(clip_value)
    with no_grad():
        for grad in _grads(parameters):
            grad.clamp_(-bound, bound)


def _several(tensors: Tensors) -> list[Tensor]:
    return [tensors] if isinstance(tensors, Tensor) else list(tensors)


def _grads(parameters: Tensors) -> list[Tensor]:
    return [p.grad for p in _several(parameters) if p.grad is not None]


def _total(arrays: list[Array], p: float) -> float:
    if p == 2:
        with np.errstate(over="ignore", invalid="ignore"):
            squares = sum([_square(a) for a in arrays])
        return math.sqrt(squares) if squares == squares else math.nan
    if p == math.inf:
        return max([float(np.abs(a).max(initial=0)) for a in arrays], key=lambda x: (math.isnan(x), x))
    if p == 0:
        return float(sum(bool(np.any(a)) for a in arrays))
    if p < 0 or math.isnan(p):
        raise UsageError(f"norm_type is 0, positive or inf, got {p}")
    return float(sum([(np.abs(a, dtype=np.float64) ** p).sum() for a in arrays]) ** (1 / p))


def _square(array: Array) -> float:
    """Σ x², by the BLAS; in float64 where that overflows."""
    flat = array.ravel(order="K")
    square = float(np.vdot(flat, flat))
    if math.isinf(square) and flat.dtype != np.float64:
        wide = flat.astype(np.float64)
        square = float(np.vdot(wide, wide))
    return square

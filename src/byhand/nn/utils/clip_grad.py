"""Clipping gradients between `backward()` and `step()`. Called by training loops and by `byhand.train`."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np

from byhand.core.capture import insist, slot, values
from byhand.core.errors import DomainError, UsageError
from byhand.core.tape import no_grad
from byhand.ops import elementwise as e
from byhand.ops.compare import isfinite
from byhand.ops.linalg import sum_of_squares
from byhand.ops.reduce import any_over, max_over, sum_over
from byhand.tensor import Tensor

Tensors = Tensor | Iterable[Tensor]


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
    several = _several(tensors)
    if not several:
        return Tensor(np.zeros((), np.float32))
    with np.errstate(over="ignore", invalid="ignore"):
        total = _total([values(t) for t in several], float(norm_type))
    if error_if_nonfinite:
        insist(~isfinite(total), lambda total: _not_finite(total, norm_type), total)
    norm: Any = e.cast(total, dtype=np.result_type(*[t.dtype for t in several]))
    return norm if isinstance(norm, Tensor) else Tensor(np.asarray(norm))


def clip_grads_with_norm_(
    parameters: Tensors, max_norm: float, total_norm: Tensor, foreach: bool | None = None
) -> None:
    """Scale the gradients in place by max_norm / (total_norm + 1e-6) where that is less than 1."""
    if slot.tracer is not None:
        _scaled(parameters, max_norm, total_norm)
        return
    scale = float(max_norm) / (total_norm.item() + 1e-6)
    if scale >= 1:
        return
    with no_grad(), np.errstate(invalid="ignore"):  # a norm of inf or nan makes the gradients nan: PyTorch's choice
        for grad in _grads(parameters):
            grad.mul_(scale)


def _scaled(parameters: Tensors, max_norm: Any, total_norm: Tensor) -> None:
    """The same without a look at the norm: where nothing is to be done, gradients are multiplied by 1."""
    with no_grad(), np.errstate(invalid="ignore"):
        scale = e.minimum(max_norm / (total_norm.double() + 1e-6), 1.0)
        cast: dict[Any, Tensor] = {}
        for grad in _grads(parameters):
            if grad.dtype not in cast:
                cast[grad.dtype] = scale.to(grad.dtype)
            grad.mul_(cast[grad.dtype])


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


def clip_grad_norm(*args: Any, **kwargs: Any) -> Any:
    """PyTorch's name of before 0.4 for `clip_grad_norm_`."""
    warnings.warn("nn.utils.clip_grad_norm is called clip_grad_norm_ now", FutureWarning, stacklevel=2)
    return clip_grad_norm_(*args, **kwargs)


def clip_grad_value_(parameters: Tensors, clip_value: float, foreach: bool | None = None) -> None:
    """Bring each value of the gradients, in place, into [-clip_value, clip_value]."""
    bound = clip_value if slot.tracer is not None else float(clip_value)
    with no_grad():
        for grad in _grads(parameters):
            grad.clamp_(-bound, bound)


def _several(tensors: Tensors) -> list[Tensor]:
    return [tensors] if isinstance(tensors, Tensor) else list(tensors)


def _grads(parameters: Tensors) -> list[Tensor]:
    return [p.grad for p in _several(parameters) if p.grad is not None]


def _total(xs: list[Any], p: float) -> Any:
    """The norm of all values of arrays, or of tensors while a step is captured; in float64."""
    if p == 2:
        return e.sqrt(sum(map(sum_of_squares, xs)))
    if p == math.inf:
        largest: Any = np.float64(0)
        for x in xs:
            if 0 not in x.shape:
                largest = e.maximum(largest, max_over(e.abs(x), axis=_axes(x), keepdims=False))
        return largest
    if p == 0:
        return sum(e.cast(any_over(x, axis=_axes(x), keepdims=False), dtype=np.float64) for x in xs)
    if not p > 0:
        raise UsageError(f"norm_type is 0, positive or inf, got {p}")
    powers = [e.pow(e.abs(e.cast(x, dtype=np.float64)), p) for x in xs]
    return e.pow(sum(sum_over(power, axis=_axes(power), keepdims=False) for power in powers), 1 / p)


def _axes(x: Any) -> tuple[int, ...]:
    return tuple(range(len(x.shape)))


def _not_finite(total: Any, norm_type: float) -> DomainError:
    return DomainError(
        f"the total norm of order {norm_type} is {total}: some gradient is not finite; look for a loss that overflows, "
        "lower the learning rate, or pass error_if_nonfinite=False"
    )

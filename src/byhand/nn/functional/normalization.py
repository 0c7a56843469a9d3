"""Batch normalisation and layer normalisation. Called by `nn.normalization` and by users."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from byhand.core.capture import values
from byhand.core.errors import ShapeError, UsageError
from byhand.core.mutation import touch
from byhand.ops import elementwise as e
from byhand.ops.normalization import normalized, statistics
from byhand.ops.views import reshaped
from byhand.tensor import Tensor


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float | Tensor = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """(x − mean) / √(variance + ε) · weight + bias, for each channel: input (N, C, …), all else (C).

    While training, mean and variance are those of the batch, and the running ones move towards them:
    running ← (1 − momentum) · running + momentum · batch (whose variance is divided by n − 1 for this). Otherwise the
    running ones are used. Ioffe & Szegedy, Batch normalization, 2015.
    """
    shape = input.shape
    channels = shape[1] if len(shape) > 1 else None
    for given in (running_mean, running_var, weight, bias):
        if channels is None or (given is not None and given.array.shape != (channels,)):
            other = "" if given is None else f" and one of the statistics or parameters {given.shape}"
            raise ShapeError(f"batch_norm: the input has shape {shape}{other}; expected (N, C, …) and (C)")
    if len(shape) > 2:
        tail = (1,) * (len(shape) - 2)
        weight, bias = (None if t is None else reshaped(t, shape=(*t.shape, *tail)) for t in (weight, bias))
    if not training:
        return _by_running(input, running_mean, running_var, weight, bias, eps)
    axes = (0, *range(2, len(shape)))
    count = math.prod([shape[i] for i in axes])
    if count <= 1:
        raise ShapeError(
            f"batch_norm: an input of shape {shape} has {count} value(s) per channel, of which no variance can be "
            "learned; use larger batches (drop_last=True), or model.eval() to predict"
        )
    center, variance, rate = statistics(values(input), axes, eps)
    if running_mean is not None:
        _move(running_mean, center, momentum)
    if running_var is not None:
        _move(running_var, variance * (count / (count - 1)), momentum)
    return normalized(input, weight, bias, center, rate, axes=axes, eps=eps)


def _move(running: Tensor, batch: Any, momentum: Any) -> None:
    """running ← (1 − momentum) · running + momentum · batch, in place."""
    if isinstance(batch, Tensor):  # while a step is captured
        rest = 1 - momentum
        if isinstance(momentum, Tensor):  # a float64 (), which rounds like a Python number once it is cast
            momentum, rest = (e.cast(x, dtype=running.dtype) for x in (momentum, rest))
        running.mul_(rest).add_(batch.reshape(-1) * momentum)
        return
    if isinstance(momentum, Tensor):
        momentum = momentum.item()
    array = running.array
    array *= 1 - momentum
    array += momentum * batch.reshape(-1)
    touch(array, "batch_norm")


def _by_running(
    input: Tensor, mean: Tensor | None, var: Tensor | None, weight: Tensor | None, bias: Tensor | None, eps: float
) -> Tensor:
    if mean is None or var is None:
        raise UsageError("batch_norm: without training, running_mean and running_var are needed")
    shape = (mean.array.size, *(1,) * (input.ndim - 2))
    rate = 1 / e.sqrt(values(var).reshape(shape) + eps)
    scale = rate if weight is None else weight * rate
    out = e.mul(e.sub(input, values(mean).reshape(shape)), scale)
    return out if bias is None else out + bias


def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """(x − mean) / √(variance + ε) · weight + bias, with mean and variance over the last axes of each sample.

    input (…, *normalized_shape), weight and bias of normalized_shape. Ba, Kiros & Hinton, Layer normalization, 2016.
    """
    wanted = tuple(normalized_shape)
    lead = len(input.shape) - len(wanted)
    if not wanted or lead < 0 or input.shape[lead:] != wanted:
        raise ShapeError(f"layer_norm: input has shape {input.shape}; expected its last axes to be {wanted}")
    for name, given in (("weight", weight), ("bias", bias)):
        if given is not None and given.array.shape != wanted:
            raise ShapeError(f"layer_norm: {name} has shape {given.shape}; expected {wanted}")
    axes = tuple(range(lead, len(input.shape)))
    center, _, rate = statistics(values(input), axes, eps)
    return normalized(input, weight, bias, center, rate, axes=axes, eps=eps)

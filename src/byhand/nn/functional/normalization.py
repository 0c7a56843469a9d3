"""Normalisation of batches, samples, groups and channels. Called by `nn.normalization` and by users."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from byhand.core.capture import values
from byhand.core.errors import ShapeError, UsageError
from byhand.core.mutation import touch
from byhand.ops import elementwise as e
from byhand.ops.normalization import normalized, ordered, root_mean_square, size_over, statistics
from byhand.ops.views import narrowed, padded, permuted, reshaped
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
    if 0 in shape:  # an empty batch teaches nothing, and passes
        return input * 1
    _check_channels("batch_norm", shape, running_mean, running_var, weight, bias)
    if not training:
        return _by_running("batch_norm", input, running_mean, running_var, weight, bias, eps)
    count = math.prod(shape[:1] + shape[2:])
    if count == 1:
        raise ShapeError(
            f"batch_norm: the input of shape {shape} has {count} value(s) per channel, of which no variance can be "
            "learned; use larger batches (drop_last=True), or model.eval() to predict"
        )
    if len(shape) > 2 and _channels_last(input.array):  # as rows of channels, with statistics by products
        rows = reshaped(permuted(input, axes=_orders(len(shape))[1]), shape=(count, shape[1]))
        out = _by_batch(rows, running_mean, running_var, weight, bias, (0,), momentum, eps)
        return permuted(
            reshaped(out, shape=(shape[0], *shape[2:], shape[1])), axes=(0, len(shape) - 1, *range(1, len(shape) - 1))
        )
    weight, bias = _along_channels(weight, len(shape)), _along_channels(bias, len(shape))
    axes = (0, *range(2, len(shape)))
    return _by_batch(input, running_mean, running_var, weight, bias, axes, momentum, eps)


def _check_channels(name: str, shape: tuple[int, ...], *given: Tensor | None) -> None:
    """Raise ShapeError unless all that is given has one value for each channel."""
    if len(shape) < 2:
        raise ShapeError(f"{name}: the input has shape {shape}; expected (N, C, …)")
    for value in given:
        if value is not None and value.array.shape != shape[1:2]:
            raise ShapeError(
                f"{name}: the input has shape {shape} and one of the statistics or parameters {value.shape}; "
                "expected (N, C, …) and (C)"
            )


def _orders(ndim: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The axes of (N, C, …) as they are, and with the channels last."""
    return tuple(range(ndim)), (0, *range(2, ndim), 1)


def _channels_last(array: Any) -> bool:
    """Whether the channels of one place lie side by side in memory: a view of (N, …, C)."""
    first, last = _orders(array.ndim)
    return _lies(array, last) and not _lies(array, first)


def _lies(array: Any, order: tuple[int, ...]) -> bool:
    """Whether the axes lie in memory in this order, without gaps."""
    step = array.itemsize
    for axis in reversed(order):
        if array.shape[axis] != 1 and array.strides[axis] != step:
            return False
        step *= array.shape[axis]
    return True


def _along_channels(x: Any, ndim: int) -> Any:
    """(C) such that it broadcasts against (N, C, …)."""
    if x is None or ndim == 2:
        return x
    return reshaped(x, shape=(x.shape[0], *(1,) * (ndim - 2)))


def _by_batch(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None,
    bias: Tensor | None,
    axes: tuple[int, ...],
    momentum: Any,
    eps: float,
) -> Tensor:
    """The input normalised by its own statistics over the axes; the running ones move."""
    count = size_over(input, axes)
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
    name: str,
    input: Tensor,
    mean: Tensor | None,
    var: Tensor | None,
    weight: Tensor | None,
    bias: Tensor | None,
    eps: float,
) -> Tensor:
    if mean is None or var is None:
        raise UsageError(
            f"{name}: where the input's own statistics are not used, running_mean and running_var are needed"
        )
    ndim = len(input.shape)
    rate = 1 / e.sqrt(_along_channels(values(var), ndim) + eps)
    scale = rate if weight is None else _along_channels(weight, ndim) * rate
    out = e.mul(e.sub(input, _along_channels(values(mean), ndim)), scale)
    return out if bias is None else out + _along_channels(bias, ndim)


def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """`batch_norm` of each sample by itself: input (N, C, d₁, …), mean and variance over d₁, …, all else (C).

    The running statistics move towards the mean of those of the samples. Ulyanov, Vedaldi & Lempitsky, Instance
    normalization, 2016.
    """
    shape = input.shape
    _check_channels("instance_norm", shape, running_mean, running_var, weight, bias)
    if not use_input_stats:
        return _by_running("instance_norm", input, running_mean, running_var, weight, bias, eps)
    count = math.prod(shape[2:])
    if count < 2:
        raise ShapeError(
            f"instance_norm got an input of shape {shape}: each channel of a sample needs more than one value, else "
            "the variance is 0"
        )
    x, axes = _compact(input), tuple(range(2, len(shape)))
    center, variance, rate = statistics(values(x), axes, eps)
    for running, batch in ((running_mean, center), (running_var, variance * (count / (count - 1)))):
        if running is not None:
            _move(running, batch.mean(0), momentum)
    weight, bias = _along_channels(weight, len(shape)), _along_channels(bias, len(shape))
    return _as_before(normalized(x, weight, bias, center, rate, axes=axes, eps=eps), input, x)


def _compact(input: Tensor) -> Tensor:
    """The input with each channel's values side by side, over which averages run 2 to 15 times as fast."""
    if not _channels_last(input.array):
        return input
    first, last = _orders(len(input.shape))
    return ordered(input, order=first, before=last)


def _as_before(out: Tensor, input: Tensor, used: Tensor) -> Tensor:
    """The result in the memory order of the input."""
    if used is input:
        return out
    first, last = _orders(len(out.shape))
    return ordered(out, order=last, before=first)


def group_norm(
    input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    """(x − mean) / √(variance + ε) · weight + bias, with mean and variance over groups of channels of each sample.

    input (N, C, …), weight and bias (C); raises ShapeError unless num_groups divides C. Wu & He, 2018.
    """
    shape = input.shape
    _check_channels("group_norm", shape, weight, bias)
    if num_groups < 1 or shape[1] % num_groups:
        raise ShapeError(
            f"group_norm: the {shape[1]} channels of shape {shape} cannot be divided into {num_groups} groups"
        )
    each = (num_groups, shape[1] // num_groups)
    wide = (*each, *(1,) * (len(shape) - 2))
    weight, bias = (None if x is None else reshaped(x, shape=wide) for x in (weight, bias))
    x = _compact(input)
    grouped = reshaped(x, shape=(shape[0], *each, *shape[2:]))
    axes = tuple(range(2, len(shape) + 1))
    center, _, rate = statistics(values(grouped), axes, eps)
    out = normalized(grouped, weight, bias, center, rate, axes=axes, eps=eps)
    return _as_before(reshaped(out, shape=shape), input, x)


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
    axes = _last_axes("layer_norm", input.shape, tuple(normalized_shape), weight=weight, bias=bias)
    center, _, rate = statistics(values(input), axes, eps)
    return normalized(input, weight, bias, center, rate, axes=axes, eps=eps)


def rms_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, eps: float | None = None
) -> Tensor:
    """x / √(mean of x² + ε) · weight, with the mean over the last axes of each sample; ε is the dtype's own if None.

    input (…, *normalized_shape), weight of normalized_shape. Zhang & Sennrich, Root mean square layer normalization,
    2019.
    """
    axes = _last_axes("rms_norm", input.shape, tuple(normalized_shape), weight=weight)
    eps = float(np.finfo(input.dtype).eps) if eps is None else eps
    rate = root_mean_square(values(input), axes, eps)
    return normalized(input, weight, None, None, rate, axes=axes, eps=eps)


def _last_axes(name: str, shape: tuple[int, ...], wanted: tuple[int, ...], **given: Tensor | None) -> tuple[int, ...]:
    """The axes that `wanted` names; raises ShapeError unless the input ends with them, and parameters have them."""
    lead = len(shape) - len(wanted)
    if not wanted or lead < 0 or shape[lead:] != wanted:
        raise ShapeError(f"{name}: input has shape {shape}; expected its last axes to be {wanted}")
    for what, value in given.items():
        if value is not None and value.array.shape != wanted:
            raise ShapeError(f"{name}: {what} has shape {value.shape}; expected {wanted}")
    return tuple(range(lead, len(shape)))


def local_response_norm(input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Tensor:
    """x / (k + α · mean of x² over `size` neighbouring channels)^β; channels beyond the ends count as 0.

    input (N, C, …). Krizhevsky, Sutskever & Hinton, ImageNet classification with deep convolutional networks, 2012.
    """
    if len(input.shape) < 3:
        raise ShapeError(
            f"local_response_norm: the input has shape {input.shape}; expected (N, C, …) with 3 axes or more"
        )
    return across_channels(input, size // 2, (size - 1) // 2, alpha / size, beta, k)


def across_channels(input: Tensor, before: int, after: int, alpha: float, beta: float, k: float) -> Tensor:
    """x / (k + α · Σ x² of channels c − before … c + after)^β."""
    shape = input.shape
    widths = ((0, 0), (before, after), *((0, 0),) * (len(shape) - 2))
    squares = padded(e.square(input), widths=widths, value=0.0)
    total: Any = 0
    for start in range(before + after + 1):
        total = total + narrowed(squares, axis=1, start=start, stop=start + shape[1])
    return e.true_divide(input, e.pow(total * alpha + k, beta))

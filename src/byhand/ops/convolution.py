"""Convolution and its two transposes, for any number of axes. Called by `nn.functional.convolution`.

Each is linear in both of its operands, and each is the derivative of the others:

    convolution            y[n, o, i] = Σ x[n, c, stride · i + dilation · k − padding] w[o, c, k] over c and k
    convolution_transpose  the sum over o and i: the gradient of x, and the transposed convolution
    convolution_weight     the sum over n and i: the gradient of w

All three copy windows into the rows of a matrix and multiply that (im2col). Shapes are PyTorch's; in memory the
channels come last: then what a window holds of a row lies in one piece, and the product's rows are the result's
channels. NumPy keeps that order in all that is computed of the result.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from byhand.core.op import CONTRACT, derive, op
from byhand.core.variable import Array
from byhand.ops.reduce import column_sums
from byhand.ops.views import permuted, reshaped
from byhand.ops.windows import Sizes, Widths, bordered, counts, last, second, windows

PART = 512 << 10  # bytes of windows that are copied and multiplied at a time: still in the cache, 15 ms in place of 28
PARTS = 8  # at most in a program, where each part is lines of its own


@op(CONTRACT, onnx="Conv")
def convolution(
    x: Array, weight: Array, bias: Array | None, *, stride: Sizes, padding: Widths, dilation: Sizes, groups: int
) -> Array:
    """Σ x[n, c, stride · i + dilation · k − padding] w[o, c, k] + b[o]: (N, C, *in), (O, c, *k) → (N, O, *out)"""
    return second(_convolved(bordered(last(x), padding), weight, bias, stride, dilation, groups))


@op(CONTRACT, onnx="ConvTranspose")
def convolution_transpose(
    y: Array, weight: Array, bias: Array | None, *,
    size: Sizes, stride: Sizes, padding: Widths, dilation: Sizes, groups: int,
) -> Array:  # fmt: skip
    """The transpose of `convolution` in x, plus b[c]: (N, O, *out) · (O, C / groups, *k) → (N, C, *size)"""
    turned, y = _turned(weight, groups), last(y)
    each = zip(y.shape[1:], weight.shape[2:], size, stride, padding, dilation, strict=False)
    ways = list(itertools.product(*[list(phases(*along)) for along in each]))
    if max(stride, default=1) == 1:
        return second(_phase(y, turned, bias, ways[0], groups))
    out = np.zeros((len(y), *size, len(turned)), np.result_type(y, weight))
    for phase in ways:
        out[(slice(None), *[places for places, *_ in phase])] = _phase(y, turned, None, phase, groups)
    if bias is not None:
        _add(out, bias)
    return second(out)


@op(CONTRACT)
def convolution_weight(
    y: Array, x: Array, *, kernel: Sizes, stride: Sizes, padding: Widths, dilation: Sizes, groups: int
) -> Array:
    """The transpose of `convolution` in w: (N, O, *out) · (N, C, *in) → (O, C / groups, *kernel)"""
    x, y = bordered(last(x), padding), last(y)
    channels, total = x.shape[-1] // groups, None
    seen = _seen(x, kernel, stride, dilation, groups)
    for part in _parts(seen):
        there = y[part].reshape(-1, groups, y.shape[-1] // groups).transpose(1, 0, 2)
        product = _product(_rows(seen[part]).transpose(0, 2, 1), there)
        total = product if total is None else np.add(total, product, out=total)
    if total is None:
        total = np.zeros((groups, math.prod(kernel) * channels, y.shape[-1] // groups), np.result_type(x, y))
    axes = (len(kernel) + 1, len(kernel), *range(len(kernel)))
    return total.transpose(1, 0, 2).reshape(*kernel, channels, y.shape[-1]).transpose(axes)


def _convolved(x: Array, weight: Array, bias: Array | None, stride: Sizes, dilation: Sizes, groups: int) -> Array:
    """The convolution of x (n, *sizes, C) with its border: (n, *counts, O)."""
    count, *_ = weight.shape
    kernel, steps = weight.shape[2:], tuple([0] * (x.ndim - 2))
    size = counts(x.shape[1:-1], kernel, stride, tuple(zip(steps, steps, strict=True)), dilation)
    matrices = _matrices(weight, groups)
    out = np.empty((len(x), *size, count), np.result_type(x, weight))
    seen = _seen(x, kernel, stride, dilation, groups)
    for part in _parts(seen):
        there, rows = out[part], _rows(seen[part])
        if groups == 1:
            np.matmul(rows[0], matrices[0], out=there.reshape(-1, count))
        else:
            np.matmul(rows, matrices, out=there.reshape(-1, groups, count // groups).transpose(1, 0, 2))
    if bias is not None:
        _add(out, bias)
    return out


def _seen(x: Array, kernel: Sizes, stride: Sizes, dilation: Sizes, groups: int) -> Array:
    """The windows of x (n, *sizes, C) as a view: (n, *counts, *kernel, groups, C / groups)."""
    channels = x.shape[-1] // groups
    if math.prod(kernel) > 1 and groups == 1 and not _by_offsets(kernel, x.shape[-2], channels):
        x = np.ascontiguousarray(x)
    x = x.reshape(*x.shape[:-1], groups, channels)
    if groups > 1:  # one group after another, so that what a window holds of one lies in one piece
        outer = range(x.ndim - 2)
        x = x.transpose(x.ndim - 2, *outer, x.ndim - 1).copy().transpose(*range(1, x.ndim - 1), 0, x.ndim - 1)
    return windows(x, kernel, stride, dilation)


def _by_offsets(kernel: Sizes, width: int, channels: int) -> bool:
    """Whether windows are copied place by place, not window by window: in runs of a row of x, or of a row of a window.

    A run takes NumPy 20 ns: so 28×28×1, a batch of 64, is copied in 0.12 ms in place of 1.2.
    """
    return 2 * kernel[-1] * channels <= width


def _parts(seen: Any) -> list[slice]:
    """The images whose windows are copied and multiplied together."""
    most = len(seen) if isinstance(seen, np.ndarray) else PARTS
    step = max(PART * len(seen) // max(seen.size * seen.itemsize, 1), -(-len(seen) // max(most, 1)), 1)
    return [slice(start, min(start + step, len(seen))) for start in range(0, len(seen), step)]


def _rows(seen: Array) -> Array:
    """What the windows hold, as the rows of a matrix for each group: (groups, windows, kernel · C / groups)."""
    *_, groups, channels = seen.shape
    ndim = (seen.ndim - 3) // 2
    kernel, width = seen.shape[ndim + 1 : -2], math.prod(seen.shape[ndim + 1 : -2]) * channels
    if width == channels and groups == 1:
        return seen.reshape(1, -1, channels)
    outer, inner = range(ndim + 1), (*range(ndim + 1, 2 * ndim + 1), 2 * ndim + 2)
    if _by_offsets(kernel, seen.shape[ndim], channels):
        columns = seen.transpose(2 * ndim + 1, *inner, *outer).copy()
        return columns.reshape(groups, width, -1).transpose(0, 2, 1)
    return seen.transpose(2 * ndim + 1, *outer, *inner).copy().reshape(groups, -1, width)


def _product(x: Array, y: Array) -> Array:
    """x @ y, matrix by matrix."""
    return (x[0] @ y[0])[None] if len(x) == 1 else x @ y


def _matrices(weight: Array, groups: int) -> Array:
    """A weight (O, c, *k) as a matrix (k · c, O / groups) for each group; a view if it lies as `nn.Conv2d` lays it."""
    count = len(weight)
    flat = weight.transpose(*range(2, weight.ndim), 1, 0).reshape(-1, groups, count // groups)
    return flat.transpose(1, 0, 2)


def _turned(weight: Array, groups: int) -> Array:
    """(O, C / groups, *k) as (C, O / groups, *k)."""
    count, channels, *kernel = weight.shape
    return weight.reshape(groups, count // groups, channels, *kernel).swapaxes(1, 2).reshape(
        groups * channels, count // groups, *kernel
    )  # fmt: skip


def _add(out: Any, bias: Array) -> None:
    """out += bias for out (…, W, C): in runs of W · C, 0.11 ms for 64×28×28×16; of C, 0.30."""
    if not isinstance(out, np.ndarray):  # a program's loops need no long runs, and fuse better with what comes next
        out += bias
        return
    width = out.shape[-2] * out.shape[-1]
    flat = out.reshape(-1, width)
    flat += np.broadcast_to(bias, out.shape[-2:]).reshape(width)


# What x[stride · q + r] is made of, for one remainder r: a convolution of its own, of stride 1.


def phases(count: int, kernel: int, size: int, stride: int, padding: tuple[int, int], dilation: int) -> Any:
    """Along one axis, for each r: the places of x, the places in the kernel that reach them, border and dilation.

    stride · i + dilation · k − before = stride · q + r holds for every `step`-th k, from `first` on.
    """
    step = stride // math.gcd(stride, dilation)
    spread = dilation * step // stride
    for r in range(min(stride, size)):
        reached = r + padding[0]
        taps = [k for k in range(kernel) if (dilation * k - reached) % stride == 0]
        if taps:
            before = (len(taps) - 1) * spread - (reached - dilation * taps[0]) // stride
            after = -(-(size - r) // stride) + (len(taps) - 1) * spread - before - count
            yield slice(r, None, stride), slice(taps[0], None, step), (before, after), spread


def _phase(y: Array, turned: Array, bias: Array | None, phase: Any, groups: int) -> Array:
    taps, widths, spread = [tuple(part) for part in list(zip(*phase, strict=True))[1:]]
    flip = (slice(None, None, -1),) * len(taps)
    weight = turned[(slice(None), slice(None), *taps)][(slice(None), slice(None), *flip)]
    return _convolved(bordered(y, widths), weight, bias, (1,) * len(taps), spread, groups)


def _channel_sums(g: Any) -> Any:
    """Σ over all axes but the channels."""
    ndim = len(g.shape)
    flat = permuted(g, axes=(0, *range(2, ndim), 1))
    return column_sums(reshaped(flat, shape=(math.prod(flat.shape[:-1]), flat.shape[-1])))


derive(
    convolution,
    x=lambda g, x_shape, weight, stride, padding, dilation, groups: convolution_transpose(
        g, weight, None, size=x_shape[2:], stride=stride, padding=padding, dilation=dilation, groups=groups
    ),
    weight=lambda g, x, weight_shape, stride, padding, dilation, groups: convolution_weight(
        g, x, kernel=weight_shape[2:], stride=stride, padding=padding, dilation=dilation, groups=groups
    ),
    bias=_channel_sums,
)
derive(
    convolution_transpose,
    y=lambda g, weight, stride, padding, dilation, groups: convolution(
        g, weight, None, stride=stride, padding=padding, dilation=dilation, groups=groups
    ),
    weight=lambda g, y, weight_shape, stride, padding, dilation, groups: convolution_weight(
        y, g, kernel=weight_shape[2:], stride=stride, padding=padding, dilation=dilation, groups=groups
    ),
    bias=_channel_sums,
)
derive(
    convolution_weight,
    y=lambda g, x, stride, padding, dilation, groups: convolution(
        x, g, None, stride=stride, padding=padding, dilation=dilation, groups=groups
    ),
    x=lambda g, y, x_shape, stride, padding, dilation, groups: convolution_transpose(
        y, g, None, size=x_shape[2:], stride=stride, padding=padding, dilation=dilation, groups=groups
    ),
)

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
from collections.abc import Iterator
from typing import Any

import numpy as np

from byhand.core.op import CONTRACT, derive, op
from byhand.core.variable import Array
from byhand.ops import depthwise
from byhand.ops.reduce import column_sums
from byhand.ops.runs import by_row, in_order, moved
from byhand.ops.views import permuted, reshaped
from byhand.ops.windows import NONE, Sizes, Widths, bordered, counts, last, second, windows

PART = 1280 << 10  # bytes of windows and results of images that are taken together: still in the cache, and enough for
# two threads; 16 → 32 channels of 14×14, a batch of 64, take them 1.2 ms, 1.6 with half of it, and one thread 1.7
SMALL = 1_000_000  # multiplications that OpenBLAS does without copies of its own: twice as fast for (6272, 9) · (9, 16)
FEW = 4  # images that are not worth a product of their own
PARTS = 16  # at most in a program, where each part is lines of its own


@op(CONTRACT, onnx="Conv")
def convolution(
    x: Array, weight: Array, bias: Array | None, *, stride: Sizes, padding: Widths, dilation: Sizes, groups: int
) -> Array:
    """Σ x[n, c, stride · i + dilation · k − padding] w[o, c, k] + b[o]: (N, C, *in), (O, c, *k) → (N, O, *out)"""
    return second(_convolved(last(x), weight, bias, stride, padding, dilation, groups))


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
    filled = len(ways) == math.prod(map(min, stride, size))  # none of the places is out of the kernel's reach
    out = (np.empty if filled else np.zeros)((len(y), *size, len(turned)), np.result_type(y, weight))
    for phase in ways:
        moved(_phase(y, turned, None, phase, groups), out[(slice(None), *[places for places, *_ in phase])])
    if bias is not None:
        by_row(np.add, out, bias, out)
    return second(out)


@op(CONTRACT)
def convolution_weight(
    y: Array, x: Array, *, kernel: Sizes, stride: Sizes, padding: Widths, dilation: Sizes, groups: int
) -> Array:
    """The transpose of `convolution` in w: (N, O, *out) · (N, C, *in) → (O, C / groups, *kernel)"""
    x, y = last(x), last(y)
    if depthwise.fits(x.shape[-1], y.shape[-1], groups):
        return depthwise.weight_sums(y, x, kernel, stride, padding, dilation)
    channels, total = x.shape[-1] // groups, None
    for part, rows in _parts(x, kernel, stride, padding, dilation, groups, y.shape[-1]):
        there = y[part].reshape(-1, groups, y.shape[-1] // groups).transpose(1, 0, 2)
        product = _product(rows.transpose(0, 2, 1), there)
        total = product if total is None else np.add(total, product, out=total)
    if total is None:
        total = np.zeros((groups, math.prod(kernel) * channels, y.shape[-1] // groups), np.result_type(x, y))
    axes = (len(kernel) + 1, len(kernel), *range(len(kernel)))
    return total.transpose(1, 0, 2).reshape(*kernel, channels, y.shape[-1]).transpose(axes)


def _convolved(
    x: Array, weight: Array, bias: Array | None, stride: Sizes, padding: Widths, dilation: Sizes, groups: int
) -> Array:
    """The convolution of x (n, *sizes, C): (n, *counts, O)."""
    count, kernel = len(weight), weight.shape[2:]
    size = counts(x.shape[1:-1], kernel, stride, padding, dilation)
    if depthwise.fits(x.shape[-1], count, groups):
        out = depthwise.convolved(x, weight, size, stride, padding, dilation)
        return out if bias is None else by_row(np.add, out, bias, out)
    matrices = _matrices(weight, groups)
    out = np.empty((len(x), *size, count), np.result_type(x, weight))
    for part, rows in _parts(x, kernel, stride, padding, dilation, groups, count):
        if groups == 1:
            np.matmul(rows[0], matrices[0], out=out[part].reshape(-1, count))
        else:
            np.matmul(rows, matrices, out=out[part].reshape(-1, groups, count // groups).transpose(1, 0, 2))
    if bias is not None:
        by_row(np.add, out, bias, out)
    return out


def _parts(
    x: Array, kernel: Sizes, stride: Sizes, padding: Widths, dilation: Sizes, groups: int, count: int
) -> Iterator[tuple[slice, Array]]:
    """Some images of x (n, *sizes, C) after others, of which so many are copied that they and the results stay cached.

    What their windows hold, as the rows of a matrix for each group: (groups, windows, kernel · C / groups). Windows are
    copied one by one, in runs of a row of a window, or where rows of x are longer in runs of these, a place in all
    windows after another: so 28×28×1, a batch of 64, takes 0.12 ms in place of 1.2.
    """
    ndim, channels, dtype = len(kernel), x.shape[-1] // groups, x.dtype
    size, width = counts(x.shape[1:-1], kernel, stride, padding, dilation), math.prod(kernel) * channels
    pictures = _pictures(x, math.prod(size), groups * width, count)
    if width == channels and groups == 1:
        seen = windows(bordered(x, (NONE, *padding, NONE)), kernel, stride, dilation)
        for part in pictures:
            yield part, seen[part].reshape(1, -1, channels)
    elif 2 * kernel[-1] * channels <= size[-1]:
        x = np.ascontiguousarray(bordered(x.transpose(ndim + 1, *range(ndim + 1)), (NONE, NONE, *padding)))
        seen = windows(x.reshape(groups, channels, *x.shape[1:]), kernel, stride, dilation, 3)
        seen = in_order(seen.transpose(0, *range(ndim + 3, 2 * ndim + 3), 1, *range(2, ndim + 3)))
        for part in pictures:
            columns = _copied(seen[(slice(None),) * (ndim + 2) + (part,)], dtype)
            yield part, columns.reshape(groups, width, -1).transpose(0, 2, 1)
    else:
        x = x.reshape(*x.shape[:-1], groups, channels).transpose(ndim + 1, *range(ndim + 1), ndim + 2)
        x = np.ascontiguousarray(bordered(x, (NONE, NONE, *padding, NONE)))
        seen = in_order(windows(x, kernel, stride, dilation, 2))
        for part in pictures:
            yield part, _copied(seen[:, part], dtype).reshape(groups, -1, width)


def _pictures(x: Any, places: int, width: int, count: int) -> list[slice]:
    """The images that are taken together, each of so many windows, that wide, with so many results."""
    step = SMALL // max(places * width * count, 1)
    if step < FEW:
        step = max(PART // max(places * (width + count) * x.itemsize, 1), 1)
    most = len(x) if isinstance(x, np.ndarray) else PARTS
    step = max(step, -(-len(x) // max(most, 1)))
    return [slice(start, min(start + step, len(x))) for start in range(0, len(x), step)]


def _copied(seen: Array, dtype: Any) -> Array:
    """A copy of windows whose runs may be seen as elements, as numbers."""
    copy = seen.copy()
    return copy if copy.dtype == dtype else copy.view(dtype)


def _product(x: Array, y: Array) -> Array:
    """x @ y, matrix by matrix."""
    return (x[0] @ y[0]).reshape(1, x.shape[1], y.shape[2]) if len(x) == 1 else x @ y


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
    return _convolved(y, weight, bias, (1,) * len(taps), widths, spread, groups)


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

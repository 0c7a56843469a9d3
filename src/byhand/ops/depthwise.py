"""Depthwise convolution: each channel has a kernel of its own, so there is nothing to multiply as matrices.

For each place in the kernel one product of all channels is added up: channels come last in memory, a row of an image
is one run, and the kernel's row is repeated along it. `einsum` adds to the result while it is in the cache: 3×3 on
(32, 64, 28, 28) takes 2.7 ms, where a product and a sum for each place take 7.5 and copied windows 11. Called by
`convolution`, on arrays (n, *sizes, C) and weights (C, 1, *kernel); in programs it stays a call.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from byhand.core.variable import Array
from byhand.ops.windows import NONE, Sizes, Widths, bordered

LONGEST = 4096  # values of a run: with more the kernel's rows do not stay in the cache
PART = 1 << 20  # bytes of images and results that are taken together


def fits(channels: int, count: int, groups: int) -> bool:
    """Whether each channel of the result is made of one channel of its own."""
    return groups == channels == count > 1


def convolved(x: Array, weight: Array, size: Sizes, stride: Sizes, padding: Widths, dilation: Sizes) -> Array:
    """Σ x[n, stride · i + dilation · k − padding, c] w[c, 0, k] over k: (n, *size, C)"""
    if stride[-1] > 1:
        return _by_columns(x, weight, size, stride, padding, dilation)
    kernel, channels = weight.shape[2:], x.shape[-1]
    out = np.empty((len(x), *size, channels), np.result_type(x, weight))
    k = _together(size[-1], channels)
    rows = np.tile(weight[:, 0].transpose(*range(1, weight.ndim - 1), 0), k)
    wide = out.reshape(*out.shape[:-2], size[-1] // k, k * channels)
    axes, places, end = _axes(len(kernel))
    for part in _parts(x, out):
        seen = _windows(x[part], kernel, stride, padding, dilation, size, k)
        np.einsum(seen, [*axes, *places, end], rows, [*places, end], [*axes, end], out=wide[part])
    return out


def _by_columns(x: Array, weight: Array, size: Sizes, stride: Sizes, padding: Widths, dilation: Sizes) -> Array:
    """`convolved` with steps along the last axis: a sum of such without, each of every so many columns of x."""
    x, none = bordered(x, (NONE, *padding, NONE)), (NONE,) * len(padding)
    apart = stride[-1] // math.gcd(stride[-1], dilation[-1])  # places in the kernel that meet the same columns
    spread = (*dilation[:-1], dilation[-1] * apart // stride[-1])
    total: Any = None
    for first in range(min(apart, weight.shape[-1])):
        columns = x[..., first * dilation[-1] :: stride[-1], :]
        term = convolved(columns, weight[..., first::apart], size, (*stride[:-1], 1), none, spread)
        total = term if total is None else np.add(total, term, out=total)
    return total


def weight_sums(y: Array, x: Array, kernel: Sizes, stride: Sizes, padding: Widths, dilation: Sizes) -> Array:
    """Σ y[n, i, c] x[n, stride · i + dilation · k − padding, c] over n and i: (C, 1, *kernel)"""
    size, channels = y.shape[1:-1], x.shape[-1]
    total = np.zeros((*kernel, channels), np.result_type(x, y))
    axes, places, end = _axes(len(kernel))
    for part in _parts(x, y):
        seen = _windows(x[part], kernel, stride, padding, dilation, size, 1)
        total += np.einsum(seen, [*axes, *places, end], np.ascontiguousarray(y[part]), [*axes, end], [*places, end])
    return total.transpose(-1, *range(len(kernel)))[:, None]


def _axes(ndim: int) -> tuple[list[int], list[int], int]:
    """Numbers for `einsum`: of the images and their axes, of the places in a kernel, and within a run."""
    return list(range(ndim + 1)), list(range(ndim + 1, 2 * ndim + 1)), 2 * ndim + 1


def _together(width: int, channels: int) -> int:
    """How many neighbours make up a run."""
    return next((k for k in range(min(LONGEST // channels, width), 1, -1) if width % k == 0), 1)


def _parts(x: Array, y: Array) -> list[slice]:
    """The images that are taken together."""
    step = max(PART * len(x) // max(x.nbytes + y.nbytes, 1), 1)
    return [slice(start, start + step) for start in range(0, len(x), step)]


def _windows(x: Array, kernel: Sizes, stride: Sizes, padding: Widths, dilation: Sizes, size: Sizes, k: int) -> Array:
    """What each place in the kernel sees, as a view: (n, *size[:-1], size[-1] / k, *kernel, k · C)."""
    x = np.ascontiguousarray(bordered(x, (NONE, *padding, NONE)))
    first, *steps, end = x.strides
    outer = [step * s for step, s in zip(steps, stride, strict=True)]
    outer[-1] *= k
    inner = [step * d for step, d in zip(steps, dilation, strict=True)]
    shape = (len(x), *size[:-1], size[-1] // k, *kernel, k * x.shape[-1])
    return np.lib.stride_tricks.as_strided(x, shape, (first, *outer, *inner, end), writeable=False)

"""Windows of neighbouring axes, as views and as copies. Called by `convolution` and by users.

Convolution wants its values as (n, *sizes, channels) in memory; `unfold` and its transpose `fold` show PyTorch's
(N, C, *sizes) and (N, C · kernel, windows).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from byhand.core.op import MOVE, derive, op
from byhand.core.variable import Array

Sizes = tuple[int, ...]
Index = tuple[Any, ...]
Widths = tuple[tuple[int, int], ...]

NONE = (0, 0)  # no border along an axis


def counts(sizes: Sizes, kernel: Sizes, stride: Sizes, padding: Widths, dilation: Sizes) -> Sizes:
    """How many windows there are along each axis: (size + padding − dilation (kernel − 1) − 1) // stride + 1."""
    each = zip(sizes, kernel, stride, padding, dilation, strict=True)
    return tuple((n + before + after - d * (k - 1) - 1) // s + 1 for n, k, s, (before, after), d in each)


def bordered(x: Array, padding: Widths) -> Array:
    """x with so many zeros around it along each axis, C-contiguous; negative widths crop. x itself if all are 0."""
    if not any(map(any, padding)):
        return x
    out = np.zeros([n + before + after for n, (before, after) in zip(x.shape, padding, strict=True)], x.dtype)
    to = [slice(max(a, 0), n - max(b, 0)) for n, (a, b) in zip(out.shape, padding, strict=True)]
    of = [slice(max(-a, 0), n - max(-b, 0)) for n, (a, b) in zip(x.shape, padding, strict=True)]
    out[tuple(to)] = x[tuple(of)]
    return out


def windows(x: Array, kernel: Sizes, stride: Sizes, dilation: Sizes, first: int = 1) -> Array:
    """All windows of the axes of x from the `first` on, as a view: (…, *sizes, …) → (…, *counts, *kernel, …)."""
    ndim = len(kernel)
    axes = tuple(range(first, first + ndim))
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    seen = np.lib.stride_tricks.sliding_window_view(x, reach, axes)
    if max(*stride, *dilation) > 1:
        steps = [[slice(None, None, step) for step in steps] for steps in (stride, dilation)]
        whole = slice(None)
        seen = seen[(*[whole] * first, *steps[0], *[whole] * (x.ndim - ndim - first), *steps[1])]
    return seen.transpose(*range(first + ndim), *range(x.ndim, x.ndim + ndim), *range(first + ndim, x.ndim))


def offsets(kernel: Sizes, stride: Sizes, dilation: Sizes, count: Sizes) -> Iterator[tuple[Index, Index]]:
    """For each place in a window, behind two axes, the places it has in all windows."""
    whole = slice(None)
    for place in np.ndindex(*kernel):
        each = zip(place, stride, dilation, count, strict=True)
        yield (whole, whole, *place), (whole, whole, *[slice(i * d, i * d + s * (n - 1) + 1, s) for i, s, d, n in each])


def last(x: Any) -> Any:
    """(N, C, *sizes) as (N, *sizes, C), a view."""
    return x.transpose(0, *range(2, x.ndim), 1)


def second(x: Any) -> Any:
    """(N, *sizes, C) as (N, C, *sizes), a view."""
    return x.transpose(0, x.ndim - 1, *range(1, x.ndim - 1))


@op(MOVE, name="unfold")
def unfolded(x: Array, *, kernel: Sizes, stride: Sizes, padding: Widths, dilation: Sizes) -> Array:
    """All windows as columns: (N, C, *sizes) → (N, C · kernel, windows)"""
    ndim = len(kernel)
    seen = windows(bordered(last(x), (NONE, *padding, NONE)), kernel, stride, dilation)
    order = (0, 2 * ndim + 1, *range(ndim + 1, 2 * ndim + 1), *range(1, ndim + 1))
    shape = (x.shape[0], x.shape[1] * math.prod(kernel), math.prod(seen.shape[1 : ndim + 1]))
    return seen.transpose(order).copy().reshape(shape)


@op(MOVE, name="fold")
def folded(x: Array, *, sizes: Sizes, kernel: Sizes, stride: Sizes, padding: Widths, dilation: Sizes) -> Array:
    """`unfold` transposed, columns added up where their windows are: (N, C · kernel, windows) → (N, C, *sizes)"""
    count = counts(sizes, kernel, stride, padding, dilation)
    columns = x.reshape(x.shape[0], x.shape[1] // math.prod(kernel), *kernel, *count)
    shape = [n + before + after for n, (before, after) in zip(sizes, padding, strict=True)]
    out = np.zeros((*columns.shape[:2], *shape), x.dtype)
    for place, places in offsets(kernel, stride, dilation, count):
        out[places] += columns[place]
    within = (slice(before, before + n) for n, (before, _) in zip(sizes, padding, strict=True))
    return out[(slice(None), slice(None), *within)]


derive(
    unfolded,
    x=lambda g, x_shape, kernel, stride, padding, dilation: folded(
        g, sizes=x_shape[2:], kernel=kernel, stride=stride, padding=padding, dilation=dilation
    ),
)
derive(
    folded,
    x=lambda g, kernel, stride, padding, dilation: unfolded(
        g, kernel=kernel, stride=stride, padding=padding, dilation=dilation
    ),
)

"""Pooling: the maximum, mean or p-norm of windows, and windows chosen such that the result has a given size.

What PyTorch has for 1, 2 and 3 axes is one function each here, made thrice. Inputs are (N, C, …) or (C, …).
Called by `nn.pooling` and by users.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from byhand.core.errors import ShapeError, UsageError
from byhand.core.variable import Array
from byhand.creation import rand, zeros
from byhand.nn.functional.resampling import along, means
from byhand.ops import elementwise as e
from byhand.ops.axes import each
from byhand.ops.index import SLOT, gathered, indexed, overwritten
from byhand.ops.pooling import Windows, max_places, max_pooled, regions, window_sum
from byhand.ops.reduce import mean_over
from byhand.ops.views import expanded, narrowed, reshaped
from byhand.tensor import Tensor

Sizes = tuple[int, ...]


def _named(function: Callable[..., Any], name: str, doc: str) -> Callable[..., Any]:
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return function


def _windows(
    name: str, shape: Sizes, nd: int, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool
) -> Windows:
    """The windows along the last `nd` axes; raises for what does not fit."""
    _check(name, shape, nd)
    kernel = each(kernel_size, nd, name, "kernel_size")
    step = kernel if stride is None or stride == () else each(stride, nd, name, "stride")
    pad, spread = each(padding, nd, name, "padding"), each(dilation, nd, name, "dilation")
    for what, sizes in (("kernel_size", kernel), ("stride", step), ("dilation", spread)):
        if min(sizes) <= 0:
            raise UsageError(f"{name}: {what} must be greater than zero, but got {sizes}")
    found = []
    for n, k, s, p, d in zip(shape[len(shape) - nd :], kernel, step, pad, spread, strict=True):
        reach = d * (k - 1) + 1
        if not 0 <= p <= reach // 2:
            raise UsageError(f"{name}: padding must be from 0 to half of the kernel's reach, {reach}, but got {p}")
        room = n + 2 * p - reach
        count = (-(-room // s) if ceil_mode else room // s) + 1
        if ceil_mode and (count - 1) * s >= n + p:  # the last window must begin inside of x or of the padding before
            count -= 1
        if count < 1:
            raise ShapeError(
                f"{name}: an input of shape {shape} is too small for windows of kernel_size={kernel}, padding={pad} "
                f"and dilation={spread}"
            )
        found.append((k, s, p, d, count))
    return tuple(found)


def _check(name: str, shape: Sizes, nd: int) -> None:
    if len(shape) not in (nd + 1, nd + 2) or 0 in shape[-nd - 1 :]:
        raise ShapeError(
            f"{name}: the input has shape {shape}; expected {nd + 2} axes, (N, C, …), or {nd + 1}, (C, …), of which "
            "only N may be 0"
        )


def _outer(parts: Sequence[Array], combine: Any) -> Array:
    """One value for each window, from one a window along each axis."""
    grid = np.ix_(*parts)
    return np.asarray(combine(grid[0], _outer(parts[1:], combine)) if len(parts) > 1 else parts[0])


# the maximum


def _maximum(input: Tensor, windows: Windows, starts: Sequence[Any], shape: Sizes, return_indices: bool) -> Any:
    """The maxima, and if wanted where in planes of this shape they stand; `starts` broadcast to where windows do."""
    out = max_pooled(input, windows=windows)
    if not return_indices:
        return out
    strides = [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
    steps = np.array([[o * s for o, s in zip(at, strides, strict=True)] for at, _, _ in regions(input.shape, windows)])
    numbers = max_places(input.detach(), out.detach(), windows=windows)
    found = indexed(steps.sum(axis=1), numbers, index=(SLOT,))
    for start, stride in zip(starts, strides, strict=True):
        found = found + start * stride
    return out, found


def _max_pool(nd: int) -> Callable[..., Any]:
    name = f"max_pool{nd}d"

    def pool(
        input: Tensor,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Any:
        windows = _windows(name, input.shape, nd, kernel_size, stride, padding, dilation, ceil_mode)
        starts = np.ix_(*[np.arange(count) * step - pad for _, step, pad, _, count in windows])
        return _maximum(input, windows, starts, input.shape[-nd:], return_indices)

    return _named(
        pool,
        name,
        f"""The largest value of each window of the last {nd} axes, and where it stands with return_indices.

    The first of equals takes the gradient. Places beside x never win. Raises UsageError for windows that make no sense,
    ShapeError for an input smaller than they are.""",
    )


def _adaptive_max_pool(nd: int) -> Callable[..., Any]:
    name = f"adaptive_max_pool{nd}d"

    def pool(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
        sizes, shape = _wanted(name, input.shape, nd, output_size), input.shape[-nd:]
        starts, widths = [], []
        for axis, (n, size) in enumerate(zip(shape, sizes, strict=True), start=input.ndim - nd):
            i = np.arange(size)
            first, last = i * n // size, -(-(i + 1) * n // size)
            width = int((last - first).max(initial=0))
            if n % size if size else True:  # windows of several sizes: each filled up with its last value
                places = np.minimum(first[:, None] + np.arange(width), last[:, None] - 1)
                input = indexed(input, places.reshape(-1), index=(slice(None),) * axis + (SLOT,))
            starts.append(first)
            widths.append(width)
        windows = tuple((w, w, 0, 1, size) for w, size in zip(widths, sizes, strict=True))
        return _maximum(input, windows, np.ix_(*starts), shape, return_indices)

    return _named(
        pool,
        name,
        f"""The largest values of windows that divide the last {nd} axes into output_size parts (None: as before).""",
    )


def _fractional_max_pool(nd: int) -> Callable[..., Any]:
    name = f"fractional_max_pool{nd}d"

    def pool(
        input: Tensor,
        kernel_size: Any,
        output_size: Any = None,
        output_ratio: Any = None,
        return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ) -> Any:
        sizes, lead = _fraction(name, input.shape, nd, output_size, output_ratio), input.shape[:-nd]
        kernel, shape = each(kernel_size, nd, name, "kernel_size"), input.shape[-nd:]
        if any(size < 1 or size + k - 1 > n for n, size, k in zip(shape, sizes, kernel, strict=True)):
            raise ShapeError(f"{name}: no {sizes} windows of {kernel} have a place each in an input of {input.shape}")
        draws = rand(*lead, nd, dtype=input.dtype) if _random_samples is None else _random_samples.detach()
        draws = draws.reshape(-1, nd)[: math.prod(lead)].reshape((*lead, nd))  # PyTorch takes too many, too
        starts: list[Any] = []
        for i, (n, size, k) in enumerate(zip(shape, sizes, kernel, strict=True)):
            u = narrowed(draws, axis=len(lead), start=(o := nd - 1 - i if nd == 2 else i), stop=o + 1)
            step = (n - k) / (size - 1) if size > 1 else 0.0
            start = e.floor((u + np.arange(size)) * step) - e.floor(u * step)
            start = e.cast(e.select(np.arange(size) == size - 1, n - k, start), dtype=np.dtype(np.int64))
            starts.append(reshaped(start, shape=(*lead, *[size if a == i else 1 for a in range(nd)])))
            places = reshaped(reshaped(start, shape=(*lead, size, 1)) + np.arange(k), shape=(*lead, size * k))
            places = reshaped(places, shape=(*lead, *[size * k if a == i else 1 for a in range(nd)]))
            axis = len(lead) + i
            wide = (*input.shape[:axis], size * k, *input.shape[axis + 1 :])
            input = gathered(input, expanded(places, shape=wide), axis=axis)
        windows = tuple((k, k, 0, 1, size) for k, size in zip(kernel, sizes, strict=True))
        return _maximum(input, windows, starts, shape, return_indices)

    return _named(
        pool,
        name,
        f"""The largest values of output_size windows, at places drawn at random, of the last {nd} axes.

    The size is output_size or ⌊n · output_ratio⌋. Raises UsageError unless one of them is given, ShapeError where so
    many windows have no room. Graham, Fractional max-pooling, 2015.""",
    )


def _fraction(name: str, shape: Sizes, nd: int, output_size: Any, output_ratio: Any) -> Sizes:
    _check(name, shape, nd)
    if (output_size is None) == (output_ratio is None):
        raise UsageError(f"{name}: give either output_size or output_ratio")
    if output_ratio is None:
        return each(output_size, nd, name, "output_size")
    ratios = output_ratio if isinstance(output_ratio, Sequence) else (output_ratio,) * nd
    return tuple(int(n * ratio) for n, ratio in zip(shape[len(shape) - nd :], ratios, strict=True))


# the mean


def _divisor(shape: Sizes, windows: Windows, count_include_pad: bool, dtype: Any) -> Any:
    """How many values each window holds: a number, or an array where windows at the border hold less."""
    parts = []
    for n, (kernel, step, pad, _, count) in zip(shape[len(shape) - len(windows) :], windows, strict=True):
        start = np.arange(count) * step - pad
        end = np.minimum(start + kernel, n + pad)
        parts.append(end - start if count_include_pad else np.minimum(end, n) - np.maximum(start, 0))
    found = _outer(parts, np.multiply)
    return int(found.flat[0]) if (found == found.flat[0]).all() else found.astype(dtype)


def _avg_pool(nd: int) -> Callable[..., Any]:
    name = f"avg_pool{nd}d"

    def pool(
        input: Tensor,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> Tensor:
        windows = _windows(name, input.shape, nd, kernel_size, stride, padding, 1, ceil_mode)
        if divisor_override == 0:
            raise UsageError(f"{name}: divisor_override must not be zero")
        divisor = divisor_override or _divisor(input.shape, windows, count_include_pad, input.dtype)
        return window_sum(input, windows=windows) / divisor

    return _named(
        pool,
        name,
        f"""The mean of each window of the last {nd} axes.

    Divided by how many values a window has (with those of the padding if count_include_pad) or by divisor_override.
    Raises UsageError for windows that make no sense, ShapeError for an input smaller than they are.""",
    )


def _lp_pool(nd: int) -> Callable[..., Any]:
    name = f"lp_pool{nd}d"

    def pool(input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Tensor:
        if math.isinf(norm_type):
            sign = math.copysign(1, norm_type)
            windows = _windows(name, input.shape, nd, kernel_size, stride, 0, 1, ceil_mode)
            return sign * max_pooled(sign * e.abs(input), windows=windows)
        kernel = each(kernel_size, nd, name, "kernel_size")
        total = AVG_POOLS[nd](input**norm_type, kernel, stride, 0, ceil_mode) * math.prod(kernel)
        none = total == 0  # the root has no slope there; PyTorch's is 0
        return e.select(none, 0, e.select(none, 1, total) ** (1 / norm_type))

    return _named(
        pool,
        name,
        f"""(Σ xᵖ)^(1/p) of each window of the last {nd} axes; p = ∞ is the largest absolute value.""",
    )


def _wanted(name: str, shape: Sizes, nd: int, output_size: Any) -> Sizes:
    """The sizes of an adaptive pool's result: None stands for that of the input."""
    _check(name, shape, nd)
    given = tuple(output_size) if isinstance(output_size, Sequence) else (output_size,) * nd
    if len(given) != nd or any(size is not None and size < 0 for size in given):
        raise UsageError(f"{name}: output_size is a size, or one for each of the last {nd} axes, not {output_size!r}")
    return tuple(n if size is None else int(size) for n, size in zip(shape[len(shape) - nd :], given, strict=True))


def _adaptive_avg_pool(nd: int) -> Callable[..., Any]:
    name = f"adaptive_avg_pool{nd}d"

    def pool(input: Tensor, output_size: Any) -> Tensor:
        sizes, shape = _wanted(name, input.shape, nd, output_size), input.shape[-nd:]
        if all(size == 1 for size in sizes):
            axes = tuple(range(input.ndim - nd, input.ndim))
            return mean_over(input, axis=axes, keepdims=True, size=math.prod(shape))
        if all(size and n % size == 0 for n, size in zip(shape, sizes, strict=True)):
            windows = tuple((n // size, n // size, 0, 1, size) for n, size in zip(shape, sizes, strict=True))
            return window_sum(input, windows=windows) / (math.prod(shape) // math.prod(sizes))
        for axis, (n, size) in enumerate(zip(shape, sizes, strict=True), start=input.ndim - nd):
            input = along(input, means(n, size, input.dtype), axis)
        return input

    return _named(
        pool,
        name,
        f"""The means of windows that divide the last {nd} axes into output_size parts (None: as before).""",
    )


max_pool1d, max_pool2d, max_pool3d = map(_max_pool, (1, 2, 3))
fractional_max_pool2d, fractional_max_pool3d = map(_fractional_max_pool, (2, 3))
adaptive_max_pool1d, adaptive_max_pool2d, adaptive_max_pool3d = map(_adaptive_max_pool, (1, 2, 3))
AVG_POOLS = {nd: _avg_pool(nd) for nd in (1, 2, 3)}
avg_pool1d, avg_pool2d, avg_pool3d = AVG_POOLS.values()
lp_pool1d, lp_pool2d, lp_pool3d = map(_lp_pool, (1, 2, 3))
adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d = map(_adaptive_avg_pool, (1, 2, 3))


# back to where maxima were


def _max_unpool(nd: int) -> Callable[..., Any]:
    name = f"max_unpool{nd}d"

    def unpool(
        input: Tensor, indices: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None
    ) -> Tensor:
        kernel = each(kernel_size, nd, name, "kernel_size")
        step = kernel if stride is None else each(stride, nd, name, "stride")
        pad = each(padding, nd, name, "padding")
        if input.shape != indices.shape or len(input.shape) not in (nd + 1, nd + 2):
            raise ShapeError(
                f"{name}: the input has shape {input.shape} and indices have {indices.shape}; expected the same, "
                f"(N, C, …) or (C, …) with {nd} axes behind C"
            )
        lead, shape = input.shape[:-nd], input.shape[-nd:]
        usual = [(n - 1) * s + k - 2 * p for n, s, k, p in zip(shape, step, kernel, pad, strict=True)]
        size = _unpooled(name, output_size, usual, step)
        flat = (*lead, math.prod(shape))
        out = zeros(*lead, math.prod(size), dtype=input.dtype)
        return overwritten(out, -1, indices.reshape(flat), input.reshape(flat)).reshape((*lead, *size))

    return _named(
        unpool,
        name,
        f"""Zeros with the values of `max_pool{nd}d` where they came from, as its indices tell; of size output_size.

    Raises UsageError for an output_size that cannot have been pooled to the input's, DomainError for wrong indices.""",
    )


def _unpooled(name: str, output_size: Any, usual: list[int], step: Sizes) -> list[int]:
    """The size of the result: what was pooled, up to what the stride hides."""
    size = usual if output_size is None else [int(n) for n in output_size][-len(usual) :]
    fits = len(size) == len(usual) and min(size) > 0
    if not fits or any(abs(n - m) >= s for n, m, s in zip(size, usual, step, strict=True)):
        raise UsageError(
            f"{name}: output_size={output_size} does not fit; expected {tuple(usual)}, give or take less than "
            f"the stride {step}"
        )
    return size


max_unpool1d, max_unpool2d, max_unpool3d = map(_max_unpool, (1, 2, 3))

"""Reading images and volumes at places between their values: spatial transformers. Called by users.

Jaderberg et al., Spatial transformer networks, 2015. Coordinates run from −1 to 1 along each axis, the last axis first.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from byhand.core.errors import ShapeError, UsageError
from byhand.ops import elementwise as e
from byhand.ops.index import SLOT, indexed
from byhand.ops.linalg import matmul
from byhand.ops.views import narrowed, permuted, reshaped
from byhand.tensor import Tensor

MODES, BORDERS = ("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection")


def affine_grid(theta: Tensor, size: Sequence[int], align_corners: bool | None = None) -> Tensor:
    """The places (N, H, W, 2) or (N, D, H, W, 3) that affine maps theta (N, 2, 3) or (N, 3, 4) send those of a grid to.

    size is (N, C, H, W) or (N, C, D, H, W), that of the result which `grid_sample` then makes.
    """
    sizes = tuple(int(n) for n in size)
    nd = len(sizes) - 2
    if nd not in (2, 3) or theta.shape != (sizes[0], nd, nd + 1) or min(sizes) < 1:
        raise ShapeError(
            f"affine_grid: theta has shape {theta.shape} and size is {sizes}; expected (N, 2, 3) and (N, C, H, W), or "
            "(N, 3, 4) and (N, C, D, H, W)"
        )
    axes = [np.linspace(-1, 1, n) * (1 if align_corners else (n - 1) / n) if n > 1 else np.zeros(1) for n in sizes[2:]]
    places = [*np.meshgrid(*axes, indexing="ij")[::-1], np.ones(sizes[2:])]
    flat = np.stack(places, axis=-1).reshape(1, -1, nd + 1).astype(theta.dtype)
    return reshaped(matmul(flat, permuted(theta, axes=(0, 2, 1))), shape=(sizes[0], *sizes[2:], nd))


def grid_sample(
    input: Tensor,
    grid: Tensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Tensor:
    """input (N, C, H, W) or (N, C, D, H, W) at the places of grid (N, …, 2) or (N, …, 3): (N, C, …).

    Between values it is interpolated: bilinear, nearest, or bicubic (Keys, 1981; images only). Beside the input stand
    zeros, the values at its border, or its reflection. −1 and 1 are the outer edges of values, or their middles with
    align_corners. Raises ShapeError or UsageError for what does not fit.
    """
    nd = input.ndim - 2
    fits = nd in (2, 3) and grid.ndim == nd + 2 and grid.shape[-1] == nd and grid.shape[0] == input.shape[0]
    if not fits or 0 in input.shape[1:]:
        raise ShapeError(
            f"grid_sample: the input has shape {input.shape} and the grid {grid.shape}; expected (N, C, H, W) and "
            "(N, H', W', 2), or (N, C, D, H, W) and (N, D', H', W', 3)"
        )
    if mode not in MODES or padding_mode not in BORDERS or (mode == "bicubic" and nd == 3):
        raise UsageError(
            f"grid_sample: mode={mode!r} and padding_mode={padding_mode!r}; expected one of {MODES} (bicubic for "
            f"images) and one of {BORDERS}"
        )
    shape, batch = input.shape[2:], input.shape[0]
    align = bool(align_corners)
    places = [
        _place(reshaped(narrowed(grid, axis=nd + 1, start=nd - 1 - i, stop=nd - i), shape=(batch, -1)), n, align)
        for i, n in enumerate(shape)
    ]
    taps = [_taps(place, n, mode, padding_mode, align) for place, n in zip(places, shape, strict=True)]
    flat = reshaped(input, shape=(*input.shape[:2], math.prod(shape)))
    strides = [math.prod(shape[i + 1 :]) for i in range(nd)]
    total: Any = None
    for corner in itertools.product(*taps):
        where = sum(at * stride for (at, _), stride in zip(corner, strides, strict=True))
        weight = math.prod([w for _, w in corner[1:]], start=corner[0][1])
        read = indexed(flat, np.arange(batch)[:, None], where, index=(SLOT, slice(None), SLOT))  # (N, places, C)
        part = read * reshaped(weight, shape=(*weight.shape, 1))
        total = part if total is None else total + part
    return reshaped(permuted(total, axes=(0, 2, 1)), shape=(*input.shape[:2], *grid.shape[1:-1]))


def _place(x: Tensor, n: int, align: bool) -> Tensor:
    """A coordinate from −1 to 1 as a place from 0 to n − 1."""
    return (x + 1) * ((n - 1) / 2) if align else ((x + 1) * n - 1) * 0.5


def _taps(place: Tensor, n: int, mode: str, border: str, align: bool) -> list[tuple[Tensor, Tensor]]:
    """Along one axis the values that count, each as its index and its weight."""
    if mode == "nearest":
        nearest = e.round(_inside(place.detach(), n, border, align))
        one = e.clip(e.floor(place), low=1, high=1)  # so that the grid has a gradient, of zeros, as in PyTorch
        return [_tap(nearest, one, n, "zeros", align)]
    if mode == "bilinear":
        place = _inside(place, n, border, align)
        first = e.floor(place.detach())
        t = place - first
        return [_tap(first, 1 - t, n, "zeros", align), _tap(first + 1, t, n, "zeros", align)]
    first = e.floor(place.detach())
    t = place - first
    return [_tap(first + k, _cubic(t - k, near=k in (0, 1)), n, border, align) for k in (-1, 0, 1, 2)]


def _tap(at: Tensor, weight: Tensor, n: int, border: str, align: bool) -> tuple[Tensor, Tensor]:
    """An index within bounds, and the weight, which is 0 where the place was not."""
    at = e.round(_inside(at, n, border, align))
    weight = e.select((at >= 0) & (at <= n - 1), weight, 0)
    return e.cast(e.clip(e.select(at == at, at, 0), low=0, high=n - 1), dtype=np.dtype(np.int64)), weight


def _cubic(distance: Tensor, near: bool, a: float = -0.75) -> Tensor:
    t = e.abs(distance)
    return ((a + 2) * t - (a + 3)) * t * t + 1 if near else ((t - 5) * t + 8) * t * a - 4 * a


def _inside(place: Tensor, n: int, border: str, align: bool) -> Tensor:
    """The place, brought within bounds; without slope where it was not."""
    if border == "zeros":
        return place
    if border == "reflection":
        low, span = (0.0, n - 1) if align else (-0.5, n)
        if span == 0:
            return place * 0
        away = e.abs(place - low)
        times = e.floor(away.detach() / span)
        rest = away - times * span
        place = e.select(times % 2 == 0, rest, span - rest) + low
    return e.select(place <= 0, 0, e.select(place >= n - 1, n - 1, place))

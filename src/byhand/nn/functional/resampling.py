"""Other sizes for sequences, images and volumes: interpolation, and values exchanged between channels and places.

Interpolation treats each axis by itself, so that it is one small matrix an axis (Keys, Cubic convolution
interpolation, 1981, for the weights of `bicubic`). Called by `nn.upsampling`, `nn.functional.pooling` and users.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from byhand.core.errors import ShapeError, UsageError
from byhand.core.variable import Array
from byhand.ops.elementwise import clone
from byhand.ops.index import SLOT, indexed
from byhand.ops.linalg import matmul
from byhand.ops.views import expanded, permuted, reshaped
from byhand.tensor import Tensor


def along(x: Tensor, matrix: Array, axis: int) -> Tensor:
    """out[…, i, …] = Σⱼ matrix[i, j] · x[…, j, …]: a linear map along one axis, in the order that x has in memory."""
    strides = x.array.strides
    order = sorted(range(x.ndim), key=lambda a: (-strides[a], a))
    laid = permuted(x, axes=tuple(order))  # where channels are last in memory, products read along them
    place = order.index(axis)
    lead, rest = laid.shape[:place], laid.shape[place + 1 :]
    if rest:
        grid = reshaped(laid, shape=(math.prod(lead), x.shape[axis], math.prod(rest)))
        out = matmul(matrix, grid)
    else:
        out = matmul(reshaped(laid, shape=(math.prod(lead), x.shape[axis])), matrix.T)
    return permuted(reshaped(out, shape=(*lead, len(matrix), *rest)), axes=tuple(int(a) for a in np.argsort(order)))


# the weights of one axis


def _source(n: int, size: int, scale: float | None, align_corners: bool) -> tuple[Array, float]:
    """The place of x that each of `size` results looks at, of n places, and how far apart those are."""
    if align_corners:
        step = (n - 1) / (size - 1) if size > 1 else 0.0
        return np.arange(size) * step, step
    step = n / size if scale is None else 1 / scale
    return (np.arange(size) + 0.5) * step - 0.5, step


def _nearest(n: int, size: int, scale: float | None, exact: bool) -> Array:
    """The place nearest to each result; PyTorch rounds these to float32 before it cuts them off."""
    step = n / size if scale is None else 1 / scale
    found = np.floor(((np.arange(size) + (0.5 if exact else 0.0)) * step).astype(np.float32))
    return np.minimum(found.astype(np.int64), n - 1)


def _cubic(t: Array, a: float) -> Array:
    """Keys' kernel at distance t, which is 0 from 2 on."""
    t = np.abs(t)
    near, far = ((a + 2) * t - (a + 3)) * t * t + 1, ((t - 5) * t + 8) * t * a - 4 * a
    return np.where(t <= 1, near, np.where(t < 2, far, 0.0))


def _hat(t: Array) -> Array:
    """The kernel of linear interpolation at distance t, which is 0 from 1 on."""
    near: Array = np.maximum(1 - np.abs(t), 0)
    return near


@functools.lru_cache(maxsize=64)
def _weights(
    mode: str, n: int, size: int, scale: float | None, align_corners: bool, antialias: bool, dtype: Any
) -> Array:
    """The matrix (size, n) of an interpolation."""
    source, step = _source(n, size, scale, align_corners)
    if antialias:
        return _wide(mode, n, source, step, align_corners).astype(dtype)
    if mode != "bicubic":
        source = np.maximum(source, 0)
    reach = np.arange(-1, 3) if mode == "bicubic" else np.arange(2)
    places = np.floor(source)[:, None] + reach
    weights = _cubic(source[:, None] - places, -0.75) if mode == "bicubic" else _hat(source[:, None] - places)
    matrix = np.zeros((size, n))
    np.add.at(matrix, (np.arange(size)[:, None], np.clip(places, 0, n - 1).astype(int)), weights)
    return matrix.astype(dtype)


def _wide(mode: str, n: int, source: Array, step: float, align_corners: bool) -> Array:
    """The matrix with the kernel as wide as the results are apart, so that no value of x falls through."""
    wide = max(step, 1.0)
    center = (source + 0.5 if not align_corners else (np.arange(len(source)) + 0.5) * step)[:, None]
    support = (2 if mode == "bicubic" else 1) * wide
    places = np.arange(n)
    first = np.maximum((center - support + 0.5).astype(int), 0)
    last = np.minimum((center + support + 0.5).astype(int), n)
    distance = (places + 0.5 - center) / wide
    weights = _cubic(distance, -0.5) if mode == "bicubic" else _hat(distance)
    weights = np.where((places >= first) & (places < last), weights, 0)
    matrix: Array = weights / weights.sum(axis=1, keepdims=True)
    return matrix


@functools.lru_cache(maxsize=64)
def means(n: int, size: int, dtype: Any) -> Array:
    """The matrix (size, n) of means over ⌊i n / size⌋ ≤ j < ⌈(i + 1) n / size⌉."""
    i, j = np.arange(size)[:, None], np.arange(n)
    inside = (j >= i * n // size) & (j < -(-(i + 1) * n // size))
    matrix: Array = (inside / inside.sum(axis=1, keepdims=True)).astype(dtype)
    return matrix


# interpolation

LINEAR = {"linear": 1, "bilinear": 2, "trilinear": 3}
CORNERED = (*LINEAR, "bicubic")
MODES = ("nearest", "nearest-exact", "area", *CORNERED)


def interpolate(
    input: Tensor,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """input (N, C, …) in another size along its last axes, given by `size` or as ⌊n · scale_factor⌋.

    Modes: nearest, nearest-exact, area (means), linear, bilinear and trilinear for 1, 2 and 3 axes, bicubic for 2.
    Places are compared by the middles of values, or from corner to corner with align_corners. With antialias=True
    values further away count too where the result is smaller. Raises UsageError for arguments that do not go together,
    ShapeError for an input that the mode cannot take.

    >>> import byhand
    >>> from byhand.nn import functional as F
    >>> F.interpolate(byhand.tensor([[[0.0, 1.0]]]), scale_factor=2, mode="linear")
    tensor([[[0.0000, 0.2500, 0.7500, 1.0000]]])
    """
    _check(input.shape, mode, align_corners, recompute_scale_factor, antialias, size)
    sizes, scales = _sizes(input.shape[2:], size, scale_factor, bool(recompute_scale_factor))
    if min(sizes) < 1 or 0 in input.shape[1:]:
        raise ShapeError(f"interpolate: the input has shape {input.shape}, the output would have the sizes {sizes}")
    out = input
    for axis, (n, wanted, scale) in enumerate(zip(input.shape[2:], sizes, scales, strict=True), start=2):
        if n == wanted and (scale is None or mode not in ("nearest-exact", "bicubic")):
            continue  # for those two PyTorch shifts by a scale factor that changes no size
        if mode.startswith("nearest"):
            out = _repeated(out, axis, _nearest(n, wanted, scale, mode == "nearest-exact"))
        elif mode == "area":
            out = along(out, means(n, wanted, input.dtype), axis)
        else:
            out = along(out, _weights(mode, n, wanted, scale, bool(align_corners), antialias, input.dtype), axis)
    return clone(out) if out is input else out


def _check(shape: tuple[int, ...], mode: str, align: Any, recompute: Any, antialias: bool, size: Any) -> None:
    nd = len(shape) - 2
    if mode not in MODES:
        raise UsageError(f"interpolate: mode is one of {MODES}, not {mode!r}")
    if nd not in (1, 2, 3) or nd != LINEAR.get(mode, 2 if mode == "bicubic" else nd):
        raise ShapeError(
            f"interpolate: the input has shape {shape}, which mode={mode!r} does not take; expected (N, C, …) with 1 "
            "axis for linear, 2 for bilinear and bicubic, 3 for trilinear"
        )
    if align is not None and mode not in CORNERED:
        raise UsageError(f"interpolate: align_corners has a meaning for {CORNERED}, not for mode={mode!r}")
    if antialias and mode not in ("bilinear", "bicubic"):
        raise UsageError(f"interpolate: antialias has a meaning for 'bilinear' and 'bicubic', not for mode={mode!r}")
    if recompute and size is not None:
        raise UsageError("interpolate: recompute_scale_factor belongs to scale_factor; there is none beside size")


def _sizes(
    shape: tuple[int, ...], size: Any, scale_factor: Any, recompute: bool
) -> tuple[list[int], list[float | None]]:
    """The size of each axis, and the scale factor where it counts by itself."""
    if (size is None) == (scale_factor is None):
        raise UsageError("interpolate: give either size or scale_factor")
    given = size if scale_factor is None else scale_factor
    each = list(given) if isinstance(given, Sequence) else [given] * len(shape)
    if len(each) != len(shape):
        raise UsageError(
            f"interpolate: size and scale_factor have a value for each of the axes {shape} of the input, not {given!r}"
        )
    if scale_factor is None:
        return [int(n) for n in each], [None] * len(shape)
    sizes = [math.floor(float(n * s)) for n, s in zip(shape, each, strict=True)]
    return sizes, [None] * len(shape) if recompute else [float(s) for s in each]


def _repeated(x: Tensor, axis: int, places: Array) -> Tensor:
    """x at these places of an axis; where each is repeated equally often, by a view that is copied."""
    n, size = x.shape[axis], len(places)
    if size % n or not np.array_equal(places, np.repeat(np.arange(n), size // n)):
        return indexed(x, places, index=(slice(None),) * axis + (SLOT,))
    if n == size:
        return x
    lead, rest = x.shape[: axis + 1], x.shape[axis + 1 :]
    wide = clone(expanded(reshaped(x, shape=(*lead, 1, *rest)), shape=(*lead, size // n, *rest)))
    return reshaped(wide, shape=(*lead[:-1], size, *rest))


def upsample(
    input: Tensor,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Tensor:
    """`interpolate` under its former name."""
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(
    input: Tensor, size: int | Sequence[int] | None = None, scale_factor: float | Sequence[float] | None = None
) -> Tensor:
    """`interpolate` with mode="nearest"."""
    return interpolate(input, size, scale_factor)


def upsample_bilinear(
    input: Tensor, size: int | Sequence[int] | None = None, scale_factor: float | Sequence[float] | None = None
) -> Tensor:
    """`interpolate` with mode="bilinear", from corner to corner."""
    return interpolate(input, size, scale_factor, "bilinear", True)


# channels and places


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """(…, C r², H, W) → (…, C, H r, W r): the r² channels of each place become a square of r × r places.

    Shi et al., Real-time super-resolution by an efficient sub-pixel convolutional network, 2016.
    """
    r, shape = upscale_factor, input.shape
    if len(shape) < 3 or r < 1 or shape[-3] % (r * r):
        raise ShapeError(f"pixel_shuffle: the input has shape {shape}; expected (…, C · {r}², H, W)")
    *lead, channels, height, width = shape
    grid = reshaped(input, shape=(*lead, channels // (r * r), r, r, height, width))
    return _mixed(grid, (2, 0, 3, 1), (*lead, channels // (r * r), height * r, width * r))


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """(…, C, H r, W r) → (…, C r², H, W): the inverse of `pixel_shuffle`."""
    r, shape = downscale_factor, input.shape
    if len(shape) < 3 or r < 1 or shape[-2] % r or shape[-1] % r:
        raise ShapeError(f"pixel_unshuffle: the input has shape {shape}; expected (…, C, H · {r}, W · {r})")
    *lead, channels, height, width = shape
    grid = reshaped(input, shape=(*lead, channels, height // r, r, width // r, r))
    return _mixed(grid, (1, 3, 0, 2), (*lead, channels * r * r, height // r, width // r))


def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """(N, g C, …) → the same, with one channel of each group after another. Zhang et al., ShuffleNet, 2018."""
    shape = input.shape
    if len(shape) < 3 or groups < 1 or shape[1] % groups:
        raise ShapeError(f"channel_shuffle: the input has shape {shape}; expected (N, C · {groups}, …)")
    grid = reshaped(input, shape=(shape[0], groups, shape[1] // groups, *shape[2:]))
    return reshaped(permuted(grid, axes=(0, 2, 1, *range(3, grid.ndim))), shape=shape)


native_channel_shuffle = channel_shuffle


def _mixed(x: Tensor, last: tuple[int, ...], shape: tuple[int, ...]) -> Tensor:
    """The last four axes in another order, then reshaped."""
    lead = x.ndim - 4
    return reshaped(permuted(x, axes=(*range(lead), *[lead + i for i in last])), shape=shape)

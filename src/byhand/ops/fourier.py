"""Fourier transforms, PyTorch's `torch.fft`: X[k] = Σₙ x[n] e^(−2πi kn/N). NumPy's `fft` is the kernel.

Three ops are enough. The matrix of the complex transform is symmetric, so that it is its own rule; those of and to real
values are each other's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from byhand.core.dtypes import get_default_dtype
from byhand.core.errors import DtypeError, ShapeError, UsageError
from byhand.core.op import OTHER, derive, op
from byhand.core.variable import Array
from byhand.ops import elementwise as e
from byhand.ops.axes import many, one
from byhand.ops.complex import arm, conj, conjugate
from byhand.ops.shape import rolled
from byhand.ops.views import narrowed, padded

if TYPE_CHECKING:
    from byhand.tensor import Tensor


@op(OTHER)
def fourier(x: Array, *, axis: tuple[int, ...], inverse: bool, scale: float) -> Array:
    """scale · Σ x e^(∓2πi kn/N) over the axes, with + if inverse"""
    out = np.fft.ifftn(x, axes=axis, norm="forward") if inverse else np.fft.fftn(x, axes=axis)
    return out if scale == 1 else out * scale


@op(OTHER)
def real_fourier(x: Array, *, axis: int, scale: float) -> Array:
    """The same of real x along one axis: the first ⌊N/2⌋ + 1 values, which tell the others"""
    out = np.fft.rfft(x, axis=axis)
    return out if scale == 1 else out * scale


@op(OTHER)
def real_inverse_fourier(x: Array, *, axis: int, size: int, scale: float) -> Array:
    """The way back to `size` real values: scale · Σ w Re(x e^(2πi kn/N)), where w counts what x leaves out"""
    out = np.fft.irfft(x, size, axis=axis, norm="forward")
    return out if scale == 1 else out * scale


def _weights(size: int, axis: int, ndim: int, dtype: Any) -> Array:
    """How many of the values of a whole transform each of the first ⌊N/2⌋ + 1 stands for: 1 at the ends, else 2."""
    weights = np.full(size // 2 + 1, 2, np.finfo(dtype).dtype)
    weights[0] = 1
    if size % 2 == 0:
        weights[-1] = 1
    return weights.reshape([-1 if i == axis else 1 for i in range(ndim)])


def _half_rule(g: Any, x_shape: tuple[int, ...], axis: int, scale: float) -> Any:
    size = x_shape[axis]
    halves = conjugate(g) * (1 / _weights(size, axis, len(x_shape), g.dtype))
    return real_inverse_fourier(halves, axis=axis, size=size, scale=scale)


def _half_inverse_rule(g: Any, axis: int, size: int, scale: float) -> Any:
    return conjugate(real_fourier(g, axis=axis, scale=scale)) * _weights(size, axis, len(g.shape), g.dtype)


derive(fourier, x=lambda g, axis, inverse, scale: fourier(g, axis=axis, inverse=inverse, scale=scale))
derive(real_fourier, x=_half_rule)
derive(real_inverse_fourier, x=_half_inverse_rule)

# the public functions

NORMS = ("backward", "ortho", "forward")


def _scale(norm: str | None, inverse: bool, count: int, name: str) -> float:
    """What the sums are multiplied by: PyTorch's `norm` names the direction that is divided by their length."""
    norm = norm or "backward"
    if norm not in NORMS:
        raise UsageError(f"{name}: norm is 'backward', 'ortho' or 'forward', not {norm!r}")
    if norm == "ortho":
        return 1 / math.sqrt(count)
    return 1 / count if inverse == (norm == "backward") else 1.0


def _prepared(x: Any, name: str, real: bool = False) -> Any:
    """A float or complex tensor, complex ones only unless `real`."""
    arm()
    if x.dtype.kind == "c":
        if real:
            raise DtypeError(f"{name} takes a real tensor, this one is {x.dtype}; use fft")
        return x
    if x.dtype == np.float16:
        raise DtypeError(f"{name} takes float32 or float64, this tensor is float16; use x.float()")
    return x if x.dtype.kind == "f" else e.cast(x, dtype=get_default_dtype())


def resized(x: Any, axis: int, size: int, name: str) -> Any:
    """x cut, or filled with zeros, to this size along an axis."""
    now = x.shape[axis]
    if size < 1:
        raise ShapeError(f"{name}: a transform needs at least one value along axis {axis}, not {size}")
    if size < now:
        return narrowed(x, axis=axis, start=0, stop=size)
    if size > now:
        return padded(x, widths=tuple((0, size - now if i == axis else 0) for i in range(x.ndim)), value=0)
    return x


def _whole(x: Any, axes: tuple[int, ...], sizes: Sequence[int], norm: str | None, inverse: bool, name: str) -> Any:
    x = _prepared(x, name)
    for axis, size in zip(axes, sizes, strict=True):
        x = resized(x, axis, size, name)
    return fourier(x, axis=axes, inverse=inverse, scale=_scale(norm, inverse, math.prod(sizes), name))


def _places(x: Any, s: Any, dim: Any, name: str) -> tuple[tuple[int, ...], list[int | None]]:
    """The axes, in the order given, and the sizes asked for (None where nothing was)."""
    sizes = None if s is None else [s] if isinstance(s, int) else list(s)
    if dim is None:
        axes = tuple(range(x.ndim)) if sizes is None else tuple(range(x.ndim - len(sizes), x.ndim))
    else:
        axes = tuple(one(d, x.ndim, name) for d in ([dim] if isinstance(dim, int) else dim))
    if len(set(axes)) < len(axes) or (sizes is not None and len(sizes) != len(axes)):
        raise UsageError(f"{name}: s={s} and dim={dim} do not name different axes of {x.shape} and a size for each")
    return axes, [None if size == -1 else size for size in sizes] if sizes is not None else [None] * len(axes)


def _given(x: Any, axes: tuple[int, ...], sizes: Sequence[int | None]) -> list[int]:
    return [x.shape[axis] if size is None else size for size, axis in zip(sizes, axes, strict=True)]


def fftn(input: Any, s: Any = None, dim: Any = None, norm: str | None = None) -> Tensor:
    """The transform over several axes, all unless told otherwise; `s` are the sizes to cut or fill to."""
    axes, sizes = _places(input, s, dim, "fftn")
    return _whole(input, axes, _given(input, axes, sizes), norm, False, "fftn")


def ifftn(input: Any, s: Any = None, dim: Any = None, norm: str | None = None) -> Tensor:
    """The inverse of `fftn`."""
    axes, sizes = _places(input, s, dim, "ifftn")
    return _whole(input, axes, _given(input, axes, sizes), norm, True, "ifftn")


def rfftn(input: Any, s: Any = None, dim: Any = None, norm: str | None = None) -> Tensor:
    """The transform of real values over several axes, of the last of which ⌊n/2⌋ + 1 values are given."""
    axes, wanted = _places(input, s, dim, "rfftn")
    return _half(input, axes, wanted, norm, False, "rfftn")


def _half(x: Any, axes: tuple[int, ...], wanted: list[int | None], norm: str | None, inverse: bool, name: str) -> Any:
    x = _prepared(x, name, real=True)
    sizes = _given(x, axes, wanted)
    for axis, size in zip(axes, sizes, strict=True):
        x = resized(x, axis, size, name)
    *others, last = axes
    out = real_fourier(x, axis=last, scale=_scale(norm, inverse, math.prod(sizes), name))
    return fourier(out, axis=tuple(others), inverse=False, scale=1.0) if others else out


def irfftn(input: Any, s: Any = None, dim: Any = None, norm: str | None = None) -> Tensor:
    """The inverse of `rfftn`; the last size is 2 (m − 1) unless `s` says otherwise."""
    axes, wanted = _places(input, s, dim, "irfftn")
    return _real(input, axes, wanted, norm, True, "irfftn")


def _real(x: Any, axes: tuple[int, ...], wanted: list[int | None], norm: str | None, inverse: bool, name: str) -> Any:
    x = _prepared(x, name)
    *others, last = axes
    sizes = _given(x, axes, wanted)
    if wanted[-1] is None:
        sizes[-1] = 2 * (x.shape[last] - 1)
    for axis, size in zip(axes, [*sizes[:-1], sizes[-1] // 2 + 1], strict=True):
        x = resized(x, axis, size, name)
    if sizes[-1] < 1:
        raise ShapeError(f"{name}: the result would have no values along axis {last}; say n or s")
    x = fourier(x, axis=tuple(others), inverse=True, scale=1.0) if others else x
    return real_inverse_fourier(x, axis=last, size=sizes[-1], scale=_scale(norm, inverse, math.prod(sizes), name))


def hfftn(input: Any, s: Any = None, dim: Any = None, norm: str | None = None) -> Tensor:
    """The transform, which is real, of values of which half are given, the others being their conjugates."""
    axes, wanted = _places(input, s, dim, "hfftn")
    return _real(conj(input), axes, wanted, norm, False, "hfftn")


def ihfftn(input: Any, s: Any = None, dim: Any = None, norm: str | None = None) -> Tensor:
    """The inverse of `hfftn`: half of the transform of real values."""
    axes, wanted = _places(input, s, dim, "ihfftn")
    return conj(_half(input, axes, wanted, norm, True, "ihfftn"))


def fft(input: Any, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """X[k] = Σₙ x[n] e^(−2πi kn/N) along an axis, cut or filled with zeros to n values.

    norm  "backward" (the inverse is divided by N), "forward" (this is) or "ortho" (both are by √N)

    >>> import byhand
    >>> byhand.fft.fft(byhand.ones(2)).real
    tensor([2., 0.])
    """
    return fftn(input, n, dim, norm)


def ifft(input: Any, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The inverse of `fft`."""
    return ifftn(input, n, dim, norm)


def rfft(input: Any, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The first ⌊n/2⌋ + 1 values of `fft` of a real tensor; the others are their conjugates."""
    return rfftn(input, n, dim, norm)


def irfft(input: Any, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The inverse of `rfft`: n real values, 2 (m − 1) unless told otherwise."""
    return irfftn(input, n, dim, norm)


def hfft(input: Any, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The transform, which is real, of values of which the first half is given, the others being their conjugates."""
    return hfftn(input, n, dim, norm)


def ihfft(input: Any, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The inverse of `hfft`."""
    return ihfftn(input, n, dim, norm)


def _shift(x: Any, dim: Any, name: str, back: bool) -> Any:
    axes = many(dim, x.ndim, name)
    return rolled(x, shift=tuple((x.shape[a] + 1) // 2 if back else x.shape[a] // 2 for a in axes), axis=axes)


def fftshift(input: Any, dim: Any = None) -> Tensor:
    """The values of a transform with frequency 0 in the middle."""
    return _shift(input, dim, "fftshift", False)


def ifftshift(input: Any, dim: Any = None) -> Tensor:
    """The inverse of `fftshift`."""
    return _shift(input, dim, "ifftshift", True)

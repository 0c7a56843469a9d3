"""Fourier transforms under PyTorch's names, `torch.fft`: an alias for the ops, and the frequencies of their values."""

from __future__ import annotations

from typing import Any

import numpy as np

from byhand.core.dtypes import check_device, resolve
from byhand.ops.fourier import (
    fft,
    fftn,
    fftshift,
    hfft,
    hfftn,
    ifft,
    ifftn,
    ifftshift,
    ihfft,
    ihfftn,
    irfft,
    irfftn,
    rfft,
    rfftn,
)  # fmt: skip
from byhand.tensor import Tensor

LAST = (-2, -1)


def fft2(input: Any, s: Any = None, dim: Any = LAST, norm: str | None = None) -> Tensor:
    """`fftn` over the last two axes."""
    return fftn(input, s, dim, norm)


def ifft2(input: Any, s: Any = None, dim: Any = LAST, norm: str | None = None) -> Tensor:
    """`ifftn` over the last two axes."""
    return ifftn(input, s, dim, norm)


def rfft2(input: Any, s: Any = None, dim: Any = LAST, norm: str | None = None) -> Tensor:
    """`rfftn` over the last two axes."""
    return rfftn(input, s, dim, norm)


def irfft2(input: Any, s: Any = None, dim: Any = LAST, norm: str | None = None) -> Tensor:
    """`irfftn` over the last two axes."""
    return irfftn(input, s, dim, norm)


def hfft2(input: Any, s: Any = None, dim: Any = LAST, norm: str | None = None) -> Tensor:
    """`hfftn` over the last two axes."""
    return hfftn(input, s, dim, norm)


def ihfft2(input: Any, s: Any = None, dim: Any = LAST, norm: str | None = None) -> Tensor:
    """`ihfftn` over the last two axes."""
    return ihfftn(input, s, dim, norm)


def fftfreq(n: int, d: float = 1.0, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """The frequencies of the values of a transform of n samples d apart: (0, 1, …, −2, −1) / (d n).

    >>> import byhand
    >>> byhand.fft.fftfreq(4)
    tensor([ 0.0000,  0.2500, -0.5000, -0.2500])
    """
    check_device(device)
    made = Tensor(np.fft.fftfreq(n, d).astype(resolve(dtype)))
    return made.requires_grad_() if requires_grad else made


def rfftfreq(n: int, d: float = 1.0, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """The same for `rfft`: (0, 1, …, ⌊n/2⌋) / (d n)."""
    check_device(device)
    made = Tensor(np.fft.rfftfreq(n, d).astype(resolve(dtype)))
    return made.requires_grad_() if requires_grad else made


__all__ = [
    "fft", "fft2", "fftfreq", "fftn", "fftshift", "hfft", "hfft2", "hfftn", "ifft", "ifft2", "ifftn", "ifftshift",
    "ihfft", "ihfft2", "ihfftn", "irfft", "irfft2", "irfftn", "rfft", "rfft2", "rfftfreq", "rfftn",
]  # fmt: skip

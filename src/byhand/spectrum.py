"""Windows, and Fourier transforms of short pieces of a signal: PyTorch's `stft`, `istft`, `hann_window` and so on.

Called by users, as functions of `byhand`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from byhand.core.dtypes import check_device, resolve
from byhand.core.errors import ShapeError, UsageError
from byhand.core.variable import Array
from byhand.creation import ones
from byhand.nn import functional as F
from byhand.ops.complex import view_as_real
from byhand.ops.fourier import fft, ifft, irfft, rfft
from byhand.ops.scattering import unfold
from byhand.tensor import Tensor


def _window(
    window_length: int, periodic: bool, form: Callable[[Array], Array], dtype: Any, requires_grad: bool, layout: Any
) -> Tensor:
    """form(n / N), n = 0 … length − 1, with N = length, as a transform takes it, or length − 1, which is symmetric."""
    check_device(layout.pop("device", None))
    if not layout.keys() <= {"layout", "pin_memory", "out"} or layout.get("out") is not None:
        raise UsageError(f"a window got the unknown keyword {', '.join(layout)}")
    if window_length < 0:
        raise UsageError(f"a window has no negative length, got {window_length}")
    steps = window_length if periodic else window_length - 1
    made = form(np.arange(window_length) / steps) if window_length > 1 else np.ones(window_length)
    tensor = Tensor(made.astype(resolve(dtype)))
    return tensor.requires_grad_() if requires_grad else tensor


def hann_window(
    window_length: int, periodic: bool = True, *, dtype: Any = None, requires_grad: bool = False, **layout: Any
) -> Tensor:
    """½ − ½ cos(2π n/N).

    >>> import byhand
    >>> byhand.hann_window(4)
    tensor([0.0000, 0.5000, 1.0000, 0.5000])
    """
    return hamming_window(window_length, periodic, 0.5, 0.5, dtype=dtype, requires_grad=requires_grad, **layout)


def hamming_window(
    window_length: int, periodic: bool = True, alpha: float = 0.54, beta: float = 0.46, *, dtype: Any = None,
    requires_grad: bool = False, **layout: Any,
) -> Tensor:  # fmt: skip
    """α − β cos(2π n/N)."""
    return _window(
        window_length, periodic, lambda x: alpha - beta * np.cos(2 * np.pi * x), dtype, requires_grad, layout
    )


def blackman_window(
    window_length: int, periodic: bool = True, *, dtype: Any = None, requires_grad: bool = False, **layout: Any
) -> Tensor:
    """0.42 − ½ cos(2π n/N) + 0.08 cos(4π n/N)."""

    def form(x: Array) -> Array:
        values: Array = 0.42 - 0.5 * np.cos(2 * np.pi * x) + 0.08 * np.cos(4 * np.pi * x)
        return values

    return _window(window_length, periodic, form, dtype, requires_grad, layout)


def bartlett_window(
    window_length: int, periodic: bool = True, *, dtype: Any = None, requires_grad: bool = False, **layout: Any
) -> Tensor:
    """1 − |2n/N − 1|, a triangle."""
    return _window(window_length, periodic, lambda x: 1 - abs(2 * x - 1), dtype, requires_grad, layout)


def kaiser_window(
    window_length: int, periodic: bool = True, beta: float = 12.0, *, dtype: Any = None, requires_grad: bool = False,
    **layout: Any,
) -> Tensor:  # fmt: skip
    """I₀(β √(1 − (2n/N − 1)²)) / I₀(β), I₀ a Bessel function."""
    return _window(
        window_length, periodic, lambda x: np.i0(beta * np.sqrt(1 - (2 * x - 1) ** 2)) / np.i0(beta), dtype,
        requires_grad, layout,
    )  # fmt: skip


def _pieces(
    name: str, n_fft: int, hop_length: int | None, win_length: int | None, window: Tensor | None, dtype: Any
) -> tuple[int, Tensor]:
    """The distance of the pieces, and the window with zeros around it, so that it is as long as a piece."""
    hop = n_fft // 4 if hop_length is None else hop_length
    length = n_fft if win_length is None else win_length
    if hop <= 0 or not 0 < length <= n_fft:
        raise UsageError(f"{name}: hop_length is positive and win_length from 1 to n_fft; got {hop}, {length}, {n_fft}")
    if window is None:
        window = ones(length, dtype=dtype)
    if window.shape != (length,):
        raise ShapeError(f"{name}: the window has the shape {window.shape}, expected (win_length,) = ({length},)")
    before = (n_fft - length) // 2
    return hop, F.pad(window, (before, n_fft - length - before))


def stft(
    input: Tensor, n_fft: int, hop_length: int | None = None, win_length: int | None = None,
    window: Tensor | None = None, center: bool = True, pad_mode: str = "reflect", normalized: bool = False,
    onesided: bool | None = None, return_complex: bool | None = None, align_to_window: bool | None = None,
) -> Tensor:  # fmt: skip
    """The spectra of overlapping pieces of a signal: input (B, T) or (T) → complex (B, frequencies, pieces).

    Piece m is input[m · hop : m · hop + n_fft] · window; with `center` the signal is first continued by n_fft/2 at
    both ends. Of a real signal n_fft/2 + 1 frequencies are kept, unless `onesided=False`. `return_complex=False`
    gives real and imaginary parts along a last axis. Raises ShapeError for a signal shorter than a piece.
    """
    is_complex = input.array.dtype.kind == "c"
    if return_complex is None and not is_complex:
        raise UsageError("stft: say return_complex=True (or False, for real and imaginary parts along a last axis)")
    if input.ndim not in (1, 2):
        raise ShapeError(f"stft: a signal has the shape (T) or (B, T), this one {input.shape}")
    hop, taper = _pieces("stft", n_fft, hop_length, win_length, window, input.real.dtype)
    batch = input if input.ndim == 2 else input[None]
    if center:
        batch = F.pad(batch[None], (n_fft // 2, n_fft // 2), pad_mode)[0]
    if batch.shape[1] < n_fft:
        raise ShapeError(f"stft: a signal of {batch.shape[1]} values is shorter than a piece of n_fft={n_fft}")
    whole = is_complex or onesided is False
    spectra = (fft if whole else rfft)(unfold(batch, 1, n_fft, hop) * taper, norm="ortho" if normalized else None)
    spectra = spectra.transpose(1, 2)
    found = spectra if input.ndim == 2 else spectra[0]
    return view_as_real(found) if return_complex is False else found


def istft(
    input: Tensor, n_fft: int, hop_length: int | None = None, win_length: int | None = None,
    window: Tensor | None = None, center: bool = True, normalized: bool = False, onesided: bool | None = None,
    length: int | None = None, return_complex: bool = False,
) -> Tensor:  # fmt: skip
    """The signal (B, T) or (T) of spectra (B, frequencies, pieces): pieces are added up and divided by Σ window².

    Undoes `stft` of the same arguments; `length` cuts or fills the end. Griffin & Lim, Signal estimation from modified
    short-time Fourier transform, 1984. Raises UsageError where the windows leave gaps.
    """
    if input.array.dtype.kind != "c" or input.ndim not in (2, 3):
        raise ShapeError(f"istft: expected complex (B, frequencies, pieces), got {input.dtype} {input.shape}")
    batch = input if input.ndim == 3 else input[None]
    whole = onesided is False or return_complex
    if batch.shape[1] != (n_fft if whole else n_fft // 2 + 1):
        raise ShapeError(f"istft: {batch.shape[1]} frequencies do not fit n_fft={n_fft}")
    hop, taper = _pieces("istft", n_fft, hop_length, win_length, window, input.real.dtype)
    count, norm = batch.shape[2], "ortho" if normalized else None
    if return_complex:
        pieces = ifft(batch, dim=1, norm=norm)
    else:  # of a whole spectrum the lower half is read, as PyTorch does
        pieces = irfft(batch[:, : n_fft // 2 + 1], n_fft, dim=1, norm=norm)
    total = n_fft + hop * (count - 1)
    weights = _added(((taper * taper)[:, None] * ones(n_fft, count, dtype=taper.dtype))[None], total, hop)[0]
    pieces = pieces * taper[:, None]
    start = n_fft // 2 if center else 0
    end = start + length if length is not None else total - start if center else total
    parts = (pieces.real, pieces.imag) if return_complex else (pieces,)
    covered = weights[start:end]
    if not (abs(covered.array) > 1e-11).all():
        raise UsageError("istft: some values of the signal are in no window; take a smaller hop_length or center=True")
    signals = [F.pad(_added(part, total, hop)[:, start:end] / covered, (0, max(0, end - total))) for part in parts]
    found = signals[0] if len(signals) == 1 else signals[0] + 1j * signals[1]
    return found if input.ndim == 3 else found[0]


def _added(pieces: Tensor, total: int, hop: int) -> Tensor:
    """Pieces (B, n, count), each `hop` later than the one before, added up: (B, total)."""
    return F.fold(pieces, (1, total), (1, pieces.shape[1]), stride=(1, hop))[:, 0, 0]


__all__ = [
    "bartlett_window", "blackman_window", "hamming_window", "hann_window", "istft", "kaiser_window", "stft",
]  # fmt: skip

"""Convolution, transposed convolution, and windows as columns. Called by `nn.convolution` and by users.

What PyTorch has for 1, 2 and 3 axes is one function here, made thrice. Inputs are (N, C, …) or (C, …).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from byhand.core.errors import DtypeError, ShapeError, UsageError
from byhand.ops.axes import each
from byhand.ops.convolution import convolution, convolution_transpose
from byhand.ops.views import reshaped
from byhand.ops.windows import Sizes, Widths, counts, folded, unfolded
from byhand.tensor import Tensor


def _conv(ndim: int) -> Callable[..., Tensor]:
    name = f"conv{ndim}d"

    def conv(
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> Tensor:
        kernel = _checked(name, ndim, input, weight, bias, weight.shape[1] * groups, weight.shape[0], groups)
        steps, spread = _steps(
            name, stride=each(stride, ndim, name, "stride"), dilation=each(dilation, ndim, name, "d")
        )
        widths = borders(name, padding, kernel, steps, spread)
        sizes = input.shape[-ndim:]
        if min(counts(sizes, kernel, steps, widths, spread)) < 1:
            raise ShapeError(
                f"{name}: an input of shape {input.shape} is too small for a kernel of {kernel} with padding {padding} "
                f"and dilation {spread}; use a smaller kernel or more padding"
            )
        x = input if input.ndim == ndim + 2 else reshaped(input, shape=(1, *input.shape))
        out = convolution(x, weight, bias, stride=steps, padding=widths, dilation=spread, groups=groups)
        return out if x is input else reshaped(out, shape=out.shape[1:])

    letters = "LHWDHW"[(0, 1, 3)[ndim - 1] :][:ndim]
    return _named(
        conv, name,
        f"""yₒ[i] = Σ xᶜ[stride · i + dilation · k − padding] wₒᶜ[k] + bₒ over the channels c of o's group and k.

        input (N, C, {", ".join(letters)}), or without N; weight (O, C / groups, *kernel); bias (O). Padding is zeros:
        a number for each axis, "valid" for none, or "same" for as many as keep the size, with stride 1. Raises
        ShapeError for channels that do not match, UsageError for settings that cannot be. LeCun et al., 1998.
        """,
    )  # fmt: skip


def _conv_transpose(ndim: int) -> Callable[..., Tensor]:
    name = f"conv_transpose{ndim}d"

    def conv_transpose(
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        dilation: Any = 1,
    ) -> Tensor:
        kernel = _checked(name, ndim, input, weight, bias, weight.shape[0], weight.shape[1] * groups, groups)
        steps, spread = _steps(
            name, stride=each(stride, ndim, name, "stride"), dilation=each(dilation, ndim, name, "d")
        )
        border, extra = each(padding, ndim, name, "padding"), each(output_padding, ndim, name, "output_padding")
        if any(not 0 <= o < max(s, d) for o, s, d in zip(extra, steps, spread, strict=True)):
            raise UsageError(f"{name}: output_padding {extra} must be smaller than stride {steps} or dilation {spread}")
        along = list(zip(input.shape[-ndim:], kernel, steps, border, spread, strict=True))
        whole = [(n - 1) * s - 2 * p + d * (k - 1) + 1 for n, k, s, p, d in along]
        if min(n + o for n, o in zip(whole, extra, strict=True)) < 1:
            raise ShapeError(f"{name}: an input of shape {input.shape} with padding {border} gives a size of {whole}")
        x = input if input.ndim == ndim + 2 else reshaped(input, shape=(1, *input.shape))
        out = convolution_transpose(
            x, weight, bias, size=tuple(map(sum, zip(whole, extra, strict=True))), stride=steps,
            padding=tuple((p, p - o) for p, o in zip(border, extra, strict=True)), dilation=spread, groups=groups,
        )  # fmt: skip
        return out if x is input else reshaped(out, shape=out.shape[1:])

    return _named(
        conv_transpose, name,
        f"""The transpose of `conv{ndim}d`, which spreads each value over a window: (n − 1) stride − 2 padding + reach.

        input (N, C, …) or (C, …), weight (C, O / groups, *kernel), bias (O) → (N, O, …). `output_padding` is added to
        the size at its end. Raises ShapeError for channels that do not match. Zeiler et al., 2010.
        """,
    )  # fmt: skip


def _named(function: Callable[..., Tensor], name: str, doc: str) -> Callable[..., Tensor]:
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return function


def _checked(
    name: str, ndim: int, input: Tensor, weight: Tensor, bias: Tensor | None, channels: int, out: int, groups: int
) -> Sizes:
    """The size of the kernel, if all shapes fit each other."""
    if input.dtype.kind != "f":
        raise DtypeError(f"{name} takes floats, input is {input.dtype} of shape {input.shape}; use input.float()")
    if groups < 1 or channels % groups or out % groups:
        raise UsageError(f"{name}: {channels} channels in and {out} out are no {groups} groups of equal size")
    if weight.ndim != ndim + 2 or input.ndim not in (ndim + 1, ndim + 2) or input.shape[-ndim - 1] != channels:
        raise ShapeError(
            f"{name}: input {input.shape} and weight {weight.shape} with groups={groups}; expected input "
            f"(N, {channels}, {', '.join(['·'] * ndim)}) or without N, and a weight of {ndim + 2} axes"
        )
    if bias is not None and bias.shape != (out,):
        raise ShapeError(f"{name}: bias has shape {bias.shape}; expected ({out},), one for each channel of the result")
    return weight.shape[2:]


def _steps(name: str, **steps: Sizes) -> list[Sizes]:
    for what, sizes in steps.items():
        if min(sizes) < 1:
            raise UsageError(f"{name}: {what} must be positive, but got {sizes}")
    return list(steps.values())


def borders(name: str, padding: Any, kernel: Sizes, stride: Sizes, dilation: Sizes) -> Widths:
    """(before, after) for each axis, from PyTorch's numbers, "same" or "valid"."""
    if padding == "same":
        if max(stride) > 1:
            raise UsageError(f"{name}: padding='same' needs stride 1, but it is {stride}; give padding as a number")
        total = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        return tuple((n // 2, n - n // 2) for n in total)
    if isinstance(padding, str) and padding != "valid":
        raise UsageError(f"{name}: padding is a number for each axis, 'same' or 'valid', not {padding!r}")
    numbers = (0,) * len(kernel) if padding == "valid" else each(padding, len(kernel), name, "padding")
    if min(numbers) < 0:
        raise UsageError(f"{name}: padding cannot be negative, but got {numbers}")
    return tuple((n, n) for n in numbers)


conv1d, conv2d, conv3d = (_conv(ndim) for ndim in (1, 2, 3))
conv_transpose1d, conv_transpose2d, conv_transpose3d = (_conv_transpose(ndim) for ndim in (1, 2, 3))


def unfold(input: Tensor, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Tensor:
    """All windows of an image as columns: (N, C, H, W) → (N, C · kernel, windows), or without N."""
    x, single = _batched("unfold", input, 4, "(N, C, H, W) or (C, H, W)")
    settings = _settings("unfold", kernel_size, dilation, padding, stride)
    if min(counts(x.shape[2:], *settings.values())) < 1:
        raise ShapeError(f"unfold: an input of shape {input.shape} is too small for {settings}")
    out = unfolded(x, **settings)
    return reshaped(out, shape=out.shape[1:]) if single else out


def fold(
    input: Tensor, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Tensor:
    """Columns added up at the places of their windows: (N, C · kernel, windows) → (N, C, *output_size)."""
    x, single = _batched("fold", input, 3, "(N, C · kernel, windows) or without N")
    sizes = each(output_size, 2, "fold", "output_size")
    settings = _settings("fold", kernel_size, dilation, padding, stride)
    count, area = counts(sizes, *settings.values()), math.prod(settings["kernel"])
    if x.shape[1] % area or x.shape[2] != math.prod(count) or min(count) < 1:
        raise ShapeError(
            f"fold: input has shape {input.shape}; expected a multiple of {area} rows, and {count[0]} · {count[1]} "
            f"columns for an output of {sizes} and {settings}"
        )
    out = folded(x, sizes=sizes, **settings)
    return reshaped(out, shape=out.shape[1:]) if single else out


def _batched(name: str, input: Tensor, ndim: int, expected: str) -> tuple[Tensor, bool]:
    if input.ndim not in (ndim, ndim - 1):
        raise ShapeError(f"{name}: input has shape {input.shape}; expected {expected}")
    single = input.ndim < ndim
    return (reshaped(input, shape=(1, *input.shape)) if single else input), single


def _settings(name: str, kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> dict[str, Any]:
    """The attributes of `unfolded` and `folded`, in the order that `counts` takes them."""
    kernel = each(kernel_size, 2, name, "kernel_size")
    steps, spread = each(stride, 2, name, "stride"), each(dilation, 2, name, "dilation")
    _steps(name, kernel_size=kernel, stride=steps, dilation=spread)
    return {
        "kernel": kernel, "stride": steps, "padding": borders(name, padding, kernel, steps, spread), "dilation": spread
    }  # fmt: skip

"""Convolutions of 1, 2 and 3 axes, their transposes, and windows as columns. Called by users.

What PyTorch has for 1, 2 and 3 axes is one class here, with thin subclasses.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from byhand.core.errors import ShapeError, UsageError
from byhand.creation import empty
from byhand.nn import functional as F
from byhand.nn import init
from byhand.nn.functional.convolution import borders
from byhand.nn.linear import check_sizes
from byhand.nn.module import Module
from byhand.nn.parameter import Parameter
from byhand.ops.axes import each
from byhand.tensor import Tensor

MODES = ("zeros", "reflect", "replicate", "circular")


class _Convolution(Module):
    """Settings and parameters of a convolution; both kinds draw U(±1/√fan_in), where fan_in = weight[0].numel()."""

    ndim: ClassVar[int]
    bias: Parameter | None

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any, padding: Any, dilation: Any,
        groups: int, bias: bool, padding_mode: str, device: Any, dtype: Any, transposed: bool = False,
        output_padding: Any = 0,
    ) -> None:  # fmt: skip
        super().__init__()
        name, ndim = self._get_name(), self.ndim
        check_sizes(name, in_channels=in_channels, out_channels=out_channels, groups=groups)
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise UsageError(f"{name}: groups={groups} must divide in_channels={in_channels} and {out_channels=}")
        if padding_mode not in MODES:
            raise UsageError(f"{name}: padding_mode is one of {', '.join(MODES)}, not {padding_mode!r}")
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size = each(kernel_size, ndim, name, "kernel_size")
        self.stride, self.dilation = each(stride, ndim, name, "stride"), each(dilation, ndim, name, "dilation")
        self._borders = borders(name, padding, self.kernel_size, self.stride, self.dilation)
        self.padding: Any = padding if isinstance(padding, str) else each(padding, ndim, name, "padding")
        self.padding_mode, self.transposed = padding_mode, transposed
        self.output_padding = each(output_padding, ndim, name, "output_padding")
        shape = (in_channels, out_channels // groups) if transposed else (out_channels, in_channels // groups)
        # in memory (*kernel, in, out), the matrix that the windows are multiplied with: so no call copies it
        memory = empty(*self.kernel_size, *shape[::-1], device=device, dtype=dtype).array
        self.weight = Parameter(memory.transpose(ndim + 1, ndim, *range(ndim)).copy(order="K"))
        self.register_parameter("bias", Parameter(empty(out_channels, device=device, dtype=dtype)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew, as PyTorch does: He's uniform values with a = √5."""
        if self.weight.numel():
            init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None and (fan := math.prod(self.weight.shape[1:])):
            init.uniform_(self.bias, -1 / math.sqrt(fan), 1 / math.sqrt(fan))

    def extra_repr(self) -> str:
        ones, zeros = (1,) * self.ndim, (0,) * self.ndim
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        for name, usual in (("padding", zeros), ("dilation", ones), ("output_padding", zeros), ("groups", 1)):
            value = getattr(self, name)
            text += f", {name}={value}" if value != usual else ""
        text += "" if self.bias is not None else ", bias=False"
        return text if self.padding_mode == "zeros" else f"{text}, padding_mode={self.padding_mode}"

    def describe(self) -> str:
        return f"{self._get_name()}({self.in_channels} → {self.out_channels}, {'×'.join(map(str, self.kernel_size))})"

    def expects(self) -> str:
        sizes = ", ".join(("L", "H, W", "D, H, W")[self.ndim - 1 : self.ndim])
        return f"(N, {self.in_channels}, {sizes}) or ({self.in_channels}, {sizes})"


class _Conv(_Convolution):
    function: ClassVar[Callable[..., Tensor]]

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0,
        dilation: Any = 1, groups: int = 1, bias: bool = True, padding_mode: str = "zeros", device: Any = None,
        dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, device, dtype
        )

    def forward(self, input: Tensor) -> Tensor:
        padding: Any = self.padding
        if self.padding_mode != "zeros":
            input = F.pad(input, [n for widths in self._borders[::-1] for n in widths], self.padding_mode)
            padding = 0
        function = type(self).function
        return function(input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class Conv1d(_Conv):
    """A convolution over the last axis: (N, in_channels, L) → (N, out_channels, L′).

    weight  (out_channels, in_channels / groups, kernel), drawn from U(±1/√(in_channels / groups · kernel))
    bias    (out_channels), drawn likewise; absent with bias=False

    L′ = (L + 2 padding − dilation (kernel − 1) − 1) // stride + 1. Raises ShapeError for other numbers of channels.
    """

    ndim, function = 1, staticmethod(F.conv1d)


class Conv2d(_Conv):
    """A convolution over the last two axes: (N, in_channels, H, W) → (N, out_channels, H′, W′); else as `Conv1d`.

    >>> import byhand
    >>> from byhand import nn
    >>> nn.Conv2d(1, 16, 3, padding=1)(byhand.zeros(64, 1, 28, 28)).shape
    (64, 16, 28, 28)
    """

    ndim, function = 2, staticmethod(F.conv2d)


class Conv3d(_Conv):
    """A convolution over the last three axes: (N, in_channels, D, H, W); else as `Conv1d`."""

    ndim, function = 3, staticmethod(F.conv3d)


class _ConvTranspose(_Convolution):
    function: ClassVar[Callable[..., Tensor]]

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0,
        output_padding: Any = 0, groups: int = 1, bias: bool = True, dilation: Any = 1, padding_mode: str = "zeros",
        device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        if padding_mode != "zeros":
            raise UsageError(f"{self._get_name()}: padding_mode is 'zeros', not {padding_mode!r}")
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, device,
            dtype, True, output_padding,
        )  # fmt: skip

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        extra = self.output_padding if output_size is None else self._extra(input, output_size)
        function = type(self).function
        return function(
            input, self.weight, self.bias, self.stride, self.padding, extra, self.groups, self.dilation
        )  # fmt: skip

    def _extra(self, input: Tensor, output_size: Sequence[int]) -> tuple[int, ...]:
        """The output padding that gives this size."""
        ndim = self.ndim
        wanted = tuple(output_size)[-ndim:]
        along = zip(input.shape[-ndim:], self.kernel_size, self.stride, self.padding, self.dilation, strict=True)
        least = [(n - 1) * s - 2 * p + d * (k - 1) + 1 for n, k, s, p, d in along]
        extra = tuple(a - b for a, b in zip(wanted, least, strict=False))
        if len(output_size) not in (ndim, input.ndim) or any(
            not 0 <= n < s for n, s in zip(extra, self.stride, strict=False)
        ):
            most = [n + s - 1 for n, s in zip(least, self.stride, strict=True)]
            raise ShapeError(
                f"output_size={tuple(output_size)} cannot be reached from an input of shape {input.shape}: it can be "
                f"from {least} to {most}"
            )
        return extra


class ConvTranspose1d(_ConvTranspose):
    """The transpose of `Conv1d`, which makes sizes larger: (N, in_channels, L) → (N, out_channels, L′).

    weight  (in_channels, out_channels / groups, kernel), drawn from U(±1/√(out_channels / groups · kernel))
    bias    (out_channels), drawn likewise; absent with bias=False

    L′ = (L − 1) stride − 2 padding + dilation (kernel − 1) + output_padding + 1; `forward(x, output_size)` chooses the
    output_padding.
    """

    ndim, function = 1, staticmethod(F.conv_transpose1d)


class ConvTranspose2d(_ConvTranspose):
    """The transpose of `Conv2d`: (N, in_channels, H, W) → (N, out_channels, H′, W′); else as `ConvTranspose1d`.

    >>> import byhand
    >>> from byhand import nn
    >>> nn.ConvTranspose2d(8, 3, 4, stride=2, padding=1)(byhand.zeros(5, 8, 7, 7)).shape
    (5, 3, 14, 14)
    """

    ndim, function = 2, staticmethod(F.conv_transpose2d)


class ConvTranspose3d(_ConvTranspose):
    """The transpose of `Conv3d`: (N, in_channels, D, H, W); else as `ConvTranspose1d`."""

    ndim, function = 3, staticmethod(F.conv_transpose3d)


class Unfold(Module):
    """All windows of an image as columns: (N, C, H, W) → (N, C · kernel, windows); see `F.unfold`."""

    def __init__(self, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> None:
        super().__init__()
        self.kernel_size, self.dilation, self.padding, self.stride = kernel_size, dilation, padding, stride

    def forward(self, input: Tensor) -> Tensor:
        return F.unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        sizes = f"kernel_size={self.kernel_size}, dilation={self.dilation}, padding={self.padding}"
        return f"{sizes}, stride={self.stride}"


class Fold(Unfold):
    """Columns added up at the places of their windows: (N, C · kernel, windows) → (N, C, *output_size): `F.fold`."""

    def __init__(
        self, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
    ) -> None:
        super().__init__(kernel_size, dilation, padding, stride)
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        return F.fold(input, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}, {super().extra_repr()}"

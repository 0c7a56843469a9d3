"""Pooling layers: the maximum, mean or p-norm of windows of the last one, two or three axes. Called by users.

The layers of a family differ in `nd`, how many axes they pool; `nn.functional` has the formulas.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from byhand.core.errors import UsageError
from byhand.nn import functional as F
from byhand.nn.module import Module
from byhand.ops.axes import each
from byhand.tensor import Tensor


class _Pool(Module):
    """What all of them have: the number of axes, and what an error message expects."""

    nd: ClassVar[int]

    def expects(self) -> str:
        inner = ", ".join("DHW"[3 - self.nd :]) if self.nd > 1 else "L"
        return f"(N, C, {inner}) or (C, {inner})"


class _MaxPool(_Pool):
    def __init__(
        self,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0,
        dilation: int | Sequence[int] = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.dilation, self.return_indices, self.ceil_mode = padding, dilation, return_indices, ceil_mode

    def forward(self, input: Tensor) -> Any:
        pool = (F.max_pool1d, F.max_pool2d, F.max_pool3d)[self.nd - 1]
        return pool(
            input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode, self.return_indices
        )

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class MaxPool1d(_MaxPool):
    """The largest value of each window of (N, C, L); with return_indices also where it stands."""

    nd = 1


class MaxPool2d(_MaxPool):
    """The largest value of each window of (N, C, H, W); with return_indices also where it stands.

    >>> import byhand
    >>> from byhand import nn
    >>> nn.MaxPool2d(2)(byhand.zeros(8, 3, 28, 28)).shape
    (8, 3, 14, 14)
    """

    nd = 2


class MaxPool3d(_MaxPool):
    """The largest value of each window of (N, C, D, H, W); with return_indices also where it stands."""

    nd = 3


class _AvgPool(_Pool):
    def __init__(
        self,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.ceil_mode = padding, ceil_mode
        self.count_include_pad, self.divisor_override = count_include_pad, divisor_override

    def forward(self, input: Tensor) -> Tensor:
        pool = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[self.nd - 1]
        windows = self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad
        out: Tensor = pool(input, *windows, self.divisor_override)
        return out

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool1d(_AvgPool):
    """The mean of each window of (N, C, L)."""

    nd = 1

    def __init__(
        self,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        sizes = (kernel_size, kernel_size if stride is None else stride, padding)
        kernel, step, pad = (each(n, 1, "AvgPool1d", "a size") for n in sizes)
        super().__init__(kernel, step, pad, ceil_mode, count_include_pad)


class AvgPool2d(_AvgPool):
    """The mean of each window of (N, C, H, W)."""

    nd = 2


class AvgPool3d(_AvgPool):
    """The mean of each window of (N, C, D, H, W)."""

    nd = 3


class _LPPool(_Pool):
    def __init__(
        self,
        norm_type: float,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.norm_type, self.kernel_size, self.stride, self.ceil_mode = norm_type, kernel_size, stride, ceil_mode

    def forward(self, input: Tensor) -> Tensor:
        pool = (F.lp_pool1d, F.lp_pool2d, F.lp_pool3d)[self.nd - 1]
        out: Tensor = pool(input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode)
        return out

    def extra_repr(self) -> str:
        return (
            f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"ceil_mode={self.ceil_mode}"
        )


class LPPool1d(_LPPool):
    """(Σ xᵖ)^(1/p) of each window of (N, C, L)."""

    nd = 1


class LPPool2d(_LPPool):
    """(Σ xᵖ)^(1/p) of each window of (N, C, H, W)."""

    nd = 2


class LPPool3d(_LPPool):
    """(Σ xᵖ)^(1/p) of each window of (N, C, D, H, W)."""

    nd = 3


class _AdaptiveAvgPool(_Pool):
    def __init__(self, output_size: int | Sequence[int | None] | None) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        pool = (F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d)[self.nd - 1]
        out: Tensor = pool(input, self.output_size)
        return out

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    """The means of windows that divide (N, C, L) into output_size parts."""

    nd = 1


class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    """The means of windows that divide (N, C, H, W) into output_size parts; None keeps a size.

    >>> import byhand
    >>> from byhand import nn
    >>> nn.AdaptiveAvgPool2d(1)(byhand.zeros(8, 3, 7, 5)).shape
    (8, 3, 1, 1)
    """

    nd = 2


class AdaptiveAvgPool3d(_AdaptiveAvgPool):
    """The means of windows that divide (N, C, D, H, W) into output_size parts; None keeps a size."""

    nd = 3


class _AdaptiveMaxPool(_Pool):
    def __init__(self, output_size: int | Sequence[int | None] | None, return_indices: bool = False) -> None:
        super().__init__()
        self.output_size, self.return_indices = output_size, return_indices

    def forward(self, input: Tensor) -> Any:
        pool = (F.adaptive_max_pool1d, F.adaptive_max_pool2d, F.adaptive_max_pool3d)[self.nd - 1]
        return pool(input, self.output_size, self.return_indices)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """The largest values of windows that divide (N, C, L) into output_size parts."""

    nd = 1


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """The largest values of windows that divide (N, C, H, W) into output_size parts; None keeps a size."""

    nd = 2


class AdaptiveMaxPool3d(_AdaptiveMaxPool):
    """The largest values of windows that divide (N, C, D, H, W) into output_size parts; None keeps a size."""

    nd = 3


class _MaxUnpool(_Pool):
    def __init__(
        self,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0,
    ) -> None:
        super().__init__()
        name = self._get_name()
        self.kernel_size = each(kernel_size, self.nd, name, "kernel_size")
        self.stride = self.kernel_size if stride is None else each(stride, self.nd, name, "stride")
        self.padding = each(padding, self.nd, name, "padding")

    def forward(self, input: Tensor, indices: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        unpool = (F.max_unpool1d, F.max_unpool2d, F.max_unpool3d)[self.nd - 1]
        out: Tensor = unpool(input, indices, self.kernel_size, self.stride, self.padding, output_size)
        return out

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(_MaxUnpool):
    """Zeros with the values of a `MaxPool1d` where they came from: (values, indices) → (N, C, L)."""

    nd = 1


class MaxUnpool2d(_MaxUnpool):
    """Zeros with the values of a `MaxPool2d` where they came from: (values, indices) → (N, C, H, W)."""

    nd = 2


class MaxUnpool3d(_MaxUnpool):
    """Zeros with the values of a `MaxPool3d` where they came from: (values, indices) → (N, C, D, H, W)."""

    nd = 3


class _FractionalMaxPool(_Pool):
    _random_samples: Tensor | None

    def __init__(
        self,
        kernel_size: int | Sequence[int],
        output_size: int | Sequence[int] | None = None,
        output_ratio: float | Sequence[float] | None = None,
        return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ) -> None:
        super().__init__()
        if (output_size is None) == (output_ratio is None):
            raise UsageError(f"{self._get_name()}: give either output_size or output_ratio")
        ratios = output_ratio if isinstance(output_ratio, Sequence) else (output_ratio,)
        if any(ratio is not None and not 0 < ratio < 1 for ratio in ratios):
            raise UsageError(f"{self._get_name()}: output_ratio must lie between 0 and 1, not {output_ratio!r}")
        self.kernel_size, self.return_indices = kernel_size, return_indices
        self.output_size, self.output_ratio = output_size, output_ratio
        self.register_buffer("_random_samples", _random_samples)

    def forward(self, input: Tensor) -> Any:
        pool = F.fractional_max_pool2d if self.nd == 2 else F.fractional_max_pool3d
        samples = self._random_samples
        return pool(input, self.kernel_size, self.output_size, self.output_ratio, self.return_indices, samples)


class FractionalMaxPool2d(_FractionalMaxPool):
    """The largest values of windows at random places of (N, C, H, W). Graham, Fractional max-pooling, 2015."""

    nd = 2


class FractionalMaxPool3d(_FractionalMaxPool):
    """The largest values of windows at random places of (N, C, D, H, W). Graham, Fractional max-pooling, 2015."""

    nd = 3

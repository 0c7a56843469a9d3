"""Layers that normalise: over the batch, over each sample, over groups of its channels. Called by users."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, TypeVar

from byhand.core.capture import slot
from byhand.core.errors import ShapeError, UsageError
from byhand.creation import ones, tensor, zeros
from byhand.nn import functional as F
from byhand.nn import init
from byhand.nn.functional.normalization import across_channels
from byhand.nn.linear import check_sizes
from byhand.nn.module import Module
from byhand.nn.parameter import Parameter
from byhand.tensor import Tensor

SPACE = ("L", "H, W", "D, H, W")  # the names of one, two and three axes of space
_M = TypeVar("_M", bound=Module)


class _Affine(Module):
    """What starts as 1 · x + 0: a weight and a bias of one shape, each of which may be absent."""

    weight: Parameter | None
    bias: Parameter | None

    def _register(self, shape: int | tuple[int, ...], weight: bool, bias: bool, device: Any, dtype: Any) -> None:
        made = {"device": device, "dtype": dtype}
        self.register_parameter("weight", Parameter(ones(shape, **made)) if weight else None)
        self.register_parameter("bias", Parameter(zeros(shape, **made)) if bias else None)

    def reset_parameters(self) -> None:
        """Weight 1, bias 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)


class ChannelNorm(_Affine):
    """A weight, a bias and running statistics for each of the C channels: what `BatchNorm` and `InstanceNorm` share."""

    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None
    ndims: ClassVar[tuple[int, ...]] = ()  # how many axes an input may have; () if any number from 2

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        check_sizes(self._get_name(), num_features=num_features)
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        self._register(num_features, affine, affine and bias, device, dtype)
        made = {"device": device, "dtype": dtype}
        self.register_buffer("running_mean", zeros(num_features, **made) if track_running_stats else None)
        self.register_buffer("running_var", ones(num_features, **made) if track_running_stats else None)
        self.register_buffer("num_batches_tracked", tensor(0) if track_running_stats else None)

    def reset_running_stats(self) -> None:
        """Forget what the running statistics have learned."""
        if self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        """Weight 1, bias 0, and no statistics."""
        self.reset_running_stats()
        super().reset_parameters()

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )

    def describe(self) -> str:
        return f"{self._get_name()}({self.num_features})"


class _BatchNorm(ChannelNorm):
    def forward(self, input: Tensor) -> Tensor:
        shape = input.shape
        if len(shape) not in self.ndims or shape[1] != self.num_features:
            raise ShapeError(f"the input has shape {shape}")
        mean, var, count, momentum = self.running_mean, self.running_var, self.num_batches_tracked, self.momentum
        if not self.training:
            return F.batch_norm(input, mean, var, self.weight, self.bias, mean is None, 0.0, self.eps)
        if not self.track_running_stats or count is None:
            return F.batch_norm(input, None, None, self.weight, self.bias, True, 0.0, self.eps)
        average = 1 / (count.double() + 1) if momentum is None else momentum
        out = F.batch_norm(input, mean, var, self.weight, self.bias, True, average, self.eps)
        if slot.tracer is None:
            count.array += 1  # 2 µs less than add_
        else:
            count.add_(1)
        return out

    def expects(self) -> str:
        shapes = [f"(N, {self.num_features}{', ' + SPACE[n - 3] if n > 2 else ''})" for n in self.ndims]
        return " or ".join(shapes)


class BatchNorm1d(_BatchNorm):
    """(x − mean) / √(variance + ε) · weight + bias for each of the C channels of (N, C) or (N, C, L).

    While training, mean and variance are the batch's, and `running_mean` and `running_var` follow them with `momentum`
    (None: their plain average over all batches). In evaluation the running ones are used, or with
    track_running_stats=False the batch's. Ioffe & Szegedy, Batch normalization, 2015.

    >>> import byhand
    >>> from byhand import nn
    >>> nn.BatchNorm1d(3)(byhand.randn(8, 3)).mean().abs().item() < 1e-5
    True
    """

    ndims = (2, 3)


class BatchNorm2d(_BatchNorm):
    """`BatchNorm1d` for images: each of the C channels of (N, C, H, W)."""

    ndims = (4,)


class BatchNorm3d(_BatchNorm):
    """`BatchNorm1d` for volumes: each of the C channels of (N, C, D, H, W)."""

    ndims = (5,)


class SyncBatchNorm(_BatchNorm):
    """Batch normalisation of (N, C, …), for scripts that name it: there is one process, whose batch is the whole batch.

    Raises UsageError for a process_group.
    """

    ndims = (2, 3, 4, 5)

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        process_group: Any = None,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        if process_group is not None:
            raise UsageError("SyncBatchNorm: byhand trains in one process; leave process_group out")
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)
        self.process_group = None

    @classmethod
    def convert_sync_batchnorm(cls, module: _M, process_group: Any = None) -> _M:
        """The module as it is: in one process its batch normalisation sees the whole batch already."""
        if process_group is not None:
            raise UsageError("SyncBatchNorm: byhand trains in one process; leave process_group out")
        return module


class _InstanceNorm(ChannelNorm):
    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)

    def forward(self, input: Tensor) -> Tensor:
        (ndim,) = self.ndims
        single = len(input.shape) == ndim - 1
        batch = input.unsqueeze(0) if single else input
        if len(batch.shape) != ndim or (self.affine and batch.shape[1] != self.num_features):
            raise ShapeError(f"the input has shape {input.shape}")
        mean, var = self.running_mean, self.running_var
        own = self.training or not self.track_running_stats
        momentum = 0.0 if self.momentum is None else self.momentum
        out = F.instance_norm(batch, mean, var, self.weight, self.bias, own, momentum, self.eps)
        return out.squeeze(0) if single else out

    def expects(self) -> str:
        places = SPACE[self.ndims[0] - 3]
        return f"(N, {self.num_features}, {places}) or ({self.num_features}, {places})"


class InstanceNorm1d(_InstanceNorm):
    """`BatchNorm1d` of each sample by itself: mean and variance over L of (N, C, L) or (C, L).

    Weight and bias exist with affine=True; running statistics with track_running_stats=True, and evaluation uses them.
    Ulyanov, Vedaldi & Lempitsky, Instance normalization, 2016.
    """

    ndims = (3,)


class InstanceNorm2d(_InstanceNorm):
    """`InstanceNorm1d` for images: mean and variance over H and W of (N, C, H, W) or (C, H, W)."""

    ndims = (4,)


class InstanceNorm3d(_InstanceNorm):
    """`InstanceNorm1d` for volumes: mean and variance over D, H and W of (N, C, D, H, W) or (C, D, H, W)."""

    ndims = (5,)


class GroupNorm(_Affine):
    """(x − mean) / √(variance + ε) · weight + bias, over each of `num_groups` groups of the channels of (N, C, …).

    weight and bias (num_channels). Wu & He, Group normalization, 2018.
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        check_sizes("GroupNorm", num_groups=num_groups, num_channels=num_channels)
        if num_groups < 1 or num_channels % num_groups:
            raise UsageError(f"GroupNorm: {num_channels} channels cannot be divided into {num_groups} groups")
        self.num_groups, self.num_channels, self.eps, self.affine = num_groups, num_channels, eps, affine
        self._register(num_channels, affine, affine and bias, device, dtype)

    def forward(self, input: Tensor) -> Tensor:
        if len(input.shape) < 2 or input.shape[1] != self.num_channels:
            raise ShapeError(f"the input has shape {input.shape}")
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        sizes = f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}"
        return f"{sizes}, bias={self.bias is not None}"

    def describe(self) -> str:
        return f"GroupNorm({self.num_groups}, {self.num_channels})"

    def expects(self) -> str:
        return f"(N, {self.num_channels}, ...)"


def _sizes(name: str, normalized_shape: int | Sequence[int]) -> tuple[int, ...]:
    sizes = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    check_sizes(name, **{f"normalized_shape[{i}]": n for i, n in enumerate(sizes)})
    return sizes


class LayerNorm(_Affine):
    """(x − mean) / √(variance + ε) · weight + bias, over the last axes of each sample: (…, *normalized_shape).

    Weight and bias have the shape `normalized_shape` (an int is its last axis alone). Ba, Kiros & Hinton, 2016.
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _sizes("LayerNorm", normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        self._register(self.normalized_shape, elementwise_affine, elementwise_affine and bias, device, dtype)

    def forward(self, input: Tensor) -> Tensor:
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, "
            f"bias={self.bias is not None}"
        )


class RMSNorm(Module):
    """x / √(mean of x² + ε) · weight, over the last axes of each sample: (…, *normalized_shape).

    eps None is the distance of 1 to the next number of the input's dtype. Zhang & Sennrich, 2019.
    """

    weight: Parameter | None

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _sizes("RMSNorm", normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        weight = Parameter(ones(self.normalized_shape, device=device, dtype=dtype)) if elementwise_affine else None
        self.register_parameter("weight", weight)

    def reset_parameters(self) -> None:
        """Weight 1."""
        if self.weight is not None:
            init.ones_(self.weight)

    def forward(self, input: Tensor) -> Tensor:
        return F.rms_norm(input, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class LocalResponseNorm(Module):
    """x / (k + α · mean of x² over `size` channels)^β, for (N, C, …): see `functional.local_response_norm`."""

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, input: Tensor) -> Tensor:
        return F.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


class CrossMapLRN2d(LocalResponseNorm):
    """`LocalResponseNorm` of (N, C, H, W), whose window is symmetric: of an even size it covers one channel less.

    PyTorch's own takes channels off its window one too late.
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1) -> None:
        super().__init__(size, alpha, beta, k)

    def forward(self, input: Tensor) -> Tensor:
        if len(input.shape) != 4:
            raise ShapeError(f"CrossMapLRN2d takes (N, C, H, W), got shape {input.shape}")
        reach = (self.size - 1) // 2
        return across_channels(input, reach, reach, self.alpha / self.size, self.beta, self.k)

"""Layers that normalise: `BatchNorm1d` over the batch, `LayerNorm` over each sample. Called by users."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from byhand.core.capture import slot
from byhand.core.errors import ShapeError
from byhand.creation import ones, tensor, zeros
from byhand.nn import functional as F
from byhand.nn import init
from byhand.nn.linear import check_sizes
from byhand.nn.module import Module
from byhand.nn.parameter import Parameter
from byhand.tensor import Tensor


class BatchNorm1d(Module):
    """(x − mean) / √(variance + ε) · weight + bias for each of the C channels of (N, C) or (N, C, L).

    While training, mean and variance are the batch's, and `running_mean` and `running_var` follow them with `momentum`
    (None: their plain average over all batches). In evaluation the running ones are used, or with
    track_running_stats=False the batch's. Ioffe & Szegedy, Batch normalization, 2015.

    >>> import byhand
    >>> from byhand import nn
    >>> nn.BatchNorm1d(3)(byhand.randn(8, 3)).mean().abs().item() < 1e-5
    True
    """

    weight: Parameter | None
    bias: Parameter | None
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

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
        made = {"device": device, "dtype": dtype}
        self.register_parameter("weight", Parameter(ones(num_features, **made)) if affine else None)
        self.register_parameter("bias", Parameter(zeros(num_features, **made)) if affine and bias else None)
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
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        self._check(input.shape)
        mean, var, count, momentum = self.running_mean, self.running_var, self.num_batches_tracked, self.momentum
        if not self.training:
            return F.batch_norm(input, mean, var, self.weight, self.bias, mean is None, 0.0, self.eps)
        if not self.track_running_stats or count is None:
            return F.batch_norm(input, None, None, self.weight, self.bias, True, 0.0, self.eps)
        average = 1 / (count + 1) if momentum is None else momentum
        out = F.batch_norm(input, mean, var, self.weight, self.bias, True, average, self.eps)
        if slot.tracer is None:
            count.array += 1  # 2 µs less than add_
        else:
            count.add_(1)
        return out

    def _check(self, shape: tuple[int, ...]) -> None:
        if len(shape) not in (2, 3) or shape[1] != self.num_features:
            raise ShapeError(f"the input has shape {shape}")

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )

    def describe(self) -> str:
        return f"{self._get_name()}({self.num_features})"

    def expects(self) -> str:
        return f"(N, {self.num_features}) or (N, {self.num_features}, L)"


class LayerNorm(Module):
    """(x − mean) / √(variance + ε) · weight + bias, over the last axes of each sample: (…, *normalized_shape).

    Weight and bias have the shape `normalized_shape` (an int is its last axis alone). Ba, Kiros & Hinton, 2016.
    """

    weight: Parameter | None
    bias: Parameter | None

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
        sizes = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        check_sizes("LayerNorm", **{f"normalized_shape[{i}]": n for i, n in enumerate(sizes)})
        self.normalized_shape, self.eps, self.elementwise_affine = sizes, eps, elementwise_affine
        made = {"device": device, "dtype": dtype}
        self.register_parameter("weight", Parameter(ones(sizes, **made)) if elementwise_affine else None)
        self.register_parameter("bias", Parameter(zeros(sizes, **made)) if elementwise_affine and bias else None)

    def reset_parameters(self) -> None:
        """Weight 1, bias 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, "
            f"bias={self.bias is not None}"
        )

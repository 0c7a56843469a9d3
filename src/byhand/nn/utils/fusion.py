"""Batch normalisation folded into the layer before it, for evaluation: one layer less to compute. Called by users."""

from __future__ import annotations

import copy
from typing import Any, TypeVar

from byhand.core.errors import UsageError
from byhand.core.tape import no_grad
from byhand.nn.module import Module
from byhand.nn.parameter import Parameter
from byhand.tensor import Tensor

_M = TypeVar("_M", bound=Module)


def fuse_conv_bn_eval(conv: _M, bn: Module, transpose: bool = False) -> _M:
    """A copy of a convolution that computes `bn(conv(x))`; both must be in evaluation mode.

    >>> import byhand
    >>> from byhand import nn
    >>> conv, bn = nn.Conv2d(3, 4, 3).eval(), nn.BatchNorm2d(4).eval()
    >>> fused, x = nn.utils.fuse_conv_bn_eval(conv, bn), byhand.randn(2, 3, 5, 5)
    >>> byhand.allclose(fused(x), bn(conv(x)), atol=1e-5)
    True
    """
    return _fused(conv, bn, 1 if transpose else 0)


def fuse_linear_bn_eval(linear: _M, bn: Module) -> _M:
    """A copy of a linear layer that computes `bn(linear(x))`; both must be in evaluation mode."""
    return _fused(linear, bn, 0)


def _fused(layer: _M, bn: Any, axis: int) -> _M:
    if layer.training or bn.training:
        raise UsageError("fusing folds in the running statistics: call model.eval() first")
    fused: Any = copy.deepcopy(layer)
    fused.weight, fused.bias = _folded(
        fused.weight, fused.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias, axis
    )
    result: _M = fused
    return result


def fuse_conv_bn_weights(
    conv_w: Tensor,
    conv_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor | None,
    bn_b: Tensor | None,
    transpose: bool = False,
) -> tuple[Parameter, Parameter]:
    """The weight and bias of `fuse_conv_bn_eval`: W · γ / √(var + ε) and (b − mean) γ / √(var + ε) + β."""
    return _folded(conv_w, conv_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, 1 if transpose else 0)


def fuse_linear_bn_weights(
    linear_w: Tensor,
    linear_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor | None,
    bn_b: Tensor | None,
) -> tuple[Parameter, Parameter]:
    """The weight and bias of `fuse_linear_bn_eval`."""
    return _folded(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, 0)


def _folded(
    weight: Tensor,
    bias: Tensor | None,
    mean: Tensor,
    var: Tensor,
    eps: float,
    gain: Tensor | None,
    shift: Tensor | None,
    axis: int,
) -> tuple[Parameter, Parameter]:
    with no_grad():
        scale = (var + eps) ** -0.5
        scale = scale if gain is None else scale * gain
        along = scale.reshape([-1 if i == axis else 1 for i in range(weight.ndim)])
        offset = (-mean if bias is None else bias - mean) * scale
        offset = offset if shift is None else offset + shift
        learned = bias is not None and bias.requires_grad
        return Parameter(weight * along, weight.requires_grad), Parameter(offset, learned)

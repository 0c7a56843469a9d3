"""The older `weight_norm` and `spectral_norm`: hooks that compute a weight before each call. Called by users.

`parametrizations` does the same with properties; these have the parameter names of older networks.
"""

from __future__ import annotations

from typing import Any, TypeVar

from byhand.core.errors import UsageError
from byhand.nn import functional as F
from byhand.nn.module import Module
from byhand.nn.parameter import Parameter
from byhand.nn.utils.parametrizations import as_matrix, length, output_axis, power_iteration
from byhand.nn.utils.recomputed import Recomputed, parameter_of, registered, removed
from byhand.ops.linalg import mv
from byhand.tensor import Tensor

_M = TypeVar("_M", bound=Module)


class _WeightNorm(Recomputed):
    kind = "weight_norm"

    def __init__(self, name: str, dim: int | None) -> None:
        super().__init__(name)
        self.dim = dim

    def compute(self, module: Any) -> Tensor:
        g, v = getattr(module, f"{self.name}_g"), getattr(module, f"{self.name}_v")
        out: Tensor = v * (g / length(v, self.dim))
        return out

    def leave(self, module: Any) -> Parameter:
        parameter = Parameter(self.compute(module).detach())
        delattr(module, f"{self.name}_g")
        delattr(module, f"{self.name}_v")
        return parameter


def weight_norm(module: _M, name: str = "weight", dim: int | None = 0) -> _M:
    """weight = g · v / ‖v‖ before each call, with the parameters `weight_g` and `weight_v`.

    The norms are those of the slices along the axis `dim`, or with None of the whole. Salimans & Kingma, 2016.
    """
    weight = parameter_of(module, name, "weight_norm")
    dim = None if dim == -1 else dim
    delattr(module, name)
    module.register_parameter(f"{name}_g", Parameter(length(weight.detach(), dim), weight.requires_grad))
    module.register_parameter(f"{name}_v", Parameter(weight.detach(), weight.requires_grad))
    return registered(module, _WeightNorm(name, dim))


def remove_weight_norm(module: _M, name: str = "weight") -> _M:
    """Make the weight an ordinary parameter again, of its present value."""
    return removed(module, name, _WeightNorm)


class _SpectralNorm(Recomputed):
    kind = "spectral_norm"

    def __init__(self, name: str, n_power_iterations: int, eps: float, dim: int) -> None:
        super().__init__(name)
        self.n_power_iterations, self.eps, self.dim = n_power_iterations, eps, dim

    def compute(self, module: Any, steps: int | None = None) -> Tensor:
        weight = getattr(module, f"{self.name}_orig")
        u, v = getattr(module, f"{self.name}_u"), getattr(module, f"{self.name}_v")
        matrix = as_matrix(weight, self.dim)
        steps = (self.n_power_iterations if module.training else 0) if steps is None else steps
        # v first: from u alone, as this layer stores it, the rest follows
        power_iteration(matrix.detach().T, v, u, steps, self.eps)
        out: Tensor = weight / (u.clone() * mv(matrix, v.clone())).sum()
        return out

    def leave(self, module: Any) -> Parameter:
        parameter = Parameter(self.compute(module, 0).detach())
        for part in ("orig", "u", "v"):
            delattr(module, f"{self.name}_{part}")
        return parameter


def spectral_norm(
    module: _M, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> _M:
    """weight = W / σ(W) before each call, with the parameter `weight_orig` and buffers `weight_u` and `weight_v`.

    σ, the largest singular value, follows by power iteration while training. Miyato et al., 2018.
    """
    if n_power_iterations <= 0:
        raise UsageError(f"spectral_norm: n_power_iterations is positive, got {n_power_iterations}")
    weight = parameter_of(module, name, "spectral_norm")
    dim = output_axis(module) if dim is None else dim
    matrix = as_matrix(weight.detach(), dim)
    u, v = (F.normalize(matrix.new_empty(n).normal_(), dim=0, eps=eps) for n in matrix.shape)
    delattr(module, name)
    module.register_parameter(f"{name}_orig", weight)
    module.register_buffer(f"{name}_u", u)
    module.register_buffer(f"{name}_v", v)
    power_iteration(matrix.T, v, u, 1, eps)
    return registered(module, _SpectralNorm(name, n_power_iterations, eps, dim))


def remove_spectral_norm(module: _M, name: str = "weight") -> _M:
    """Make the weight an ordinary parameter again, of its present value."""
    return removed(module, name, _SpectralNorm)

"""The older `weight_norm` and `spectral_norm`: hooks that compute a weight before each call. Called by users.

`parametrizations` does the same with properties; these have the parameter names of older networks.
"""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar

from byhand.core.capture import traced
from byhand.core.errors import UsageError
from byhand.nn import functional as F
from byhand.nn.module import Module
from byhand.nn.parameter import Parameter
from byhand.nn.utils.parametrizations import as_matrix, length, output_axis, power_iteration
from byhand.ops.linalg import mv
from byhand.tensor import Tensor

_M = TypeVar("_M", bound=Module)


class _Recomputed:
    """A forward pre-hook that computes the tensor `name` of a module from others."""

    kind: ClassVar[str]

    def __init__(self, name: str) -> None:
        self.name = name

    def compute(self, module: Any) -> Tensor:
        """The tensor's value now."""
        raise NotImplementedError

    def leave(self, module: Any) -> Parameter:
        """Take away what it is computed from; returns what it was."""
        raise NotImplementedError

    def __call__(self, module: Any, *_: Any) -> None:
        setattr(module, self.name, self.compute(module))


class _Restored:
    """A forward hook: while a step is captured, what was computed for it does not stay in the module."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, module: Any, *_: Any) -> None:
        value = module.__dict__[self.name]
        if traced(value):
            setattr(module, self.name, None)


def _registered(module: _M, hook: _Recomputed) -> _M:
    module.register_forward_pre_hook(hook)
    module.register_forward_hook(_Restored(hook.name))
    setattr(module, hook.name, hook.compute(module).detach())
    return module


def _weight(module: Module, name: str, kind: str) -> Parameter:
    hooks = module._hooks.forward_pre.values() if module._hooks is not None else ()
    if any(isinstance(hook.function, _Recomputed) and hook.function.name == name for hook in hooks):
        raise UsageError(f"{kind}: {name!r} of this {type(module).__name__} is computed by a hook already")
    weight = module._parameters.get(name)
    if weight is None:
        raise UsageError(f"{kind}: {type(module).__name__} has no parameter {name!r}")
    return weight


def _removed(module: _M, name: str, kind: type[_Recomputed]) -> _M:
    own = module._own_hooks()
    for key, hook in list(own.forward_pre.items()):
        if isinstance(hook.function, kind) and hook.function.name == name:
            parameter = hook.function.leave(module)
            delattr(module, name)
            module.register_parameter(name, parameter)
            del own.forward_pre[key]
            for other, after in list(own.forward.items()):
                if isinstance(after.function, _Restored) and after.function.name == name:
                    del own.forward[other]
            return module
    raise UsageError(f"{kind.kind} of {name!r} not found in this {type(module).__name__}")


class _WeightNorm(_Recomputed):
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
    weight = _weight(module, name, "weight_norm")
    dim = None if dim == -1 else dim
    delattr(module, name)
    module.register_parameter(f"{name}_g", Parameter(length(weight.detach(), dim), weight.requires_grad))
    module.register_parameter(f"{name}_v", Parameter(weight.detach(), weight.requires_grad))
    return _registered(module, _WeightNorm(name, dim))


def remove_weight_norm(module: _M, name: str = "weight") -> _M:
    """Make the weight an ordinary parameter again, of its present value."""
    return _removed(module, name, _WeightNorm)


class _SpectralNorm(_Recomputed):
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
    weight = _weight(module, name, "spectral_norm")
    dim = output_axis(module) if dim is None else dim
    matrix = as_matrix(weight.detach(), dim)
    u, v = (F.normalize(matrix.new_empty(n).normal_(), dim=0, eps=eps) for n in matrix.shape)
    delattr(module, name)
    module.register_parameter(f"{name}_orig", weight)
    module.register_buffer(f"{name}_u", u)
    module.register_buffer(f"{name}_v", v)
    power_iteration(matrix.T, v, u, 1, eps)
    return _registered(module, _SpectralNorm(name, n_power_iterations, eps, dim))


def remove_spectral_norm(module: _M, name: str = "weight") -> _M:
    """Make the weight an ordinary parameter again, of its present value."""
    return _removed(module, name, _SpectralNorm)

"""Tensors of a module that are computed before each call, by hooks. Called by `weight_norm` and `prune`."""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar

from byhand.core.capture import traced
from byhand.core.errors import UsageError
from byhand.nn.module import Module
from byhand.nn.parameter import Parameter
from byhand.tensor import Tensor

_M = TypeVar("_M", bound=Module)


class Recomputed:
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


def registered(module: _M, hook: Recomputed) -> _M:
    """The module with the hook, and with the tensor's present value."""
    module.register_forward_pre_hook(hook)
    module.register_forward_hook(_Restored(hook.name))
    setattr(module, hook.name, hook.compute(module).detach())
    return module


def hook_of(module: Module, name: str) -> Recomputed | None:
    """What computes the tensor `name` of this module, if anything does."""
    for hook in module._hooks.forward_pre.values() if module._hooks is not None else ():
        if isinstance(hook.function, Recomputed) and hook.function.name == name:
            return hook.function
    return None


def parameter_of(module: Module, name: str, kind: str) -> Parameter:
    """The parameter `name`. Raises UsageError if there is none, or if a hook computes it already."""
    if hook_of(module, name) is not None:
        raise UsageError(f"{kind}: {name!r} of this {type(module).__name__} is computed by a hook already")
    weight = module._parameters.get(name)
    if weight is None:
        raise UsageError(f"{kind}: {type(module).__name__} has no parameter {name!r}")
    return weight


def removed(module: _M, name: str, kind: type[Recomputed]) -> _M:
    """The module without the hook, `name` being a parameter again. Raises UsageError if there is no such hook."""
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

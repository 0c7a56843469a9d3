"""Parametrisation: a parameter computed from others by modules, at each access. Called by users and `parametrizations`.

`register_parametrization(layer, "weight", module)` gives the layer a class of its own, whose `weight` is a property:
the module applied to `layer.parametrizations.weight.original`, which is learned in its place.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from byhand.core.errors import ShapeError, UsageError
from byhand.core.tape import no_grad
from byhand.nn.container import ModuleDict, ModuleList
from byhand.nn.module import Module
from byhand.nn.parameter import Parameter
from byhand.tensor import Tensor

_M = TypeVar("_M", bound=Module)

_cache: dict[tuple[int, str], Tensor] = {}
_caching = 0


@contextmanager
def cached() -> Iterator[None]:
    """Compute each parametrised tensor once within the block: for a recurrent cell that is called many times, say."""
    global _caching
    _caching += 1
    try:
        yield
    finally:
        _caching -= 1
        if not _caching:
            _cache.clear()


class ParametrizationList(ModuleList):
    """The parametrisations of one tensor, applied one after the other to what is learned in its place.

    original              what is learned, a parameter, or a buffer where the tensor was one
    original0, original1  if the first one's `right_inverse` gives several tensors
    """

    original: Tensor

    def __init__(self, modules: Sequence[Module], original: Tensor, unsafe: bool = False) -> None:
        super().__init__(modules)
        self.unsafe = unsafe
        new: Any = original
        with no_grad(), suppress(NotImplementedError):  # where there is no inverse, what is learned starts as it is
            for module in reversed(modules):
                if hasattr(module, "right_inverse"):
                    new = module.right_inverse(new)
        several = isinstance(new, Sequence)
        self.is_tensor, self.ntensors = not several, len(new) if several else 1
        for name, value in self._named(new if several else [new]):
            if isinstance(original, Parameter):
                if not several and value.shape == original.shape:  # optimisers that know the parameter keep it
                    original.data = value.detach()
                    setattr(self, name, original)
                else:
                    setattr(self, name, Parameter(value.detach(), original.requires_grad))
            else:
                self.register_buffer(name, value)
        if not unsafe and self().shape != original.shape:
            raise ShapeError(
                f"a parametrization gives shape {self().shape}, the tensor has {original.shape}; "
                "if that is meant, pass unsafe=True"
            )

    def _named(self, values: Sequence[Any]) -> list[tuple[str, Any]]:
        if self.is_tensor:
            return [("original", values[0])]
        return [(f"original{i}", value) for i, value in enumerate(values)]

    def forward(self) -> Tensor:
        if self.is_tensor:
            x = self[0](self.original)
        else:
            x = self[0](*[getattr(self, f"original{i}") for i in range(self.ntensors)])
        for module in list(self)[1:]:
            x = module(x)
        out: Tensor = x
        return out

    def right_inverse(self, value: Tensor) -> None:
        """Assign to the tensor: what is learned becomes what gives this value."""
        new: Any = value
        with no_grad():
            for module in reversed(list(self)):
                if not hasattr(module, "right_inverse"):
                    raise UsageError(
                        f"{type(module).__name__} has no right_inverse, so the tensor cannot be assigned to"
                    )
                new = module.right_inverse(new)
            for name, tensor in self._named([new] if self.is_tensor else new):
                getattr(self, name).copy_(tensor)


def _class_of(module: Module) -> None:
    """Give the module a class of its own, whose parametrised tensors are properties."""
    cls = type(module)

    def refused(self: Any, *_: Any) -> Any:
        raise UsageError("a parametrized module cannot be pickled: save its state_dict()")

    module.__class__ = type(f"Parametrized{cls.__name__}", (cls,), {"__reduce__": refused, "__deepcopy__": _copied})
    module.parametrizations = ModuleDict()


def _copied(module: Any, memo: dict[int, Any]) -> Any:
    twin = memo[id(module)] = object.__new__(type(module))
    twin.__dict__.update(copy.deepcopy(module.__dict__, memo))
    return twin


def _property(name: str) -> property:
    def get(module: Any) -> Any:
        if not _caching:
            return module.parametrizations[name]()
        key = (id(module), name)
        if key not in _cache:
            _cache[key] = module.parametrizations[name]()
        return _cache[key]

    def put(module: Any, value: Tensor) -> None:
        module.parametrizations[name].right_inverse(value)

    return property(get, put)


def register_parametrization(module: _M, tensor_name: str, parametrization: Module, *, unsafe: bool = False) -> _M:
    """Let a parameter or buffer be what `parametrization` makes of it; returns the module.

    A parametrization with `right_inverse` says what is learned for the present value. Several are applied in the order
    in which they are registered. Raises UsageError for a name that is none, ShapeError if the shape changes, unless
    `unsafe`.

    >>> import byhand
    >>> from byhand import nn
    >>> class Symmetric(nn.Module):
    ...     def forward(self, x):
    ...         return x.triu() + x.triu(1).T
    >>> layer = nn.utils.parametrize.register_parametrization(nn.Linear(3, 3), "weight", Symmetric())
    >>> bool((layer.weight == layer.weight.T).all())
    True
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        parts = _parts(module)[tensor_name]
        if hasattr(parametrization, "right_inverse"):
            with no_grad():
                parts.original.copy_(_inverse(parts, parametrization, getattr(module, tensor_name)))
        parts.append(parametrization)
        return module
    original: Tensor | None = module._parameters.get(tensor_name)
    original = module._buffers.get(tensor_name) if original is None else original
    if original is None:
        raise UsageError(f"{type(module).__name__} has no parameter or buffer {tensor_name!r} to parametrize")
    parts = ParametrizationList([parametrization], original, unsafe)
    delattr(module, tensor_name)
    if not is_parametrized(module):
        _class_of(module)
    setattr(type(module), tensor_name, _property(tensor_name))
    _parts(module)[tensor_name] = parts
    return module


def _inverse(parts: ParametrizationList, last: Any, value: Tensor) -> Tensor:
    """What is learned if `last` comes behind the others and the whole is to give the present value."""
    new: Tensor = last.right_inverse(value)
    for module in reversed(list(parts)):
        if hasattr(module, "right_inverse"):
            new = module.right_inverse(new)
    return new


def _parts(module: Module) -> Any:
    """The `ParametrizationList` of each parametrised tensor; None if there is none."""
    return module.__dict__.get("parametrizations")


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Whether the module, or one of its tensors, is parametrised."""
    parts = _parts(module)
    if not isinstance(parts, ModuleDict):
        return False
    return bool(len(parts)) if tensor_name is None else tensor_name in parts


def remove_parametrizations(module: _M, tensor_name: str, leave_parametrized: bool = True) -> _M:
    """Make the tensor an ordinary one again, of its present value; without leave_parametrized of what was learned."""
    if not is_parametrized(module, tensor_name):
        raise UsageError(f"{type(module).__name__} has no parametrized tensor {tensor_name!r}")
    parts = _parts(module)[tensor_name]
    if not leave_parametrized and not parts.is_tensor:
        raise UsageError(
            f"{tensor_name!r} is learned as {parts.ntensors} tensors: only leave_parametrized=True says its value"
        )
    original = parts.original if parts.is_tensor else parts.original0
    learned = isinstance(original, Parameter)
    if leave_parametrized:
        with no_grad():
            value = parts().detach().clone()
        if not learned or not parts.is_tensor:
            original = Parameter(value, original.requires_grad) if learned else value
        else:
            original.data = value
    delattr(type(module), tensor_name)
    del _parts(module)[tensor_name]
    if learned:
        module.register_parameter(tensor_name, original)
    else:
        module.register_buffer(tensor_name, original)
    if not len(_parts(module)):
        delattr(module, "parametrizations")
        module.__class__ = type(module).__bases__[0]
    return module


def type_before_parametrizations(module: Module) -> type[Module]:
    """The class that the module had."""
    return type(module).__bases__[0] if is_parametrized(module) else type(module)

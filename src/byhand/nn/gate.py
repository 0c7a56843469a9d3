"""What lets a module's hooks see its gradients: all those of its outputs together, then all those of its inputs.

Made by `byhand.nn.hooks.call_with_hooks` when a module has backward hooks. The tape knows tensors only; so the tensors
that enter a module pass through one identity first, those that leave it through another, and a hook on the tensor of
each identity sees the gradients of all of them at once.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable
from typing import Any

from byhand.ops.shape import cat, split
from byhand.tensor import Tensor

Grads = tuple[Tensor | None, ...]


def together(tensors: list[Tensor], hook: Callable[[list[Tensor]], Iterable[Tensor] | None]) -> list[Tensor]:
    """The same values again, such that `hook` gets all their gradients in one call, and may return others.

    One tensor passes as a view of itself. Several are laid end to end and cut again: what reaches none of them in the
    backward pass then counts as zeros.
    """
    if len(tensors) == 1:
        (x,) = tensors
        x = x.view(x.shape)
        x.register_hook(lambda g: _first(hook([g])))
        return [x]
    shapes = [x.shape for x in tensors]
    whole = cat([x.reshape(-1) for x in tensors])

    def split_hook(g: Tensor) -> Tensor | None:
        grads = hook(_cut(g, shapes))
        return None if grads is None else cat([grad.reshape(-1) for grad in grads])

    whole.register_hook(split_hook)
    return [part.to(x.dtype) for part, x in zip(_cut(whole, shapes), tensors, strict=True)]


def _first(grads: Iterable[Tensor] | None) -> Tensor | None:
    return None if grads is None else next(iter(grads))


def _cut(flat: Tensor, shapes: list[tuple[int, ...]]) -> list[Tensor]:
    parts = split(flat, [math.prod(shape) for shape in shapes])
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


class BackwardGate:
    """One call's backward hooks: `entering` on the gradients of its outputs, `leaving` on those of its inputs."""

    def __init__(self, module: Any, entering: list[Callable[..., Any]], leaving: list[Callable[..., Any]]) -> None:
        self.module, self.entering, self.leaving = module, entering, leaving
        self.inputs = 0
        self.tracked_inputs = False
        self.grad_output: Grads | None = None

    def wrap_inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The positional inputs, those that require a gradient seen by the hooks."""
        count = self.inputs = len(args)
        places = _tracked(args)
        self.tracked_inputs = bool(places)
        if not places or not self.leaving:
            return args

        def hook(grads: list[Tensor]) -> list[Tensor] | None:
            if self.grad_output is None:  # the gradient did not come through the module's outputs
                return None
            changed = self._leave(_spread(grads, places, count))
            return None if changed is None else [_required(changed[i], i) for i in places]

        return _replaced(args, places, together([args[i] for i in places], hook))

    def wrap_outputs(self, output: Any) -> Any:
        """The output, a Tensor or a tuple or list of them, seen by the hooks."""
        many = isinstance(output, (tuple, list))
        outputs = tuple(output) if many else (output,)
        places, count = _tracked(outputs), len(outputs)  # a hook that held its own output would be a cycle
        if not places:
            if not many and not isinstance(output, Tensor):
                kind = type(output).__name__
                warnings.warn(f"backward hooks need a Tensor or a tuple of Tensors as output, got {kind}", stacklevel=4)
            return output

        def hook(grads: list[Tensor]) -> list[Tensor] | None:
            changed = self._enter(_spread(grads, places, count))
            return None if changed is None else [_required(changed[i], i) for i in places]

        outputs = _replaced(outputs, places, together([outputs[i] for i in places], hook))
        if not many:
            return outputs[0]
        if hasattr(output, "_make"):  # a named tuple
            return output._make(outputs)
        return type(output)(outputs)

    def _enter(self, grads: Grads) -> Grads | None:
        before = grads
        for function in self.entering:
            grads = _checked(function(self.module, grads), grads, "grad_output")
        self.grad_output = grads
        if not self.tracked_inputs:
            self._leave((None,) * self.inputs)
        return None if grads is before else grads

    def _leave(self, grads: Grads) -> Grads | None:
        before = grads
        for function in self.leaving:
            grads = _checked(function(self.module, grads, self.grad_output), grads, "grad_input")
        self.grad_output = None
        return None if grads is before else grads


def _tracked(values: tuple[Any, ...]) -> list[int]:
    return [i for i, x in enumerate(values) if isinstance(x, Tensor) and x.requires_grad]


def _spread(grads: list[Tensor], places: list[int], count: int) -> Grads:
    by_place = dict(zip(places, grads, strict=True))
    return tuple([by_place.get(i) for i in range(count)])


def _replaced(values: tuple[Any, ...], places: list[int], new: list[Tensor]) -> tuple[Any, ...]:
    changed = list(values)
    for place, x in zip(places, new, strict=True):
        changed[place] = x
    return tuple(changed)


def _checked(result: Any, grads: Grads, name: str) -> Grads:
    if result is None:
        return grads
    changed = result if isinstance(result, tuple) else (result,)
    if len(changed) != len(grads):
        raise RuntimeError(f"a backward hook returned {len(changed)} gradients; {name} has {len(grads)}")
    return changed


def _required(grad: Tensor | None, place: int) -> Tensor:
    if grad is None:
        raise RuntimeError(f"a backward hook returned None for gradient {place}, which is needed further back")
    return grad

"""The gradient of a tensor: asking for one, reading it, hooks, `backward`. Part of `Tensor`."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from byhand.core import gradient as derivatives
from byhand.core.capture import slot, tracer
from byhand.core.errors import DtypeError, GraphError, ShapeError
from byhand.core.hooks import Hook, RemovableHandle, add_hook
from byhand.core.recorder import wrap
from byhand.core.tape import Node, leaf
from byhand.core.variable import Variable
from byhand.tensor.part import Part

if TYPE_CHECKING:
    from byhand.tensor import Tensor


class _Keeper:
    """The hook of `retain_grad`: keeps a copy of what passes on the node."""

    def __init__(self, node: Node) -> None:
        self._node = weakref.ref(node)

    def __call__(self, g: Tensor) -> None:
        node = self._node()
        if node is not None:
            node.grad = g.clone() if node.grad is None else node.grad + g


class _Afterwards:
    """The hook of `register_post_accumulate_grad_hook`; it does not keep the tensor alive."""

    def __init__(self, tensor: Variable, function: Callable[[Any], None]) -> None:
        self._tensor, self._function = weakref.ref(tensor), function

    def __call__(self, _: None) -> None:
        tensor = self._tensor()
        if tensor is not None:
            self._function(tensor)


class Differentiable(Part):
    """Where a tensor stands on the tape."""

    __slots__ = ()

    @property
    def requires_grad(self) -> bool:
        """Whether operations on it are recorded."""
        return self.node is not None

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        self.requires_grad_(wanted)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Start or stop asking for a gradient; raises DtypeError for integers, GraphError for computed tensors."""
        if requires_grad and self.node is None:
            if self.array.dtype.kind not in "fc":
                raise DtypeError(f"only float tensors have gradients, this one is {self.dtype}; use .float() first")
            kept = self.grad
            self.node = leaf(self.array.shape, self.array.dtype)
            self.node.grad = kept
            if slot.tracer is not None and (watcher := tracer()) is not None:
                watcher.became_leaf(self)
        elif not requires_grad and self.node is not None:
            if self.node.op is not None:
                raise GraphError("requires_grad can be turned off for leaf tensors only; use detach()")
            kept, self.node = self.node.grad, None
            self.idle_grad = kept
        return self

    @property
    def grad(self) -> Tensor | None:
        """The gradient that `backward` gathered here, or None."""
        node = self.node
        if node is not None:
            return node.grad
        try:
            return self.idle_grad
        except AttributeError:
            return None

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None:
            if not isinstance(value, Variable):
                raise DtypeError(f"a gradient is a tensor or None, not {type(value).__name__}")
            if value.shape != self.shape:
                raise ShapeError(f"a gradient of shape {value.shape} does not fit a tensor of shape {self.shape}")
        if slot.tracer is not None and (watcher := tracer()) is not None:
            watcher.set_grad(self)
        if self.node is not None:
            self.node.grad = value
        else:
            self.idle_grad = value

    @property
    def retains_grad(self) -> bool:
        """Whether `retain_grad` was called on it."""
        hooks = None if self.node is None else self.node.hooks
        return any(isinstance(hook.function, _Keeper) for hook in (hooks or {}).values())

    @property
    def is_leaf(self) -> bool:
        """Whether it was made rather than computed by recorded operations."""
        return self.node is None or self.node.op is None

    @property
    def grad_fn(self) -> Node | None:
        """The tape entry that computed it, or None for leaves."""
        return None if self.node is None or self.node.op is None else self.node

    @property
    def data(self) -> Tensor:
        """The same memory without a gradient."""
        return wrap(self.array)

    @data.setter
    def data(self, value: Any) -> None:
        array = value.array if isinstance(value, Variable) else np.asarray(value)
        if slot.tracer is not None and (watcher := tracer()) is not None and watcher.rebind(self, array):
            return
        self.array = array
        if self.node is not None and self.node.op is None:
            self.node.shape, self.node.dtype = array.shape, array.dtype

    def detach(self) -> Tensor:
        """The same memory, cut off from what computed it."""
        return wrap(self.array)

    def detach_(self) -> Self:
        """Forget what computed it."""
        self.node, self.source = None, None
        return self

    def backward(
        self, gradient: Any = None, retain_graph: bool | None = None, create_graph: bool = False, inputs: Any = None
    ) -> None:
        """Add the gradient of this tensor (one number, unless `gradient` is given) to `.grad` of the leaves.

        Raises GraphError if nothing was recorded, or if the graph was walked before without retain_graph.
        """
        derivatives.backward(self, None if gradient is None else [gradient], retain_graph, create_graph, inputs)

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> RemovableHandle:
        """Call `hook(grad)` whenever a gradient arrives here; what it returns replaces the gradient."""
        return self._hooked("register_hook", Hook(hook))

    def register_post_accumulate_grad_hook(self, hook: Callable[[Tensor], None]) -> RemovableHandle:
        """Call `hook(tensor)` whenever a gradient was added to this leaf's `.grad`, which it may use up."""
        if self.node is not None and self.node.op is not None:
            raise GraphError("register_post_accumulate_grad_hook is for leaf tensors, whose .grad gathers gradients")
        return self._hooked("register_post_accumulate_grad_hook", Hook(_Afterwards(self, hook), late=True))

    def _hooked(self, name: str, hook: Hook) -> RemovableHandle:
        if self.node is None:
            raise GraphError(f"{name} needs a tensor that requires a gradient")
        if self.node.hooks is None:
            self.node.hooks = {}
        return add_hook(self.node.hooks, hook)

    def retain_grad(self) -> None:
        """Keep the gradient of a computed tensor in `.grad` too."""
        node = self.node
        if node is None:
            raise GraphError("retain_grad needs a tensor that requires a gradient")
        if node.op is not None and not any(isinstance(hook.function, _Keeper) for hook in (node.hooks or {}).values()):
            self.register_hook(_Keeper(node))

"""Hooks on the call of a module: functions of a user's own before and after forward, and on its gradients.

`Module` inherits from `Hookable`. As long as nobody registers anything, `Module.__call__` pays one look at `_hooks`;
all else happens in `call_with_hooks`. The semantics are those of PyTorch's `torch.nn.Module.register_*_hook`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

from byhand.core.hooks import Hook, Hooks, RemovableHandle, add_hook
from byhand.core.tape import mode
from byhand.nn.gate import BackwardGate


class CallHooks:
    """The hooks on the calls of one module, or of all of them."""

    __slots__ = ("backward", "backward_pre", "forward", "forward_pre")

    def __init__(self) -> None:
        self.forward_pre: Hooks = {}
        self.forward: Hooks = {}
        self.backward_pre: Hooks = {}
        self.backward: Hooks = {}

    def __bool__(self) -> bool:
        return bool(self.forward_pre or self.forward or self.backward_pre or self.backward)


EVERYWHERE = CallHooks()


class Hookable:
    """The part of `Module` that registers hooks."""

    _hooks: CallHooks | None = None  # on the class: EVERYWHERE while there are global hooks

    def _own_hooks(self) -> CallHooks:
        hooks: CallHooks | None = self.__dict__.get("_hooks")
        if hooks is None:
            hooks = self.__dict__["_hooks"] = CallHooks()
        return hooks

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call `hook(module, args)` before forward; what it returns, if not None, replaces `args`.

        With `with_kwargs`, `hook(module, args, kwargs)` returns None or (args, kwargs).
        """
        return add_hook(self._own_hooks().forward_pre, Hook(hook, with_kwargs), prepend=prepend)

    def register_forward_hook(
        self,
        hook: Callable[..., Any],
        *,
        prepend: bool = False,
        with_kwargs: bool = False,
        always_call: bool = False,
    ) -> RemovableHandle:
        """Call `hook(module, args, output)` after forward; what it returns, if not None, replaces `output`.

        With `with_kwargs`: `hook(module, args, kwargs, output)`. With `always_call` it is called, with None for
        `output`, even when forward raises.
        """
        return add_hook(self._own_hooks().forward, Hook(hook, with_kwargs, always_call), prepend=prepend)

    def register_full_backward_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call `hook(module, grad_output)` before the gradient enters the module; its result, if any, replaces it."""
        return add_hook(self._own_hooks().backward_pre, Hook(hook), prepend=prepend)

    def register_full_backward_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call `hook(module, grad_input, grad_output)` once the gradients of the inputs are known.

        Both are tuples in the order of the positional inputs and of the outputs, None where no gradient is tracked;
        an output that the loss does not use has zeros. What the hook returns, if not None, replaces `grad_input`.
        """
        return add_hook(self._own_hooks().backward, Hook(hook), prepend=prepend)


def _everywhere(hooks: Hooks, hook: Hook) -> RemovableHandle:
    Hookable._hooks = EVERYWHERE
    return add_hook(hooks, hook)


def register_module_forward_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call `hook(module, args)` before the forward of every module there is."""
    return _everywhere(EVERYWHERE.forward_pre, Hook(hook))


def register_module_forward_hook(
    hook: Callable[..., Any], *, with_kwargs: bool = False, always_call: bool = False
) -> RemovableHandle:
    """Call `hook(module, args, output)` after the forward of every module there is."""
    return _everywhere(EVERYWHERE.forward, Hook(hook, with_kwargs, always_call))


def register_module_full_backward_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call `hook(module, grad_output)` before the gradient enters any module."""
    return _everywhere(EVERYWHERE.backward_pre, Hook(hook))


def register_module_full_backward_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call `hook(module, grad_input, grad_output)` when the gradients of any module's inputs are known."""
    return _everywhere(EVERYWHERE.backward, Hook(hook))


def call_with_hooks(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Forward with every hook on `module` and on all modules; those on all come first."""
    own: CallHooks | None = module.__dict__.get("_hooks")
    if not own and not EVERYWHERE:  # all were removed: back to the short way
        module.__dict__.pop("_hooks", None)
        Hookable._hooks = None
        return module.forward(*args, **kwargs)
    own = own or CallHooks()
    after = {**EVERYWHERE.forward, **own.forward}
    called: set[int] = set()
    try:
        args, kwargs = _before(module, {**EVERYWHERE.forward_pre, **own.forward_pre}, args, kwargs)
        gate = None
        if mode.recording and (EVERYWHERE.backward_pre or own.backward_pre or EVERYWHERE.backward or own.backward):
            entering = _functions(EVERYWHERE.backward_pre, own.backward_pre)
            gate = BackwardGate(module, entering, _functions(EVERYWHERE.backward, own.backward))
            args = gate.wrap_inputs(args)
        output = module.forward(*args, **kwargs)
        for key, hook in after.items():
            called.add(key)
            output = _after(module, hook, args, kwargs, output)
        return output if gate is None else gate.wrap_outputs(output)
    except Exception:
        for _, hook in _left_to_call(after, called):
            try:
                _after(module, hook, args, kwargs, None)
            except Exception as error:  # the first error is the one to see
                warnings.warn(f"a forward hook with always_call=True raised {error!r}, silenced", stacklevel=2)
        raise


def _functions(*groups: Hooks) -> list[Callable[..., Any]]:
    return [hook.function for group in groups for hook in group.values()]


def _left_to_call(hooks: Hooks, called: set[int]) -> Iterator[tuple[int, Hook]]:
    return ((key, hook) for key, hook in hooks.items() if hook.always_call and key not in called)


def _before(
    module: Any, hooks: Hooks, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    for hook in hooks.values():
        if not hook.with_kwargs:
            result = hook.function(module, args)
            if result is not None:
                args = result if isinstance(result, tuple) else (result,)
            continue
        result = hook.function(module, args, kwargs)
        if result is None:
            continue
        if not isinstance(result, tuple) or len(result) != 2:
            raise RuntimeError(
                f"a forward pre-hook with with_kwargs=True returns None or (args, kwargs), not {result!r}"
            )
        args, kwargs = result
    return args, kwargs


def _after(module: Any, hook: Hook, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> Any:
    if hook.with_kwargs:
        result = hook.function(module, args, kwargs, output)
    else:
        result = hook.function(module, args, output)
    return output if result is None else result

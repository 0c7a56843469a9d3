"""A module's state as a flat dictionary, and back: `state_dict` and `load_state_dict`.

The second part of `Module`. Loading looks first and copies after: a state that does not fit changes nothing, and one
error lists all that is missing, unexpected (with the name that was probably meant) and of another shape.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from byhand.core.errors import CheckpointError
from byhand.core.hooks import Hook, Hooks, RemovableHandle, add_hook
from byhand.core.tape import no_grad
from byhand.nn.parameter import Parameter
from byhand.nn.tree import ModuleTree, did_you_mean
from byhand.tensor import Tensor

if TYPE_CHECKING:
    from byhand.nn.module import Module

EXTRA = "_extra_state"
LISTED = 12  # names of one sort that an error spells out

_T = TypeVar("_T", bound=dict[str, Any])


class IncompatibleKeys(NamedTuple):
    """What `load_state_dict` returns: names the model has and the state lacks, and the other way round."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return f"IncompatibleKeys(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"


class StateHooks:
    """The hooks on saving and loading of one module, or of one optimiser."""

    __slots__ = ("load_post", "load_pre", "save_post", "save_pre")

    def __init__(self) -> None:
        self.save_pre: Hooks = {}
        self.save_post: Hooks = {}
        self.load_pre: Hooks = {}
        self.load_post: Hooks = {}


class ModuleState(ModuleTree):
    """The part of `Module` that saves and loads."""

    _state_hooks: StateHooks | None = None

    def _own_state_hooks(self) -> StateHooks:
        if self._state_hooks is None:
            self.__dict__["_state_hooks"] = StateHooks()
        assert self._state_hooks is not None
        return self._state_hooks

    def register_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(module, prefix, keep_vars)` before this module's entries are gathered."""
        return add_hook(self._own_state_hooks().save_pre, Hook(hook))

    def register_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(module, state_dict, prefix, local_metadata)` after; it may change the dictionary in place."""
        return add_hook(self._own_state_hooks().save_post, Hook(hook))

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(module, state_dict, prefix, local_metadata, strict, missing, unexpected, errors)` before loading.

        It may change the dictionary, a copy of what was given, in place: to rename old keys, say.
        """
        return add_hook(self._own_state_hooks().load_pre, Hook(hook))

    def register_load_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(module, incompatible_keys)` after loading; what it removes from those lists is forgiven."""
        return add_hook(self._own_state_hooks().load_post, Hook(hook))

    def get_extra_state(self) -> Any:
        """State that is no tensor; override it together with `set_extra_state` and it joins `state_dict`."""
        raise NotImplementedError(f"{type(self).__name__} has no extra state: override get_extra_state")

    def set_extra_state(self, state: Any) -> None:
        """Take back what `get_extra_state` returned."""
        raise NotImplementedError(f"{type(self).__name__} has no extra state: override set_extra_state")

    def _named_state(self, prefix: str = "") -> Iterator[tuple[str, ModuleState, str, Tensor]]:
        """Key, owner, the owner's name for it and value, of each entry; a shared one under each of its names."""
        for name, value in [*self._parameters.items(), *self._buffers.items()]:
            if value is not None and self._buffer_names.get(name, True):
                yield prefix + name, self, name, value
        for name, child in self._modules.items():
            if child is not None:
                yield from child._named_state(f"{prefix}{name}.")

    def state_dict(self, *, destination: _T | None = None, prefix: str = "", keep_vars: bool = False) -> dict[str, Any]:
        """Every parameter and persistent buffer by its dotted path.

        destination  a dictionary to fill, instead of a new one
        prefix       what to put before each key
        keep_vars    the parameters themselves, not detached tensors; either way the memory is the model's

        >>> import byhand
        >>> from byhand.nn.container import Sequential
        >>> Sequential().state_dict()
        {}
        """
        state: dict[str, Any] = {} if destination is None else destination
        hooks = self._state_hooks or StateHooks()
        for hook in hooks.save_pre.values():
            hook.function(self, prefix, keep_vars)
        for name, value in [*self._parameters.items(), *self._buffers.items()]:
            if value is not None and self._buffer_names.get(name, True):
                state[prefix + name] = value if keep_vars else value.detach()
        if _has_extra_state(self):
            state[prefix + EXTRA] = self.get_extra_state()
        for name, child in self._modules.items():
            if child is not None:
                child.state_dict(destination=state, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
        for hook in hooks.save_post.values():
            hook.function(self, state, prefix, {})
        return state

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> IncompatibleKeys:
        """Copy a state into this module and all below it; values may be tensors or arrays, of any dtype.

        strict  whether missing and unexpected names are errors; shapes that differ always are
        assign  put the given tensors in the place of the present ones, dtype and all, instead of copying

        Raises `CheckpointError` that names all that does not fit; then nothing was loaded.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"load_state_dict takes a dictionary of tensors, got {type(state_dict).__name__}")
        state = dict(state_dict)
        modules = [(f"{path}." if path else "", m) for path, m in self.named_modules(remove_duplicate=False)]
        keys = IncompatibleKeys([], [])
        errors = _run_load_pre_hooks(modules, state, strict, keys)
        entries = {key: (owner, name, value) for key, owner, name, value in self._named_state()}
        extra = {prefix + EXTRA: module for prefix, module in modules if _has_extra_state(module)}
        keys.missing_keys.extend([key for key in [*entries, *extra] if key not in state])
        keys.unexpected_keys.extend([key for key in state if key not in entries and key not in extra])
        found, misfits = _fitting(state, entries)
        errors += misfits
        post = [(m, hook) for _, m in modules for hook in (m._state_hooks or StateHooks()).load_post.values()]
        if errors or (strict and not post and any(keys)):
            raise CheckpointError(
                _complaint(self, keys if strict else IncompatibleKeys([], []), errors, state, entries)
            )
        kept = {key: _kept(entries[key][2], assign) for key in found} if post else {}
        _load(found, entries, assign)
        for key in extra.keys() & state.keys():
            extra[key].set_extra_state(state[key])
        for module, hook in post:
            hook.function(module, keys)
        if strict and any(keys):
            _load(kept, entries, assign)
            raise CheckpointError(_complaint(self, keys, errors, state, entries))
        return keys


Entries = dict[str, tuple[ModuleState, str, Tensor]]


def _run_load_pre_hooks(
    modules: list[tuple[str, Module]], state: dict[str, Any], strict: bool, keys: IncompatibleKeys
) -> list[str]:
    """Let the hooks change the state; return the errors they found."""
    errors: list[str] = []
    for prefix, module in modules:
        for hook in (module._state_hooks or StateHooks()).load_pre.values():
            hook.function(module, state, prefix, {}, strict, *keys, errors)
    return errors


def _has_extra_state(module: ModuleState) -> bool:
    return type(module).get_extra_state is not ModuleState.get_extra_state


def _fitting(state: dict[str, Any], entries: Entries) -> tuple[dict[str, Tensor], list[str]]:
    """The values that are asked for, as tensors, and what is wrong with the others."""
    found, errors = {}, []
    for key in [key for key in entries if key in state]:
        value, present = state[key], entries[key][2]
        tensor = _as_tensor(value)
        if tensor is None or tensor.dtype.kind not in {"b", "i", "u", "f", present.dtype.kind}:
            kind = type(value).__name__ if tensor is None else f"tensor of {tensor.dtype}"
            errors.append(f"{key!r} is a {kind} in the state, a tensor of {present.dtype} in the model")
        elif tensor.shape != present.shape:
            errors.append(f"{key!r} has shape {tensor.shape} in the state, {present.shape} in the model")
        else:
            found[key] = tensor
    return found, errors


def _as_tensor(value: Any) -> Tensor | None:
    """Tensors as they are, arrays of any library that NumPy can read, numbers; None for everything else."""
    if isinstance(value, Tensor):
        return value
    if not hasattr(value, "__array__") and not isinstance(value, (bool, int, float)):
        return None
    value = value.detach() if hasattr(value, "detach") else value  # PyTorch's parameters refuse to be read otherwise
    return Tensor(np.asarray(value))


def _kept(present: Tensor, assign: bool) -> Tensor:
    """What puts `present` back: itself where it will be replaced, a copy where it will be overwritten."""
    return present if assign else present.detach().clone()


def _load(found: dict[str, Tensor], entries: Entries, assign: bool) -> None:
    with no_grad():
        for key, tensor in found.items():
            owner, name, present = entries[key]
            if not assign:
                present.copy_(tensor)
            elif isinstance(present, Parameter) and not isinstance(tensor, Parameter):
                setattr(owner, name, Parameter(tensor, present.requires_grad))
            else:
                setattr(owner, name, tensor)


def _complaint(
    module: ModuleState, keys: IncompatibleKeys, errors: list[str], state: dict[str, Any], entries: Entries
) -> str:
    lines = [f"the state does not fit {type(module).__name__}; nothing was loaded"]
    lines += _listed([f"missing {key!r}" for key in keys.missing_keys])
    names = keys.missing_keys or list(entries)
    lines += _listed([f"unexpected {key!r}{did_you_mean(key, names)}" for key in keys.unexpected_keys])
    lines += _listed(errors)
    hint = _hint(keys, state, entries)
    return "\n  ".join([*lines, hint] if hint else lines)


def _listed(lines: list[str]) -> list[str]:
    if len(lines) <= LISTED:
        return lines
    return [*lines[:LISTED], f"and {len(lines) - LISTED} more"]


def _hint(keys: IncompatibleKeys, state: dict[str, Any], entries: Entries) -> str:
    """What to type where the whole state is the right one under other names."""
    if not keys.unexpected_keys:
        return "pass strict=False to load what is there" if keys.missing_keys else ""
    for key in keys.unexpected_keys:
        if isinstance(state[key], Mapping) and not entries.keys().isdisjoint(state[key]):
            return f"{key!r} holds the model's state: load_state_dict(state[{key!r}])"
    first = keys.unexpected_keys[0]
    for start in [first[: i + 1] for i, c in enumerate(first) if c == "."]:
        if {key.removeprefix(start) for key in state} == entries.keys():
            return f"all names begin with {start!r}: {{k.removeprefix({start!r}): v for k, v in state.items()}}"
    return "pass strict=False to load what fits" if entries.keys() & state.keys() else "is it another model's state?"

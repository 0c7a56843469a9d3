"""Registered functions and the handles that take them away; shared by tensors, modules and optimisers."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from types import TracebackType
from typing import Any, NamedTuple, Self

from byhand.core.capture import structure

_next_id = itertools.count().__next__


class Hook(NamedTuple):
    """A registered function and how it wants to be called."""

    function: Callable[..., Any]
    with_kwargs: bool = False
    always_call: bool = False
    late: bool = False  # on a leaf: after its gradient was added to `.grad`


Hooks = dict[int, Hook]


class RemovableHandle:
    """What registering a hook returns: `remove()` takes it away again, as does leaving a `with` block."""

    def __init__(self, hooks: Hooks, key: int) -> None:
        self._hooks = hooks
        self.id = key

    def remove(self) -> None:
        """Take the hook away; a second time does nothing."""
        structure.version += 1
        self._hooks.pop(self.id, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()


def add_hook(hooks: Hooks, hook: Hook, *, prepend: bool = False) -> RemovableHandle:
    """Put `hook` behind the others, or before them."""
    key = _next_id()
    structure.version += 1
    others = dict(hooks) if prepend else {}
    if prepend:
        hooks.clear()
    hooks[key] = hook
    hooks.update(others)
    return RemovableHandle(hooks, key)

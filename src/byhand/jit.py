"""PyTorch's `jit`: TorchScript is out of scope, and said to be so; `byhand.compile` is what there is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from byhand.core.errors import UsageError

F = TypeVar("F", bound=Callable[..., Any])


def _refused(*args: Any, **kwargs: Any) -> NoReturn:
    raise UsageError("byhand has no TorchScript; byhand.compile(step) writes a step out and runs that")


script = trace = load = save = freeze = _refused


def ignore(function: F) -> F:
    """The function as it is."""
    return function


export = unused = ignore


def is_scripting() -> bool:
    """False."""
    return False


is_tracing = is_scripting

"""PyTorch's path `nn.utils.init`: `skip_init`. Called by users."""

from __future__ import annotations

from typing import Any, TypeVar

from byhand.core.errors import UsageError
from byhand.nn.module import Module

_M = TypeVar("_M", bound=Module)


def skip_init(module_cls: type[_M], *args: Any, **kwargs: Any) -> _M:
    """A layer whose values will be overwritten; here they are drawn as always, so that none is undefined."""
    kind: Any = module_cls
    if not (isinstance(kind, type) and issubclass(kind, Module)):
        raise UsageError(f"skip_init takes a subclass of Module, got {module_cls!r}")
    return module_cls(*args, **kwargs)

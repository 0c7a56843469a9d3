"""PyTorch's path `utils.checkpoint`: memory for time, which is not traded here; functions are called as they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def checkpoint(
    function: Callable[..., Any], *args: Any, use_reentrant: bool | None = None, preserve_rng_state: bool = True,
    determinism_check: str = "default", debug: bool = False, context_fn: Any = None, early_stop: bool = True,
    **kwargs: Any,
) -> Any:  # fmt: skip
    """function(*args, **kwargs): what its backward pass needs is kept, not computed again."""
    return function(*args, **kwargs)


def checkpoint_sequential(functions: Any, segments: int, input: Any, use_reentrant: bool | None = None) -> Any:
    """The functions, or the layers of a Sequential, one after the other."""
    for function in functions:
        input = function(input)
    return input

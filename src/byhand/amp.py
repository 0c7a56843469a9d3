"""PyTorch's `amp`: mixed precision, which on the CPU here is none. Called by scripts that were made for a GPU too."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ContextDecorator
from typing import Any

from byhand.core.dtypes import check_device


class autocast(ContextDecorator):
    """Computes as without it: a context manager and decorator that changes nothing.

    Raises UsageError if it is to be enabled on a device that is not there.
    """

    def __init__(
        self, device_type: Any = "cpu", dtype: Any = None, enabled: bool = True, cache_enabled: bool | None = None
    ) -> None:
        if enabled:
            check_device(device_type)

    def __enter__(self) -> autocast:
        return self

    def __exit__(self, *error: object) -> None:
        return None


class GradScaler:
    """Scales by 1: losses and gradients in float32 need no more."""

    def __init__(self, device: Any = "cpu", *args: Any, enabled: bool = True, **options: Any) -> None:
        pass

    def scale(self, outputs: Any) -> Any:
        """The same."""
        return outputs

    def unscale_(self, optimizer: Any) -> None:
        """Nothing to undo."""

    def step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        """`optimizer.step(…)`."""
        return optimizer.step(*args, **kwargs)

    def update(self, new_scale: Any = None) -> None:
        """Nothing to adapt."""

    def get_scale(self) -> float:
        """1."""
        return 1.0

    def is_enabled(self) -> bool:
        """False."""
        return False

    def state_dict(self) -> dict[str, Any]:
        """Empty."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Nothing to take over."""


def custom_fwd(function: Callable[..., Any] | None = None, **options: Any) -> Any:
    """The function as it is."""
    return (lambda inner: inner) if function is None else function


custom_bwd = custom_fwd


def is_autocast_available(device_type: str) -> bool:
    """False."""
    return False

"""PyTorch's `accelerator`: there is none, and a script that asks goes on with the CPU."""

from __future__ import annotations


def is_available() -> bool:
    """False."""
    return False


def device_count() -> int:
    """0."""
    return 0


def current_accelerator(check_available: bool = False) -> None:
    """None."""


def synchronize(device: object = None) -> None:
    """Nothing runs behind one's back."""

"""Switches of cuDNN, which is not there."""

from __future__ import annotations

enabled = benchmark = allow_tf32 = False
deterministic = True


def is_available() -> bool:
    """False."""
    return False


def version() -> None:
    """None."""

"""Switches of products on NVIDIA's GPUs, which byhand does not use."""

from __future__ import annotations


class matmul:
    """Precision of products."""

    allow_tf32 = False


def is_built() -> bool:
    """False."""
    return False

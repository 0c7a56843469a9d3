"""PyTorch's `cuda`, as it is on a machine without a GPU: it says so, and what only tidies up does nothing."""

from __future__ import annotations

from typing import Any, NoReturn

from byhand.cuda import amp


def is_available() -> bool:
    """False: byhand computes on the CPU."""
    return False


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """False."""
    return False


def device_count() -> int:
    """0."""
    return 0


def manual_seed(seed: int) -> None:
    """Nothing: there is no generator of a GPU. `byhand.manual_seed` seeds the CPU's."""


manual_seed_all = manual_seed


def empty_cache() -> None:
    """Nothing is cached."""


def synchronize(device: Any = None) -> None:
    """Nothing runs behind one's back."""


def max_memory_allocated(device: Any = None) -> int:
    """0 bytes."""
    return 0


memory_allocated = memory_reserved = max_memory_reserved = max_memory_allocated


def reset_peak_memory_stats(device: Any = None) -> None:
    """There is nothing to reset."""


def __getattr__(name: str) -> NoReturn:
    raise AttributeError(
        f"byhand.cuda has no {name!r}: byhand computes on the CPU; ask byhand.cuda.is_available() before"
    )


__all__ = [
    "amp", "device_count", "empty_cache", "is_available", "is_bf16_supported", "manual_seed", "manual_seed_all",
    "max_memory_allocated", "max_memory_reserved", "memory_allocated", "memory_reserved", "reset_peak_memory_stats",
    "synchronize",
]  # fmt: skip

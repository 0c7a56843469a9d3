"""What PyTorch scripts set at their beginning and byhand need not be told. Called by users."""

from __future__ import annotations

from typing import Any

from byhand.core.dtypes import CPU, check_device, device
from byhand.core.generator import default_generator


def use_deterministic_algorithms(mode: bool = True, *, warn_only: bool = False) -> None:
    """Accepted: all algorithms here are deterministic for a number of threads."""


def are_deterministic_algorithms_enabled() -> bool:
    """True."""
    return True


def set_float32_matmul_precision(precision: str) -> None:
    """Accepted: products are in the precision of their operands."""


def get_float32_matmul_precision() -> str:
    """Always "highest"."""
    return "highest"


def set_default_device(wanted: Any) -> None:
    """Raise UsageError unless the device is the CPU."""
    check_device(wanted)


def get_default_device() -> device:
    """The CPU."""
    return CPU


def get_num_interop_threads() -> int:
    """1: operations run one after the other."""
    return 1


def set_num_interop_threads(count: int) -> None:
    """Accepted, and without effect."""


def set_flush_denormal(mode: bool) -> bool:
    """False, as PyTorch says where it cannot be done."""
    return False


def seed() -> int:
    """Seed the default generator from the operating system, and return that seed."""
    return default_generator.seed()


def initial_seed() -> int:
    """The seed that the default generator started from."""
    return default_generator.initial_seed()


def get_rng_state() -> dict[str, Any]:
    """The state of the default generator."""
    return default_generator.get_state()


def set_rng_state(state: dict[str, Any]) -> None:
    """Let the default generator continue from a state."""
    default_generator.set_state(state)

"""PyTorch's path `distributed`: there is one process, and that is said. Scripts ask before they use several."""

from __future__ import annotations

from typing import Any, NoReturn

from byhand.core.errors import UsageError


def is_available() -> bool:
    """False."""
    return False


is_initialized = is_torchelastic_launched = is_nccl_available = is_gloo_available = is_available


def get_rank(group: Any = None) -> int:
    """0, the number of the only process."""
    return 0


def get_world_size(group: Any = None) -> int:
    """1."""
    return 1


def init_process_group(*args: Any, **kwargs: Any) -> NoReturn:
    """Refused."""
    raise UsageError("byhand computes in one process; leave distributed training out")


all_reduce = all_gather = broadcast = barrier = reduce = gather = scatter = init_process_group
destroy_process_group = new_group = init_process_group

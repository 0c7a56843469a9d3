"""PyTorch's older path of `amp`."""

from __future__ import annotations

from typing import Any

from byhand.amp import GradScaler, custom_bwd, custom_fwd
from byhand.amp import autocast as _autocast


class autocast(_autocast):
    """Computes as without it."""

    def __init__(self, enabled: bool = True, dtype: Any = None, cache_enabled: bool = True) -> None:
        super().__init__("cpu", dtype, enabled, cache_enabled)


__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd"]

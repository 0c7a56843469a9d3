"""PyTorch's paths for what has a better room here: `byhand.utils.data` is `byhand.data`."""

from __future__ import annotations

from byhand.utils import checkpoint, data

__all__ = ["checkpoint", "data"]

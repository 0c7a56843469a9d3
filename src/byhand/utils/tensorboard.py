"""PyTorch's path `utils.tensorboard`, an alias for `interop.tensorboard`."""

from __future__ import annotations

from byhand.interop.tensorboard import SummaryWriter

__all__ = ["SummaryWriter"]

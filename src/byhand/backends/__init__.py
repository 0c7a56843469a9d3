"""PyTorch's `backends`: switches of GPU libraries, which scripts set and which do nothing here."""

from __future__ import annotations

from byhand.backends import cuda, cudnn, mps

__all__ = ["cuda", "cudnn", "mps"]

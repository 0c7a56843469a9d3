"""Layers that reshape: `Flatten` and `Unflatten`. Called by users, between images and linear layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from byhand.core.errors import UsageError
from byhand.nn.module import Module
from byhand.ops import shape
from byhand.tensor import Tensor


class Flatten(Module):
    """The axes from start_dim to end_dim as one; by default all but the batch: (N, C, H, W) → (N, C · H · W)."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input: Tensor) -> Any:
        return shape.flatten(input, self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """One axis as several of these sizes, of which one may be −1: `Unflatten(1, (1, 28, 28))` makes images of rows."""

    def __init__(self, dim: int, unflattened_size: Sequence[int]) -> None:
        super().__init__()
        self.dim, self.unflattened_size = dim, tuple(unflattened_size)
        if not all(hasattr(n, "__index__") for n in (dim, *self.unflattened_size)):
            raise UsageError(f"Unflatten takes an axis and its new sizes, got {dim!r} and {unflattened_size!r}")

    def forward(self, input: Tensor) -> Any:
        return shape.unflatten(input, self.dim, self.unflattened_size)

    def extra_repr(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"

"""Distances as layers: `CosineSimilarity` and `PairwiseDistance`. Called by users."""

from __future__ import annotations

from byhand.nn import functional as F
from byhand.nn.module import Module
from byhand.tensor import Tensor


class CosineSimilarity(Module):
    """x₁ · x₂ / (max(|x₁|, ε) max(|x₂|, ε)) along the axis `dim`, which disappears."""

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        super().__init__()
        self.dim, self.eps = dim, eps

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        return F.cosine_similarity(x1, x2, self.dim, self.eps)


class PairwiseDistance(Module):
    """‖x₁ − x₂ + ε‖ₚ along the last axis: (N, D) and (N, D) → (N), or (N, 1) with keepdim."""

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        super().__init__()
        self.norm, self.eps, self.keepdim = p, eps, keepdim

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        return F.pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)

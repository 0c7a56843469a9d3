"""Distances and similarities of vectors along an axis. Called by `nn.distance`, by losses and by users."""

from __future__ import annotations

import numpy as np

from byhand.core.errors import ShapeError
from byhand.ops import elementwise as e
from byhand.ops import reduce
from byhand.ops.axes import one, together
from byhand.ops.views import expanded
from byhand.tensor import Tensor


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """x₁ · x₂ / (max(|x₁|, ε) max(|x₂|, ε)) along an axis, which disappears."""
    shape = together("cosine_similarity", x1.shape, x2.shape) or (1,)
    x1, x2 = (x if x.shape == shape else expanded(x, shape=shape) for x in (x1, x2))
    axis = (one(dim, len(shape), "cosine_similarity"),)
    lengths = [e.clip(reduce.norm(x, 2, dim, keepdim=True), low=eps, high=None) for x in (x1, x2)]
    return reduce.sum_over((x1 / lengths[0]) * (x2 / lengths[1]), axis=axis, keepdims=False)


def pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    """‖x₁ − x₂ + ε‖ₚ along the last axis, which disappears unless keepdim: (N, D) and (N, D) → (N)."""
    return reduce.norm(x1 - x2 + eps, p, -1, keepdim=keepdim)


def pdist(input: Tensor, p: float = 2) -> Tensor:
    """The p-norm between each two rows of a matrix, (N, M) → (N (N − 1) / 2): rows 0 and 1, 0 and 2 and so on.

    >>> import byhand
    >>> from byhand.nn import functional as F
    >>> F.pdist(byhand.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]]))
    tensor([5.0000, 1.0000, 4.2426])
    """
    if input.ndim != 2:
        raise ShapeError(f"pdist takes a matrix (N, M), got shape {input.shape}")
    first, second = np.triu_indices(input.shape[0], 1)
    return reduce.norm(input[first] - input[second], p, -1)

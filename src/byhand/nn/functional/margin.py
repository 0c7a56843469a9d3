"""Losses of a margin: between two signs, targets 1 and −1, or between two distances. Called by `nn.loss` and by users.

The hinge loss of many classes, `multi_margin_loss`, stands in `classification`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from byhand.core.errors import ShapeError, UsageError
from byhand.nn.functional.distance import pairwise_distance
from byhand.nn.functional.reduction import chosen, paired, reduced
from byhand.ops import elementwise as e
from byhand.ops.activation import logsigmoid
from byhand.ops.reduce import sum_over
from byhand.tensor import Tensor


def _positive(x: Any) -> Any:
    """max(x, 0), with derivative 1 at 0 as in PyTorch's losses."""
    return e.clip(x, low=0, high=None)


def hinge_embedding_loss(
    input: Tensor,
    target: Tensor,
    margin: float = 1.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """x where the target is 1, max(0, margin − x) where it is −1: for distances x of pairs that are alike or not."""
    target = paired(input, target, "hinge_embedding_loss")
    losses = e.select(target == -1, 0, input) + e.select(target == 1, 0, _positive(margin - input))
    return reduced(losses, chosen(reduction, size_average, reduce), "hinge_embedding_loss")


def soft_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """ln(1 + e^(−t x)), the logistic loss for targets 1 and −1; without overflow."""
    target = paired(input, target, "soft_margin_loss")
    return reduced(-logsigmoid(target * input), chosen(reduction, size_average, reduce), "soft_margin_loss")


def margin_ranking_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """max(0, −t (x₁ − x₂) + margin): x₁ should be the larger where t is 1, the smaller where it is −1."""
    paired(input1, input2, "margin_ranking_loss")
    target = paired(input1, target, "margin_ranking_loss")
    losses = _positive(margin - target * (input1 - input2))
    return reduced(losses, chosen(reduction, size_average, reduce), "margin_ranking_loss")


def cosine_embedding_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """1 − cos(x₁, x₂) where the target is 1, max(0, cos(x₁, x₂) − margin) where it is −1.

    Inputs (N, D) and target (N), or (D) and (). ε = 1e-12 is added to the squared lengths.
    """
    paired(input1, input2, "cosine_embedding_loss")
    if input1.ndim not in (1, 2) or target.shape != input1.shape[:-1]:
        raise ShapeError(
            f"cosine_embedding_loss: inputs of shape {input1.shape} and a target of shape {target.shape}; "
            "expected (N, D) and (N), or (D) and ()"
        )
    axis = (input1.ndim - 1,)
    products = (input1 * input2, e.square(input1), e.square(input2))
    dot, square1, square2 = (sum_over(product, axis=axis, keepdims=False) for product in products)
    cosine = dot / e.sqrt((square1 + 1e-12) * (square2 + 1e-12))
    losses = e.select(target == 1, 1 - cosine, 0) + e.select(target == -1, _positive(cosine - margin), 0)
    return reduced(losses, chosen(reduction, size_average, reduce), "cosine_embedding_loss")


def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """max(0, margin + ‖a − p‖ − ‖a − n‖): what is alike is to be nearer than what is not, by a margin.

    All (N, D) or (D), with the norm of `pairwise_distance`; swap takes the nearer of ‖a − n‖ and ‖p − n‖. Balntas et
    al., Learning local feature descriptors with triplets and shallow convolutional neural networks, 2016.
    """
    if not len(anchor.shape) == len(positive.shape) == len(negative.shape):
        raise ShapeError(
            f"triplet_margin_loss: anchor, positive and negative have shapes {anchor.shape}, {positive.shape} and "
            f"{negative.shape}; expected as many axes for all, (N, D) or (D)"
        )
    if not margin > 0:
        raise UsageError(f"triplet_margin_loss: margin must be positive, got {margin}")

    def distance(x: Tensor, y: Tensor) -> Tensor:
        return pairwise_distance(x, y, p, eps)

    losses = _triplets(anchor, positive, negative, distance, margin, swap)
    return reduced(losses, chosen(reduction, size_average, reduce), "triplet_margin_loss")


def triplet_margin_with_distance_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Any:
    """`triplet_margin_loss` with a distance of one's own, `pairwise_distance` unless given."""
    if not margin > 0:
        raise UsageError(f"triplet_margin_with_distance_loss: margin must be positive, got {margin}")
    losses = _triplets(anchor, positive, negative, distance_function or pairwise_distance, margin, swap)
    return reduced(losses, chosen(reduction, None, None), "triplet_margin_with_distance_loss")


def _triplets(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    distance: Callable[[Tensor, Tensor], Tensor],
    margin: float,
    swap: bool,
) -> Any:
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = e.minimum(far, distance(positive, negative))
    return _positive(margin + near - far)

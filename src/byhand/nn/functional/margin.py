"""Losses of a margin for two signs: targets are 1 or −1. Called by `nn.loss` and by users.

The hinge loss of many classes, `multi_margin_loss`, stands in `classification`.
"""

from __future__ import annotations

from typing import Any

from byhand.core.errors import ShapeError
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

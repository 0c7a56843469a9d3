"""Losses where each input has several labels. Called by `nn.loss` and by users."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from byhand.core.capture import insist, values
from byhand.core.errors import DomainError, DtypeError, ShapeError
from byhand.nn.functional.reduction import chosen, paired, reduced
from byhand.ops import elementwise as e
from byhand.ops.activation import relu
from byhand.ops.index import gathered
from byhand.ops.loss import sigmoid_cross_entropy
from byhand.ops.reduce import mean_over, sum_over
from byhand.ops.scan import running_product
from byhand.ops.views import reshaped
from byhand.tensor import Tensor


def multilabel_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """Σ max(0, 1 − (x[j] − x[i])) / C over labels j and classes i that are none: each label is to win by a margin.

    Scores (N, C) or (C), labels of the same shape, of which those before the first −1 count. Raises DomainError for
    labels that are no classes.
    """
    shape = input.shape
    if len(shape) > 2 or target.shape != shape:
        raise ShapeError(
            f"multilabel_margin_loss: input has shape {shape} and target {target.shape}; "
            "expected (N, C) or (C) for both"
        )
    if target.dtype.kind not in "iu":
        raise DtypeError(f"multilabel_margin_loss: labels must be integers, not {target.dtype}; use target.long()")
    classes = shape[-1] if shape else 1
    rows = (math.prod(shape[:-1]), classes)
    x, labels = reshaped(input, shape=rows), reshaped(values(target), shape=rows)
    if 0 not in rows:
        insist(((labels < -1) | (labels >= classes)).any(), partial(_out_of_range, classes), labels)
    counts = running_product(e.cast(labels >= 0, dtype=np.dtype(np.int64)), axis=1) > 0
    labels = e.select(counts, labels, 0)
    named = e.select(counts, labels, -1)
    taken = (reshaped(named, shape=(*rows, 1)) == np.arange(classes)).any(1)
    ahead = reshaped(gathered(x, labels, axis=1), shape=(*rows, 1)) - reshaped(x, shape=(rows[0], 1, classes))
    relevant = reshaped(counts, shape=(*rows, 1)) & ~reshaped(taken, shape=(rows[0], 1, classes))
    losses = mean_over(e.select(relevant, relu(1 - ahead), 0), axis=(1, 2), keepdims=False, size=max(classes, 1))
    return reduced(
        reshaped(losses, shape=shape[:-1]), chosen(reduction, size_average, reduce), "multilabel_margin_loss"
    )


def _out_of_range(classes: int, labels: Any) -> DomainError:
    wrong = [int(label) for label in labels.reshape(-1) if not -1 <= label < classes]
    return DomainError(
        f"multilabel_margin_loss: the label {wrong[0]} is out of range for {classes} classes (0 to {classes - 1}, "
        "and −1 behind the last label)"
    )


def multilabel_soft_margin_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """−(t ln σ(x) + (1 − t) ln(1 − σ(x))), weighed and averaged over the classes: (…, C) and bits (…, C) → (…)."""
    target = paired(input, target, "multilabel_soft_margin_loss")
    losses: Any = sigmoid_cross_entropy(input, target)
    if weight is not None:
        losses = losses * weight
    last = len(input.shape) - 1
    if last < 0:
        raise ShapeError("multilabel_soft_margin_loss takes scores (…, C), got a single number")
    losses = sum_over(losses, axis=(last,), keepdims=False) / input.shape[last]
    return reduced(losses, chosen(reduction, size_average, reduce), "multilabel_soft_margin_loss")

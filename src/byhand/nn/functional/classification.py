"""Losses of classification, by class labels, class probabilities or bits. Called by `nn.loss` and by users.

Inputs are (N, C), or (N, C, d₁, …) with labels (N, d₁, …), or (C) with one label. The plain case, (N, C) logits and
integer labels, takes the shortest way: one op, and one reduction that finds labels out of range.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from byhand.core.capture import insist, rare, slot, values
from byhand.core.errors import DomainError, DtypeError, ShapeError, UsageError
from byhand.core.variable import Array
from byhand.nn.functional.linear import linear
from byhand.nn.functional.reduction import chosen, paired, reduced
from byhand.ops import elementwise as e
from byhand.ops.activation import log_normalized, logsigmoid
from byhand.ops.linalg import rows as matrix
from byhand.ops.loss import (
    bernoulli_loss,
    hinge,
    mean_cross_entropy,
    out_of_range,
    picked,
    sigmoid_cross_entropy,
    softmax_cross_entropy,
)
from byhand.ops.reduce import sum_over
from byhand.ops.views import permuted, reshaped
from byhand.tensor import Tensor

LABELS, UNSIGNED = np.dtype(np.int64), np.dtype(np.uint64)


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Any:
    """−ln softmax(x)[label]: how surprised the logits are by the labels.

    input            logits (N, C), (N, C, d₁, …) or (C)
    target           integer labels of the same shape without C, or class probabilities of just the same shape
    weight           (C), what an error in each class costs; the mean is divided by the sum of the labels' weights
    ignore_index     a label that costs nothing
    label_smoothing  ε: the target becomes (1 − ε) · target + ε / C

    Raises DomainError for labels out of range, DtypeError for labels that are no integers, ShapeError.

    >>> import byhand
    >>> from byhand.nn import functional as F
    >>> F.cross_entropy(byhand.tensor([[0.0, 0.0]]), byhand.tensor([1]))
    tensor(0.6931)
    """
    x, labels = _array(input), _array(target)
    if weight is None and reduction == "mean" and not label_smoothing and size_average is None is reduce:
        shape = x.shape
        plain = len(shape) == 2 and labels.shape == shape[:1] and labels.dtype == LABELS and ignore_index < 0
        # a negative label is a huge one without its sign: one maximum finds both kinds of wrong labels
        eager = slot.tracer is None and type(labels) is np.ndarray
        if plain and shape[0] and eager and np.maximum.reduce(labels.view(UNSIGNED)) < shape[1]:
            return mean_cross_entropy(input, target)
        if plain and shape[0] and not eager and not rare(out_of_range(values(target), classes=shape[1])):
            return mean_cross_entropy(input, target)
    reduction = chosen(reduction, size_average, reduce)
    if not 0 <= label_smoothing <= 1:
        raise UsageError(f"cross_entropy: label_smoothing lies between 0 and 1, got {label_smoothing}")
    if x.shape == labels.shape and x.ndim and labels.dtype.kind == "f":
        return _of_probabilities(input, target, weight, ignore_index, reduction, label_smoothing)
    case = _labelled("cross_entropy", input, target, weight, ignore_index)
    losses = softmax_cross_entropy(case.rows, case.labels)
    if case.weights is not None:
        losses = losses * case.weights
    if label_smoothing:
        spread = -_over_classes(log_normalized(case.rows, axis=1), weight)
        if case.valid is not None:
            spread = spread * case.valid
        losses = (1 - label_smoothing) * losses + (label_smoothing / case.rows.shape[1]) * spread
    return _averaged(losses, case, reduction, "cross_entropy")


def linear_cross_entropy(
    input: Tensor,
    linear_weight: Tensor,
    target: Tensor,
    *,
    linear_bias: Tensor | None = None,
    weight: Tensor | None = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    options: Any = None,
) -> Any:
    """`cross_entropy` of the logits x Wᵀ + b: input (N, in) or (in), linear_weight (C, …, in), linear_bias (C, …).

    options, PyTorch's way to save memory by computing in pieces, change nothing.
    """
    classes = linear_weight.shape[:-1]
    flat = reshaped(linear_weight, shape=(math.prod(classes), linear_weight.shape[-1]))
    bias = None if linear_bias is None else reshaped(linear_bias, shape=flat.shape[:1])
    logits = reshaped(linear(input, flat, bias), shape=(*input.shape[:-1], *classes))
    ignored = -100 if ignore_index is None else ignore_index
    return cross_entropy(logits, target, weight, None, ignored, None, reduction, label_smoothing)


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """−x[label], where x are log-probabilities, as `log_softmax` returns them; arguments as in `cross_entropy`."""
    case = _labelled("nll_loss", input, target, weight, ignore_index)
    losses = -picked(case.rows, case.labels)
    if case.weights is not None:
        losses = losses * case.weights
    return _averaged(losses, case, chosen(reduction, size_average, reduce), "nll_loss")


def multi_margin_loss(
    input: Tensor,
    target: Tensor,
    p: int = 1,
    margin: float = 1.0,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """Σ max(0, margin − x[label] + x[j])ᵖ / C over the other classes j: the hinge loss of support vector machines.

    Scores (N, C) or (C), integer labels (N) or (); p is 1 or 2; weight (C) multiplies the loss of its label. Weston &
    Watkins, Support vector machines for multi-class pattern recognition, 1999 (whose sum is not divided by C).
    """
    if p not in (1, 2):
        raise UsageError(f"multi_margin_loss: p is 1 or 2, not {p!r}")
    if not _array(input).ndim:
        input = reshaped(input, shape=(1,))  # one class
    if _array(input).ndim > 2:
        raise ShapeError(f"multi_margin_loss takes scores (N, C) or (C), got shape {input.shape}")
    case = _labelled("multi_margin_loss", input, target, weight, None)
    losses = hinge(case.rows, case.labels, margin=margin, power=p)
    if case.weights is not None:
        losses = losses * case.weights
    return reduced(reshaped(losses, shape=case.shape), chosen(reduction, size_average, reduce), "multi_margin_loss")


def binary_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """−t ln x − (1 − t) ln(1 − x) for probabilities x, with logarithms not below −100; weight broadcasts.

    Raises DomainError for an input outside of 0 … 1: for logits there is `binary_cross_entropy_with_logits`.
    """
    target = paired(input, target, "binary_cross_entropy")
    if 0 not in input.shape:
        x = values(input)
        low, high = x.min(), x.max()
        insist(~((low >= 0) & (high <= 1)), _no_probabilities, low, high)
    losses = bernoulli_loss(input, target)
    if weight is not None:
        losses = losses * weight
    return reduced(losses, chosen(reduction, size_average, reduce), "binary_cross_entropy")


def _no_probabilities(low: Any, high: Any) -> DomainError:
    return DomainError(
        f"binary_cross_entropy: input holds probabilities from 0 to 1, here it runs from {low:.4g} to {high:.4g}; "
        "apply sigmoid first, or use binary_cross_entropy_with_logits"
    )


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Any:
    """−p t ln σ(x) − (1 − t) ln(1 − σ(x)) for logits x, without overflow; weight and p = pos_weight broadcast."""
    target = paired(input, target, "binary_cross_entropy_with_logits")
    if pos_weight is None:
        losses = sigmoid_cross_entropy(input, target)
    else:
        losses = (1 - target) * input - (1 + (pos_weight - 1) * target) * logsigmoid(input)
    if weight is not None:
        losses = losses * weight
    return reduced(losses, chosen(reduction, size_average, reduce), "binary_cross_entropy_with_logits")


def kl_div(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Any:
    """t (ln t − x), where x are log-probabilities and t probabilities, or log-probabilities if `log_target`.

    "batchmean" divides the sum by the size of the first axis, which is the Kullback-Leibler divergence; "mean", the
    default as in PyTorch, divides by the number of all values.
    """
    target = paired(input, target, "kl_div")
    losses = e.exp(target) * (target - input) if log_target else e.xlogy(target, target) - target * input
    reduction = chosen(reduction, size_average, reduce, ("mean", "sum", "none", "batchmean"))
    if reduction == "batchmean":
        return reduced(losses, "sum", "kl_div") / (input.shape[0] if input.shape else 1)
    return reduced(losses, reduction, "kl_div")


# labels


class _Case(NamedTuple):
    """Rows (n, C) and labels (n); the weight of each row and which of them count, if not all; the result's shape.

    All but the rows are arrays, or while a step is captured tensors without gradient.
    """

    rows: Any
    labels: Any
    weights: Any
    valid: Any
    shape: tuple[int, ...]


def _array(x: Any) -> Any:
    return getattr(x, "array", x)


def _labelled(name: str, input: Any, target: Any, weight: Any, ignore_index: int | None) -> _Case:
    """Logits and labels of any allowed shape as rows and labels; raises an error for those that do not fit."""
    x, labels = _array(input), _array(target)
    if labels.dtype.kind not in "iu":
        raise DtypeError(f"{name}: labels must be integers, not {labels.dtype}{_advice(x, labels)}")
    shape = x.shape[:1] + x.shape[2:] if x.ndim > 1 else ()
    single = x.ndim == 1 and labels.shape == (1,)  # one label may stand in a vector
    if x.ndim == 0 or not (single or labels.shape == shape):
        raise ShapeError(_unfit(name, x.shape, labels.shape, shape))
    classes = x.shape[min(x.ndim - 1, 1)]
    rows = _class_last(input)
    flat, valid = values(target).reshape(-1), None
    wrong = (flat < 0) | (flat >= classes)
    ignored = wrong if ignore_index is None else flat == ignore_index
    if rare((wrong | ignored).any()):
        if ignore_index is not None:
            valid, wrong = ~ignored, wrong & ~ignored
        insist(wrong.any(), partial(_complaint, name, classes), labels, wrong)
        flat = flat if valid is None else e.select(valid, flat, 0)
    weights = None if valid is None else e.cast(valid, dtype=x.dtype)
    if weight is not None:
        costs = values(weight)
        if costs.shape != (classes,):
            raise ShapeError(f"{name}: weight has shape {costs.shape}; expected one for each of the {classes} classes")
        weights = costs[flat] if valid is None else costs[flat] * weights
    return _Case(rows, flat, weights, valid, shape)


def _class_last(input: Any) -> Any:
    """(N, C, d₁, …) as (N · d₁ …, C)."""
    ndim = len(input.shape)
    if ndim == 2:
        return input
    if ndim == 1:
        return reshaped(input, shape=(1, *input.shape))
    return matrix(permuted(input, axes=(0, *range(2, ndim), 1)))


def _complaint(name: str, classes: int, labels: Array, wrong: Array) -> DomainError:
    return DomainError(_out_of_range(name, labels, wrong, classes))


def _out_of_range(name: str, labels: Array, wrong: Array, classes: int) -> str:
    first = int(wrong.argmax())
    place = np.unravel_index(first, labels.shape) if labels.ndim > 1 else (first,)
    where = ", ".join(str(int(i)) for i in place)
    value, more = int(labels.reshape(-1)[first]), int(wrong.sum()) - 1
    message = (
        f"{name}: label {value} at position {where} is out of range for logits with {classes} classes "
        f"(0 to {classes - 1}){f', and {more} more labels are' if more else ''}; "
    )
    if value < 0:
        return f"{message}labels start at 0 (to leave some out, name their label by ignore_index)"
    if value == classes and int(labels.min()) >= 1:
        return f"{message}do the labels start at 1? subtract 1"
    return f"{message}the last layer needs one output for each class"


def _unfit(name: str, x: tuple[int, ...], labels: tuple[int, ...], expected: tuple[int, ...]) -> str:
    message = f"{name}: logits have shape {x} and labels {labels}; expected labels of shape {expected}"
    if labels == x:
        return f"{message}, or class probabilities as floats: target.argmax(1) or target.float()"
    if labels == (*expected, 1):
        return f"{message}: target.squeeze(-1)"
    return message


def _advice(x: Array, labels: Array) -> str:
    if labels.shape == x.shape:
        return "; for class probabilities use target.float(), for labels target.argmax(1)"
    return "; use target.long()"


def _averaged(losses: Any, case: _Case, reduction: str, name: str) -> Any:
    """The losses of rows reduced; the mean is that of the labels' weights."""
    if reduction != "mean" or case.weights is None:
        return reduced(reshaped(losses, shape=case.shape), reduction, name)
    total = case.weights.sum()
    out = sum_over(losses, axis=(0,), keepdims=False)
    if rare(total == 0):  # where all labels are ignored the mean is 0 / 0: NaN, with a gradient of 0, as in PyTorch
        return e.select(total == 0, out + losses.dtype.type("nan"), out / e.select(total == 0, 1, total))
    return out / total


def _over_classes(logs: Any, weight: Any) -> Any:
    return sum_over(logs if weight is None else logs * values(weight), axis=(1,), keepdims=False)


def _of_probabilities(
    input: Any, target: Any, weight: Any, ignore_index: int, reduction: str, label_smoothing: float
) -> Any:
    """−Σ w t ln softmax(x) over the classes; the mean is divided by the number of rows."""
    if ignore_index >= 0:
        raise UsageError("cross_entropy: ignore_index is for integer labels; give class probabilities a weight of 0")
    shape = input.shape[:1] + input.shape[2:] if len(input.shape) > 1 else ()
    rows, wanted = _class_last(input), _class_last(target)
    if weight is not None and _array(weight).shape != rows.shape[1:]:
        raise ShapeError(
            f"cross_entropy: weight has shape {weight.shape}; expected one for each of {rows.shape[1]} classes"
        )
    if label_smoothing:
        wanted = (1 - label_smoothing) * wanted + label_smoothing / rows.shape[1]
    losses = -_over_classes(log_normalized(rows, axis=1) * wanted, weight)
    return reduced(reshaped(losses, shape=shape), reduction, "cross_entropy")

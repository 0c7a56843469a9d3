"""The loss of sequences whose labels nobody aligned with time: CTC. Called by `nn.loss` and by users."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from byhand.core.capture import insist, refuse, traced, values
from byhand.core.errors import DomainError, DtypeError, ShapeError, UsageError
from byhand.nn.functional.reduction import chosen, reduced
from byhand.ops import elementwise as e
from byhand.ops.ctc import reached
from byhand.ops.index import gathered
from byhand.ops.shape import stack
from byhand.ops.views import expanded, padded, reshaped
from byhand.tensor import Tensor


def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Any:
    """−ln of the probability of a sequence of labels, summed over all its alignments with the times of the input.

    log_probs       (T, N, C), as `log_softmax` returns them, or (T, C)
    targets         labels (N, S), or all of them end to end
    input_lengths   (N), how many times of each sequence count; target_lengths likewise how many labels
    blank           the class that stands for no label
    zero_infinity   0 where a sequence is too short for its labels, instead of ∞

    "mean" divides each loss by its number of labels, then averages. Where PyTorch's gradient of log_probs has
    exp(log_probs) added, which `log_softmax` takes off again, this one is the derivative itself. Raises DomainError for
    labels out of range, ShapeError for lengths that do not fit. Graves et al., Connectionist temporal classification,
    2006.
    """
    single = len(log_probs.shape) == 2
    x: Any = reshaped(log_probs, shape=(log_probs.shape[0], 1, log_probs.shape[1])) if single else log_probs
    if len(x.shape) != 3 or not x.shape[0]:
        raise ShapeError(f"ctc_loss: log_probs has shape {log_probs.shape}; expected (T, N, C) or (T, C), T not 0")
    if not 0 <= blank < x.shape[2]:
        raise UsageError(f"ctc_loss: blank={blank} is none of the {x.shape[2]} classes")
    times, count, classes = x.shape
    width = targets.shape[-1] if targets.shape else 0
    until, sizes = _lengths("input", input_lengths, count, times), _lengths("target", target_lengths, count, width)
    _check_shape(targets.shape, count)
    labels = _padded(targets, sizes, count)
    _check_labels(labels, classes)
    losses = _losses(x, labels, until, sizes, blank)
    if zero_infinity:
        losses = e.select(values(losses) == np.inf, 0, losses)
    reduction = chosen(reduction, None, None)
    if reduction == "mean":
        losses = losses / e.cast(e.maximum(sizes, 1), dtype=x.dtype)
    return reduced(reshaped(losses, shape=()) if single else losses, reduction, "ctc_loss")


def _losses(x: Any, labels: Any, until: Any, sizes: Any, blank: int) -> Any:
    """−ln p for each sequence, (N); ∞ where no alignment has so few times."""
    times, count, _ = x.shape
    width = labels.shape[1]
    blanks = labels * 0 + blank
    states = reshaped(stack([blanks, labels], 2), shape=(count, 2 * width))
    states = padded(states, widths=((0, 0), (0, 1)), value=blank)  # blank, label, blank, …, label, blank
    before = padded(states, widths=((0, 0), (2, 0)), value=blank)[:, : 2 * width + 1]
    skip = (states != blank) & (states != before)
    emitted = gathered(x, expanded(states, shape=(times, *states.shape)), axis=2)
    paths = reached(emitted, skip)
    ends = reshaped(e.maximum(until - 1, 0), shape=(1, count, 1))
    last = gathered(paths, expanded(ends, shape=(1, *states.shape)), axis=0)
    at_blank, at_label = (_at(last, state) for state in (2 * sizes, e.maximum(2 * sizes - 1, 0)))
    at_label = e.select(sizes == 0, -np.inf, at_label)
    total = e.maximum(values(at_blank), values(at_label))
    possible = total > -np.inf
    # the rule of logaddexp would divide 0 by 0 where there is no alignment
    both = e.logaddexp(e.select(possible, at_blank, 0), e.select(possible, at_label, 0))
    return e.select(possible, -both, np.inf)


def _at(last: Any, state: Any) -> Any:
    """(1, N, states) and a state for each sequence to (N)."""
    count = last.shape[1]
    return reshaped(gathered(last, reshaped(state, shape=(1, count, 1)), axis=2), shape=(count,))


def _lengths(name: str, given: Any, count: int, limit: int) -> Any:
    """One length for each sequence, (N) int64: an array, or while a step is captured a tensor."""
    lengths = values(given) if isinstance(given, Tensor) else np.asarray(given)
    if lengths.dtype.kind not in "iu":
        raise DtypeError(f"ctc_loss: {name}_lengths are integers, not {lengths.dtype}")
    lengths = e.cast(lengths.reshape(-1), dtype=np.dtype(np.int64))
    if lengths.shape != (count,):
        raise ShapeError(
            f"ctc_loss: {name}_lengths has shape {lengths.shape}; expected one for each of {count} sequences"
        )
    if count:
        insist(((lengths < 0) | (lengths > limit)).any(), partial(_unfit, name, limit), lengths)
    return lengths


def _unfit(name: str, limit: int, lengths: Any) -> DomainError:
    wrong = [int(n) for n in lengths if not 0 <= n <= limit]
    return DomainError(f"ctc_loss: {name}_lengths lie between 0 and {limit}, here is {wrong[0]}")


def _check_shape(shape: tuple[int, ...], count: int) -> None:
    if len(shape) not in (1, 2) or (len(shape) == 2 and shape[0] != count):
        raise ShapeError(f"ctc_loss: targets have shape {shape}; expected ({count}, S), or all labels end to end")


def _padded(targets: Tensor, sizes: Any, count: int) -> Any:
    """The labels as (N, S), with 0 where a sequence has no more."""
    labels = values(targets)
    if labels.dtype.kind not in "iu":
        raise DtypeError(f"ctc_loss: targets are integers, not {labels.dtype}; use targets.long()")
    if len(labels.shape) == 1:  # end to end
        if traced(sizes):
            refuse(
                "as wide as its longest sequence, and a program has fixed shapes", "ctc_loss with targets end to end"
            )
        width = int(sizes.max(initial=0))
        places = np.cumsum(sizes) - sizes
        places = places[:, None] + np.arange(width)
        labels = labels[np.minimum(places, labels.shape[0] - 1)] if width else labels.reshape(-1)[:0].reshape(count, 0)
    within = np.arange(labels.shape[1]) < reshaped(sizes, shape=(count, 1))
    return e.select(within, labels, 0)


def _check_labels(labels: Any, classes: int) -> None:
    if 0 not in labels.shape:
        insist(((labels < 0) | (labels >= classes)).any(), partial(_out_of_range, classes), labels)


def _out_of_range(classes: int, labels: Any) -> DomainError:
    wrong = [int(label) for label in labels.reshape(-1) if not 0 <= label < classes]
    return DomainError(f"ctc_loss: the label {wrong[0]} is out of range for {classes} classes (0 to {classes - 1})")

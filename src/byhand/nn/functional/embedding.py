"""Rows of a table by number, one each or reduced over bags. Called by `nn.embedding` and by users."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from byhand.core.capture import insist, refuse, traced, values
from byhand.core.errors import DomainError, DtypeError, ShapeError, UsageError
from byhand.core.tape import no_grad
from byhand.ops import elementwise as e
from byhand.ops.axes import count
from byhand.ops.index import SLOT, index_added, indexed
from byhand.ops.loss import out_of_range
from byhand.ops.reduce import max_over, norm, sum_over
from byhand.ops.sort import searchsorted
from byhand.ops.views import reshaped
from byhand.tensor import Tensor


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """weight[input]: integers (…), weight (V, D) → (…, D).

    padding_idx         a row that gets no gradient
    max_norm            rows that are read and whose norm (of order `norm_type`) is larger are first cut to it, in place
    scale_grad_by_freq  divide a row's gradient by how often it was read
    sparse              there are no sparse gradients here: the gradient is as large as weight

    Raises DomainError for numbers that no row has, DtypeError if they are no integers.

    >>> import byhand
    >>> from byhand.nn import functional as F
    >>> F.embedding(byhand.tensor([2, 0]), byhand.tensor([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]))
    tensor([[4., 5.],
            [0., 1.]])
    """
    _check(input, weight, "embedding")
    padding_idx = from_front(padding_idx, weight.shape[0], "embedding")
    if max_norm is not None:
        _cut(weight, input, max_norm, norm_type)
    rows: Tensor = indexed(weight, input, index=(SLOT,))
    if padding_idx is None and not scale_grad_by_freq:
        return rows
    still, numbers = values(rows), values(input)
    grid = (*input.shape, 1)
    if scale_grad_by_freq:  # the same values, through which a part of the gradient passes
        times = indexed(_times_read(numbers, weight), numbers, index=(SLOT,))
        rows = still + (rows - still) / reshaped(times, shape=grid)
    return rows if padding_idx is None else e.select(reshaped(numbers == padding_idx, shape=grid), still, rows)


def _times_read(numbers: Any, weight: Tensor) -> Any:
    """How often each row is read: (V)."""
    ones = np.ones(numbers.shape, weight.dtype)
    return index_added(ones, numbers, index=(SLOT,), shape=weight.shape[:1])


def _check(input: Tensor, weight: Tensor, name: str) -> None:
    if weight.ndim != 2:
        raise ShapeError(f"{name}: weight has shape {weight.shape}; expected (V, D), a row for each number")
    if input.dtype.kind not in "iu":
        raise DtypeError(
            f"{name}: input is {input.dtype} of shape {input.shape}; rows are named by integers, use input.long()"
        )
    if count(input):
        rows, found = weight.shape[0], values(input)
        insist(out_of_range(reshaped(found, shape=(count(input),)), classes=rows), partial(_outside, name, rows), found)


def _outside(name: str, rows: int, numbers: Any) -> DomainError:
    return DomainError(
        f"{name}: input runs from {numbers.min()} to {numbers.max()}, weight has the rows 0 to {rows - 1}"
    )


def from_front(padding_idx: int | None, rows: int, name: str) -> int | None:
    """padding_idx counted from the front; raises DomainError if there is no such row."""
    if padding_idx is None:
        return None
    if not -rows <= padding_idx < rows:
        raise DomainError(f"{name}: padding_idx is {padding_idx}, the rows are 0 to {rows - 1}")
    return padding_idx % rows


def _cut(weight: Tensor, input: Tensor, limit: float, order: float) -> None:
    """Cut the rows that are read to a norm of at most `limit`, in place."""
    with no_grad():
        length = norm(weight, order, 1, keepdim=True)
        read = reshaped(_times_read(values(input), weight), shape=(-1, 1)) > 0
        weight.mul_(e.select((length > limit) & read, limit / (length + 1e-7), 1.0))


def embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """The sum, mean or maximum of the rows of each bag: (B, D). A bag without rows gives 0.

    input               (B, n), a bag each row; or (n), which `offsets` (B) cuts into bags, by where each begins
    per_sample_weights  of the shape of input: factors of the rows, in mode "sum"
    include_last_offset offsets has one more value, where the last bag ends
    padding_idx         a row that counts for nothing and gets no gradient

    The rest as in `embedding`.
    """
    if mode not in ("sum", "mean", "max"):
        raise UsageError(f"embedding_bag: mode is 'sum', 'mean' or 'max', not {mode!r}")
    if input.ndim not in (1, 2) or (input.ndim == 2) != (offsets is None):
        raise ShapeError(
            f"embedding_bag: input has shape {input.shape} and offsets {getattr(offsets, 'shape', None)}; expected "
            "(B, n) without offsets, or (n) and (B)"
        )
    factors = per_sample_weights
    if factors is not None and (mode != "sum" or factors.shape != input.shape):
        raise UsageError(
            f"embedding_bag: per_sample_weights, here {factors.shape}, are for mode 'sum' (here {mode!r}) and have the "
            f"shape of input, {input.shape}"
        )
    rows = embedding(input, weight, None, max_norm, norm_type, scale_grad_by_freq)
    padding_idx = from_front(padding_idx, weight.shape[0], "embedding_bag")
    counted = None if padding_idx is None else values(input) != padding_idx
    if factors is not None:
        rows = rows * reshaped(factors, shape=(*factors.shape, 1))
    if offsets is None:
        return _reduced(rows, counted, mode)
    if mode == "max":
        places, inside = _apart(offsets, input.shape[0], include_last_offset)
        counted = inside if counted is None else inside & indexed(counted, places, index=(SLOT,))
        return _reduced(indexed(rows, places, index=(SLOT,)), counted, mode)
    if counted is not None:
        rows = e.select(reshaped(counted, shape=(*input.shape, 1)), rows, 0.0)
    bags = offsets.shape[0] - include_last_offset
    starts = values(offsets)[:bags]
    bag = searchsorted(starts, np.arange(input.shape[0]), right=True) - 1
    out: Tensor = index_added(rows, values(bag), index=(SLOT,), shape=(bags, weight.shape[1]))
    if mode == "sum":
        return out
    ones = np.ones(input.shape, weight.dtype) if counted is None else e.cast(counted, dtype=weight.dtype)
    return _mean(out, index_added(ones, values(bag), index=(SLOT,), shape=(bags,)))


def _mean(sums: Tensor, counts: Any) -> Tensor:
    return sums / reshaped(e.maximum(counts, 1), shape=(*counts.shape, 1))


def _reduced(rows: Tensor, counted: Any, mode: str) -> Tensor:
    """Rows (B, n, D), those of them that count, to (B, D)."""
    bags, n = rows.shape[:2]
    mask = None if counted is None else reshaped(counted, shape=(bags, n, 1))
    if mode == "max" and bags and n:
        if mask is None:
            return max_over(rows, axis=(1,), keepdims=False)
        largest = max_over(e.select(mask, rows, -np.inf), axis=(1,), keepdims=False)
        return e.select(largest == -np.inf, 0.0, largest)
    out: Tensor = sum_over(rows if mask is None else e.select(mask, rows, 0.0), axis=(1,), keepdims=False)
    if mode != "mean":
        return out
    if counted is None:
        return out / max(n, 1)
    return _mean(out, sum_over(e.cast(counted, dtype=rows.dtype), axis=(1,), keepdims=False))


def _apart(offsets: Tensor, total: int, with_end: bool) -> tuple[Any, Any]:
    """The places of each bag's rows side by side, (B, n) for the longest of n, and which of them there are."""
    if traced(offsets):
        refuse(
            "as wide as its longest bag, and a program has fixed shapes", "embedding_bag with mode='max' and offsets"
        )
    starts = offsets.array.astype(np.int64)
    ends = starts[1:] if with_end else np.append(starts[1:], total)
    starts = starts[: len(ends)]
    step = np.arange((ends - starts).max(initial=0))
    inside = step < (ends - starts)[:, None]
    return np.where(inside, starts[:, None] + step, 0), inside

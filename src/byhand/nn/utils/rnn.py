"""Sequences of several lengths as one array: padded to the longest, or packed without padding. Called by users.

Packed, the rows of all sequences at step 0 come first, then those of step 1, …, the longest sequence first in each:
`batch_sizes` says how many still run. `nn.RNN`, `nn.LSTM` and `nn.GRU` take that as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple, Self

import numpy as np

from byhand.core.errors import ShapeError, UsageError
from byhand.ops.index import SLOT, indexed
from byhand.ops.inplace import written
from byhand.ops.shape import stack
from byhand.ops.views import padded, permuted, reshaped
from byhand.tensor import Tensor


class _Packed(NamedTuple):
    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


class PackedSequence(_Packed):
    """Sequences without padding, as `pack_padded_sequence` and `pack_sequence` make them.

    data              (rows, …): all sequences at step 0, then at step 1, …, the longest first
    batch_sizes       how many sequences still run at each step
    sorted_indices    which of the sequences given stands where; None if they came in order
    unsorted_indices  the way back
    """

    __slots__ = ()

    def __new__(
        cls, data: Any, batch_sizes: Any = None, sorted_indices: Any = None, unsorted_indices: Any = None
    ) -> Self:
        if batch_sizes is None:
            data, batch_sizes = data
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def _with(self, change: Callable[[Tensor], Tensor]) -> Self:
        return type(self)(change(self.data), *self[1:])

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """The same sequences with `data.to(...)`."""
        return self._with(lambda data: data.to(*args, **kwargs))

    def double(self) -> Self:
        """The same sequences in float64."""
        return self.to(np.float64)

    def float(self) -> Self:
        """The same sequences in float32."""
        return self.to(np.float32)

    def cpu(self) -> Self:
        """These sequences: they are there already."""
        return self

    @property
    def is_cuda(self) -> bool:
        """False: byhand computes on the CPU."""
        return False


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """The permutation that undoes another."""
    return None if permutation is None else Tensor(np.argsort(permutation.numpy(), kind="stable"))


def _positions(lengths: Sequence[int]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Of lengths that never grow: the batch sizes, and for each row its step and its sequence."""
    running = np.arange(lengths[0])[:, None] < np.asarray(lengths)
    step, sequence = np.nonzero(running)
    return running.sum(1), step, sequence


def pack_padded_sequence(
    input: Tensor, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Leave the padding out: (T, N, …), or (N, T, …) with batch_first, and the length of each of the N sequences.

    enforce_sorted  the longest comes first, else UsageError; False sorts them and remembers the order

    Raises ShapeError if there are not N lengths from 1 to T.

    >>> import byhand
    >>> from byhand.nn.utils.rnn import pack_padded_sequence
    >>> pack_padded_sequence(byhand.tensor([[1, 2, 3], [4, 0, 0]]), [3, 1], batch_first=True).data
    tensor([1, 4, 2, 3])
    """
    given = [int(n) for n in (lengths.tolist() if isinstance(lengths, Tensor | np.ndarray) else lengths)]
    steps, n = (input.shape[1], input.shape[0]) if batch_first else input.shape[:2]
    if len(given) != n or not all(0 < length <= steps for length in given):
        raise ShapeError(f"pack_padded_sequence: {n} sequences of {steps} steps have {n} lengths from 1 to {steps}, "
                         f"not {given}")  # fmt: skip
    order = np.argsort(-np.array(given), kind="stable")
    if enforce_sorted and any(a < b for a, b in pairwise(given)):
        raise UsageError(
            "pack_padded_sequence: the longest sequence comes first; sort them, or pass enforce_sorted=False"
        )
    sizes, step, sequence = _positions([given[i] for i in order])
    if not enforce_sorted:
        sequence = order[sequence]
    flat = reshaped(input, shape=(steps * n, *input.shape[2:]))
    data = indexed(flat, sequence * steps + step if batch_first else step * n + sequence, index=(SLOT,))
    return PackedSequence(data, Tensor(sizes), None if enforce_sorted else Tensor(order))


def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0, total_length: int | None = None
) -> tuple[Tensor, Tensor]:
    """The sequences padded to the longest, or to `total_length`: (T, N, …), or (N, T, …), and their lengths."""
    data, sizes = sequence.data, sequence.batch_sizes.numpy()
    steps, n = len(sizes), int(sizes[0])
    if total_length is not None and total_length < steps:
        raise UsageError(
            f"pad_packed_sequence: total_length={total_length}, but the longest sequence has {steps} steps"
        )
    lengths = (sizes[:, None] > np.arange(n)).sum(0)
    _, step, place = _positions(lengths.tolist())
    if sequence.sorted_indices is not None:
        place = sequence.sorted_indices.numpy()[place]
        lengths = lengths[sequence.unsorted_indices.numpy()]  # type: ignore[union-attr]
    steps = total_length or steps
    shape = (n, steps) if batch_first else (steps, n)
    empty = np.full((*shape, *data.shape[1:]), padding_value, data.dtype)
    where = (place, step) if batch_first else (step, place)
    return written(empty, data, *where, index=(SLOT, SLOT)), Tensor(lengths)


def pad_sequence(
    sequences: Sequence[Tensor] | Tensor, batch_first: bool = False, padding_value: float = 0.0,
    padding_side: str = "right",
) -> Tensor:  # fmt: skip
    """Sequences (Lᵢ, …) stacked, each padded to the longest: (T, N, …), or (N, T, …) with batch_first."""
    if padding_side not in ("left", "right"):
        raise UsageError(f"pad_sequence: padding_side is 'left' or 'right', not {padding_side!r}")
    given = list(sequences)
    if not given or len({x.shape[1:] for x in given}) != 1:
        raise ShapeError(f"pad_sequence: sequences (Lᵢ, …) alike but for Lᵢ, not of shapes {[x.shape for x in given]}")
    longest, rest = max(x.shape[0] for x in given), [(0, 0)] * (len(given[0].shape) - 1)

    def whole(x: Tensor) -> Any:
        missing = longest - x.shape[0]
        width = (missing, 0) if padding_side == "left" else (0, missing)
        return padded(x, widths=(width, *rest), value=padding_value) if missing else x

    return stack([whole(x) for x in given], 0 if batch_first else 1)


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Pack sequences (Lᵢ, …), the longest first unless enforce_sorted=False."""
    return pack_padded_sequence(pad_sequence(sequences), [len(x) for x in sequences], enforce_sorted=enforce_sorted)


def unpad_sequence(padded_sequences: Tensor, lengths: Any, batch_first: bool = False) -> list[Tensor]:
    """The sequences of a padded array, each without its padding."""
    axes = tuple(range(2, len(padded_sequences.shape)))
    x = padded_sequences if batch_first else permuted(padded_sequences, axes=(1, 0, *axes))
    return [x[i, : int(length)] for i, length in enumerate(lengths)]


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The sequences that were packed."""
    return unpad_sequence(*pad_packed_sequence(packed_sequences, batch_first=True), batch_first=True)

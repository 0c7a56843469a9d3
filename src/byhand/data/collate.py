"""From a list of samples to one batch. Called by `DataLoader` where no `collate_fn` is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from byhand.core.errors import DataError, DtypeError, ShapeError
from byhand.ops.shape import stack
from byhand.tensor import Tensor


def default_collate(batch: Sequence[Any]) -> Any:
    """Stack samples along a new first dimension, inside of tuples, lists and mappings as well.

    Tensors and arrays are stacked; ints become int64, floats float64, bools bool; strings stay a list; tuples and
    lists become lists of batches, named tuples and mappings keep their type. The same rules as PyTorch's.
    Raises ShapeError for samples of different shapes, DtypeError for what cannot be batched.

    >>> import byhand
    >>> byhand.data.default_collate([{"x": 1, "name": "a"}, {"x": 2, "name": "b"}])
    {'x': tensor([1, 2]), 'name': ['a', 'b']}
    """
    first = batch[0]
    if isinstance(first, Tensor):
        _check_shapes([x.shape for x in batch])
        if any(x.node is not None for x in batch):
            return stack(list(batch))
        return Tensor(np.stack([x.array for x in batch]))
    if isinstance(first, (str, bytes)):  # np.str_ is a str, too
        return batch
    if isinstance(first, (np.ndarray, np.generic, bool, int, float)):
        return _numbers(batch)
    if isinstance(first, Mapping):
        return _rebuilt(first, {key: default_collate([sample[key] for sample in batch]) for key in first})
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        return type(first)(*(default_collate(column) for column in _columns(batch)))
    if isinstance(first, tuple):
        return [default_collate(column) for column in _columns(batch)]
    if isinstance(first, Sequence):
        return _rebuilt(first, [default_collate(column) for column in _columns(batch)])
    raise DtypeError(
        f"cannot make a batch of {type(first).__name__} objects; samples hold tensors, arrays, numbers, strings, "
        "tuples, lists or dicts of them. Pass DataLoader(..., collate_fn=...) to join them in your own way"
    )


def default_convert(sample: Any) -> Any:
    """The arrays in one sample as tensors, all else as it is: what `DataLoader(batch_size=None)` yields."""
    if isinstance(sample, (np.ndarray, np.generic)):
        return sample if sample.dtype.kind not in "biufc" else Tensor(np.asarray(sample))
    if isinstance(sample, Mapping):
        return _rebuilt(sample, {key: default_convert(value) for key, value in sample.items()})
    if isinstance(sample, tuple) and hasattr(sample, "_fields"):
        return type(sample)(*map(default_convert, sample))
    if isinstance(sample, tuple):
        return [default_convert(value) for value in sample]
    if isinstance(sample, Sequence) and not isinstance(sample, (str, bytes)):
        return _rebuilt(sample, [default_convert(value) for value in sample])
    return sample


def _numbers(batch: Sequence[Any]) -> Tensor:
    _check_shapes([np.shape(x) for x in batch])
    array = np.stack([np.asarray(x) for x in batch])
    if array.dtype.kind not in "biufc":
        raise DtypeError(f"cannot make a tensor of samples with dtype {array.dtype}; convert them to numbers first")
    return Tensor(array)


def _check_shapes(shapes: list[tuple[int, ...]]) -> None:
    for position, shape in enumerate(shapes):
        if shape != shapes[0]:
            raise ShapeError(
                f"cannot stack samples of different shapes: {shapes[0]} at position 0 of the batch, {shape} at "
                f"position {position}. Pad or crop them in the dataset, or pass DataLoader(..., collate_fn=...)"
            )


def _columns(batch: Sequence[Any]) -> list[tuple[Any, ...]]:
    lengths = {len(sample) for sample in batch}
    if len(lengths) > 1:
        raise DataError(f"the samples of one batch have different numbers of parts: {sorted(lengths)}")
    return list(zip(*batch, strict=True))


def _rebuilt(like: Any, content: Any) -> Any:
    """`content` in the type of `like`, where that type can be made from it."""
    try:
        return type(like)(content)
    except TypeError:
        return content

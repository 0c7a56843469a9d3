"""Reading many samples at once: one index operation per tensor in place of one call per sample.

A dataset says that it can by a method `fetch(where)` beside `__getitem__`, a sampler by `order()` beside `__iter__`.
`loader` and `dataset` ask here whether that shortcut may be taken.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from byhand.tensor import Tensor

Indices: TypeAlias = NDArray[np.int64]
Where: TypeAlias = slice | Indices
Fetch: TypeAlias = Callable[[Where], Any]


def written_together(cls: type, fast: str, plain: str) -> bool:
    """Whether the shortcut `fast` speaks for the method `plain`.

    False where a subclass replaced `plain` alone (an augmenting `__getitem__`, say): the inherited shortcut
    knows nothing of that.
    """
    for base in cls.__mro__:
        if fast in base.__dict__:
            return True
        if plain in base.__dict__:
            return False
    return False


def fetcher(dataset: object) -> Fetch | None:
    """The function from indices (a slice or int64) to a whole collated batch, or None if `dataset` has none."""
    if isinstance(dataset, Tensor):
        return partial(rows, dataset)
    if not written_together(type(dataset), "fetch", "__getitem__"):
        return None
    fetch: Fetch | None = dataset.fetch  # type: ignore[attr-defined]
    return fetch


def rows(tensor: Tensor, where: Where) -> Tensor:
    """A copy of some rows of a tensor; a change to a batch must not reach the data set."""
    if tensor.node is not None:
        part: Tensor = tensor[where]
        return part
    array = tensor.array
    if type(where) is slice:
        return Tensor(array[where].copy("K"))
    # take() is the quicker one, but first copies all of an array that is not contiguous
    return Tensor(array.take(where, 0) if array.flags.c_contiguous else array[where])

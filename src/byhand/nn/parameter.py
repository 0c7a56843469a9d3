"""`Parameter` and `Buffer`: the tensors that a `Module` registers by itself when they are assigned to an attribute.

Made by layers in their `__init__`; read by `Module`, which tells them apart from plain tensors by their class.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from byhand.core.errors import DtypeError
from byhand.tensor import Tensor

Array = np.ndarray[Any, np.dtype[Any]]


def _memory(data: Tensor | Array | None, kind: str) -> Array:
    """The array under `data`, not copied; an empty float32 one for None."""
    if data is None:
        return np.empty(0, np.float32)
    if isinstance(data, Tensor):
        return data.array
    if isinstance(data, np.ndarray):
        return data
    raise DtypeError(f"{kind} takes a Tensor, got {type(data).__name__}; write {kind}(byhand.tensor(...))")


class Parameter(Tensor):
    """A tensor that a module learns: `module.weight = Parameter(t)` makes it one of `module.parameters()`.

    data           a Tensor or an array; its memory is shared, its graph is left behind
    requires_grad  whether gradients gather in `.grad`; only possible for floats

    Raises `DtypeError` for anything else than a tensor, and for integers that should require a gradient.

    >>> import byhand
    >>> from byhand.nn.parameter import Parameter
    >>> Parameter(byhand.zeros(2)).requires_grad
    True
    """

    def __init__(self, data: Tensor | Array | None = None, requires_grad: bool = True) -> None:
        super().__init__(_memory(data, "Parameter"))
        if requires_grad:
            self.requires_grad_()

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"


class Buffer(Tensor):
    """A tensor that belongs to a module's state but is not learned, such as a running mean.

    `module.mean = Buffer(t)` is short for `module.register_buffer("mean", t)`. What is not `persistent` is left out of
    `state_dict`.
    """

    persistent: bool

    def __init__(self, data: Tensor | Array | None = None, *, persistent: bool = True) -> None:
        super().__init__(_memory(data, "Buffer"))
        self.persistent = persistent

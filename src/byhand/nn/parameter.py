"""`Parameter` and `Buffer`: the tensors that a `Module` registers by itself when they are assigned to an attribute.

Those whose shape only the first input tells are `UninitializedParameter` and `UninitializedBuffer`. Made by layers in
their `__init__`; read by `Module`, which tells them apart from plain tensors by their class.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from byhand.core.errors import DtypeError, UsageError
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


class _Uninitialized(Tensor):
    """What a parameter or buffer is before its shape is known: it has a dtype and nothing else."""

    becomes: ClassVar[type[Tensor]]

    @property
    def shape(self) -> tuple[int, ...]:
        """There is none yet: raises UsageError."""
        raise UsageError(
            f"an {type(self).__name__} has no shape yet: call the lazy module once, on an input of the right size"
        )

    def materialize(self, shape: Sequence[int], device: Any = None, dtype: Any = None) -> None:
        """Give it a shape, and values that mean nothing yet; from now on it is an ordinary one."""
        self._hold(np.empty(tuple(shape), self.dtype if dtype is None else dtype))

    def _hold(self, array: Array) -> None:
        self.__class__ = self.becomes  # type: ignore[assignment]
        self.data = Tensor(array)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class UninitializedParameter(_Uninitialized, Parameter):
    """A parameter whose shape is not known yet, of a lazy module such as `LazyLinear`."""

    becomes = Parameter

    def __init__(self, requires_grad: bool = True, device: Any = None, dtype: Any = None) -> None:
        Parameter.__init__(self, np.empty(0, np.float32 if dtype is None else dtype), requires_grad)


class UninitializedBuffer(_Uninitialized, Buffer):
    """A buffer whose shape is not known yet, of a lazy module such as `LazyBatchNorm2d`."""

    becomes = Buffer

    def __init__(
        self, requires_grad: bool = False, device: Any = None, dtype: Any = None, persistent: bool = True
    ) -> None:
        Buffer.__init__(self, np.empty(0, np.float32 if dtype is None else dtype), persistent=persistent)

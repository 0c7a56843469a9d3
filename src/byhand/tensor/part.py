"""The base of the parts of `Tensor`: what each may ask of the others, said to the type checker only."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from byhand.core.variable import Variable

if TYPE_CHECKING:
    from byhand.tensor import Tensor

    Method = Callable[..., Tensor]


class Part(Variable):
    """A part of the class `Tensor`; nobody makes one by itself."""

    __slots__ = ()

    if TYPE_CHECKING:
        requires_grad: bool
        grad: Tensor | None

        @property
        def shape(self) -> tuple[int, ...]: ...
        @property
        def dtype(self) -> np.dtype[Any]: ...
        @property
        def mH(self) -> Tensor: ...
        def clone(self) -> Tensor: ...
        def unbind(self, dim: int) -> tuple[Tensor, ...]: ...

        __getitem__: Method
        clamp: Method
        diagonal: Method
        index_add: Method
        masked_fill: Method
        reshape: Method
        scatter: Method
        scatter_add: Method
        squeeze: Method
        t: Method
        transpose: Method
        unsqueeze: Method
        view: Method

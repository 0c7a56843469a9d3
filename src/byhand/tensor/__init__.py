"""The class `Tensor`: an array that remembers how it was computed. Its operators and methods are the ops.

A method is the function of the same name with the tensor as its first argument; only what has no function of its own
is written in the parts of the class: `holding`, `differentiable`, `overwritable`, `convertible`, `operable`, `refused`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from byhand.core.dtypes import get_default_dtype
from byhand.core.recorder import announce
from byhand.core.variable import Array, Variable
from byhand.ops import index, inplace, views
from byhand.tensor.convertible import Convertible
from byhand.tensor.differentiable import Differentiable
from byhand.tensor.holding import Holding
from byhand.tensor.operable import Operable
from byhand.tensor.overwritable import Overwritable
from byhand.tensor.refused import Refused


class Tensor(Operable, Overwritable, Differentiable, Convertible, Holding, Refused):
    """An array with gradients, as `byhand.tensor`, `zeros`, `randn` and their like make it.

    `Tensor(array)` wraps an array without a copy. `.array` is the NumPy array underneath. `Tensor([1, 2])` and
    `Tensor(2, 3)` are PyTorch's old constructor; write `byhand.tensor([1, 2])` and `byhand.empty(2, 3)`.

    >>> import byhand
    >>> x = byhand.tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4.])
    """

    __slots__ = ()
    __hash__ = object.__hash__

    def __init__(self, array: Any = (), node: Any = None, *sizes: int) -> None:
        if isinstance(array, (list, tuple, int, Variable)):  # PyTorch's old constructor: values, or sizes
            array, node = _constructed(array, node, sizes), None
        Variable.__init__(self, array, node)  # which capture watches


def _constructed(values: Any, second: Any, sizes: tuple[int, ...]) -> Array:
    """What PyTorch's `Tensor(values)` and `Tensor(*sizes)` hold: the default dtype, whatever the values are."""
    if isinstance(values, int):
        return np.empty((values, *(() if second is None else (second,)), *sizes), get_default_dtype())
    if isinstance(values, Variable):
        return values.array
    return np.array([getattr(x, "array", x) for x in values], get_default_dtype())


announce(Tensor)
inplace.know_views(views.reshaped, views.permuted, views.expanded, views.narrowed, views.diagonal_of, index.sliced)

__all__ = ["Tensor"]

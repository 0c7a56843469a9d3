"""The class `Tensor`: an array that remembers how it was computed. Its operators and methods are the ops.

A method is the function of the same name with the tensor as its first argument; only what has no function of its own
is written in the parts of the class: `holding`, `differentiable`, `overwritable`, `convertible`, `operable`.
"""

from __future__ import annotations

from byhand.core.recorder import announce
from byhand.ops import index, inplace, views
from byhand.tensor.convertible import Convertible
from byhand.tensor.differentiable import Differentiable
from byhand.tensor.holding import Holding
from byhand.tensor.operable import Operable
from byhand.tensor.overwritable import Overwritable


class Tensor(Operable, Overwritable, Differentiable, Convertible, Holding):
    """An array with gradients, as `byhand.tensor`, `zeros`, `randn` and their like make it.

    `Tensor(array)` wraps an array without a copy. `.array` is the NumPy array underneath.

    >>> import byhand
    >>> x = byhand.tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4.])
    """

    __slots__ = ()
    __hash__ = object.__hash__


announce(Tensor)
inplace.know_views(views.reshaped, views.permuted, views.expanded, views.narrowed, views.diagonal_of, index.sliced)

__all__ = ["Tensor"]

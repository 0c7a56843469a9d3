"""`Variable`: an array and its place on the tape. `byhand.tensor.Tensor` is the only subclass made by ops.

The recorder needs to know what a recorded value looks like, not what methods it has; so the slots live here and
the methods three floors up, and `byhand.tensor` announces its class with `announce`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from weakref import ref

    from byhand.core.tape import Node
    from byhand.tensor import Tensor

Array = np.ndarray[Any, np.dtype[Any]]


class Variable:
    """An array with an optional tape entry.

    `array` is always an `ndarray` (0-d for scalars). `node` is None unless gradients are tracked. `source` is
    (parent, op, attrs) for a view whose gradient is tracked, `views` the weak references a parent keeps of those:
    an in-place change of either re-derives the other (see `byhand.core.inplace`). `idle_grad` holds the gradient of
    a tensor that stopped asking for one.
    """

    __slots__ = ("__weakref__", "array", "idle_grad", "node", "source", "views")

    array: Array
    node: Node | None
    source: tuple[Variable, Any, dict[str, Any]] | None
    views: list[ref[Variable]] | None
    idle_grad: Tensor | None

    def __init__(self, array: Array, node: Node | None = None) -> None:
        self.array = array
        self.node = node
        self.source = None
        self.views = None

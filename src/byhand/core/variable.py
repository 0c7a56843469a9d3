"""`Variable`: an array and its place on the tape. `byhand.tensor.Tensor` is the only subclass made by ops.

The recorder needs to know what a recorded value looks like, not what methods it has; so the slots live here and
the methods three floors up, and `byhand.tensor` announces its class with `announce`.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from weakref import ref

    from byhand.core.tape import Node
    from byhand.tensor import Tensor

Array = np.ndarray[Any, np.dtype[Any]]


class Relations:
    """What a tensor shares its memory with, as far as gradients go; most tensors have none.

    source  (parent, op, attrs) of a view
    views   weak references to the views of this tensor
    """

    __slots__ = ("source", "views")

    def __init__(self) -> None:
        self.source: tuple[Variable, Any, dict[str, Any]] | None = None
        self.views: list[ref[Variable]] | None = None


NONE = Relations()


class Variable:
    """An array with an optional tape entry.

    `array` is always an `ndarray` (0-d for scalars). `node` is None unless gradients are tracked. `relations` are the
    views an in-place change has to keep in step (see `byhand.ops.inplace`), `idle_grad` the gradient of a tensor that
    stopped asking for one; both stay unset for almost all tensors, since setting a slot costs every op 4 ns.
    """

    __slots__ = ("__weakref__", "array", "idle_grad", "node", "relations")

    array: Array
    node: Node | None
    relations: Relations
    idle_grad: Tensor | None

    def __init__(self, array: Array, node: Node | None = None) -> None:
        self.array = array
        self.node = node

    @property
    def source(self) -> tuple[Variable, Any, dict[str, Any]] | None:
        """What this is a view of: (parent, op, attrs)."""
        return getattr(self, "relations", NONE).source

    @source.setter
    def source(self, value: tuple[Variable, Any, dict[str, Any]] | None) -> None:
        self._related().source = value

    @property
    def views(self) -> list[ref[Variable]] | None:
        """Weak references to the views of this."""
        return getattr(self, "relations", NONE).views

    @views.setter
    def views(self, value: list[ref[Variable]] | None) -> None:
        self._related().views = value

    def _related(self) -> Relations:
        try:
            return self.relations
        except AttributeError:
            self.relations = made = Relations()
            return made


def shares(array: Array, view: Array) -> bool:
    """Whether `view` looks at the memory of `array`: a reshape of scattered memory is a copy."""
    base = view.base
    return base is not None and (base is array or base is array.base or np.may_share_memory(array, view))


def link(parent: Variable, op: Any, attrs: dict[str, Any], view: Variable) -> None:
    """Remember that `view` = `op`(`parent`) shares its memory."""
    related = getattr(view, "relations", None)
    if related is None:
        view.relations = related = Relations()
    related.source = (parent, op, attrs)
    related = getattr(parent, "relations", None)
    if related is None:
        parent.relations = related = Relations()
    views = related.views
    if views is None:
        related.views = [weakref.ref(view)]
        return
    if len(views) >= 32 and len(views) & (len(views) - 1) == 0:  # 32, 64, …: drop those that died
        views[:] = [v for v in views if v() is not None]
    views.append(weakref.ref(view))

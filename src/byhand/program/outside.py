"""The tensors from outside that a step meets while it is captured, and what they were before it.

Their arrays are traced meanwhile, so that no one computes with a parameter behind the tracer's back. Part of `Tracer`.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from byhand.core.errors import CaptureError
from byhand.core.variable import Array, Variable
from byhand.program.traced_array import TracedArray, traced


class Outside:
    """What was met.

    tensors   each tensor by its id, and by −1 − i the one that stands in for argument i
    grads     the gradient of each before the step, and `tracked`, whether it asked for one
    """

    def __init__(self) -> None:
        self.tensors: dict[int, Variable] = {}
        self.grads: dict[int, Any] = {}
        self.tracked: dict[int, bool] = {}
        self._keys: dict[int, int] = {}
        self._lent: list[tuple[Variable, TracedArray, Array]] = []
        self._traced: dict[int, TracedArray] = {}
        self._returned: list[tuple[weakref.ref[TracedArray], Array]] = []

    def __contains__(self, x: Variable) -> bool:
        return id(x) in self._keys

    def take(self, x: Variable, key: int | None = None) -> None:
        """Note what a tensor is now; `key` for what stands in for an argument."""
        key = id(x) if key is None else key
        self._keys[id(x)] = key
        self.tensors[key], self.grads[key], self.tracked[key] = x, x.grad, x.node is not None  # type: ignore[attr-defined]

    def lend(self, x: Variable) -> TracedArray:
        """Let x hold a traced array until `give_back`; tensors of one array get the same."""
        own = x.array
        made = self._traced.get(id(own))
        if made is None:
            made = self._traced[id(own)] = traced(own)
        self._lent.append((x, made, own))
        x.array = made
        return made

    def give_back(self) -> None:
        """Every tensor gets its own array; raises CaptureError if the step gave it another."""
        changed = [x for x, made, _ in self._lent if x.array is not made]
        for x, _, own in self._lent:
            x.array = own
        self._returned = [
            (weakref.ref(made), own) for made, own in {id(m): (m, own) for _, m, own in self._lent}.values()
        ]
        self._lent.clear()
        self._traced.clear()
        if changed:
            raise CaptureError(
                f"a tensor that lives outside of the step, now of shape {changed[0].array.shape}, got another shape or "
                "other memory in it (unsqueeze_, .data = …): do that outside of the step, or use copy_"
            )

    def find_aliases(self) -> None:
        """Tensors made by detach() and kept look at the memory itself, as they would after an eager step.

        Called when the tracer holds no array any more: what is still there is held by somebody else, who is looked for.
        """
        for reference, own in self._returned:
            made = reference()
            if made is not None:
                for alias in gc.get_referrers(made):  # some 5 ms each
                    if isinstance(alias, Variable):
                        alias.array = own

    def switched(self) -> list[tuple[Variable, bool]]:
        """Tensors whose asking for a gradient the step turned on or off, and what it is now."""
        return [
            (x, x.node is not None)
            for key, x in self.tensors.items()
            if key >= 0 and (x.node is not None) != self.tracked[key]
        ]

    def undo(self) -> None:
        """Arrays, gradients and whether they are wanted are what they were before the step."""
        for x, _, own in self._lent:
            x.array = own
        self._lent.clear()
        for key, x in self.tensors.items():
            if key >= 0:
                if self.tracked[key] != (x.node is not None):
                    x.requires_grad_(self.tracked[key])  # type: ignore[attr-defined]
                x.grad = self.grads[key]  # type: ignore[attr-defined]


def overlapping(states: list[Array], written: Callable[[Array], bool]) -> Array | None:
    """One of the arrays that shares memory with another of them, if the step writes to either."""
    ends = []
    for array in states:
        low, high = np.lib.array_utils.byte_bounds(array)
        ends.append((low, high, array))
    ends.sort(key=lambda end: end[:2])
    last: tuple[int, int, Any] = (0, 0, None)
    for low, high, array in ends:
        if low < last[1] and (written(array) or written(last[2])) and np.may_share_memory(array, last[2]):
            return array
        last = max(last, (low, high, array), key=lambda end: end[1])
    return None

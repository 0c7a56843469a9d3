"""The place where a running capture announces itself: `byhand.program.tracer` sets it, what happens below asks for it.

While a step is captured its tensors hold *traced* arrays, which refuse every use by NumPy that is no op. So what is no
op must tell the tracer: random draws, in-place changes, checks of values, the numbers of optimisers, gradients that are
forgotten. Nothing here costs an op anything: capture puts kernels of its own into the recorders.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from byhand.program.tracer import Tracer


class _Slot:
    """Who is capturing now, and in which thread."""

    __slots__ = ("thread", "tracer")

    def __init__(self) -> None:
        self.tracer: Tracer | None = None
        self.thread = 0


slot = _Slot()


def tracer() -> Tracer | None:
    """The tracer that captures what this thread does, or None; where it counts, ask for `slot.tracer` first."""
    found = slot.tracer
    return found if found is not None and slot.thread == threading.get_ident() else None


def traced(x: Any) -> bool:
    """Whether x is an array, or a tensor of one, that is being traced."""
    return slot.tracer is not None and type(getattr(x, "array", x)) is slot.tracer.array_type

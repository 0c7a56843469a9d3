"""The place where a running capture announces itself: `byhand.program.tracer` sets it, what happens below asks for it.

While a step is captured its tensors hold *traced* arrays, which refuse every use by NumPy that is no op. So what is no
op must tell the tracer: random draws, in-place changes, checks of values, the numbers of optimisers, gradients that are
forgotten. Nothing here costs an op anything: capture puts kernels of its own into the recorders.

Functions that look at values do so by `values`, `insist` and `rare`, which mean the same in an eager step.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from byhand.core.lanes import StandIn, holds
from byhand.core.recorder import wrap

if TYPE_CHECKING:
    from byhand.program.tracer import Tracer


class _Slot:
    """Who is capturing now, and in which thread; whoever wants to holds the lock."""

    __slots__ = ("lock", "thread", "tracer")

    def __init__(self) -> None:
        self.tracer: Tracer | None = None
        self.thread = 0
        self.lock = threading.RLock()


slot = _Slot()


class _Structure:
    """A number that rises when a module gets another part, or anything a hook: programs may no longer hold."""

    __slots__ = ("version",)

    def __init__(self) -> None:
        self.version = 0


structure = _Structure()


def tracer() -> Tracer | None:
    """The tracer that captures what this thread does, or None; where it counts, ask for `slot.tracer` first."""
    found = slot.tracer
    return found if found is not None and slot.thread == threading.get_ident() else None


def traced(x: Any) -> bool:
    """Whether x is an array, or a tensor of one, that is being traced."""
    return slot.tracer is not None and type(getattr(x, "array", x)) is slot.tracer.array_type


def stands_in(x: Any) -> bool:
    """Whether x, or something in the lists that it consists of, is a value or a number of the step being captured."""
    watcher = None if slot.tracer is None else tracer()
    if watcher is None:
        return False
    if isinstance(x, list | tuple):
        return any(map(stands_in, x))
    return isinstance(x, watcher.number_type) or type(getattr(x, "array", x)) is watcher.array_type


def look(x: Any, what: str) -> None:
    """Raise CaptureError if a tensor, whose values Python wants to see (it is `what`), is being traced."""
    if slot.tracer is not None and (watcher := tracer()) is not None and type(x.array) is watcher.array_type:
        raise watcher.refusal(what)


def values(x: Any) -> Any:
    """The array of a tensor, to compute with where no gradient passes; while a step is captured, a tensor of it."""
    array = getattr(x, "array", x)
    if isinstance(array, StandIn):
        return array.plain()
    return array if slot.tracer is None or tracer() is None else wrap(array)


def insist(wrong: Any, complain: Callable[..., Exception], *operands: Any) -> None:
    """Raise complain(*arrays) if `wrong` is true; so will each run of a captured step.

    wrong       one boolean, computed by ops from what `values` gave
    complain    makes the error from the arrays of the operands; a program keeps it, so it must not hold tensors
    """
    watcher = None if slot.tracer is None else tracer()
    if watcher is not None:
        watcher.check(wrong, complain, *operands)
    elif holds(wrong):
        raise complain(*[getattr(x, "array", x) for x in operands])


def rare(condition: Any) -> bool:
    """Whether a condition, computed as for `insist`, holds, where it hardly ever does.

    Where it does not, a captured step takes that for granted, and is captured anew when it does. What is done where it
    holds must also be right where it does not.
    """
    watcher = None if slot.tracer is None else tracer()
    return holds(condition) if watcher is None else not watcher.takes_for_granted(condition)


def entered(module: Any) -> None:
    """A module is called: a captured step depends on its mode."""
    if (watcher := tracer()) is not None:
        watcher.called.append((module, bool(module.training)))


def refuse(what: str, subject: str) -> None:
    """While a step is captured, raise the CaptureError that says `subject` is `what`, and where."""
    watcher = None if slot.tracer is None else tracer()
    if watcher is not None:
        raise watcher.refusal(what, subject)


class UnforeseenError(Exception):
    """What a captured step took for granted does not hold for these values; it is captured anew, nobody sees this."""

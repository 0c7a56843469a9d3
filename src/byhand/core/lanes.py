"""The place where a running `vmap` announces itself, and what stands in a tensor's `array` meanwhile.

A `StandIn` is no array, so every kernel refuses it; the recorder then asks it to make the call in its own way (that
costs a call that works nothing). `byhand.func` has the only kind there is.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

if TYPE_CHECKING:
    from byhand.core.op import Op


class StandIn:
    """In the place of an array, under a tensor."""

    __slots__ = ()
    __array_ufunc__ = None
    level: int

    def __array_function__(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("a batch of vmap is no array")

    # what every object can do, and a kernel must not
    __array__ = __eq__ = __ne__ = __bool__ = __array_function__
    __hash__ = None  # type: ignore[assignment]

    def take_over(self, op: Op, operands: tuple[Any, ...], attrs: dict[str, Any]) -> Any:
        """What the op gives for operands of which this is one."""
        raise NotImplementedError

    def plain(self) -> Any:
        """The same as a tensor without a gradient."""
        raise NotImplementedError

    def somewhere(self) -> bool:
        """Whether a condition holds anywhere in the batch."""
        raise NotImplementedError


class Level:
    """One running `vmap`: how many examples, and what random numbers are to them."""

    def __init__(self, number: int, size: int, randomness: str) -> None:
        self.number, self.size, self.randomness = number, size, randomness

    def drawn(self, generator: np.random.Generator, method: str, arguments: dict[str, Any]) -> Any:
        """Random numbers for the examples."""
        raise NotImplementedError


class _Running(threading.local):
    def __init__(self) -> None:
        self.levels: list[Level] = []


running = _Running()


def holds(condition: Any) -> bool:
    """The truth of one boolean, or whether a batch of them has a true one."""
    inside = getattr(condition, "array", condition)
    return inside.somewhere() if isinstance(inside, StandIn) else bool(condition)

"""Random numbers that are none of the library's: a step that draws them cannot be a program. Called by `entry`."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from typing import Any

from byhand.core.errors import CaptureError


class Streams:
    """Where Python's and NumPy's own generators stood: the global ones, and those that a step can reach."""

    def __init__(self, generators: list[Any]) -> None:
        self._streams: list[tuple[Callable[[], Any], Callable[[Any], Any]]] = []
        python, numpy = sys.modules.get("random"), sys.modules.get("numpy.random")
        if python is not None:
            self._streams.append((python.getstate, python.setstate))
        if numpy is not None:
            self._streams.append((numpy.get_state, numpy.set_state))
        self._streams += [(_reader(g.bit_generator), _setter(g.bit_generator)) for g in generators]
        self._before = [pickle.dumps(read()) for read, _ in self._streams]

    def check(self) -> None:
        """Raise CaptureError if anybody has drawn since."""
        if any(pickle.dumps(read()) != was for (read, _), was in zip(self._streams, self._before, strict=True)):
            raise CaptureError(
                "the step draws random numbers from Python's random or from NumPy, which a program could not draw "
                "anew; draw them by byhand.rand, byhand.randn or byhand.bernoulli, or outside of the step"
            )

    def put_back(self) -> None:
        """Put all to where they stood."""
        for (_, write), was in zip(self._streams, self._before, strict=True):
            write(pickle.loads(was))


def _reader(bits: Any) -> Callable[[], Any]:
    return lambda: bits.state


def _setter(bits: Any) -> Callable[[Any], None]:
    return lambda state: setattr(bits, "state", state)

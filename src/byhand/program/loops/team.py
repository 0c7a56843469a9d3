"""The threads that help a step with its large loops and products, and who has their help.

A helper is a Python thread inside of a call of machine code, where it needs no lock of Python's: it looks for work for
a while after it last had some, then sleeps until a step wakes it. NumPy's own threads must be silent meanwhile, for
they wait spinning and would take the helpers' cores: the step splits its products itself, each part on one thread.
"""

from __future__ import annotations

import atexit
import functools
import os
import threading
from collections.abc import Callable

import numpy as np

from byhand.core.threads import get_num_threads, limit_blas_threads
from byhand.core.variable import Array
from byhand.program.layout import address
from byhand.program.loops.machine_code import INTEGER, functions
from byhand.program.loops.teamwork import SIZE, STOP

PATIENCE = 40_000
"""How often a helper looks for work before it sleeps: 1 to 2 ms, what Python may do between two steps."""

MOST = 8
"""Threads of a step: among more, a small network's work is not worth sharing."""

SOURCE = "def main(team, patience):\n    return follow(team, patience)\n"


def lanes() -> int:
    """How many threads a step is written for: as many as NumPy's products use, if it says and can be silenced."""
    return min(get_num_threads(), MOST)


def memory() -> Array:
    """The memory of a team, which begins a cache line."""
    whole = np.zeros(SIZE + 8, np.int64)
    start = -(address(whole) // 8) % 8
    return whole[start : start + SIZE]


class Team:
    """A leader's memory, and helpers that watch it."""

    def __init__(self, helpers: int) -> None:
        self._memory, self._process = memory(), os.getpid()
        self._address = address(self._memory)
        self._follow: Callable[..., int] = functions(SOURCE, {"main": [INTEGER] * 2}, None)["main"]
        self._asleep: list[threading.Event] = []
        self._taken, self._threads_before = threading.Lock(), 1
        self._helpers = [threading.Thread(target=self._help, name="byhand", daemon=True) for _ in range(helpers)]
        for helper in self._helpers:
            helper.start()
        atexit.register(self.stop)

    def begin(self, alone: int) -> int:
        """The memory to lead with: the team's; or `alone`, that of the run itself, if the team is taken or unwanted."""
        if not self._taken.acquire(blocking=False):
            return alone
        self._threads_before = get_num_threads()
        if self._threads_before == 1:
            self._taken.release()
            return alone
        limit_blas_threads(1)
        self._wake()
        return self._address

    def end(self, memory: int) -> None:
        """Let others have the team."""
        if memory == self._address:
            limit_blas_threads(self._threads_before)
            self._taken.release()

    def stop(self) -> None:
        """End all helpers: none may run machine code when Python takes it out of memory."""
        if os.getpid() != self._process:
            return
        self._memory[STOP] = 1
        for helper in self._helpers:
            while helper.is_alive():
                self._wake()
                helper.join(0.01)

    def _wake(self) -> None:
        for _ in range(len(self._asleep)):  # not until there are none: where a debugger is at work, they sleep sooner
            self._asleep.pop().set()

    def _help(self) -> None:
        ready = threading.Event()
        while not self._follow(self._address, PATIENCE):
            self._asleep.append(ready)
            ready.wait()
            ready.clear()


@functools.cache
def team(threads: int) -> Team:
    """The team of so many threads. In a forked process it has lost its helpers, and all is done by the leader."""
    return Team(threads - 1)

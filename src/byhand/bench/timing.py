"""Timing by turns: contenders share one process and one clock, and only ratios are reported.

`steps`, `overhead` and `loading` call `take_turns`; the tables show what its `Timings` say. A machine that slows down
halfway slows all contenders of a round alike, so a ratio survives what an absolute time does not.
"""

from __future__ import annotations

import gc
import math
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from byhand.core.errors import UsageError

REST = 0.08
"""Seconds of sleep before a turn. Idle BLAS and OpenMP threads spin for tens of milliseconds after their last job;
without the rest the contender before robs the next of a core."""

TURN = 0.05
"""Seconds that one timed turn aims to last."""

WARM_UP = 0.01
"""Seconds of untimed steps after the rest, so that caches and threads are awake when the clock starts."""


@dataclass(frozen=True)
class Timings:
    """Seconds per step of each contender, one entry per round; entry k of every contender belongs to round k."""

    seconds: Mapping[str, list[float]]

    def median(self, name: str) -> float:
        """The median over the rounds of `name`'s seconds per step."""
        return statistics.median(self.seconds[name])

    def ratio(self, name: str, against: str) -> float:
        """The median over the rounds of `seconds[name][k] / seconds[against][k]`: paired, so drift cancels."""
        pairs = zip(self.seconds[name], self.seconds[against], strict=True)
        return statistics.median(mine / other for mine, other in pairs)

    def difference(self, name: str, against: str) -> float:
        """The median over the rounds of `seconds[name][k] - seconds[against][k]`."""
        pairs = zip(self.seconds[name], self.seconds[against], strict=True)
        return statistics.median(mine - other for mine, other in pairs)

    def ratio_of_medians(self, name: str, against: str) -> float:
        """`median(name) / median(against)`: the ratio a reader of the two columns would form."""
        return self.median(name) / self.median(against)

    def fastest(self, *names: str) -> str:
        """The one of `names` whose median is smallest."""
        return min(names, key=self.median)


def take_turns(
    contenders: Mapping[str, Callable[[], object]],
    rounds: int = 9,
    rest: float = REST,
    turn: float = TURN,
    warm_up: float = WARM_UP,
    before: Mapping[str, Callable[[], object]] | None = None,
    clock: Callable[[], float] = time.perf_counter,
    sleep: Callable[[float], object] = time.sleep,
) -> Timings:
    """Time every contender once a round, in an order that rotates by one each round.

    A turn is: `before[name]()` if there is one (a number of threads, say), `rest` seconds of sleep, `warm_up` seconds
    of untimed steps (at least one), then as many steps as last about `turn` seconds, timed as one block. The garbage
    collector stays on, as in real training, but what was alive before the first round is hidden from it, so that
    nobody pays for another's imports.

    Raises UsageError for fewer than one round.
    """
    if rounds < 1:
        raise UsageError(f"rounds is {rounds}, but at least 1 round is needed to take turns; nine are usual.")
    names = list(contenders)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    gc.collect()
    gc.freeze()
    try:
        for number in range(rounds):
            shift = number % len(names)
            for name in names[shift:] + names[:shift]:
                if before and name in before:
                    before[name]()
                sleep(rest)
                seconds[name].append(_one_turn(contenders[name], turn, warm_up, clock))
    finally:
        gc.unfreeze()
    return Timings(seconds)


def _one_turn(step: Callable[[], object], turn: float, warm_up: float, clock: Callable[[], float]) -> float:
    """Seconds per step: warm up, learn from that how many steps fill the turn, and time them as one block."""
    begin, done = clock(), 0
    while True:
        step()
        done += 1
        spent = clock() - begin
        if spent >= warm_up:
            break
    count = max(1, math.ceil(turn * done / spent)) if spent > 0 else 1
    begin = clock()
    for _ in range(count):
        step()
    return (clock() - begin) / count

"""Timing a program line by line: the text of a step with a look at the clock around each of its lines."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

WARM_UP = 3  # runs that are not counted


def instrumented(lines: Sequence[str], watched: Sequence[bool]) -> list[str]:
    """The lines, with the seconds of the k-th watched one added to `spent[k]`; `clock` and `spent` are globals."""
    made, count = [], 0
    for line, counts in zip(lines, watched, strict=True):
        indent = line[: len(line) - len(line.lstrip())]
        if not counts:
            made.append(line)
            continue
        made += [f"{indent}began = clock()", line, f"{indent}spent[{count}] += clock() - began"]
        count += 1
    return made


def medians(run: Callable[..., Any], spent: list[float], inputs: Sequence[Any], rounds: int) -> list[float]:
    """The median seconds of each watched line in so many runs, less what looking at the clock takes."""
    found: list[list[float]] = []
    for _ in range(WARM_UP + rounds):
        spent[:] = [0.0] * len(spent)
        run(*inputs)
        found.append(list(spent))
    look = _look()
    columns = zip(*found[WARM_UP:], strict=True)
    return [max(statistics.median(column) - look, 0.0) for column in columns]


def _look() -> float:
    """Seconds between two looks at the clock."""
    times = [time.perf_counter() for _ in range(1000)]
    return statistics.median(b - a for a, b in pairwise(times))

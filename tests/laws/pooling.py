"""Samples of the ops on windows: what stands in each window is looked up value by value."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from byhand.ops import pooling
from laws.sample import sample, spread

Found = list[tuple[tuple[int, ...], tuple[int, ...], int]]

PAIRS = ((2, 2, 0, 1, 2),)
OVERLAPPING = ((3, 2, 1, 1, 3),)  # one place of padding before, one behind
GAPS = ((2, 3, 0, 1, 2), (2, 2, 1, 2, 2))  # gaps along the one axis, a step of two within windows along the other
IMAGE, LAST = spread(2, 2, 4, 6), ((2, 2, 0, 1, 2), (3, 3, 0, 1, 2))


def read(shape: tuple[int, ...], windows: Any) -> Found:
    """For each value of the result each place of x in its window: the place of either, and the offset's number."""
    lead = shape[: len(shape) - len(windows)]
    found: Found = []
    for out in np.ndindex(*lead, *[w[4] for w in windows]):
        inside = []
        for o in itertools.product(*[range(w[0]) for w in windows]):
            at = tuple(i * s + k * d - p for i, k, (_, s, p, d, _) in zip(out[len(lead) :], o, windows, strict=True))
            if all(0 <= a < n for a, n in zip(at, shape[len(lead) :], strict=True)):
                inside.append((*out[: len(lead)], *at))
        numbers = {o: n for n, o in enumerate(offsets(shape, windows))}
        found += [(out, place, numbers[distance(out, place, len(lead), windows)]) for place in inside]
    return found


def distance(out: tuple[int, ...], place: tuple[int, ...], lead: int, windows: Any) -> tuple[int, ...]:
    return tuple(a - i * s + p for i, a, (_, s, p, _, _) in zip(out[lead:], place[lead:], windows, strict=True))


def offsets(shape: tuple[int, ...], windows: Any) -> list[tuple[int, ...]]:
    """Those which some window has inside of x, in row-major order."""
    sizes = shape[len(shape) - len(windows) :]
    along = [
        [o * d for o in range(k) if any(0 <= i * s + o * d - p < n for i in range(count))]
        for n, (k, s, p, d, count) in zip(sizes, windows, strict=True)
    ]
    return list(itertools.product(*along))


def most(x: np.ndarray, windows: Any) -> np.ndarray:
    out = np.full(x.shape[: -len(windows)] + tuple(w[4] for w in windows), -np.inf)
    for at, place, _ in read(x.shape, windows):
        out[at] = max(out[at], x[place])
    return out


def first(x: np.ndarray, out: np.ndarray, windows: Any) -> np.ndarray:
    numbers = np.full(out.shape, 255, np.uint8)
    for at, place, number in read(x.shape, windows):
        if x[place] == out[at]:
            numbers[at] = min(numbers[at], number)
    return numbers


def moved(y: np.ndarray, places: np.ndarray, windows: Any, shape: tuple[int, ...]) -> np.ndarray:
    x = np.zeros(shape)
    for at, place, number in read(shape, windows):
        x[place] += y[at] if places[at] == number else 0
    return x


def fetched(x: np.ndarray, places: np.ndarray, windows: Any) -> np.ndarray:
    out = np.zeros(places.shape)
    for at, place, number in read(x.shape, windows):
        out[at] += x[place] if places[at] == number else 0
    return out


def total(x: np.ndarray, windows: Any) -> np.ndarray:
    out = np.zeros(x.shape[: -len(windows)] + tuple(w[4] for w in windows))
    for at, place, _ in read(x.shape, windows):
        out[at] += x[place]
    return out


def spread_out(y: np.ndarray, windows: Any, shape: tuple[int, ...]) -> np.ndarray:
    x = np.zeros(shape)
    for at, place, _ in read(shape, windows):
        x[place] += y[at]
    return x


def with_maxima(x: np.ndarray, windows: Any) -> tuple[np.ndarray, np.ndarray]:
    out = most(x, windows)
    return out, first(x, out, windows)


POOLING = [
    made
    for x, windows in [
        (spread(2, 5), PAIRS), (spread(2, 5), OVERLAPPING), (spread(2, 7, 5), GAPS),
        (IMAGE, LAST), (np.round(spread(1, 4, 4)), ((2, 2, 0, 1, 2), (3, 1, 1, 1, 4))),
    ]
    for out, places in [with_maxima(x, windows)]
    for made in [
        *([sample(pooling.max_pooled, x, windows=windows, reference=most)] if len({*x.flat}) == x.size else []),
        sample(pooling.max_places, x, out, windows=windows, reference=first),
        sample(pooling.window_put, spread(*out.shape), places, windows=windows, shape=x.shape, reference=moved),
        sample(pooling.window_take, x, places, windows=windows, reference=fetched),
        sample(pooling.window_sum, x, windows=windows, reference=total),
        sample(pooling.window_spread, spread(*out.shape), windows=windows, shape=x.shape, reference=spread_out),
    ]
]  # fmt: skip

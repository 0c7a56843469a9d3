"""A step length along a direction that satisfies the strong Wolfe conditions. Called by `LBFGS`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from byhand.tensor import Tensor


class Point(NamedTuple):
    """A place on the line: step length, loss, gradient there, and slope, the gradient along the direction."""

    t: float
    loss: float
    gradient: Tensor
    slope: float


def strong_wolfe(
    evaluate: Callable[[float], Point], start: Point, t: float, length: float, tolerance: float, most: int
) -> tuple[Point, int]:
    """A point with loss <= start's + c₁ t · slope and |slope| <= −c₂ · start's slope; and how often it evaluated.

    evaluate   loss and gradient at a step length
    t          the first step length to try
    length     the largest magnitude in the direction; a bracket shorter than `tolerance` times it is not halved
    most       how many evaluations there may be after the first; the best point so far if they do not suffice

    Source: Nocedal and Wright, Numerical optimization, algorithms 3.5 and 3.6; the constants are those of minFunc.
    """
    ends, tries, found = _bracket(evaluate, start, t, most)
    stuck = False
    low = 0 if found or ends[0].loss <= ends[1].loss else 1
    while not found and tries < most:
        if abs(ends[1].t - ends[0].t) * length < tolerance:
            break
        t, stuck = _inside(ends, stuck)
        point = evaluate(t)
        tries += 1
        high = 1 - low
        if _too_high(point, start) or point.loss >= ends[low].loss:
            ends[high] = point
            low = 0 if ends[0].loss <= ends[1].loss else 1
            continue
        found = _flat(point, start)
        if not found and point.slope * (ends[high].t - ends[low].t) >= 0:
            ends[high] = ends[low]
        ends[low] = point
    return ends[low], tries + 1


def _too_high(point: Point, start: Point) -> bool:
    return point.loss > start.loss + 1e-4 * point.t * start.slope


def _flat(point: Point, start: Point) -> bool:
    return abs(point.slope) <= -0.9 * start.slope


def _bracket(evaluate: Callable[[float], Point], start: Point, t: float, most: int) -> tuple[list[Point], int, bool]:
    """Two points with a good one between them, how many were tried, and whether the first already is a good one."""
    before, point = start, evaluate(t)
    for tries in range(most):
        if _too_high(point, start) or (tries > 1 and point.loss >= before.loss):
            return [before, point], tries, False
        if _flat(point, start):
            return [point, point], tries, True
        if point.slope >= 0:
            return [before, point], tries, False
        t = _cubic(before, point, point.t + 0.01 * (point.t - before.t), point.t * 10)
        before, point = point, evaluate(t)
    return [start, point], most, False


def _inside(ends: list[Point], stuck: bool) -> tuple[float, bool]:
    """The next length to try in a bracket, away from its ends if the last one was near them; and if this one is."""
    left, right = sorted((ends[0].t, ends[1].t))
    t, margin = _cubic(ends[0], ends[1], left, right), 0.1 * (right - left)
    if min(right - t, t - left) >= margin:
        return t, False
    if not (stuck or t >= right or t <= left):
        return t, True
    return (right - margin if abs(t - right) < abs(t - left) else left + margin), False


def _cubic(a: Point, b: Point, low: float, high: float) -> float:
    """Where the cubic through the losses and slopes of two points is least, within bounds; their middle if nowhere."""
    if a.t > b.t:
        a, b = b, a
    middle = (low + high) / 2
    if a.t == b.t:
        return middle
    d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t)
    square = d1 * d1 - a.slope * b.slope
    if not square >= 0:
        return middle
    d2 = math.sqrt(square)
    bottom = b.slope - a.slope + 2 * d2
    if bottom == 0:
        return middle
    return min(max(b.t - (b.t - a.t) * ((b.slope + d2 - d1) / bottom), low), high)

"""The accepted range of a hyper-parameter, and the one check that all optimisers and schedules share.

`Optimizer.add_param_group` and `Optimizer.load_state_dict` check every group against the class's `intervals`;
the schedules check their own arguments.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real
from typing import Any

from byhand.core.errors import UsageError


@dataclass(frozen=True)
class Interval:
    """The finite numbers from `low` to `high`; an end that is `open` is itself excluded.

    >>> from byhand.optim.interval import Interval
    >>> Interval(0, 1, high_open=True).describe("rho")
    'a finite number with 0 <= rho < 1'
    """

    low: float = -math.inf
    high: float = math.inf
    low_open: bool = False
    high_open: bool = False

    def __contains__(self, value: float) -> bool:
        above = value > self.low if self.low_open else value >= self.low
        below = value < self.high if self.high_open else value <= self.high
        return above and below and math.isfinite(value)

    def check(self, owner: str, name: str, value: Any) -> float:
        """`value` as a plain Python number; raises `UsageError` when it is not a number of this interval.

        A tensor of one element, as PyTorch takes for a learning rate, is read once, here.
        """
        if not isinstance(value, Real) and hasattr(value, "item") and math.prod(getattr(value, "shape", (0,))) == 1:
            value = value.item()
        kind = type(value)
        if not isinstance(value, Real):
            raise UsageError(f"{owner}: {name} must be {self.describe(name)}; got {_describe(value)}")
        number: Any = value if kind in (int, float, bool) else float(value)
        if number not in self:
            raise UsageError(f"{owner}: {name} must be {self.describe(name)}; got {name}={number!r}")
        plain: float = number
        return plain

    def describe(self, name: str) -> str:
        """The range in words: `a finite number with 0 <= lr`."""
        low = f"{self.low:g} {'<' if self.low_open else '<='} " if self.low > -math.inf else ""
        high = f" {'<' if self.high_open else '<='} {self.high:g}" if self.high < math.inf else ""
        return f"a finite number with {low}{name}{high}" if low or high else "a finite number"


@dataclass(frozen=True)
class Pair:
    """Two numbers, each of `interval`, or the second one of an interval of its own: the `betas` of Adam."""

    interval: Interval
    second: Interval | None = None

    def check(self, owner: str, name: str, value: Any) -> tuple[float, float]:
        """`value` as a tuple of two plain Python numbers; raises `UsageError` when it is anything else."""
        if not isinstance(value, (tuple, list)) or len(value) != 2:
            raise UsageError(f"{owner}: {name} must be a pair of numbers such as (0.9, 0.999); got {_describe(value)}")
        first = self.interval.check(owner, f"{name}[0]", value[0])
        return first, (self.second or self.interval).check(owner, f"{name}[1]", value[1])


def _describe(value: Any) -> str:
    shape = getattr(value, "shape", None)
    if shape is not None:
        return f"a {type(value).__name__} of shape {tuple(shape)}"
    return f"{value!r} of type {type(value).__name__}"


ANY = Interval()
NONNEGATIVE = Interval(low=0)
FRACTION = Interval(low=0, high=1)
DECAY = Interval(low=0, high=1, high_open=True)
BETAS = Pair(DECAY)

from __future__ import annotations

import gc

import pytest

from byhand.bench.timing import Timings, take_turns
from byhand.core.errors import UsageError


class FakeClock:
    """Time that passes only when somebody works or sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.log: list[str] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.log.append("sleep")
        self.now += seconds

    def worker(self, name: str, seconds: float):
        def step() -> None:
            self.log.append(name)
            self.now += seconds

        return step


def race(clock: FakeClock, costs: dict[str, float], **options):
    contenders = {name: clock.worker(name, seconds) for name, seconds in costs.items()}
    return take_turns(contenders, clock=clock, sleep=clock.sleep, **options)


def test_reports_time_per_step():
    timings = race(FakeClock(), {"slow": 0.004, "fast": 0.001}, rounds=3)
    assert timings.seconds["slow"] == pytest.approx([0.004] * 3)
    assert timings.median("fast") == pytest.approx(0.001)
    assert timings.ratio("slow", "fast") == pytest.approx(4)
    assert timings.fastest("slow", "fast") == "fast"


def test_order_rotates_and_each_turn_rests_first():
    clock = FakeClock()
    race(clock, {"a": 1.0, "b": 1.0, "c": 1.0}, rounds=4, turn=0.0, warm_up=0.0)
    firsts = [name for before, name in zip(clock.log, clock.log[1:], strict=False) if before == "sleep"]
    assert "".join(firsts) == "abcbcacababc"
    assert clock.log.count("sleep") == 12
    assert clock.log[:3] == ["sleep", "a", "a"], "one untimed step, then the timed one"


def test_turn_lasts_about_as_long_as_asked():
    clock = FakeClock()
    race(clock, {"a": 0.001}, rounds=1, turn=0.05, warm_up=0.01)
    assert 58 <= clock.log.count("a") <= 62, "10 ms of warm-up and 50 ms of turn"


def test_a_step_longer_than_the_turn_is_timed_once():
    clock = FakeClock()
    race(clock, {"a": 2.0}, rounds=1)
    assert clock.log == ["sleep", "a", "a"]


def test_warm_up_is_not_timed():
    clock = FakeClock()
    costs = iter([9.0, *[0.02] * 100])

    def step() -> None:
        clock.now += next(costs)

    assert take_turns({"a": step}, 1, clock=clock, sleep=clock.sleep).seconds["a"] == pytest.approx([0.02])


def test_rest_is_slept_but_not_timed():
    clock = FakeClock()
    timings = race(clock, {"a": 1.0}, rounds=1, rest=7.0)
    assert clock.now == pytest.approx(9.0)
    assert timings.seconds["a"] == [1.0]


def test_before_runs_ahead_of_each_turn_of_its_contender():
    clock = FakeClock()
    race(clock, {"a": 1.0, "b": 1.0}, rounds=2, before={"b": lambda: clock.log.append("before b")})
    at = [i for i, entry in enumerate(clock.log) if entry == "before b"]
    assert len(at) == 2
    assert all(clock.log[i + 1 : i + 3] == ["sleep", "b"] for i in at)


def test_ratio_is_of_pairs_so_drift_cancels():
    drifting = Timings({"a": [2.0, 4.0, 80.0], "b": [1.0, 2.0, 40.0]})
    assert drifting.ratio("a", "b") == 2.0
    assert drifting.difference("a", "b") == 2.0
    crossed = Timings({"a": [1.0, 2.0, 9.0], "b": [1.0, 4.0, 3.0]})
    assert crossed.ratio("a", "b") == 1.0
    assert crossed.ratio_of_medians("a", "b") == pytest.approx(2 / 3)


def test_a_clock_that_stands_still_still_ends():
    assert take_turns({"a": lambda: None}, 1, rest=0, warm_up=0.0, clock=lambda: 5.0).seconds["a"] == [0.0]


def test_objects_are_unfrozen_even_after_an_error():
    def fail() -> None:
        raise ZeroDivisionError

    before = gc.get_freeze_count()
    with pytest.raises(ZeroDivisionError):
        take_turns({"a": fail}, 1, rest=0)
    assert gc.get_freeze_count() <= before


def test_no_rounds_is_an_error():
    with pytest.raises(UsageError, match="rounds is 0"):
        take_turns({"a": lambda: None}, 0)

from __future__ import annotations

import threading
import time

import pytest

from byhand.core.errors import DataError
from byhand.data.prefetch import END, prefetched


def loader_threads() -> int:
    """How many reading threads live, after a moment for those that are about to end."""
    deadline = time.monotonic() + 5
    while True:
        alive = sum(thread.name.startswith("byhand-loader") for thread in threading.enumerate())
        if alive == 0 or time.monotonic() > deadline:
            return alive
        time.sleep(0.001)


def test_order_is_kept_whoever_is_faster() -> None:
    def slow_if_even(n: int) -> int:
        time.sleep(0.01 * (n % 2 == 0))
        return n

    assert list(prefetched(slow_if_even, iter(range(20)), workers=3, ahead=6)) == list(range(20))


def test_works_ahead_but_not_further_than_told() -> None:
    begun: list[int] = []
    results = prefetched(lambda n: begun.append(n) or n, iter(range(100)), workers=2, ahead=4)
    assert next(results) == 0
    deadline = time.monotonic() + 5
    while len(begun) < 5 and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(0.02)
    assert len(begun) == 5  # the one handed out and four more
    results.close()


def test_threads_run_side_by_side() -> None:
    barrier = threading.Barrier(3)
    assert list(prefetched(lambda n: barrier.wait(5) >= 0 and n, iter(range(3)), workers=3, ahead=3)) == [0, 1, 2]


def test_an_exception_comes_at_its_place() -> None:
    def fails_at_three(n: int) -> int:
        if n == 3:
            raise KeyError("three")
        return n

    results = prefetched(fails_at_three, iter(range(10)), workers=2, ahead=4)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(KeyError, match="three"):
        next(results)


def test_stopping_early_leaves_no_thread_behind() -> None:
    assert loader_threads() == 0
    results = prefetched(lambda n: n, iter(range(1000)), workers=2, ahead=4)
    next(results)
    assert any(thread.name.startswith("byhand-loader") for thread in threading.enumerate())
    del results
    assert loader_threads() == 0


def test_end_ends() -> None:
    assert list(prefetched(lambda n: n if n < 3 else END, iter(range(100)), workers=1, ahead=2)) == [0, 1, 2]


def test_timeout() -> None:
    release = threading.Event()
    results = prefetched(lambda n: release.wait(10), iter([0]), workers=1, ahead=1, timeout=0.02)
    with pytest.raises(DataError, match=r"timeout=0\.02 seconds"):
        next(results)
    release.set()


def test_a_timeout_of_the_datasets_own_is_its_own() -> None:
    def work(n: int) -> int:
        raise TimeoutError("the server sleeps")

    with pytest.raises(TimeoutError, match="the server sleeps"):
        next(prefetched(work, iter([0]), workers=1, ahead=1, timeout=5))


def test_each_worker_is_initialized_with_its_number() -> None:
    seen: list[int] = []
    barrier = threading.Barrier(2)
    list(prefetched(lambda n: barrier.wait(5), iter(range(2)), workers=2, ahead=2, initialize=seen.append))
    assert sorted(seen) == [0, 1]

from __future__ import annotations

import pytest

from byhand.bench import steps
from byhand.bench.networks import NETWORKS
from byhand.bench.timing import Timings


def test_rows_compare_with_hand_and_with_the_better_pytorch():
    timings = Timings({"by hand": [10e-6], "byhand": [13e-6], "PyTorch 1": [26e-6], "PyTorch 2": [16e-6]})
    hand, pytorch = steps.rows("net", timings)
    assert (hand.ratio, hand.reached) == (pytest.approx(1.3), True)
    assert (pytorch.ratio, pytorch.reached) == (pytest.approx(13 / 16), False)
    assert "PyTorch 2 threads 16.0 µs" in pytorch.measured
    assert "by hand 10.0 µs" in hand.measured


def test_rows_without_pytorch_say_so_and_claim_nothing():
    hand, pytorch = steps.rows("net", Timings({"by hand": [10e-6], "byhand": [14e-6]}))
    assert hand.reached is False
    assert (pytorch.measured, pytorch.reached, pytorch.ratio) == ("PyTorch not installed", None, None)


def test_race_without_pytorch(monkeypatch):
    monkeypatch.setattr(steps, "has_pytorch", lambda: False)
    timings = steps.race(NETWORKS[3], 2, rest=0.0, turn=0.0, warm_up=0.0)
    assert list(timings.seconds) == ["by hand", "byhand"]
    assert all(len(found) == 2 for found in timings.seconds.values())


def test_a_fresh_contender_starts_over():
    contender = steps.Fresh(lambda: steps.by_hand_step(NETWORKS[3]))
    contender.renew()
    first = [contender() for _ in range(3)]
    contender.renew()
    assert [contender() for _ in range(3)] == first
    assert first[2] < first[0]

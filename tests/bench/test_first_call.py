from __future__ import annotations

import pytest

from byhand.bench import first_call
from byhand.bench.first_call import BOUNDS, first_call_rows, first_calls, fresh_process, measure_first_calls
from byhand.bench.networks import NETWORKS
from byhand.core.errors import ByhandError


@pytest.fixture
def processes(monkeypatch):
    """No process is started; what was asked for is remembered."""
    asked = []

    def pretend(dialect, name, cache):
        asked.append((dialect, name, cache))
        return [float(len(asked)), 0.0, 0.0]

    monkeypatch.setattr(first_call, "fresh_process", pretend)
    return asked


def test_a_process_times_each_call(tmp_path):
    seconds = fresh_process("planned", "planar", str(tmp_path))
    assert len(seconds) == first_call.CALLS
    assert all(0 < s < 60 for s in seconds)
    assert seconds[0] > seconds[2], "the first compiles, the third only runs"


def test_a_process_that_fails_is_an_error_with_its_reason(tmp_path):
    with pytest.raises(ByhandError, match=r"compiles planar as backwards failed: .*dialect"):
        fresh_process("backwards", "planar", str(tmp_path))


def test_first_calls_are_those_of_a_compiled_step():
    assert len(first_calls("planned", "planar")) == 3


def test_cached_runs_after_cold_with_the_same_folder(processes):
    found = measure_first_calls(2, NETWORKS[:1])
    assert [dialect for dialect, _, _ in processes] == ["planned", "loops", "loops"] * 2
    folders = [cache for _, _, cache in processes]
    assert folders[1] == folders[2] and folders[4] == folders[5], "the second process finds what the first left"
    assert folders[2] != folders[4], "and cold is cold"
    assert {case: list(seconds) for case, seconds in found.items()} == {case: ["mnist"] for case in BOUNDS}
    assert [calls[0] for calls in found["loops, cached"]["mnist"]] == [3.0, 6.0]


def test_without_llvmlite_only_planned(processes):
    found = measure_first_calls(1, NETWORKS[:1], loops=False)
    assert list(found) == ["planned"]
    rows = first_call_rows(found)
    assert [row.measured for row in rows[1:]] == ["llvmlite not installed"] * 2
    assert [row.reached for row in rows] == [False, None, None]


def test_the_slowest_network_decides(monkeypatch):
    monkeypatch.setattr(first_call, "import_seconds", lambda name, after: 0.25)
    calls = {"a": [[0.01, 9.0], [0.03, 9.0], [0.02, 9.0]], "b": [[0.04, 9.0], [0.06, 9.0], [0.2, 9.0]]}
    fast = {"a": [[0.01]], "b": [[0.02]]}
    rows = first_call_rows({"planned": calls, "loops, cold": fast, "loops, cached": fast})
    assert [row.reached for row in rows] == [False, True, True, None]
    assert rows[0].measured == "60.0 ms (b)"
    assert [row.must for row in rows] == ["≤ 0.05 s", "≤ 3.0 s", "≤ 0.4 s", ""]
    assert rows[3].measured == "250.0 ms"

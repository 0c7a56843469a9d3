from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from byhand.bench import compiled
from byhand.bench.networks import NETWORKS
from byhand.bench.tables import Table, show
from byhand.bench.timing import Timings

SECONDS = {
    "by hand": 100e-6, "planned": 90e-6, "loops": 50e-6, "products": 40e-6, "PyTorch 1": 200e-6, "PyTorch 2": 180e-6,
    "torch.compile 1": 250e-6, "torch.compile 2": 240e-6, "JAX": 125e-6,
}  # fmt: skip


def timings(**changes) -> Timings:
    seconds = {**SECONDS, **changes}
    return Timings({name: [found] for name, found in seconds.items() if found})


def test_the_ratios_that_count_in_their_order():
    assert [(row.what, row.ratio, row.must, row.reached) for row in compiled.rows("mnist-adam", timings())] == [
        ("mnist-adam: planned over by hand", pytest.approx(0.9), "≤ 1.00 ×", True),
        ("mnist-adam: loops over by hand", pytest.approx(0.5), "≤ 0.80 ×", True),
        ("mnist-adam: loops over JAX", pytest.approx(0.4), "≤ 0.70 ×", True),
        ("mnist-adam: loops over products", pytest.approx(1.25), "≤ 1.35 ×", True),
    ]


def test_what_is_not_reached_is_said():
    found = compiled.rows("mnist-adam", timings(planned=101e-6, loops=99e-6))
    assert [row.reached for row in found] == [False, False, False, False]


def test_small_networks_are_not_held_to_their_products():
    for name in ("planar", "mnist"):
        whats = [row.what for row in compiled.rows(name, timings())]
        assert whats == [f"{name}: planned over by hand", f"{name}: loops over by hand", f"{name}: loops over JAX"]


def test_the_fastest_rival_is_the_rival():
    found = compiled.rows("planar", timings(**{"torch.compile 2": 60e-6}))
    assert (found[2].what, found[2].ratio) == ("planar: loops over torch.compile 2", pytest.approx(50 / 60))


def test_times_are_of_everybody_by_threads():
    assert compiled.times(timings()) == {
        "by hand": "0.1", "planned": "0.09", "loops": "0.05", "products": "0.04", "PyTorch": "0.2 / 0.18",
        "torch.compile": "0.25 / 0.24", "JAX": "0.125",
    }  # fmt: skip


def test_who_is_absent_is_said_once():
    absent = {"torch.compile 1": "no C++ compiler", "torch.compile 2": "no C++ compiler", "JAX": "jax not installed"}
    assert [(row.what, row.measured, row.reached) for row in compiled.absent_rows(absent)] == [
        ("torch.compile", "no C++ compiler", None),
        ("JAX", "jax not installed", None),
    ]


def test_without_llvmlite_there_is_no_verdict_on_loops():
    planned, last = compiled.rows("mnist-adam", timings(loops=None))
    assert planned.reached
    assert (last.measured, last.reached, last.ratio) == ("llvmlite not installed", None, None)


def test_without_any_rival_there_is_no_verdict_on_rivals():
    alone = dict.fromkeys(set(SECONDS) - {"by hand", "planned", "loops", "products"})
    row = compiled.rows("mnist-adam", timings(**alone))[2]
    assert (row.measured, row.reached) == ("none is installed", None)


def test_memory_is_planned_over_eager(monkeypatch):
    monkeypatch.setattr(compiled, "weigh", lambda contender, name: {"planned": 600_000, "byhand": 1_000_000}[contender])
    both = compiled.weigh_both(NETWORKS[0])
    (row,) = compiled.memory_rows({"mnist": both})
    assert (row.ratio, row.must, row.reached) == (0.6, "≤ 0.70 ×", True)
    assert row.measured == "600.0 kB · 1.00 MB"


@pytest.fixture
def nothing_runs(monkeypatch):
    first = {case: {name: [[0.01]] for name in compiled.LOOPS} for case in ("planned", "loops, cold", "loops, cached")}
    monkeypatch.setattr(compiled, "race", lambda *args: (timings(), {"gone": "away"}))
    monkeypatch.setattr(compiled, "weigh", lambda contender, name: 1000)
    monkeypatch.setattr(compiled, "measure_first_calls", lambda *args: first)
    monkeypatch.setattr(compiled, "is_installed", lambda package: False)
    return first


def test_the_section_holds_everything(nothing_runs):
    table = compiled.measure(9, quick=False)
    assert [row.what for row in table.rows if row.must == "≤ 1.00 ×"] == [
        f"{name}: planned over by hand" for name in ("planar", "mnist", "mnist-adam", "cifar")
    ]
    held = json.loads(json.dumps(table.as_dict()))["details"]
    assert held["seconds"]["cifar"] == {name: [found] for name, found in SECONDS.items()}
    assert held["absent"] == {"gone": "away"}
    assert held["first calls"] == nothing_runs
    assert held["bytes"]["mnist"] == {"planned": 1000, "eager": 1000}
    assert held["statistics"]["mnist"]["planned"]["ops"] > 10
    assert list(table.times) == ["planar", "mnist", "mnist-adam", "cifar"]
    assert sum(row.what == "gone" for row in table.rows) == 1


def test_prints_within_120_columns(nothing_runs):
    console = Console(file=io.StringIO(), width=120, color_system=None)
    table: Table = compiled.measure(9, quick=False)
    show(table, console)
    lines = console.file.getvalue().splitlines()
    for row in table.rows:
        assert any(row.what in line for line in lines), "a name is not folded"
    for note in table.notes:
        assert f"  {note}" in lines, "nor is a note"

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from byhand.bench import compiled
from byhand.bench.networks import NETWORKS
from byhand.bench.tables import Table, show
from byhand.bench.timing import Timings

ADAM = next(network for network in NETWORKS if network.name == "mnist-adam")
PLANAR = next(network for network in NETWORKS if network.name == "planar")
SECONDS = {
    "by hand": 100e-6, "planned": 90e-6, "loops": 50e-6, "products": 40e-6, "PyTorch 1": 200e-6, "PyTorch 2": 180e-6,
    "torch.compile 1": 250e-6, "torch.compile 2": 240e-6, "JAX": 125e-6,
}  # fmt: skip


def rows(network=ADAM, absent=None, **changes):
    seconds = {**SECONDS, **changes}
    timings = Timings({name: [found] for name, found in seconds.items() if found})
    return compiled.rows(network, timings, absent or {})


def test_the_issues_ratios_in_the_issues_order():
    everybody, *found = rows()
    assert everybody.what == "784-256-128-10 ReLU, batch 128, Adam" and everybody.reached is None
    assert [(row.what, row.ratio, row.must, row.reached) for row in found] == [
        ("mnist-adam: planned over by hand", pytest.approx(0.9), "≤ 1.00 ×", True),
        ("mnist-adam: loops over by hand", pytest.approx(0.5), "≤ 0.80 ×", True),
        ("mnist-adam: loops over JAX", pytest.approx(0.4), "≤ 0.70 ×", True),
        ("mnist-adam: loops over its matrix products", pytest.approx(1.25), "≤ 1.35 ×", True),
    ]


def test_what_is_not_reached_is_said():
    _, *found = rows(planned=101e-6, loops=99e-6)
    assert [row.reached for row in found] == [False, False, False, False]


def test_small_networks_are_not_held_to_their_products():
    assert [row.what.split(": ")[-1] for row in rows(PLANAR)[1:]] == [
        "planned over by hand",
        "loops over by hand",
        "loops over JAX",
    ]


def test_everybody_is_listed_by_threads():
    measured = rows()[0].measured
    assert measured == (
        "products 40.0 µs · PyTorch 200.0 µs / 180.0 µs · torch.compile 250.0 µs / 240.0 µs · JAX 125.0 µs"
    )


def test_who_is_absent_is_said_once():
    absent = {"torch.compile 1": "InvalidCxxCompiler: no g++", "torch.compile 2": "InvalidCxxCompiler: no g++"}
    changes = dict.fromkeys(absent)
    everybody, *found = rows(absent=absent, **changes)
    assert everybody.measured.endswith("torch.compile: InvalidCxxCompiler: no g++")
    assert everybody.measured.count("g++") == 1
    assert [row.reached for row in found] == [True] * 4


def test_without_numba_there_is_no_verdict_on_loops():
    *_, last = found = rows(absent={"loops": "numba not installed"}, loops=None)
    assert len(found) == 3
    assert (last.measured, last.reached, last.ratio) == ("Numba not installed", None, None)
    assert "numba" not in found[0].measured


def test_without_any_rival_there_is_no_verdict_on_rivals():
    alone = {name: None for name in SECONDS if name not in ("by hand", "planned", "loops", "products")}
    found = rows(absent={"JAX": "jax not installed"}, **alone)
    assert found[0].measured == "products 40.0 µs · JAX: jax not installed"
    assert (found[3].measured, found[3].reached) == ("none is installed", None)


def test_memory_is_planned_over_eager(monkeypatch):
    monkeypatch.setattr(compiled, "weigh", lambda contender, name: {"planned": 600_000, "byhand": 1_000_000}[contender])
    details = {}
    found = compiled.memory_rows(details)
    assert [(row.ratio, row.reached) for row in found] == [(0.6, True)] * 4
    assert found[0].measured == "600.0 kB · 1.00 MB"
    assert details["cifar"] == {"planned": 600_000, "eager": 1_000_000}


@pytest.fixture
def nothing_runs(monkeypatch):
    first = {case: {"planar": [[0.01]]} for case in ("planned", "loops, cold", "loops, cached")}
    monkeypatch.setattr(compiled, "race", lambda *args: (Timings({k: [v] for k, v in SECONDS.items()}), {"a": "b"}))
    monkeypatch.setattr(compiled, "weigh", lambda contender, name: 1000)
    monkeypatch.setattr(compiled, "measure_first_calls", lambda *args: first)
    return first


def test_the_section_holds_everything(nothing_runs):
    table = compiled.measure(9, quick=False)
    assert [row.what for row in table.rows if row.must == "≤ 1.00 ×"] == [
        f"{name}: planned over by hand" for name in ("planar", "mnist", "mnist-adam", "cifar")
    ]
    held = json.loads(json.dumps(table.as_dict()))["details"]
    assert held["seconds"]["cifar"] == {name: [found] for name, found in SECONDS.items()}
    assert held["absent"]["cifar"] == {"a": "b"}
    assert held["first calls"] == nothing_runs
    assert held["memory"]["mnist"] == {"planned": 1000, "eager": 1000}


def test_prints_within_120_columns(nothing_runs):
    console = Console(file=io.StringIO(), width=120, color_system=None)
    table: Table = compiled.measure(9, quick=False)
    show(table, console)
    lines = console.file.getvalue().splitlines()
    for row in table.rows:
        assert any(row.what in line for line in lines), "a name is not folded"
    for note in table.notes:
        assert f"  {note}" in lines, "nor is a note"

from __future__ import annotations

import pytest

from byhand.bench import breadth
from byhand.bench.architectures import ARCHITECTURES
from byhand.bench.timing import Timings

SECONDS = {
    "eager": 11e-3, "planned": 8e-3, "loops": 5e-3, "products": 3e-3, "PyTorch 1": 10e-3, "PyTorch 2": 9e-3,
    "channels-last 2": 7.5e-3, "torch.compile 2": 8e-3, "JAX": 14e-3,
}  # fmt: skip


def test_the_ratios_that_count():
    found = breadth.rows("cnn", Timings({name: [seconds] for name, seconds in SECONDS.items()}))
    assert [(row.what, row.ratio, row.must, row.reached) for row in found] == [
        ("cnn: loops over channels-last 2", pytest.approx(5 / 7.5), "≤ 0.70 ×", True),
        ("cnn: planned over PyTorch 2", pytest.approx(8 / 9), "≤ 1.00 ×", True),
        ("cnn: eager over PyTorch 2", pytest.approx(11 / 9), "≤ 1.20 ×", False),
        ("cnn: loops over products", pytest.approx(5 / 3), "≤ 1.80 ×", True),
    ]


def test_without_rivals_there_are_the_products():
    seconds = {name: [SECONDS[name]] for name in ("eager", "planned", "loops", "products")}
    assert [row.what for row in breadth.rows("gpt", Timings(seconds))] == ["gpt: loops over products"]


def test_memory_is_compared_with_pytorchs():
    found = breadth.memory_rows({"lstm": {"byhand": 130, "torch": 100, "loops": 90}})
    assert [(row.what, row.ratio, row.reached) for row in found] == [
        ("lstm: memory, loops over PyTorch", pytest.approx(0.9), True),
        ("lstm: memory, eager over PyTorch", pytest.approx(1.3), False),
    ]


def test_every_architecture_has_its_bounds_and_its_contenders():
    assert [network.name for network in ARCHITECTURES] == list(breadth.BOUNDS)
    cnn = breadth.entrants(ARCHITECTURES[0], quick=False)
    assert {"eager", "planned", "loops", "products", "JAX", "channels-last 1", "torch.compile 2"} <= set(cnn)
    assert "by hand" not in cnn
    assert "channels-last 1" not in breadth.entrants(ARCHITECTURES[1], quick=True)

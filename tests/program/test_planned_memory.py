"""What a planned program allocates, and its tiles."""

from __future__ import annotations

import sys
import tracemalloc

import numpy as np
import pytest

from byhand.bench import memory as weighing
from byhand.bench import networks
from byhand.program import tiling
from program.lowered import Lowered, Ran, compiled_step, sgd, values


class Between(weighing.ArrayWatch):
    """Watches what arrays there are between two instructions, beside what comes and goes inside of one."""

    most = 0

    def look(self) -> None:
        super().look()
        self.most = max(self.most, self.live)


@pytest.mark.parametrize("network", networks.NETWORKS, ids=lambda network: network.name)
def test_nothing_is_allocated_in_the_steady_state(network: networks.Network) -> None:
    step, compiled = compiled_step(network)
    step(), step()
    entry = compiled.latest
    x, labels = networks.made_up_batch(network)
    numbers = [s.number.current for s in entry.sources if s.number.value in entry.program.numbers]
    trace = sys.gettrace()
    tracemalloc.start()
    try:
        run = entry.executable.bind([v.data.copy("K") for v in entry.program.states])
        for _ in range(3):  # Python 3.13 sends the events of instructions from the second run under a trace function on
            watch = Between()
            before = watch.live
            sys.settrace(watch)
            run(x, labels, *numbers)
            sys.settrace(trace)
    finally:
        sys.settrace(trace)
        tracemalloc.stop()
    assert watch.most - before <= 64  # the loss
    assert watch.peak - before < 40_000  # inside of a call NumPy's iterators have buffers


@pytest.mark.parametrize("network", networks.NETWORKS, ids=lambda network: network.name)
def test_memory_against_eager(network: networks.Network) -> None:
    step, compiled = compiled_step(network)
    step(), step()
    executable = compiled.latest.executable
    states = sum(v.nbytes for v in executable.program.states)
    eager = weighing.weigh("byhand", network.name)
    assert states + executable.nbytes <= 0.7 * eager


def test_the_gradient_of_a_weight_is_never_there_as_a_whole() -> None:
    p = sgd()
    ran = Ran(p, p.program)
    (tile,) = ran.planned.plan.tiles
    assert "for rows" in ran.planned.source
    assert len(tile.blocks) == 3
    assert ran.planned.nbytes < 240 * 64 * 4 * 0.6  # and the scores
    ran.agree(tolerance=1e-5)


def test_a_tile_of_rows_that_are_columns_of_the_result() -> None:
    """The product lies in Fortran's order, so it is the right operand that is split."""
    p = Lowered()
    x, d = p.argument(values(64, 50, dtype=np.float64)), p.argument(values(50, 300, dtype=np.float64), "d")
    w = p.state(np.asfortranarray(values(64, 300, dtype=np.float64)))
    g = p("matmul", x, d)
    g.order, p.examples[g] = (1, 0), np.asfortranarray(p.examples[g])
    p.done(writes=[(w, p("subtract", w, p("multiply", g, 0.5)))])
    ran = Ran(p, p.program)
    (tile,) = ran.planned.plan.tiles
    assert tile.axes[d] == 1
    assert tile.axes[x] is None
    assert "dot(" not in ran.planned.source  # which would copy its part of the operand
    ran.agree(tolerance=1e-12)


def test_rows_that_do_not_divide() -> None:
    p = sgd(inputs=201, dtype=np.float64)
    ran = Ran(p, p.program)
    assert ran.planned.plan.tiles[0].blocks[-1] == slice(144, 201)
    ran.agree(tolerance=1e-12)


def test_a_gradient_that_is_returned_stays_whole() -> None:
    p = sgd()
    g = next(node.out for node in p.program.nodes if node.op.name == "matmul" and node.out.shape == (240, 64))
    p.program.outputs.append(g)
    ran = Ran(p, p.program)
    assert not ran.planned.plan.tiles
    ran.agree()


def test_what_is_needed_beside_a_gradient_is_smaller_still() -> None:
    """The running mean of Adam needs the gradient twice, and memory beside it."""
    p = Lowered()
    x, d = p.argument(values(20, 160, dtype=np.float64)), p.argument(values(20, 96, dtype=np.float64), "d")
    w, m = (p.state(values(160, 96, dtype=np.float64), name) for name in "wm")
    g = p("matmul", p("transpose", x, axes=(1, 0)), d)
    away = p("multiply", p("subtract", g, m), 0.1)
    mean = p("add", m, away)
    square = p("sqrt", p("add", p("multiply", g, g), 1.0))
    p.done(writes=[(m, mean), (w, p("subtract", w, p("true_divide", mean, square)))])
    ran = Ran(p, p.program)
    (tile,) = ran.planned.plan.tiles
    (part,) = tile.parts
    assert part.step < tile.step
    assert ran.planned.plan.homes[away].rows == part.step
    assert "for part" not in ran.planned.source.partition("def step")[2]
    assert "in parts:" in ran.planned.source
    ran.agree(tolerance=1e-12)


def test_parts_of_what_is_there_only_in_one_run() -> None:
    """The operand beside the gradient is an argument, so its blocks are taken in the loops."""
    p = Lowered()
    x, d = p.argument(values(20, 160, dtype=np.float64)), p.argument(values(20, 96, dtype=np.float64), "d")
    w, y = p.state(values(160, 96, dtype=np.float64)), p.argument(values(160, 96, dtype=np.float64), "y")
    g = p("matmul", p("transpose", x, axes=(1, 0)), d)
    away = p("where", p("greater", g, y), p("multiply", p("subtract", y, g), 0.1), y)
    p.done(writes=[(w, p("add", w, p("multiply", away, g)))])
    ran = Ran(p, p.program)
    assert ran.planned.plan.tiles[0].parts
    assert "for part, " in ran.planned.source
    ran.agree(tolerance=1e-12)


def test_a_gradient_that_is_read_crosswise_stays_whole() -> None:
    p = Lowered()
    x, w = p.argument(values(20, 96, dtype=np.float64)), p.state(values(96, 96, dtype=np.float64))
    g = p("matmul", p("transpose", x, axes=(1, 0)), x)
    both = p("add", p("multiply", g, 0.5), p("transpose", g, axes=(1, 0)))
    p.done(writes=[(w, p("subtract", w, both))])
    ran = Ran(p, p.program)
    assert not ran.planned.plan.tiles
    ran.agree()


def test_what_a_loop_reads_is_there_until_its_last_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first node of the loop is the last to read `early`; what comes after it must not use that memory."""
    monkeypatch.setattr(tiling, "WORTH_IT", 1 << 12)
    monkeypatch.setattr(tiling, "LARGEST", 1 << 12)
    p = Lowered()
    x, m = p.argument(values(64, 16, dtype=np.float64)), p.state(values(64, 16, dtype=np.float64))
    early = p("matmul", x, p.argument(values(16, 16, dtype=np.float64), "y"))
    sign = p("greater", early, 0.0)
    product = p("multiply", p("tanh", x), p("sin", x))
    p.done(writes=[(m, p("add", m, p("where", sign, product, 0.0)))])
    ran = Ran(p, p.program)
    assert ran.planned.plan.tiles
    ran.agree()


def test_large_elementwise_work_runs_in_blocks_that_fit_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiling, "WORTH_IT", 1 << 12)
    monkeypatch.setattr(tiling, "LARGEST", 1 << 12)
    p = Lowered()
    x, m = p.argument(values(512, 8)), p.state(values(512, 8), "m")
    row = p.state(values(8), "row")
    new = p("add", p("multiply", m, 0.9), p("multiply", p("tanh", x), row))
    p.done(p("maximum", new, 0.0), p("add.reduce", new, axis=(0,)), writes=[(m, new)])
    ran = Ran(p, p.program)
    (tile,) = ran.planned.plan.tiles
    assert tile.axes[row] is None
    ran.agree()

"""A training step in eager mode, against the same step by hand in NumPy and in PyTorch: the section `steps`."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from byhand.bench.networks import NETWORKS, Network, Step, by_hand_step, has_pytorch, library_step
from byhand.bench.tables import NO_PYTORCH, Row, Table, duration
from byhand.bench.timing import REST, TURN, Timings, take_turns

AGAINST_HAND, AGAINST_PYTORCH = 1.35, 0.65
THREADS = (1, 2)


def measure(rounds: int, quick: bool) -> Table:
    """Time the four networks; PyTorch's row is against the better of its thread counts."""
    table = Table("A training step, eager: forward, loss, backward, update")
    for network in NETWORKS:
        table.rows += rows(network.title, race(network, rounds))
    table.notes = [
        f"Time per step, median of {rounds} rounds. Contenders take turns of {TURN * 1e3:.0f} ms in one process;",
        f"before each turn {REST * 1e3:.0f} ms of rest and a warm-up. ratio: median of the per-round ratios.",
        "By hand: plain NumPy, in place where a person would (byhand/bench/by_hand.py).",
        "PyTorch: byhand's code with another package; its default optimisers, the better of 1 and 2 threads.",
        "NumPy's BLAS runs with its own default threads, the same for byhand and by hand.",
    ]
    return table


def race(network: Network, rounds: int, **options: Any) -> Timings:
    """All contenders of one network, by turns: "by hand", "byhand" and "PyTorch 1", "PyTorch 2" (its threads)."""
    contenders: dict[str, Step] = {"by hand": by_hand_step(network), "byhand": library_step("byhand", network)}
    before: dict[str, Callable[[], object]] = {}
    if not has_pytorch():
        return take_turns(contenders, rounds, **options)
    torch: Any = import_module("torch")
    threads = torch.get_num_threads()
    for count in THREADS:
        contenders[f"PyTorch {count}"] = library_step("torch", network)
        before[f"PyTorch {count}"] = lambda count=count: torch.set_num_threads(count)  # type: ignore[misc]
    try:
        return take_turns(contenders, rounds, before=before, **options)
    finally:
        torch.set_num_threads(threads)


def rows(title: str, timings: Timings) -> list[Row]:
    """The two rows of one network: byhand over by hand, byhand over PyTorch's better."""
    found = [_row(f"{title}: over by hand", timings, "by hand", AGAINST_HAND)]
    pytorch = [name for name in timings.seconds if name.startswith("PyTorch")]
    if not pytorch:
        return [*found, Row(f"{title}: over PyTorch", NO_PYTORCH, f"≤ {AGAINST_PYTORCH} ×")]
    return [*found, _row(f"{title}: over PyTorch", timings, timings.fastest(*pytorch), AGAINST_PYTORCH)]


def _row(what: str, timings: Timings, rival: str, bound: float) -> Row:
    ratio = timings.ratio("byhand", rival)
    label = f"{rival} thread{'s' * rival.endswith('2')}" if rival.startswith("PyTorch") else rival
    measured = f"{duration(timings.median('byhand'))} · {label} {duration(timings.median(rival))}"
    return Row(what, measured, f"≤ {bound} ×", ratio, timings.ratio_of_medians("byhand", rival), ratio <= bound)

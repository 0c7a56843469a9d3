"""A training step in eager mode, against the same step by hand in NumPy and in PyTorch: the section `steps`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np

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
        f"before each turn new arrays, {REST * 1e3:.0f} ms of rest, a warm-up. ratio: median of the per-round ratios.",
        "By hand: plain NumPy, in place where a person would (byhand/bench/by_hand.py).",
        "PyTorch: byhand's code with another package; its default optimisers, the better of 1 and 2 threads.",
        "NumPy's BLAS runs with its own default threads, the same for byhand and by hand.",
    ]
    return table


class Fresh:
    """A contender that is built anew before each of its turns.

    Where arrays happen to lie moves the first network's step by up to 20 µs, the caches being the likely reason. With a
    new place each round the median evens out what would otherwise be one contender's luck.
    """

    def __init__(self, make: Callable[[], Step]) -> None:
        self._make = make
        self._random = np.random.default_rng(0)
        self._spacer: object = None

    def renew(self) -> None:
        """Build the contender again, somewhere else."""
        self._spacer = np.empty(int(self._random.integers(1 << 16)), np.uint8)
        self.step = self._make()

    def __call__(self) -> object:
        return self.step()


def race(network: Network, rounds: int, **options: Any) -> Timings:
    """All contenders of one network, by turns: "by hand", "byhand" and "PyTorch 1", "PyTorch 2" (its threads)."""
    contenders = {
        "by hand": Fresh(partial(by_hand_step, network)),
        "byhand": Fresh(partial(library_step, "byhand", network)),
    }
    torch: Any = import_module("torch") if has_pytorch() else None
    threads = {f"PyTorch {count}": count for count in THREADS} if torch else {}
    contenders |= {name: Fresh(partial(library_step, "torch", network)) for name in threads}

    def ready(name: str) -> None:
        contenders[name].renew()
        if name in threads:
            torch.set_num_threads(threads[name])

    before = {name: partial(ready, name) for name in contenders}
    usual = torch.get_num_threads() if torch else 0
    try:
        return take_turns(contenders, rounds, before=before, **options)
    finally:
        if torch:
            torch.set_num_threads(usual)


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

"""A compiled training step against all that could be used in its place: the section `compiled`.

The contenders are NumPy by hand, PyTorch in eager mode and under `torch.compile`, JAX, and the program's own matrix
products with nothing around them. Beside times: peak memory, and what the first call costs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from byhand.bench.contenders import OURS, contenders, race, scratch_caches
from byhand.bench.first_call import NO_NUMBA, first_call_rows, measure_first_calls
from byhand.bench.memory import weigh
from byhand.bench.networks import NETWORKS, Network, is_installed
from byhand.bench.tables import Row, Table, duration, size
from byhand.bench.timing import REST, TURN, Timings

PLANNED, MEMORY = 1.0, 0.7


@dataclass(frozen=True)
class Bounds:
    """What loops must reach against by hand, the fastest rival, and the program's own matrix products."""

    by_hand: float
    rivals: float
    products: float | None = None


LOOPS = {
    "planar": Bounds(0.25, 0.25),
    "mnist": Bounds(0.70, 0.5),
    "mnist-adam": Bounds(0.80, 0.7, 1.35),
    "cifar": Bounds(0.90, 0.7, 1.35),
}


def measure(rounds: int, quick: bool) -> Table:
    """All four networks; `quick` leaves the other compilers out, and the first calls of half of the networks."""
    table = Table("A compiled training step")
    seconds, details = table.details.setdefault("seconds", {}), table.details
    with scratch_caches():
        for name in LOOPS:
            network = next(n for n in NETWORKS if n.name == name)
            timings, absent = race(contenders(network, quick), rounds)
            table.rows += rows(network, timings, absent)
            seconds[name] = dict(timings.seconds)
            details.setdefault("absent", {})[name] = absent
    table.rows += memory_rows(details.setdefault("memory", {}))
    few = [n for n in NETWORKS if n.name in ("planar", "mnist-adam")]
    first = measure_first_calls(1 if quick else min(rounds, 3), few if quick else NETWORKS, is_installed("numba"))
    table.rows += first_call_rows(first)
    details["first calls"] = first
    table.notes = notes(rounds)
    return table


# Rows.


def rows(network: Network, timings: Timings, absent: Mapping[str, str]) -> list[Row]:
    """What one network shows: everybody's time, then the ratios that count."""
    name, bounds = network.name, LOOPS[network.name]
    others = [n for n in timings.seconds if n not in OURS]
    found = [
        Row(network.title, _everybody(timings, absent)),
        _ratio(f"{name}: planned over by hand", timings, "planned", "by hand", PLANNED),
    ]
    if "loops" in absent:
        return [*found, Row(f"{name}: loops over by hand", NO_NUMBA, _times(bounds.by_hand))]
    found.append(_ratio(f"{name}: loops over by hand", timings, "loops", "by hand", bounds.by_hand))
    if others:
        fastest = timings.fastest(*others)
        found.append(_ratio(f"{name}: loops over {fastest}", timings, "loops", fastest, bounds.rivals))
    else:
        found.append(Row(f"{name}: loops over the fastest other", "none is installed", _times(bounds.rivals)))
    if bounds.products is not None:
        what = f"{name}: loops over its matrix products"
        found.append(_ratio(what, timings, "loops", "products", bounds.products))
    return found


def _everybody(timings: Timings, absent: Mapping[str, str]) -> str:
    """The other contenders' times, each family's by threads, and who is not there."""
    families: dict[str, list[str]] = {}
    for name in timings.seconds:
        if name not in ("by hand", "planned", "loops"):
            family = name.rstrip(" 12")
            families.setdefault(family, []).append(duration(timings.median(name)))
    shown = [f"{family} {' / '.join(times)}" for family, times in families.items()]
    reasons = {f"{name.rstrip(' 12')}: {reason}": None for name, reason in absent.items() if name != "loops"}
    return " · ".join([*shown, *reasons])


def _ratio(what: str, timings: Timings, mine: str, rival: str, bound: float) -> Row:
    ratio = timings.ratio(mine, rival)
    measured = f"{duration(timings.median(mine))} · {duration(timings.median(rival))}"
    return Row(what, measured, _times(bound), ratio, timings.ratio_of_medians(mine, rival), ratio <= bound)


def _times(bound: float) -> str:
    return f"≤ {bound:.2f} ×"


def memory_rows(details: dict[str, dict[str, int]]) -> list[Row]:
    """Peak bytes of a step in the planned dialect over eager mode's, both as the section `memory` counts them."""
    found = []
    for name in LOOPS:
        bytes_of = details[name] = {"planned": weigh("planned", name), "eager": weigh("byhand", name)}
        ratio = bytes_of["planned"] / bytes_of["eager"]
        measured = f"{size(bytes_of['planned'])} · {size(bytes_of['eager'])}"
        row = Row(f"{name}: peak memory, planned over eager", measured, _times(MEMORY), ratio, None, ratio <= MEMORY)
        found.append(row)
    return found


def notes(rounds: int) -> list[str]:
    """What exactly was measured."""
    turn, rest = f"{TURN * 1e3:.0f} ms", f"{REST * 1e3:.0f} ms"
    return [
        f"Time per step, median of {rounds} rounds. Contenders take turns of {turn} in one process, each after {rest}",
        "of rest and a warm-up. ratio: median of the per-round ratios. By hand, planned, PyTorch in eager mode and",
        "JAX's arrays are built anew before each turn; loops and torch.compile once.",
        "PyTorch, torch.compile: on 1 / 2 threads. torch.compile: `torch.compile(step)` in the default mode; in parts:",
        "the forward pass with its loss, and `optimizer.step`. JAX: the whole step under jit, its state donated.",
        "products: the program's matrix products alone: NumPy, out=, the program's layouts, aligned to 64 bytes.",
        "Peak memory: as in the section `memory`. First call: in a fresh process that has imported byhand; cached:",
        "with the cache folder that a process before it left.",
    ]

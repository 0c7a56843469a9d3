"""A compiled training step against all that could be used in its place: the section `compiled`.

The contenders are NumPy by hand, PyTorch in eager mode and under `torch.compile`, JAX, and the program's own matrix
products with nothing around them. Beside times: peak memory, and what the first call costs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from byhand.bench.contenders import OURS, contenders, race, scratch_caches
from byhand.bench.first_call import NO_LLVM, first_call_rows, measure_first_calls
from byhand.bench.memory import weigh
from byhand.bench.networks import NETWORKS, Network, compiled_step, is_installed
from byhand.bench.tables import Row, Table, duration, size
from byhand.bench.timing import REST, TURN, Timings

PLANNED, MEMORY = 1.0, 0.7
FIRST_CALLS = 3  # rounds of fresh processes


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
    table = Table("A compiled training step: milliseconds")
    seconds: dict[str, Any] = {}
    missing: dict[str, str] = {}
    networks = [next(n for n in NETWORKS if n.name == name) for name in LOOPS]
    with scratch_caches():
        for network in networks:
            timings, absent = race(contenders(network, quick), rounds)
            table.times[network.name] = times(timings)
            table.rows += rows(network.name, timings)
            seconds[network.name] = dict(timings.seconds)
            missing |= absent
    table.rows += absent_rows(missing)
    weighed = {network.name: weigh_both(network) for network in networks}
    table.rows += memory_rows(weighed)
    chosen = [networks[0], networks[2]] if quick else networks
    first = measure_first_calls(1 if quick else min(rounds, FIRST_CALLS), chosen, is_installed("llvmlite"))
    table.rows += first_call_rows(first)
    table.notes = notes(networks, rounds)
    table.details = {"seconds": seconds, "absent": missing, "bytes": weighed, "first calls": first}
    if not quick:
        table.details["statistics"] = {network.name: statistics(network) for network in networks}
    return table


def times(timings: Timings) -> dict[str, str]:
    """Milliseconds of everybody, PyTorch's by threads: `0.28 / 0.30`."""
    found: dict[str, str] = {}
    for name in timings.seconds:
        family = _family(name)
        shown = f"{timings.median(name) * 1e3:.3g}"
        found[family] = f"{found[family]} / {shown}" if family in found else shown
    return found


def rows(name: str, timings: Timings) -> list[Row]:
    """The ratios that count for one network."""
    bounds, others = LOOPS[name], [n for n in timings.seconds if n not in OURS]
    found = [ratio_row(f"{name}: planned over by hand", timings, "planned", "by hand", PLANNED)]
    if "loops" not in timings.seconds:
        return [*found, Row(f"{name}: loops over by hand", NO_LLVM, _must(bounds.by_hand))]
    found.append(ratio_row(f"{name}: loops over by hand", timings, "loops", "by hand", bounds.by_hand))
    if others:
        fastest = timings.fastest(*others)
        found.append(ratio_row(f"{name}: loops over {fastest}", timings, "loops", fastest, bounds.rivals))
    else:
        found.append(Row(f"{name}: loops over the fastest other", "none is installed", _must(bounds.rivals)))
    if bounds.products is not None:
        found.append(ratio_row(f"{name}: loops over products", timings, "loops", "products", bounds.products))
    return found


def statistics(network: Network) -> dict[str, dict[str, Any]]:
    """What `step.stats()` says in each dialect that can run here."""
    found = {}
    for dialect in ("planned", "loops") if is_installed("llvmlite") else ("planned",):
        step: Any = compiled_step(network, dialect)
        for _ in range(3):
            step()
        found[dialect] = asdict(step.func.stats())
    return found


def absent_rows(absent: Mapping[str, str]) -> list[Row]:
    """Which contenders are not there, and why."""
    return [Row(family, reason) for family, reason in {_family(name): why for name, why in absent.items()}.items()]


def _family(name: str) -> str:
    """The contender without its number of threads."""
    return name.removesuffix(" 1").removesuffix(" 2")


def ratio_row(what: str, timings: Timings, mine: str, rival: str, bound: float) -> Row:
    """One contender's time over another's."""
    ratio = timings.ratio(mine, rival)
    measured = f"{duration(timings.median(mine))} · {duration(timings.median(rival))}"
    return Row(what, measured, _must(bound), ratio, timings.ratio_of_medians(mine, rival), ratio <= bound)


def _must(bound: float) -> str:
    return f"≤ {bound:.2f} ×"


def weigh_both(network: Network) -> dict[str, int]:
    """Peak bytes of a step in the planned dialect and in eager mode, as the section `memory` counts them."""
    return {"planned": weigh("planned", network.name), "eager": weigh("byhand", network.name)}


def memory_rows(weighed: Mapping[str, Mapping[str, int]]) -> list[Row]:
    """Planned over eager."""
    found = []
    for name, peak in weighed.items():
        ratio, measured = peak["planned"] / peak["eager"], f"{size(peak['planned'])} · {size(peak['eager'])}"
        found.append(Row(f"{name}: planned memory over eager", measured, _must(MEMORY), ratio, None, ratio <= MEMORY))
    return found


def notes(networks: Sequence[Network], rounds: int) -> list[str]:
    """What exactly was measured."""
    turn, rest = f"{TURN * 1e3:.0f} ms", f"{REST * 1e3:.0f} ms"
    return [
        *(f"{network.name}: {network.title}" for network in networks),
        f"Time per step, median of {rounds} rounds. Contenders take turns of {turn} in one process, each after {rest}",
        "of rest and a warm-up. ratio: median of the per-round ratios. Steps are built anew before each turn, which",
        "gives their arrays new places; for loops and JAX that means new arrays for code that is compiled already.",
        "torch.compile's steps are built once.",
        "PyTorch, torch.compile: on 1 / 2 threads. torch.compile: the forward pass with its loss, and the update, in",
        "the default mode. JAX: the whole step under jit, its state donated.",
        "products: the program's matrix products alone: NumPy, out=, the program's layouts, aligned to 64 bytes.",
        "Memory: the peak of a step, as in the section `memory`. First call: in a fresh process, byhand imported;",
        "cached: with the cache folder that a process before it left.",
    ]

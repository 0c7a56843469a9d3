"""A CNN, an LSTM and a GPT against PyTorch and JAX: the section `breadth`.

Time and peak memory of a training step, eager and compiled; the networks are in `architectures`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from typing import Any

from byhand.bench.architectures import ARCHITECTURES
from byhand.bench.compiled import absent_rows, ratio_row, times
from byhand.bench.contenders import Contender, contenders, race, scratch_caches
from byhand.bench.memory import weigh
from byhand.bench.networks import Network, Step, has_pytorch, is_installed, library_step, train_step, training
from byhand.bench.tables import Row, Table, size
from byhand.bench.timing import REST, Timings

TURN = 0.2  # seconds: a step takes up to 60 ms
EAGER, PRODUCTS = 1.2, 1.8
MEMORY = {"loops": 1.0, "byhand": 1.2}


@dataclass(frozen=True)
class Bounds:
    """What loops must reach against the fastest of PyTorch and JAX, and planned against PyTorch in eager mode."""

    loops: float
    planned: float


BOUNDS = {"cnn": Bounds(0.7, 1.0), "lstm": Bounds(0.8, 1.0), "gpt": Bounds(0.85, 1.1)}


def measure(rounds: int, quick: bool) -> Table:
    """All three networks; `quick` leaves the other compilers and the memory out."""
    table = Table("CNN, LSTM, GPT: a training step, milliseconds")
    missing: dict[str, str] = {}
    seconds: dict[str, Any] = {}
    with scratch_caches():
        for network in ARCHITECTURES:
            timings, absent = race(entrants(network, quick), rounds, turn=TURN)
            table.times[network.name] = times(timings)
            table.rows += rows(network.name, timings)
            seconds[network.name] = dict(timings.seconds)
            missing |= absent
    table.rows += absent_rows(missing)
    weighed = {} if quick or not has_pytorch() else {network.name: weigh_all(network) for network in ARCHITECTURES}
    table.rows += memory_rows(weighed)
    table.notes = notes(rounds)
    table.details = {"seconds": seconds, "absent": missing, "bytes": weighed}
    return table


def entrants(network: Network, quick: bool) -> dict[str, Contender]:
    """Those of `contenders` that there are for such a network, byhand in eager mode, and PyTorch's other layout."""
    found = contenders(network, quick)
    del found["by hand"]
    found = {"eager": Contender(partial(library_step, "byhand", network)), **found}
    if network.name == "cnn":
        for threads in (1, 2):
            make = partial(channels_last, network)
            found[f"channels-last {threads}"] = Contender(make, "torch", threads=threads)
    # built once each: with what compiling takes, a step of its own for each turn would make an hour of it
    return {name: replace(contender, kept=True) for name, contender in found.items()}


def channels_last(network: Network) -> Step:
    """PyTorch's eager step with images and kernels in channels-last memory."""
    torch: Any = import_module("torch")
    (model, loss_function, optimizer), (x, labels) = training("torch", network)
    model.to(memory_format=torch.channels_last)
    return partial(train_step, model, loss_function, optimizer, x.to(memory_format=torch.channels_last), labels)


def rows(name: str, timings: Timings) -> list[Row]:
    """The ratios that count for one network."""
    bounds, there = BOUNDS[name], set(timings.seconds)
    rivals = [n for n in timings.seconds if n not in ("eager", "planned", "loops", "products")]
    eager = [n for n in ("PyTorch 1", "PyTorch 2") if n in there]
    found: list[Row] = []
    if rivals and "loops" in there:
        fastest = timings.fastest(*rivals)
        found.append(ratio_row(f"{name}: loops over {fastest}", timings, "loops", fastest, bounds.loops))
    if eager:
        fastest = timings.fastest(*eager)
        found.append(ratio_row(f"{name}: planned over {fastest}", timings, "planned", fastest, bounds.planned))
        found.append(ratio_row(f"{name}: eager over {fastest}", timings, "eager", fastest, EAGER))
    if "loops" in there:
        found.append(ratio_row(f"{name}: loops over products", timings, "loops", "products", PRODUCTS))
    return found


def weigh_all(network: Network) -> dict[str, int]:
    """Peak bytes of a step: in loops, eager, and of PyTorch in eager mode."""
    names = ["byhand", "torch", *(["loops"] if is_installed("llvmlite") else [])]
    return {name: weigh(name, network.name) for name in names}


def memory_rows(weighed: Mapping[str, Mapping[str, int]]) -> list[Row]:
    """byhand's peaks over PyTorch's."""
    found = []
    for name, peaks in weighed.items():
        for contender, bound in MEMORY.items():
            if contender in peaks:
                ratio, shown = peaks[contender] / peaks["torch"], contender.replace("byhand", "eager")
                measured = f"{size(peaks[contender])} · {size(peaks['torch'])}"
                title = f"{name}: memory, {shown} over PyTorch"
                found.append(Row(title, measured, f"≤ {bound:.2f} ×", ratio, None, ratio <= bound))
    return found


def notes(rounds: int) -> list[str]:
    """What exactly was measured."""
    return [
        *(f"{network.name}: {network.title}" for network in ARCHITECTURES),
        f"Time per step, median of {rounds} rounds: turns of {TURN} s, each after {REST} s of rest and a warm-up.",
        "Steps are built once.",
        "PyTorch, torch.compile, channels-last: on 1 / 2 threads. channels-last: PyTorch eager in that layout.",
        "loops over the fastest of all others; planned and eager over PyTorch eager at its better number of threads.",
        "products: the program's matrix products alone. Memory: the peak of a step, as in the section `memory`.",
    ]

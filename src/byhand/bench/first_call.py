"""What the first call of a compiled step costs: capture and compilation, in fresh processes. Used by `compiled`."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

from byhand.bench.networks import NETWORKS, Network, compiled_step
from byhand.bench.overhead import import_seconds
from byhand.bench.tables import Row, duration
from byhand.core.errors import ByhandError

BOUNDS = {"planned": 0.05, "loops, cold": 3.0, "loops, cached": 0.4}
CALLS = 3  # with Adam the second call compiles again, for the first has made the optimiser's state

NO_LLVM = "llvmlite not installed"

Seconds = dict[str, dict[str, list[list[float]]]]
"""The seconds of the first calls by case, network and round."""


def measure_first_calls(rounds: int, networks: Sequence[Network] = NETWORKS, loops: bool = True) -> Seconds:
    """Every case of BOUNDS on every network; a cold run with an empty cache, a cached one with what that left there."""
    found: Seconds = {case: {n.name: [] for n in networks} for case in BOUNDS if loops or case == "planned"}
    for _ in range(rounds):
        for network in networks:
            with tempfile.TemporaryDirectory() as cache:
                for case, seconds in found.items():
                    seconds[network.name].append(fresh_process(case.split(",")[0], network.name, cache))
    return found


def fresh_process(dialect: str, name: str, cache: str) -> list[float]:
    """`first_calls` in a process of its own, which keeps compiled code in the folder `cache`."""
    code = f"from byhand.bench.first_call import first_calls; print(first_calls({dialect!r}, {name!r}))"
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    environment["BYHAND_CACHE"] = cache
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ByhandError(f"the process that compiles {name} as {dialect} failed: {reason}")
    seconds: list[float] = json.loads(done.stdout)
    return seconds


def first_calls(dialect: str, name: str) -> list[float]:
    """Seconds of each of the first calls of a compiled step; call it in a fresh process."""
    step = compiled_step(next(n for n in NETWORKS if n.name == name), dialect)
    seconds = []
    for _ in range(CALLS):
        begin = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - begin)
    return seconds


def first_call_rows(found: Seconds) -> list[Row]:
    """One row a case, for the network that takes longest, and one for what is paid to import llvmlite."""
    rows = [_row(case, found[case], bound) for case, bound in BOUNDS.items() if case in found]
    if "loops, cold" not in found:
        return [*rows, *(Row(f"first call, {case}", NO_LLVM, _must(BOUNDS[case])) for case in list(BOUNDS)[1:])]
    imports = statistics.median(import_seconds("llvmlite", after="byhand") for _ in range(3))
    return [*rows, Row("of loops: import llvmlite", duration(imports))]


def _row(case: str, seconds: dict[str, list[list[float]]], bound: float) -> Row:
    first = {name: statistics.median(calls[0] for calls in rounds) for name, rounds in seconds.items()}
    slowest = max(first, key=first.__getitem__)
    measured = f"{duration(first[slowest])} ({slowest})"
    return Row(f"first call, {case}", measured, _must(bound), reached=first[slowest] <= bound)


def _must(bound: float) -> str:
    return f"≤ {bound} s"

"""Peak memory of the training steps, against PyTorch eager: the section `memory`.

Each contender runs in a process of its own. What is measured is the peak of live array bytes during a step in the
steady state: parameters, gradients, optimiser state and everything in between, without the batch.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import tempfile
import tracemalloc
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from byhand.bench.architectures import ARCHITECTURES
from byhand.bench.networks import (
    NETWORKS,
    by_hand_step,
    compiled_step,
    has_pytorch,
    library_step,
    made_up_batch,
    whole_package,
)
from byhand.bench.tables import NO_PYTORCH, Row, Table, size
from byhand.core.errors import ByhandError

BOUND = 1.1
STEPS = 3  # the first makes gradients and optimiser state; by the third the state is steady


def measure(rounds: int, quick: bool) -> Table:
    """Weigh the four networks; the numbers are counts, so one run of each is enough."""
    table = Table("Peak memory of a training step, eager")
    for network in NETWORKS:
        mine, hand = weigh("byhand", network.name), weigh("by hand", network.name)
        measured = f"{size(mine)} · by hand {size(hand)}"
        if has_pytorch():
            theirs = weigh("torch", network.name)
            ratio = mine / theirs
            row = Row(
                network.title, f"{measured} · PyTorch {size(theirs)}", f"≤ {BOUND} ×", ratio, None, ratio <= BOUND
            )
        else:
            row = Row(network.title, f"{measured} · {NO_PYTORCH}", f"≤ {BOUND} ×")
        table.rows.append(row)
    table.notes = [
        "Peak of live array bytes in a step of the steady state: parameters, gradients, optimiser state and",
        "intermediates, not the batch. byhand and by hand: NumPy's allocations as tracemalloc sees them, looked at",
        "after every bytecode instruction. PyTorch: the allocator's events from its CPU profiler.",
        "Not counted for anybody: Python's and C++'s own objects, code, the packing buffers inside a BLAS.",
    ]
    return table


def weigh(contender: str, network: str) -> int:
    """`peak` of one contender in a fresh process: "byhand" (eager), "planned", "loops", "by hand" or "torch"."""
    code = f"from byhand.bench.memory import peak; print(peak({contender!r}, {network!r}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ByhandError(f"the process that weighs {contender} on {network} failed: {reason}")
    return int(done.stdout.split()[-1])


def peak(contender: str, name: str) -> int:
    """Peak of live array bytes of `contender` on the network called `name`; call it in a fresh process."""
    network = next(n for n in (*NETWORKS, *ARCHITECTURES) if n.name == name)
    if contender == "torch":
        return _peak_of_pytorch(network)
    whole_package("byhand")  # before tracing starts: what it holds is no array of the step
    tracemalloc.start()
    if contender in ("planned", "loops"):
        step = compiled_step(network, contender)
    else:
        step = by_hand_step(network) if contender == "by hand" else library_step(contender, network)
    for _ in range(STEPS - 1):
        step()
    gc.collect()  # what compiling has left behind is no part of a step
    batch = sum(array.nbytes for array in made_up_batch(network))
    return trace(step) - batch


def trace(step: Any) -> int:
    """Peak of the NumPy bytes alive while `step()` runs a second time; tracemalloc must be tracing.

    Python 3.13 sends the events of a function's instructions only from its second run under a trace function on.
    """
    for _ in range(2):
        watch = ArrayWatch()
        before = sys.gettrace()
        sys.settrace(watch)
        try:
            step()
        finally:
            sys.settrace(before)
        watch.look()
    return watch.peak


class ArrayWatch:
    """A trace function that follows live NumPy bytes from one bytecode instruction to the next.

    tracemalloc's peak counts Python's objects too, which would drown a small network's arrays; a snapshot can tell the
    two apart, but only between instructions. Inside of one instruction what comes and goes is array memory.
    """

    BLUR = 256  # bytes of change below which no snapshot is taken
    FAR = 1 << 20  # nor as long as there is no new peak, even if so many bytes of Python objects have gone meanwhile

    def __init__(self) -> None:
        self.peak = 0
        self._settle()

    def __call__(self, frame: Any, event: str, argument: Any) -> ArrayWatch:
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        now, highest = tracemalloc.get_traced_memory()
        changed = abs(now - self.total) > self.BLUR or highest - self.total > self.BLUR
        if changed and self.live + highest - self.total > self.peak - self.FAR:
            self.look()
        return self

    def look(self) -> None:
        """Account for the highest point since the last look, then take stock."""
        _, highest = tracemalloc.get_traced_memory()
        self.peak = max(self.peak, self.live + highest - self.total)
        self._settle()

    def _settle(self) -> None:
        self.live = array_bytes()
        self.peak = max(self.peak, self.live)
        tracemalloc.reset_peak()
        self.total, _ = tracemalloc.get_traced_memory()


def array_bytes() -> int:
    """NumPy's bytes alive, of those allocated since tracemalloc started."""
    domain = np.lib.tracemalloc_domain
    return sum(trace.size for trace in tracemalloc.take_snapshot().traces if trace.domain == domain)


def _peak_of_pytorch(network: Any) -> int:
    """Peak of the allocator's running total over the steps, parameters included, from the profiler's events."""
    profiler: Any = import_module("torch.profiler")
    cpu = [profiler.ProfilerActivity.CPU]
    with profiler.profile(activities=cpu, profile_memory=True, acc_events=True) as profile:
        step = library_step("torch", network)
        for _ in range(STEPS):
            step()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "trace.json")
        profile.export_chrome_trace(str(path))
        events = json.loads(path.read_text("utf-8"))["traceEvents"]
    changes = [(e["ts"], e["args"]["Bytes"]) for e in events if e.get("name") == "[memory]"]
    return highest_sum([count for _, count in sorted(changes, key=lambda change: change[0])])


def highest_sum(changes: list[int]) -> int:
    """The highest running total of allocations (positive) and releases (negative), in order."""
    total = highest = 0
    for change in changes:
        total += change
        highest = max(highest, total)
    return highest

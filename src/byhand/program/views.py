"""What a compiled step shows of itself: its text at every stage, its statistics, the time of each line.

The methods of `step.Compiled` of the same names call these with the entry that ran last.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from byhand.core.errors import UsageError
from byhand.core.generator import Generator
from byhand.core.variable import Array
from byhand.program.ir import DRAW, Node, Program, Value

if TYPE_CHECKING:
    from byhand.program.entry import Entry

STAGES = ("captured", "program", "longhand", "lowered", "planned", "loops")


def text(entry: Entry, stage: str, explain: bool = False) -> str:
    """The step as text at one of the stages that it passes on the way from tape to machine.

    captured   every op of the first step, in order
    program    the same after the passes
    longhand   NumPy for people; with `explain` each line of the backward pass names its rule
    lowered    single NumPy calls
    planned    NumPy with planned memory; loops: fused loops for LLVM
    """
    from byhand.program.dialects import executable, lowered

    if stage == "captured":
        return str(entry.captured)
    if stage == "program":
        return str(entry.program)
    if stage == "longhand":
        from byhand.program import longhand

        return longhand.source(entry.program, explain=explain)
    if stage == "lowered":
        return str(lowered(entry.program, entry.without))
    if stage in ("planned", "loops"):
        same = stage == entry.dialect
        return (entry.executable if same else executable(entry.program, stage, entry.without)).source
    raise UsageError(f"there is no stage {stage!r}; choose from {', '.join(STAGES)}")


@dataclass(frozen=True)
class Statistics:
    """Counts of a compiled step, and where its time goes.

    ops              nodes of the program
    calls            NumPy calls, or steps of the driver, that it is run by
    kernels          fused loop nests among them (0 in other dialects)
    buffers          pieces of memory for what is computed on the way, and their bytes with and without planning
    flops            floating-point operations of a run, and those in matrix products
    product_seconds, other_seconds   median time of a run in matrix products, and in all else
    """

    dialect: str
    ops: int
    calls: int
    kernels: int
    buffers: int
    peak_before: int
    peak_after: int
    flops: int
    product_flops: int
    product_seconds: float
    other_seconds: float

    def __str__(self) -> str:
        seconds = self.product_seconds + self.other_seconds
        share = self.product_seconds / seconds if seconds else 0.0
        rows = [
            ("dialect", self.dialect),
            (
                "ops",
                f"{self.ops}, run by {self.calls} calls"
                + (f" and {self.kernels} fused kernels" if self.kernels else ""),
            ),
            ("buffers", f"{self.buffers}: {_kilobytes(self.peak_after)}, unplanned {_kilobytes(self.peak_before)}"),
            ("work", f"{self.flops / 1e6:.3g} Mflop, {self.product_flops / max(self.flops, 1):.0%} in matrix products"),
            ("time", f"{seconds * 1e6:.3g} µs, {share:.0%} in matrix products"),
        ]
        return "\n".join(f"{name:8} {value}" for name, value in rows)


def _kilobytes(count: int) -> str:
    return f"{count / 1e3:.4g} kB"


def statistics(entry: Entry, rounds: int = 30) -> Statistics:
    """Count and time the program of an entry; on copies, so that nothing is trained by it."""
    from byhand.program.dialects import lowered
    from byhand.program.memory import plan
    from byhand.program.schedule import schedule

    low = schedule(lowered(entry.program, entry.without))
    planned = plan(low)
    lines = profile(entry, rounds)
    products = sum(line.seconds for line in lines if line.product)
    return Statistics(
        dialect=entry.dialect,
        ops=len(entry.program.nodes),
        calls=len(lines),
        kernels=getattr(entry.executable, "kernels", 0),
        buffers=planned.buffers,
        peak_before=planned.unplanned_bytes,
        peak_after=getattr(entry.executable, "nbytes", planned.arena_bytes),
        flops=sum(flops(node) for node in low.nodes),
        product_flops=sum(flops(node) for node in low.nodes if node.op.kind == "product"),
        product_seconds=products,
        other_seconds=sum(line.seconds for line in lines) - products,
    )


def flops(node: Node) -> int:
    """Floating-point operations of a lowered node: 2 n k m of a product, one a value of all else."""
    if node.op.kind == "product":
        first = node.inputs[0]
        return int(2 * node.out.size * first.shape[-1])
    if node.op.kind == "fold":
        return int(node.inputs[0].size)
    if node.op.kind == "map" and node.out.dtype is not None and node.op.ufunc is not None:
        return node.out.size
    return 0


@dataclass(frozen=True)
class Line:
    """A line of the program that runs, and its median time."""

    text: str
    seconds: float
    product: bool


def profile(entry: Entry, rounds: int = 30) -> list[Line]:
    """The time of each line of the program, run on copies of its states with made-up arguments."""
    from byhand.program.dialects import executable

    # of what is for reading no line is timed, so the same program in planned NumPy
    timed: Any = (
        executable(entry.program, "planned", entry.without) if entry.dialect == "longhand" else entry.executable
    )
    program = timed.program
    arrays = [v.data.copy(order="K") for v in program.states]
    arguments = [made_up(v) for v in program.arguments]
    numbers = [s.number.current for s in entry.sources if s.number.value in set(program.numbers)]
    streams = _streams(program)
    before = [stream.get_state() for stream in streams]
    try:
        lines = timed.profile(arrays, [*arguments, *numbers], rounds)
    finally:
        for stream, state in zip(streams, before, strict=True):
            stream.set_state(state)
    return [Line(*line) for line in lines]


def made_up(value: Value) -> Array:
    """An array like an argument: normal values, and zeros for integers, which are labels or indices."""
    if value.dtype is not None and value.dtype.kind == "f":
        array = np.random.default_rng(0).standard_normal(prod(value.shape)).astype(value.dtype)
        return array.reshape([value.shape[axis] for axis in value.order]).transpose(np.argsort(value.order))
    return np.zeros(value.shape, value.dtype)


def _streams(program: Program) -> list[Generator]:
    from byhand.core.generator import default_generator

    drawn = [node.attrs["generator"] or default_generator for node in program.nodes if node.op is DRAW]
    return list(dict.fromkeys(drawn))


def table(lines: list[Line]) -> Any:
    """The profile as a table of rich, the slowest lines last seen at a glance by their share."""
    from rich.table import Table

    total = sum(line.seconds for line in lines) or 1.0
    made = Table("µs", "share", "line", title="Median time of each line")
    for line in lines:
        made.add_row(f"{line.seconds * 1e6:.2f}", f"{line.seconds / total:.0%}", line.text)
    return made

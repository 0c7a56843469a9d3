"""A node that is a loop over time, run as one compiled step many times. Called by `driver`; see `recurrences`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any, cast

import numpy as np

from byhand.core.variable import Array
from byhand.program.dispatch import Dispatch
from byhand.program.ir import FORWARD, STATE, Node, Program, Value, order_of
from byhand.program.journal import Journal
from byhand.program.loops.recurrences import REPETITIONS, Repetition, Steps
from byhand.program.passes import optimise
from byhand.program.primitives import KERNEL
from byhand.program.symbol import Memory, Symbol, operand

LARGEST = 1 << 16  # nodes of a step: no limit, in effect


def repetition(node: Node, inputs: Sequence[Any], outs: Sequence[Array]) -> Repetition | None:
    """What the node repeats, if it is such a node and these arrays lie as a compiled step wants them."""
    made = REPETITIONS.get(node.attrs["op"].name) if node.op is KERNEL else None
    if made is None:
        return None
    attrs = node.attrs["attrs"]
    sizes = attrs["batch_sizes"]
    arrays = [x for x in inputs if x is not None]
    if len(set(sizes)) > 1 or any(not isinstance(x, np.ndarray) or not x.flags.c_contiguous for x in (*arrays, *outs)):
        return None
    if len({x.dtype for x in (*arrays, *outs)}) > 1 or not all(x.size for x in (*arrays, *outs)):
        return None
    if any(np.may_share_memory(x, out) for x in arrays for out in outs):  # as a kernel may: it has memory of its own
        return None
    backward = node.attrs["op"].name.endswith("_slopes")
    return made(Steps(len(sizes), sizes[0], attrs["reverse"] != backward), inputs, outs)


def program(found: Repetition) -> Program:
    """The step as a program in primitives: what it reads and writes are its states."""
    journal = Journal()
    journal.limit, journal.source = LARGEST, Node(None, (), {}, (), FORWARD)
    stage = Dispatch(journal).stage
    given, written = (
        [Value(a.shape, a.dtype, order_of(a), STATE, f"{title}{i}", a) for i, (a, *_) in enumerate(part)]
        for title, part in (("x", found.reads), ("y", found.writes))
    )
    symbols = [Symbol(Memory(journal, journal.likeness(x), x, writable=False)) for x in given]
    results = [operand(journal, x) for x in stage.copy(cast(FunctionType, found.step))(*symbols)]
    return optimise(
        Program(
            "step", states=[*given, *written], constants=journal.constants(), nodes=journal.nodes,
            writes=list(zip(written, results, strict=True)),
        )
    )  # fmt: skip


def running(found: Repetition, over: Callable[[], None]) -> Callable[[], None]:
    """The whole: before, the steps, after."""

    def run() -> None:
        found.begin()
        over()
        found.end()

    return run

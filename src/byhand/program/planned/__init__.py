"""The dialect *planned*: a program as NumPy calls that write to planned memory; nothing is allocated in between.

`Planned` orders the nodes (`schedule`), finds a home for every value (`memory`), and writes one call a line. The text
has two parts: what never changes (buffers, views, constants) is made once by `bind`, and `step` is the run.

The results are those of the program run node by node, bit for bit, but for products in blocks (see `tiling`).

Each run is in a context of its own (a `contextvars.Context`, 0.05 µs), where NumPy's ufuncs buffer fewer values: at
most 9 kB in place of 34 with the same speed, and 2 kB in small programs. Programs with exponentials, logarithms or
divisions are also free of warnings there, since eager kernels such as sigmoid's switch some off, call by call:
`np.errstate` would take 1.1 µs. Two threads cannot be in one context, which is as well: what is bound has its memory
once.
"""

from __future__ import annotations

import contextvars
import functools
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from byhand.core.variable import Array
from byhand.program.ir import Program
from byhand.program.memory import plan
from byhand.program.parts import put_together
from byhand.program.planned import runtime
from byhand.program.planned.calls import scratch
from byhand.program.planned.lengthening import lengthened
from byhand.program.planned.text import Text
from byhand.program.primitives import PRODUCT
from byhand.program.profile import instrumented, medians
from byhand.program.schedule import schedule

WARNING = {
    "exp",
    "exp2",
    "expm1",
    "log",
    "log2",
    "log10",
    "log1p",
    "logaddexp",
    "divide",
    "reciprocal",
    "power",
    "sqrt",
}

BUFFERED = 256, 2048  # values that a ufunc casts or broadcasts at once: g · mask takes 7.1 µs with 256, 5.6 with 2048
SPARE = 2048  # bytes of planned memory for each of them: buffers of three operands are about 1 % of it


class Planned:
    """A lowered program, to be run by NumPy alone.

    program   in the order of execution
    plan      where its values live
    source    the text: `bind`, which returns `step`
    lines     of the step: (line number in the source, text, node), for all that belong to a node
    nbytes    the memory that it needs beside arguments, states and outputs
    """

    def __init__(self, program: Program) -> None:
        self.program = put_together(schedule(lengthened(program)))
        self.plan = plan(self.program, scratch)
        self._text = Text(self.plan)
        self.source = self._text.source()
        self.lines = self._text.lines()
        self.nbytes = self.plan.arena_bytes
        self._quiet = any(node.op.name.partition(".")[0] in WARNING for node in self.program.nodes)

    def bind(self, states: Sequence[Array]) -> Callable[..., tuple[Any, ...]]:
        """The function run(*arguments, *numbers) → (*outputs, *new numbers), which writes these states in place."""
        return self._bound(self.source, states)

    def _bound(self, source: str, states: Sequence[Array], **more: Any) -> Callable[..., tuple[Any, ...]]:
        space = {"np": np, "place": runtime.place, "blocks": runtime.blocks, **self._text.objects, **more}
        exec(compile(source, f"<planned {self.program.name}>", "exec"), space)
        constants = [value.data for value in self.program.constants]
        step: Callable[..., tuple[Any, ...]] = space["bind"](runtime.arena(self.nbytes), states, constants)
        context = contextvars.copy_context()
        context.run(np.setbufsize, min(max(self.nbytes // SPARE // 16 * 16, BUFFERED[0]), BUFFERED[1]))
        if self._quiet:
            context.run(functools.partial(np.seterr, divide="ignore", over="ignore", invalid="ignore"))
        return functools.partial(context.run, step)

    def profile(self, states: Sequence[Array], inputs: Sequence[Any], rounds: int) -> list[tuple[str, float, bool]]:
        """The lines of the step, each with its median seconds in so many runs and whether it is a matrix product."""
        watched = [line.node is not None for line in self._text.body]
        spent = [0.0] * sum(watched)
        body = instrumented([line.text for line in self._text.body], watched)
        run = self._bound(self._text.source(body), states, spent=spent, clock=time.perf_counter)
        seconds = medians(run, spent, inputs, rounds)
        found = [(text, node.op.kind == PRODUCT) for _, text, node in self.lines]
        return [(text, t, product) for (text, product), t in zip(found, seconds, strict=True)]

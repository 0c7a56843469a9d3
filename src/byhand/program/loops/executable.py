"""`Loops`: a lowered program that runs as compiled loops and calls of BLAS."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from byhand.core.variable import Array
from byhand.program.ir import Program, Value, line
from byhand.program.loops.accumulation import accumulated
from byhand.program.loops.assembly import Assembly, Kernel
from byhand.program.loops.axes import Spaces
from byhand.program.loops.blas import numpys_blas
from byhand.program.loops.convolutions import KERNELS, is_rigid
from byhand.program.loops.driver import Driver
from byhand.program.loops.expressions import known
from byhand.program.loops.placement import Placement
from byhand.program.loops.recomputation import recomputed
from byhand.program.loops.rewriting import rewritten
from byhand.program.loops.settlement import Settlement
from byhand.program.loops.sources import Source, sources
from byhand.program.loops.storage import Storage, given_strides
from byhand.program.loops.team import lanes
from byhand.program.parts import put_together
from byhand.program.primitives import PRODUCT
from byhand.program.profile import medians
from byhand.program.schedule import schedule


def kernels() -> Mapping[str, Callable[..., Any]]:
    """What programs for loops are lowered with: convolutions as products of windows, if there is a BLAS to call."""
    return KERNELS if numpys_blas() is not None else {}


def settled_first(program: Program, found: dict[Value, Source]) -> Storage:
    """Where those values are that lie as they do, whatever loops would like: the given, and the rigid."""
    storage = Storage(found)
    for node in program.nodes:
        if is_rigid(node):
            storage.strides |= {out: given_strides(out) for out in node.outputs if out.dtype is not None}
    return storage


class Loops:
    """A lowered program, to be run as compiled loops.

    program   as rewritten for loops
    source    the generated module, and below it the function that drives it
    kernels   how many fused nests there are
    nbytes    the memory for what is computed on the way

    It is written for `threads` threads, as many as NumPy's products use unless another number is given.
    """

    def __init__(self, program: Program, threads: int | None = None) -> None:
        program, blas = put_together(recomputed(rewritten(schedule(program)))), numpys_blas()
        self.program = program = program if blas is None else accumulated(program)
        fused = {node for node in program.nodes if known(node)}
        found = sources(program)
        storage = Storage(found)

        settled = settled_first(program, found)

        def fixed(x: Value, axis: int) -> int | None:
            return settled.spot(x).strides[axis] if found[x].root in settled.strides and axis >= 0 else None

        placement = Placement(program, Spaces(program, found, fused), fused, fixed)
        self._settlement = Settlement(placement, storage, lanes() if threads is None else threads)
        self._driver = Driver(Assembly(program, self._settlement, blas), _alone)
        self.source = f"{self._driver.assembly.source}\n\n{self._driver.text}"
        self.kernels, self.nbytes = self._driver.assembly.nests, storage.nbytes

    def bind(self, states: Sequence[Array]) -> Callable[..., tuple[Any, ...]]:
        """The function run(*arguments, *numbers) → (*outputs, *new numbers), which writes these states in place.

        Raises UsageError if llvmlite is not installed.
        """
        return self._driver.bind(states)

    def bind_over(self, parts: Sequence[Sequence[Sequence[Array]]]) -> Callable[[], None] | None:
        """A function that runs once for each array of the states, if it can; see `Driver.bind_over`."""
        return self._driver.bind_over(parts)

    def profile(self, states: Sequence[Array], inputs: Sequence[Any], rounds: int) -> list[tuple[str, float, bool]]:
        """The nests, products and calls, each with its median seconds in so many runs and whether it is a product."""
        assembly = Assembly(self.program, self._settlement, numpys_blas(), split=True)
        spent = [0.0] * len(assembly.steps)
        run = Driver(assembly, _alone).bind(states, spent)
        found = []
        for step, seconds in zip(assembly.steps, medians(run, spent, inputs, rounds), strict=True):
            if isinstance(step, Kernel):
                found.append((step.title, seconds, step.is_product))
            else:
                found.append((line(step, assembly.names), seconds, step.op.kind == PRODUCT))
        return found


def _alone(program: Program) -> Loops:
    """Loops for one thread: others do other parts at the same time."""
    return Loops(program, threads=1)

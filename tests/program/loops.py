"""What the tests of loops share: running a program both ways, and the tolerance."""

from __future__ import annotations

from typing import Any

import numpy as np

import byhand
from byhand.program import interpreter
from byhand.program.ir import Program
from byhand.program.loops import Loops
from byhand.program.loops.assembly import Kernel
from program.lowered import Lowered

TOLERANCE = {np.dtype(np.float32): 2e-6, np.dtype(np.float64): 4e-15}
"""Of a result, relative to the largest number in it: sums run in another order, exponentials end in other bits."""


def assert_close(found: Any, right: Any, what: object = "", looser: float = 1, tolerance: float | None = None) -> None:
    found, right = np.asarray(found), np.asarray(right)
    assert (found.shape, found.dtype) == (right.shape, right.dtype), what
    if tolerance is None:
        tolerance = TOLERANCE.get(right.dtype, 0) * looser
    scale = float(np.abs(right[np.isfinite(right)]).max(initial=0)) if right.dtype.kind == "f" else 0.0
    np.testing.assert_allclose(found, right, 2 * tolerance, tolerance * scale, err_msg=str(what))


class Ran:
    """A program bound to copies of a draft's states; the interpreter has copies of its own."""

    def __init__(self, draft: Lowered, program: Program) -> None:
        self.program, self.loops = program, Loops(program)
        self.states = [draft.examples[x].copy(order="K") for x in program.states]
        self.expected = [draft.examples[x].copy(order="K") for x in program.states]
        self.arguments = [draft.examples[x] for x in program.arguments]
        self.numbers = [draft.examples[x] for x in program.numbers]
        self.run = self.loops.bind(self.states)

    def agrees(self, times: int = 2, looser: float = 1, tolerance: float | None = None) -> Ran:
        """Runs give the same results, numbers and states as the interpreter."""
        for seed in range(times):
            byhand.manual_seed(seed)
            with np.errstate(all="ignore"):
                outputs, numbers = interpreter.run(self.program, self.arguments, self.numbers, self.expected)
            byhand.manual_seed(seed)
            found = self.run(*self.arguments, *self.numbers)
            for i, (mine, theirs) in enumerate(zip(found, [*outputs, *numbers], strict=True)):
                assert_close(mine, theirs, f"output {i} of {self.program}", looser, tolerance)
            for value, mine, theirs in zip(self.program.states, self.states, self.expected, strict=True):
                assert_close(mine, theirs, f"{value} of {self.program}", looser, tolerance)
                mine[...] = theirs
        return self

    @property
    def nests(self) -> int:
        return self.loops.kernels

    @property
    def calls(self) -> list[str]:
        """What NumPy is left to do."""
        steps = self.loops._driver.assembly.steps
        return [step.op.name for step in steps if not isinstance(step, Kernel)]


def text(ran: Ran) -> str:
    """The nests, without the formulas."""
    return ran.loops.source[ran.loops.source.index("@nest") :]


def normal(*shape: int, dtype: Any = np.float32) -> Any:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(dtype)

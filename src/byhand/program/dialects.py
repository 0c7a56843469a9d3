"""The ways to run a program, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from byhand.core.variable import Array
from byhand.program.ir import Program
from byhand.program.passes import optimise
from byhand.program.passes.pooling import pooled_first


class Executable(Protocol):
    """A program as text that runs: `program` is what it was made of, `source` the text."""

    program: Program
    source: str

    def bind(self, states: Sequence[Array]) -> Callable[..., tuple[Any, ...]]:
        """The function of arguments and numbers; it writes the states in place, and returns outputs and numbers."""


def executable(program: Program, dialect: str, without: Sequence[str] = ()) -> Executable:
    """The program in a dialect."""
    if dialect == "longhand":
        from byhand.program.longhand import Longhand

        return Longhand(program)
    if dialect == "loops":
        from byhand.program.loops import Loops, kernels

        return Loops(lowered(program, without, kernels()))
    from byhand.program.planned import Planned

    return Planned(lowered(program, without))


def lowered(program: Program, without: Sequence[str] = (), kernels: Mapping[str, Any] | None = None) -> Program:
    """The program as single NumPy calls, cleaned up; `kernels` are a dialect's own, see `lowering`."""
    from byhand.program.lowering import lower
    from byhand.program.tables import from_tables

    program = optimise(lower(pooled_first(program), kernels=kernels), without=without)
    changed = from_tables(program)
    return program if changed is program else optimise(changed, without=without)

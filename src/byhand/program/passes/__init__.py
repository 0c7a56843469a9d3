"""The passes: functions that turn a program into a simpler one with the same results, each small and alone.

They work on programs of ops and on lowered ones alike. The results are bit for bit what they were, NaN for NaN; a rule
with an exception says so. `optimise` runs all passes until none finds anything more to do. Called by `entry` and
`dialects`.
"""

from __future__ import annotations

from collections.abc import Collection

from byhand.core.errors import UsageError
from byhand.program.ir import Pass, Program, verify
from byhand.program.passes.algebra import algebra
from byhand.program.passes.broadcasts import broadcasts
from byhand.program.passes.constants import constants
from byhand.program.passes.dead_code import dead_code
from byhand.program.passes.subexpressions import common_subexpressions
from byhand.program.passes.transposes import transposes

PASSES: dict[str, Pass] = {
    "dead_code": dead_code,
    "constants": constants,
    "algebra": algebra,
    "broadcasts": broadcasts,
    "transposes": transposes,
    "common_subexpressions": common_subexpressions,
}
"""All passes by name, in the order in which they run."""

MOST_ROUNDS = 8  # two or three are the rule: the last one finds nothing


def optimise(program: Program, without: Collection[str] = (), check: bool = False) -> Program:
    """The program after all passes but those named in `without`; with `check` it is verified after each.

    Raises UsageError for a name that is not a pass.
    """
    unknown = sorted(set(without).difference(PASSES))
    if unknown:
        raise UsageError(f"there is no pass {', '.join(map(repr, unknown))}; the passes are {', '.join(PASSES)}")
    chosen = [apply for name, apply in PASSES.items() if name not in without]
    settled = 0  # how many passes in a row have left the program as it is now
    for apply in chosen * MOST_ROUNDS:
        before, program = program, apply(program)
        if check:
            verify(program)
        settled = settled + 1 if program is before else 0
        if settled == len(chosen):
            break
    return program


__all__ = ["PASSES", "optimise"]

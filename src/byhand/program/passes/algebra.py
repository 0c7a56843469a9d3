"""The pass of algebra: what a rule of arithmetic, or of shapes, says is the same with fewer or plainer steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from byhand.program.ir import Node, Program
from byhand.program.passes import arithmetic, shapes
from byhand.program.passes.sweep import Sweep
from byhand.program.passes.vocabulary import meaning

RULES: dict[str, list[Callable[[Node, Sweep], Any]]] = {}
for _table in (arithmetic.RULES, shapes.RULES):
    for _name, _rules in _table.items():
        RULES.setdefault(_name, []).extend(_rules)


def algebra(program: Program) -> Program:
    """Apply the rules of `arithmetic` and `shapes`, which give the same bits: x · 1 is x, and (xᵀ)ᵀ.

    Not among them, since they round in another way or lose the sign of a zero: x + 0, a · (b · x), x / n as x · (1/n),
    −(x − y).
    """
    return Sweep(program).over(_simplified)


def _simplified(node: Node, sweep: Sweep) -> Any:
    what = meaning(node)
    for rule in RULES.get(what, ()):
        result = rule(node, sweep)
        if result is not None:
            return result
    if what in arithmetic.SIGNED:
        arithmetic.mark_signed(node, sweep)
    return None

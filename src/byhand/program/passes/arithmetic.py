"""Rules of arithmetic for the pass `algebra`: neutral elements, signs, literals. All are exact."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from byhand.program.ir import Node, Value
from byhand.program.passes.likeness import alike, stands_in
from byhand.program.passes.scalars import is_number, literal, repeated
from byhand.program.passes.sweep import Sweep
from byhand.program.passes.vocabulary import (
    ADD,
    DIV,
    EXPAND,
    MUL,
    NEG,
    PERMUTE,
    RESHAPE_TO,
    SUB,
    WHERE,
    instead,
    is_array,
    meaning,
    spoken,
)

FACTORS = (MUL, DIV, PERMUTE, RESHAPE_TO, EXPAND)  # what a sign can be taken out of: sums have zeros without one
DEPTH = 8  # of nodes in each other that are searched for a sign
POSITIVE = ("square", "abs", "absolute", "exp", "cross_entropy", "cross_entropy_mean")  # or 0, whatever they are given
KEEPING = (ADD, MUL, DIV, "sqrt", "sum", "mean", "add.reduce")  # if what they are given is

WITH_LITERALS = (
    ADD, SUB, MUL, DIV, WHERE, "maximum", "minimum", "eq", "ne", "lt", "le", "gt", "ge",
    "equal", "not_equal", "less", "less_equal", "greater", "greater_equal",
)  # fmt: skip
"""Elementwise ops to which an array of one value and a literal are the same."""


def written_as_literal(node: Node, sweep: Sweep) -> Any:
    """A constant of one value repeated is a literal, if another operand has its dtype, and the result's shape."""
    start = int(meaning(node) == WHERE)  # not the condition
    for i in range(start, len(node.inputs)):
        x = node.inputs[i]
        scalar = None if type(x) is float or type(x) is int else repeated(x, sweep)
        if scalar is None or (number := literal(scalar)) is None:
            continue
        others = [y for k, y in enumerate(node.inputs) if k != i and is_array(y)]
        if not any(y.dtype == scalar.dtype for y in others[start:]):
            continue
        if x.shape == () or any(y.shape == node.out.shape for y in others):
            return instead(node, node.op, [number if k == i else y for k, y in enumerate(node.inputs)])
    return None


def neutral_factor(node: Node, sweep: Sweep) -> Any:
    """x · 1 = x and x · (−1) = −x."""
    for x, factor in (node.inputs, node.inputs[::-1]):
        if alike(x, node.out) and _exact(factor, x):
            if is_number(factor, 1) and stands_in(x, node.out, sweep):
                return [x]
            if is_number(factor, -1):
                return instead(node, spoken(NEG, node), [x])
    return None


def scaled_twice(node: Node, sweep: Sweep) -> Any:
    """a · (2 · x) = 2a · x, also for 4, 8, …: doubling is exact, but where 2 · x overflows and 2a · x would not."""
    for x, factor in (node.inputs, node.inputs[::-1]):
        maker = sweep.makers.get(x) if is_array(x) and isinstance(factor, (int, float)) else None
        if maker is None or meaning(maker) != MUL or x.dtype.kind != "f" or not alike(x, node.out):
            continue
        for y, power in (maker.inputs, maker.inputs[::-1]):
            if alike(y, x) and _doubles(power, factor, np.finfo(x.dtype)):
                return instead(node, node.op, [float(power * factor), y])
    return None


def _doubles(power: Any, factor: float, limits: Any) -> bool:
    """Whether a literal is 2, 4, 8, …, and its product with a factor is as exact as the factor."""
    if not isinstance(power, (int, float)) or power <= 1 or math.frexp(power)[0] != 0.5:
        return False
    return bool(limits.tiny <= abs(factor) <= limits.max / power)


def neutral_divisor(node: Node, sweep: Sweep) -> Any:
    """x / 1 = x and x / (−1) = −x."""
    x, divisor = node.inputs
    if not (is_array(x) and alike(x, node.out)):
        return None
    if is_number(divisor, 1) and stands_in(x, node.out, sweep):
        return [x]
    return instead(node, spoken(NEG, node), [x]) if is_number(divisor, -1) else None


def neutral_term(node: Node, sweep: Sweep) -> Any:
    """x − 0 = x, and x + 0 = x except for floats that may be −0.0, since −0.0 + 0.0 is 0.0."""
    minus = meaning(node) == SUB
    for x, term in (node.inputs,) if minus else (node.inputs, node.inputs[::-1]):
        if is_number(term, 0) and stands_in(x, node.out, sweep) and _exact(term, x):
            unsigned = x.dtype is None or x.dtype.kind != "f" or (not minus and never_negative(x, sweep))
            if unsigned or (math.copysign(1.0, term) > 0) == minus:
                return [x]
    return None


def never_negative(x: Any, sweep: Sweep, depth: int = DEPTH) -> bool:
    """Whether no value of x has a minus sign, zeros included: sums of squares, and of losses, which `sum` adds to 0."""
    if not isinstance(x, Value):
        return isinstance(x, (int, float)) and math.copysign(1.0, x) > 0
    maker = sweep.makers.get(x)
    if maker is None or depth == 0:
        return False
    what = meaning(maker)
    if what in POSITIVE or (what == MUL and maker.inputs[0] is maker.inputs[1]):
        return True
    return what in KEEPING and all(never_negative(y, sweep, depth - 1) for y in maker.inputs)


def _exact(number: Any, x: Any) -> bool:
    """Whether arithmetic with a literal leaves the type of x: a Python number that may be an int stays an int."""
    return x.dtype is not None or type(number) is int


def subtracted(node: Node, sweep: Sweep) -> Any:
    """x + (−y) = x − y, also where the sign is that of a factor of y."""
    for x, y in (node.inputs, node.inputs[::-1]):
        if (opposite := negated(y, node, sweep)) is not None:
            return instead(node, spoken(SUB, node), [x, opposite])
    return None


def added(node: Node, sweep: Sweep) -> Any:
    """x − (−y) = x + y, also where the sign is that of a factor of y."""
    x, y = node.inputs
    opposite = negated(y, node, sweep)
    return None if opposite is None else instead(node, spoken(ADD, node), [x, opposite])


def unsigned_factors(node: Node, sweep: Sweep) -> Any:
    """(−x) · (−y) = x · y, and so for quotients."""
    opposites = [_turned(x, node, sweep) for x in node.inputs]
    return None if None in opposites else instead(node, node.op, opposites)


def unsigned(node: Node, sweep: Sweep) -> Any:
    """−(−x) = x, also where the sign is that of a factor of x."""
    x = node.inputs[0]
    opposite = negated(x, node, sweep) if alike(x, node.out) else None
    return [opposite] if alike(opposite, node.out) and stands_in(opposite, node.out, sweep) else None


def negated(x: Any, node: Node, sweep: Sweep, depth: int = DEPTH) -> Any:
    """−x if x has a sign to take away, in itself or in a factor; None if not. What is new is put before `node`.

    A product is written anew only if nobody else reads it, or if it is one of Python numbers, which cost nothing.
    """
    if isinstance(x, Value) and x not in sweep.marked:
        return None
    opposite = _turned(x, node, sweep)
    if opposite is not None or depth == 0 or not isinstance(x, Value):
        return opposite
    maker = sweep.makers[x]
    if meaning(maker) == NEG or (x.dtype is not None and len(sweep.readers(x)) > 1):
        return None
    for i, factor in enumerate(maker.inputs):
        opposite = negated(factor, node, sweep, depth - 1)
        if opposite is not None:
            inputs = (*maker.inputs[:i], opposite, *maker.inputs[i + 1 :])
            return sweep.emit(node, maker.op, inputs, maker.attrs, Value(x.shape, x.dtype, x.order))
    return None


def mark_signed(node: Node, sweep: Sweep) -> None:
    """Mark the result of a node that has a sign to take away; then `negated` need not search for one."""
    if _floating(node.out) and (
        meaning(node) == NEG or any(x in sweep.marked if isinstance(x, Value) else _negative(x) for x in node.inputs)
    ):
        sweep.marked.add(node.out)
    return None


def _negative(x: Any) -> bool:
    return isinstance(x, (int, float)) and x < 0


def _turned(x: Any, node: Node, sweep: Sweep) -> Any:
    """−x, if x is the negative of something or a negative literal, and the result of `node` is no integer array."""
    if not _floating(node.out):
        return None
    if isinstance(x, Value):
        maker = sweep.makers.get(x)
        return maker.inputs[0] if maker is not None and meaning(maker) == NEG and _floating(x) else None
    return -x if _negative(x) else None


def _floating(x: Value) -> bool:
    """Whether −x is exact: not every integer of a fixed size has a negative."""
    return x.dtype is None or x.dtype.kind == "f"


def chosen(node: Node, sweep: Sweep) -> Any:
    """where(c, x, x) = x, and one of both where c is known."""
    condition, x, y = node.inputs
    if x is y and stands_in(x, node.out, sweep):
        return [x]
    scalar = repeated(condition, sweep)
    if scalar is None:
        return None
    x = x if scalar else y
    return [x] if stands_in(x, node.out, sweep) else None


RULES = {
    ADD: [neutral_term, subtracted],
    SUB: [neutral_term, added],
    MUL: [neutral_factor, scaled_twice, unsigned_factors],
    DIV: [neutral_divisor, unsigned_factors],
    NEG: [unsigned],
    WHERE: [chosen],
}
for _name in WITH_LITERALS:
    RULES[_name] = [written_as_literal, *RULES.get(_name, ())]
SIGNED = (NEG, *FACTORS)

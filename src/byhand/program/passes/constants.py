"""The pass that computes at once what does not depend on anything given at a call."""

from __future__ import annotations

from typing import Any

import numpy as np

from byhand.core.variable import Array
from byhand.program.interpreter import empty, evaluate
from byhand.program.ir import CONSTANT, Node, Program, Value, order_of
from byhand.program.passes.likeness import only_broadcast
from byhand.program.passes.scalars import LARGEST, only
from byhand.program.passes.sweep import Sweep
from byhand.program.passes.vocabulary import EXPAND, instead, meaning, spoken


def constants(program: Program) -> Program:
    """Compute nodes whose inputs are all constants or literals, and put their results in their place.

    What is larger than 65,536 values stays to be computed, as does what warns or fails. An array of one value repeated
    becomes that one value, expanded, where only elementwise ops read it: `broadcasts` and `algebra` see through that.
    """
    expanded: dict[Value, Array] = {}  # nodes that stay, whose values are known nevertheless
    written = {new for _, new in program.number_writes}  # no literals: what a number becomes is a value

    def rule(node: Node, sweep: Sweep) -> Any:
        if node.op.kind == "effect":
            return None
        known = []
        for x in node.inputs:
            if not isinstance(x, Value):
                known.append(x)
            elif x.origin == CONSTANT:
                known.append(x.data)
            elif x in expanded:
                known.append(expanded[x])
            else:
                return None
        results = _computed(node, known)
        if results is None:
            return None
        if meaning(node) == EXPAND:
            expanded[node.out] = results[0]
            return None
        if node.outputs[0].dtype is None:
            return None if node.out in written else results
        scalar = only(results[0]) if results[0].size > 1 and only_broadcast(node.out, sweep) else None
        if scalar is not None:
            one = _constant(np.asarray(scalar), Value((), scalar.dtype), sweep)
            return instead(node, spoken(EXPAND, node), [one], {"shape": node.out.shape})
        return [_constant(x, out, sweep) for x, out in zip(results, node.outputs, strict=True)]

    return Sweep(program).over(rule)


def _computed(node: Node, inputs: list[Any]) -> list[Any] | None:
    """What the node computes; None if that is large or goes wrong, which is better seen when the program runs."""
    if any(out.size > LARGEST for out in node.outputs):
        return None
    try:
        with np.errstate(divide="raise", over="raise", invalid="raise", under="ignore"):
            results = evaluate(node, inputs)
    except (ArithmeticError, ValueError, TypeError, IndexError):
        return None
    facts = [(np.shape(x), getattr(x, "dtype", None)) for x in results]
    return results if facts == [(out.shape, out.dtype) for out in node.outputs] else None


def _constant(array: Array, like: Value, sweep: Sweep) -> Value:
    """A new constant, which lies in memory as the value that it replaces."""
    if order_of(array) != like.order:
        laid = empty(like)
        laid[...] = array
        array = laid
    value = Value(array.shape, array.dtype, like.order, CONSTANT, like.name, array)
    sweep.constants.append(value)
    return value

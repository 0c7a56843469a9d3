"""The pass that computes equal things once."""

from __future__ import annotations

from typing import Any

import numpy as np

from byhand.program.ir import Node, Program, Value
from byhand.program.passes.sweep import Sweep
from byhand.program.passes.vocabulary import ADD, MUL, meaning
from byhand.program.primitives import COPY, VIEW, WINDOWS

SMALL = 1024  # bytes of an array that is compared by its contents


def common_subexpressions(program: Program) -> Program:
    """Compute once what several nodes compute from the same inputs, and keep one of small constants that are equal.

    The earliest node stays. Sums and products count as equal in either order of their operands. Draws and checks are
    left alone, and so are windows that the backward pass copies again: to keep those of the forward pass would take
    many times the memory of what they are copied from, and they would have left the cache.
    """
    found: dict[Any, Node] = {}
    sweep = Sweep(program)
    first: dict[Any, Value] = {}
    for constant in program.constants:
        same = first.setdefault(_frozen(constant.data), constant)
        if same is not constant:
            sweep.rename(constant, same)

    def rule(node: Node, sweep: Sweep) -> Any:
        if node.op.kind == "effect" or (node.op is COPY and not isinstance(node.inputs[0], Value)):
            return None  # to fill an array costs less than to copy one, which writing to its parts would do
        section = node.section if node.op is COPY and _of_windows(node, sweep) else ""
        first = found.setdefault((_key(node), section), node)
        return None if first is node else list(first.outputs)

    return sweep.over(rule)


def _of_windows(node: Node, sweep: Sweep) -> bool:
    """Whether a copy holds many numbers several times."""
    maker = sweep.makers.get(node.inputs[0])
    while maker is not None and maker.op.kind == VIEW and maker.op is not WINDOWS:
        maker = sweep.makers.get(maker.inputs[0])
    return maker is not None and maker.op is WINDOWS


def _key(node: Node) -> Any:
    """Equal for nodes that compute the same."""
    inputs = node.inputs
    if len(inputs) == 2 and meaning(node) in (ADD, MUL):
        a, b = inputs
        if not isinstance(a, Value) or (isinstance(b, Value) and id(b) < id(a)):
            inputs = b, a
    # the outputs' facts are not all in the attributes: a lowered cast has its dtype there, a copy its order
    facts = tuple([(out.shape, out.dtype, out.order) for out in node.outputs])
    inputs = tuple([x if type(x) is Value else _frozen(x) for x in inputs])
    return node.op.kind, node.op.name, inputs, _frozen(node.attrs) if node.attrs else None, facts


def _frozen(x: Any) -> Any:
    """Something hashable that is equal for equal attributes: 1, 1.0 and True differ, and so do 0.0 and −0.0."""
    kind = type(x)
    if kind is str or x is None:
        return x
    if kind is tuple or kind is list:
        return kind, tuple([_frozen(part) for part in x])
    if kind is dict:
        return tuple([(key, _frozen(value)) for key, value in x.items()])
    if kind is slice:
        return slice, x.start, x.stop, x.step
    if isinstance(x, float):
        return kind, x.hex()
    if isinstance(x, complex):
        return kind, x.real.hex(), x.imag.hex()
    if isinstance(x, np.ndarray) and x.nbytes <= SMALL:
        return x.dtype, x.shape, x.strides, x.tobytes()
    if isinstance(x, (int, np.dtype, type)):
        return kind, x
    return (kind, x.tobytes()) if isinstance(x, np.generic) else (kind, id(x))

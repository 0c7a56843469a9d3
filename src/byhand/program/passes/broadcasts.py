"""The pass that leaves broadcasting to the ops that broadcast by themselves."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from byhand.program.ir import Node, Program, Value
from byhand.program.passes.likeness import only_broadcast
from byhand.program.passes.sweep import Sweep
from byhand.program.passes.vocabulary import (
    EXPAND,
    RESHAPE_TO,
    instead,
    is_array,
    is_elementwise,
    meaning,
    spoken,
)
from byhand.program.primitives import COPY


def broadcasts(program: Program) -> Program:
    """Take expansions off the operands of elementwise ops, and put those after the ops that would only repeat work.

    x · expand(y) is x · y where x has the shape of the result; exp(expand(y)) is expand(exp(y)), if other elementwise
    ops take that up. Axes of size 1 that a reshape puts in front are dropped like an expansion.
    """
    return Sweep(program).over(_narrowed)


def _narrowed(node: Node, sweep: Sweep) -> Any:
    if not is_elementwise(node):
        return None
    inputs = [_source(x, sweep) if type(x) is Value else x for x in node.inputs]
    if _same(inputs, node.inputs):
        return None
    shape = np.broadcast_shapes(*[x.shape for x in inputs if is_array(x)])
    if shape == node.out.shape or node.op is COPY:  # which broadcasts to the shape of its output
        return instead(node, node.op, inputs, node.attrs)
    if Value(shape, None).size < node.out.size and only_broadcast(node.out, sweep):
        return _afterwards(node, inputs, shape, sweep)
    return _some(node, inputs)


def _source(x: Value, sweep: Sweep) -> Value:
    """What x is expanded from."""
    maker = sweep.makers.get(x)
    while maker is not None and (meaning(maker) == EXPAND or _leads(maker)) and is_array(maker.inputs[0]):
        x = maker.inputs[0]
        maker = sweep.makers.get(x)
    return x


def _leads(maker: Node) -> bool:
    """Whether it is a reshape that puts axes of size 1 in front."""
    if meaning(maker) != RESHAPE_TO or not is_array(maker.inputs[0]):
        return False
    before, after = maker.inputs[0].shape, maker.out.shape
    lead = len(after) - len(before)
    return lead > 0 and after[lead:] == before and after[:lead] == (1,) * lead


def _afterwards(node: Node, inputs: list[Any], shape: tuple[int, ...], sweep: Sweep) -> Node:
    """The op on what is small, then the expansion."""
    lead = len(node.out.shape) - len(shape)
    order = tuple([axis - lead for axis in node.out.order if axis >= lead])
    small = sweep.emit(node, node.op, tuple(inputs), node.attrs, Value(shape, node.out.dtype, order))
    return instead(node, spoken(EXPAND, node), [small], {"shape": node.out.shape})


def _some(node: Node, inputs: list[Any]) -> Node | None:
    """The op without those expansions that the shape of its result does not need."""
    now = list(node.inputs)
    for i, x in enumerate(inputs):
        trial = [*now[:i], x, *now[i + 1 :]]
        if x is not now[i] and np.broadcast_shapes(*[y.shape for y in trial if is_array(y)]) == node.out.shape:
            now = trial
    return None if _same(now, node.inputs) else instead(node, node.op, now, node.attrs)


def _same(xs: Sequence[Any], ys: Sequence[Any]) -> bool:
    return all(map(operator.is_, xs, ys))

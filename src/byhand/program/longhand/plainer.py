"""The program as one would write it: rewritings before it is printed, which keep its values up to rounding.

Copies that no text needs go; sums need no matrix; the masks of dropout are zeros and ones; what follows from gradients
is an update.
Called by `listing`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from byhand.core.op import OPS
from byhand.program.ir import BACKWARD, CONSTANT, UPDATE, Node, Program, Value
from byhand.program.longhand.expression import plain_number
from byhand.program.passes.dead_code import dead_code


def plainer(program: Program) -> Program:
    """All of them."""
    return own_updates(bare_masks(plain_sums(without_clones(program))))


def without_clones(program: Program) -> Program:
    """A value never changes, so its copy is the value itself; what the copy is the gradient of, the value is."""
    renamed: dict[Value, Any] = {}
    kept: list[Node] = []
    for node in program.nodes:
        if node.op.name != "clone" or not isinstance(node.inputs[0], Value):
            kept.append(node)
            continue
        source = node.inputs[0]
        renamed[node.out] = source
        while source in renamed:
            source = renamed[source]
        if source.gradient_of is None and source not in program.given:
            source.gradient_of = node.out.gradient_of
    return program.replaced(kept, renamed) if renamed else program


def plain_sums(program: Program) -> Program:
    """The sums of columns of what was made a matrix for them: sums over all axes but the last."""
    producers = program.producers()
    plain: dict[Node, Node] = {}
    for node in program.nodes:
        maker = producers.get(node.inputs[0]) if node.op.name == "column_sums" else None
        x = maker.inputs[0] if maker is not None and maker.op.name == "reshape" else None
        if isinstance(x, Value) and len(x.shape) > 2 and x.shape[-1:] == node.out.shape:
            attrs = {"axis": tuple(range(len(x.shape) - 1)), "keepdims": False}
            plain[node] = Node(OPS["sum"], (x,), attrs, node.outputs, node.section, node.rule, node.place)
    return dead_code(program.replaced([plain.get(node, node) for node in program.nodes])) if plain else program


def own_updates(program: Program) -> Program:
    """What is computed from gradients when no more come is an update, also where no optimiser does it."""
    last = max([i for i, node in enumerate(program.nodes) if node.section == BACKWARD], default=None)
    if last is None:
        return program
    gradients = {out for node in program.nodes for out in node.outputs if node.section == BACKWARD}
    nodes: list[Node] = []
    for i, node in enumerate(program.nodes):
        follows = i > last and not gradients.isdisjoint(node.values)
        if follows:
            gradients.update(node.outputs)
        section = UPDATE if follows else node.section
        nodes.append(Node(node.op, node.inputs, node.attrs, node.outputs, section, node.rule, node.place))
    return program.replaced(nodes)


def bare_masks(program: Program) -> Program:
    """Inverted dropout with its division in sight: x · (mask · 1.25) as x · mask / 0.8."""
    producers, uses = program.producers(), program.uses()
    masks: dict[Value, tuple[Value, float]] = {}
    for node in program.nodes:
        found = _scaled_coins(node, producers)
        if found is not None and all(use.op.name == "mul" for use in uses.get(node.out, ())):
            masks[node.out] = found
    if not masks or any(mask in program.roots for mask in masks):
        return program
    nodes: list[Node] = []
    for node in program.nodes:
        mask = next((x for x in node.values if x in masks), None)
        if node.outputs and node.outputs[0] in masks:
            continue
        if mask is None:
            nodes.append(node)
            continue
        coins, kept = masks[mask]
        x = next((x for x in node.inputs if x is not mask), mask)
        product = Value(node.out.shape, node.out.dtype, node.out.order)
        at = (node.section, node.rule, node.place)
        nodes.append(Node(OPS["mul"], (x, coins), {}, (product,), *at))
        nodes.append(Node(OPS["true_divide"], (product, kept), {}, node.outputs, *at))
    return program.replaced(nodes)


def _scaled_coins(node: Node, producers: dict[Value, Node]) -> tuple[Value, float] | None:
    """For a mask of zeros and c: the booleans, and 1 / c."""
    if node.op.name != "mul" or len(node.inputs) != 2:
        return None
    for coins, factor in (node.inputs, node.inputs[::-1]):
        if isinstance(coins, Value) and coins.dtype == bool and coins in producers:
            scale = scalar_of(factor)
            if scale is not None and scale.dtype.kind == "f" and scale > 1 and node.out.dtype == scale.dtype:
                return coins, plain_number(scale.dtype.type(1 / scale))
    return None


def scalar_of(x: Any) -> Any:
    """The NumPy scalar that an operand is, if it is one or a constant of one value without axes."""
    if isinstance(x, Value):
        return x.data[()] if x.origin == CONSTANT and x.shape == () and x.data is not None else None
    return x if isinstance(x, np.generic) else None

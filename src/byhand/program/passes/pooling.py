"""The pass that takes the largest of windows before it takes the larger of that and 0, not after: of fewer values."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from byhand.core.op import OPS
from byhand.program.ir import Node, Program, Value


def pooled_first(program: Program) -> Program:
    """max_pool(relu(x)) as relu(max_pool(x)), also backward: there windows whose largest value is not above 0 get 0.

    The values are the same; zeros may have another sign, and beside NaN the gradient is 0. Programs of ops only.
    """
    uses, makers, roots = program.uses(), program.producers(), set(program.roots)
    now: dict[Node, list[Node]] = {}
    for node in program.nodes:
        relu = makers.get(node.inputs[0]) if node.op.name == "max_pool" else None
        if relu is not None and relu.op.name == "relu" and relu not in now and relu.out not in roots:
            now |= _swapped(relu, node, uses, roots) or {}
    return program.replaced([new for node in program.nodes for new in now.get(node, [node])]) if now else program


def _swapped(relu: Node, pool: Node, uses: dict[Value, list[Node]], roots: set[Value]) -> dict[Node, list[Node]] | None:
    """What stands in the places of the nodes concerned, if nobody else needs what they compute."""
    x, before, out = relu.inputs[0], relu.out, pool.out
    largest = Value(out.shape, out.dtype, out.order)
    first, second = replace(pool, inputs=(x,), outputs=(largest,)), replace(relu, inputs=(largest,), outputs=(out,))
    now: dict[Node, list[Node]] = {relu: [], pool: [first, second]}
    masks = [node for node in uses[before] if node.op.name == "gt" and node.inputs == (before, 0)]
    for node in uses[before]:
        if node in masks:
            now[node] = []
        elif node.op.name == "max_places" and node.inputs == (before, out) and node.out not in roots:
            now[node] = [replace(node, inputs=(x, out))]
            for put in uses.get(node.out, ()):
                product = uses.get(put.out, ())
                if put.op.name != "window_put" or put.inputs[0] is node.out or len(product) != 1 or put.out in roots:
                    return None
                if not _masks(product[0], put.out, masks):
                    return None
                now |= {product[0]: [], put: _put(put, product[0], out)}
        elif node is not pool:
            return None
    readers = [reader for mask in masks for reader in uses.get(mask.out, ())]
    return now if all(reader in now for reader in readers) and not roots.intersection(m.out for m in masks) else None


def _masks(node: Node, x: Value, masks: list[Node]) -> bool:
    """Whether it is the product of x and one of the masks."""
    others = [y for y in node.inputs if y is not x]
    return node.op.name == "mul" and len(others) == 1 and any(others[0] is mask.out for mask in masks)


def _put(put: Node, product: Node, out: Value) -> list[Node]:
    """Each window's gradient, where its largest value is above 0, at its place."""
    y, places = put.inputs

    def made(name: str, inputs: tuple[Any, ...], dtype: Any, **attrs: Any) -> Value:
        value = Value(out.shape, dtype, out.order)
        nodes.append(replace(put, op=OPS[name], inputs=inputs, attrs=attrs, outputs=(value,)))
        return value

    nodes: list[Node] = []
    if y.order != out.order:
        y = made("ordered", (y,), y.dtype, order=out.order, before=y.order)
    y = made("mul", (y, made("gt", (out, 0), np.dtype(bool))), y.dtype)
    return [*nodes, replace(put, inputs=(y, places), outputs=product.outputs)]

"""What ops and primitives of the same meaning are called, so that one rule serves programs of both levels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from byhand.core.op import ELEMENTWISE, OPS
from byhand.program.ir import Node, Value
from byhand.program.primitives import (
    ARITHMETIC,
    BROADCAST,
    CAST,
    MAP,
    NUMERIC,
    RESHAPE,
    TRANSPOSE,
    Primitive,
    elementwise,
)

# Meanings, by the names of the ops.
ADD, SUB, MUL, DIV, NEG = "add", "sub", "mul", "true_divide", "neg"
CLONE, CAST_TO, WHERE = "clone", "cast", "where"
PERMUTE, RESHAPE_TO, EXPAND = "permute", "reshape", "expand"

OF_PRIMITIVES = {
    "subtract": SUB, "multiply": MUL, "divide": DIV, "negative": NEG, "copy": CLONE, "transpose": PERMUTE,
    "broadcast": EXPAND,
}  # fmt: skip
"""The meanings of the primitives that have other names than ops."""

VIEWS = {CAST_TO: CAST, PERMUTE: TRANSPOSE, RESHAPE_TO: RESHAPE, EXPAND: BROADCAST}


def meaning(node: Node) -> str:
    """What a node does: one of the meanings above, or the name of its op where there is nothing to translate."""
    name: str = node.op.name
    return OF_PRIMITIVES.get(name, name)


def spoken(what: str, node: Node) -> Any:
    """The op of a meaning, at the level of a node: an op of the table or a primitive."""
    if not isinstance(node.op, Primitive):
        return OPS[what]
    if node.op.kind == NUMERIC:
        return ARITHMETIC[what]
    return VIEWS.get(what) or elementwise(ARITHMETIC[what].ufunc)


def instead(node: Node, op: Any, inputs: Sequence[Any], attrs: dict[str, Any] | None = None) -> Node:
    """A node that computes the same outputs in another way."""
    return Node(op, tuple(inputs), attrs or {}, node.outputs, node.section, node.rule, node.place)


def is_elementwise(node: Node) -> bool:
    """Whether it goes value by value, so that its inputs may broadcast."""
    return node.op.kind in (MAP, ELEMENTWISE) and len(node.outputs) == 1


def is_array(x: Any) -> bool:
    """Whether x is an array of the program: neither a literal nor a Python number."""
    return isinstance(x, Value) and x.dtype is not None

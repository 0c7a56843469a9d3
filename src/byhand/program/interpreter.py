"""A program run node by node with plain NumPy: the yardstick for the dialects, and how constants are folded.

It knows ops and primitives alike, so every stage of a program can be run and compared.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from byhand.core.generator import numpy_generator
from byhand.core.variable import Array
from byhand.ops.index import filled
from byhand.program.ir import CHECK, DRAW, Node, Program, Value
from byhand.program.primitives import (
    ADD_AT,
    ARITHMETIC,
    ASSIGN,
    BROADCAST,
    FOLD,
    INDEX,
    KERNEL,
    MAP,
    NUMERIC,
    PRODUCT,
    RESHAPE,
    SLICE,
    TRANSPOSE,
    WHERE,
    WINDOWS,
    Primitive,
)

NUMBERS: dict[str, Callable[..., Any]] = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "true_divide": operator.truediv,
    "neg": operator.neg, "pow": operator.pow,
}  # fmt: skip


def run(
    program: Program, arguments: Sequence[Any], numbers: Sequence[Any] = (), states: Sequence[Array] = ()
) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """The program's outputs and its new numbers; the states are written when all is computed."""
    known: dict[Value, Any] = {value: value.data for value in program.constants}
    for values, given in ((program.arguments, arguments), (program.numbers, numbers), (program.states, states)):
        known.update(zip(values, given, strict=True))

    def now(x: Any) -> Any:
        return known[x] if isinstance(x, Value) else x

    for node in program.nodes:
        known.update(zip(node.outputs, evaluate(node, [now(x) for x in node.inputs]), strict=True))
    outputs = tuple(np.array(now(x)) if isinstance(now(x), np.ndarray) else now(x) for x in program.outputs)
    writes = [(known[state], np.array(now(new))) for state, new in program.writes]
    for array, new in writes:
        array[...] = new
    return outputs, tuple(now(new) for _, new in program.number_writes)


def evaluate(node: Node, inputs: Sequence[Any]) -> list[Any]:
    """What a node computes from arrays and scalars: an array, or a Python number, for each of its outputs."""
    if node.op is DRAW:
        draw = getattr(numpy_generator(node.attrs["generator"]), node.attrs["method"])
        results = [draw(**node.attrs["arguments"])]
    elif node.op is CHECK:
        if inputs[0]:
            raise node.attrs["complain"](*inputs[1:])
        results = []
    elif not isinstance(node.op, Primitive):
        results = _kernel(node.op, node.attrs, inputs)
    elif node.op is KERNEL:
        results = _kernel(node.attrs["op"], node.attrs["attrs"], inputs)
    else:
        results = [_primitive(node, inputs)]
    return [
        np.asarray(x) if out.dtype is not None else x.item() if isinstance(x, (np.generic, np.ndarray)) else x
        for x, out in zip(results, node.outputs, strict=False)
    ]


def _kernel(op: Any, attrs: dict[str, Any], inputs: Sequence[Any]) -> list[Any]:
    if op.name in ARITHMETIC and not any(isinstance(x, (np.ndarray, np.generic)) for x in inputs):
        return [NUMBERS[op.name](*inputs)]
    result = (op.kernel if attrs or op.ufunc is None else op.ufunc)(*inputs, **attrs)
    return list(result) if op.residuals else [result]


def _primitive(node: Node, inputs: Sequence[Any]) -> Any:
    op, attrs, x = node.op, node.attrs, inputs[0]
    if op.kind == NUMERIC:
        return NUMBERS[op.name](*inputs)
    if op.kind == FOLD:
        return op.ufunc.reduce(x, axis=attrs["axis"], keepdims=attrs["keepdims"])
    if op.kind == PRODUCT:
        return op.ufunc(*inputs)
    if op.kind == MAP:
        out = empty(node.out)
        out[...] = np.where(*inputs) if op is WHERE else op.ufunc(*inputs) if op.ufunc else x
        return out
    if op in (ASSIGN, ADD_AT):
        return _put(op, x, inputs[1], filled(attrs["index"], inputs[2:]))
    return _read(op, x, attrs, inputs[1:])


def _read(op: Primitive, x: Array, attrs: dict[str, Any], arrays: Sequence[Array]) -> Any:
    if op is RESHAPE:
        return x.reshape(attrs["shape"])
    if op is TRANSPOSE:
        return x.transpose(attrs["axes"])
    if op is BROADCAST:
        return np.broadcast_to(x, attrs["shape"])
    if op is WINDOWS:
        return sliding_window_view(x, attrs["sizes"], attrs["axes"])
    if op is SLICE or op is INDEX:
        return x[filled(attrs["index"], arrays)]
    raise NotImplementedError(f"the primitive {op.name}")


def _put(op: Primitive, x: Array, y: Any, where: Any) -> Array:
    out = x.copy("K")
    if op is ADD_AT:
        np.add.at(out, where, y)
    else:
        out[where] = y
    return out


def empty(value: Value) -> Array:
    """An array of the value's shape and dtype whose axes lie in memory in its order."""
    shape = [value.shape[axis] for axis in value.order]
    return np.empty(shape, value.dtype).transpose(np.argsort(value.order))

"""The walk back over the tape. Called by `Tensor.backward` and `byhand.autograd.grad`.

Nodes wait in a heap ordered by serial number, so each is reached after everything computed from it, however long the
chain is, without recursion and without a pass that sorts first. Rules are fed arrays, or tensors when a graph of the
backward pass is wanted; nothing else differs. Un-broadcasting happens here, once, for all rules.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from sys import getrefcount
from typing import Any

import numpy as np

from byhand.core import mutation, promotion
from byhand.core.capture import slot, tracer
from byhand.core.errors import GraphError
from byhand.core.op import signature
from byhand.core.recorder import wrap
from byhand.core.tape import Node, mode
from byhand.core.variable import Variable

ndarray = np.ndarray

# Set by `byhand.ops.reduce`: an op like all others, which on arrays is its kernel.
unbroadcast: Any = None
# Set by `byhand.ops.complex`, which says what a gradient of complex values is on its way.
conj: Any = None
real: Any = None
paired: Any = None


def walk(
    roots: Iterable[tuple[Node, Any]],
    *,
    targets: set[Node] | None = None,
    create_graph: bool = False,
    retain_graph: bool = False,
) -> dict[Node, Any]:
    """Propagate cotangents from the roots; accumulate at the leaves, or return the gradients of `targets`.

    `roots` pairs nodes with cotangents: arrays, or Variables with `create_graph`.
    """
    before, mode.recording = mode.recording, create_graph
    try:
        watcher = None if slot.tracer is None else tracer()
        if watcher is None:
            return _walk(roots, targets, create_graph, retain_graph)
        with watcher.backward():
            wrapped = [(node, g if isinstance(g, Variable) else wrap(g)) for node, g in roots]
            return _walk(wrapped, targets, create_graph, retain_graph)
    finally:
        mode.recording = before


def _walk(roots: Any, targets: set[Node] | None, create_graph: bool, retain_graph: bool) -> dict[Node, Any]:
    grads: dict[Node, Any] = {}
    heap: list[tuple[int, Node]] = []
    leaves: list[Node] = []  # they wait until the end: nothing comes after them
    found: dict[Node, Any] = {}
    owned: set[Node] = set()  # those whose gradient is a sum made here, which may be added to in place
    push, pop, clock = heapq.heappush, heapq.heappop, mutation.clock
    watcher = None if slot.tracer is None else tracer()
    on_tensors = create_graph or watcher is not None  # what is captured must pass through recorded ops
    pull, own = (_pull_tensors, _own_tensor) if on_tensors else (_pull_arrays, _own_array)
    for node, g in roots:
        if node in grads:
            grads[node] = grads[node] + g
        elif node.op is None:
            leaves.append(node)
            grads[node] = own(g, g)
        else:
            grads[node] = g
            push(heap, (-node.serial, node))
    needed = None if targets is None else _leading_to(targets, list(grads))
    while heap:
        node = pop(heap)[1]
        g = grads.pop(node)
        if node.hooks is not None:
            g = _run_hooks(node, g, on_tensors)
        if watcher is not None:
            watcher.arrived(node, g)
        if targets is not None and node in targets:
            found[node] = g
        if needed is not None and needed.isdisjoint(node.inputs):
            continue  # nobody asked for what lies behind, so it stays as it is
        op: Any = node.op
        saved = node.saved
        if saved is None:
            raise GraphError(_freed(op))
        if node.serial < clock.last:
            mutation.verify(node)
        shared: dict[str, Any] = {}
        inputs = node.inputs
        for i in op.backwards or range(len(inputs)):
            source = inputs[i]
            if source is None or (needed is not None and source not in needed):
                continue
            derivative = op.rule(i) if op.variadic else op.rules.get(i)
            if derivative is None:
                continue
            if op.part and source in owned and g.dtype == source.dtype:
                where = op.kernel(grads[source], **node.attrs)
                where += g
                continue
            places = None if on_tensors else derivative.positions
            if watcher is not None:
                watcher.rule = op.name, op.operands[min(i, len(op.operands) - 1)]
            if places is None:
                gx = pull(derivative, g, node, op, i, shared)
            elif len(places) == 1:  # most rules need one value: spare them the list
                gx = derivative.rule(g, saved[places[0]])
            else:
                gx = derivative.rule(g, *[saved[place] for place in places])
            if gx.shape != source.shape:
                gx = unbroadcast(gx, shape=source.shape)
            if gx.dtype is not source.dtype and gx.dtype != source.dtype:
                gx = settled(gx, source.dtype)
            if source not in grads:
                if source.op is None:
                    leaves.append(source)
                    grads[source] = own(gx, g)
                else:
                    push(heap, (-source.serial, source))
                    grads[source] = gx
                if op.part and not on_tensors:
                    owned.add(source)  # its rule makes an array of its own: zeros, with g where the view looks
            elif source in owned:
                np.add(grads[source], gx, out=grads[source])
            else:
                grads[source] = total = grads[source] + gx
                if type(total) is ndarray:
                    owned.add(source)
        if not retain_graph and op.saves:
            node.saved = None
    _deliver(leaves, grads, targets, found, on_tensors)
    return found


def settled(gx: Any, dtype: Any) -> Any:
    """A gradient in the dtype of what it is the gradient of: of a real value its real part."""
    if gx.dtype.kind == "c" != dtype.kind:
        gx = real(gx)
    elif gx.dtype.kind != "c" == dtype.kind:
        gx = paired(gx)
    return gx if gx.dtype == dtype else promotion.cast(gx, dtype=dtype)


def _own_array(gx: Any, g: Any) -> Any:
    """gx as an array of its own: a leaf keeps what it gets, so that must not be someone else's memory."""
    if gx is g or type(gx) is not ndarray:
        return np.array(gx)
    # the transpose of a product made for this leaf has a base that nobody else holds
    return gx if gx.base is None or (getrefcount(gx.base) == 2 and gx.base.size == gx.size) else np.array(gx)


def _own_tensor(gx: Any, g: Any) -> Any:
    """The same for tensors."""
    return gx.clone() if gx is g or gx.array.base is not None else gx


def _deliver(
    leaves: list[Node], grads: dict[Node, Any], targets: set[Node] | None, found: dict[Node, Any], on_tensors: bool
) -> None:
    """Hand the leaves their gradients, or keep them for the caller."""
    for node in leaves:
        g = grads[node]
        if node.hooks is not None:
            g = _run_hooks(node, g, on_tensors)
        if targets is None:
            _accumulate(node, g, on_tensors)
            if node.hooks is not None:
                for hook in [hook for hook in node.hooks.values() if hook.late]:
                    hook.function(None)
        elif node in targets:
            found[node] = g


def _freed(op: Any) -> str:
    return (
        f"the values saved by {op.name} are gone: backward ran through this graph before; "
        "pass retain_graph=True to the earlier backward() if you need to walk it twice"
    )


def _pull_arrays(derivative: Any, g: Any, node: Node, op: Any, i: int, shared: dict[str, Any]) -> Any:
    """The rule on arrays; what the rules of a node share is computed when the first of them asks for it."""
    if op.shared:
        for name in derivative.needs:
            if name in op.shared and name not in shared:
                shared[name] = _pull_arrays(op.shared[name], g, node, op, i, shared)
    return derivative.rule(g, *[shared[n] if n in shared else _value(node, op, n, i) for n in derivative.needs])


def _pull_tensors(derivative: Any, g: Any, node: Node, op: Any, i: int, shared: dict[str, Any]) -> Any:
    """The rule on tensors in the graph."""
    if not op.shared:
        return derivative.rule(g, *_tensors(node, op, derivative.needs, i))
    for name in derivative.needs:
        if name in op.shared and name not in shared:
            shared[name] = _pull_tensors(op.shared[name], g, node, op, i, shared)
    values = [shared[n] if n in shared else _tensors(node, op, (n,), i)[0] for n in derivative.needs]
    return derivative.rule(g, *values)


def _tensors(node: Node, op: Any, needs: tuple[str, ...], i: int) -> list[Any]:
    """What a rule asks for, as tensors in the graph."""
    made: list[Any] = []
    for name in needs:
        if name == "out":
            made.append(_wrap(node.saved[-1], node))  # type: ignore[index]
        elif op.variadic and name == op.operands[-1]:
            first = len(op.operands) - 1
            pairs = zip(node.saved[first:-1], node.inputs[first:], strict=True)  # type: ignore[index]
            made.append([_wrap(value, source) for value, source in pairs])
        elif name in op.residuals and (op.residuals[name] is None or not mode.recording):
            # no formula: a constant of the rules; captured: the value that was kept will do
            made.append(_wrap(_value(node, op, name, i), None))
        elif name in op.residuals:
            formula = op.residuals[name]
            made.append(formula(*_tensors(node, op, tuple(signature(formula)[0]), i)))
        elif name in op.operands:
            position = op.operands.index(name)
            made.append(_wrap(node.saved[position], node.inputs[position]))  # type: ignore[index]
        else:
            made.append(_value(node, op, name, i))
    return made


def _wrap(value: Any, node: Node | None) -> Any:
    return wrap(value, node) if isinstance(value, ndarray) else value


def _value(node: Node, op: Any, name: str, i: int) -> Any:
    saved: tuple[Any, ...] = node.saved  # type: ignore[assignment]
    if name == "out":
        return saved[-1]
    if name in op.operands:
        position = op.operands.index(name)
        return list(saved[position:-1]) if op.variadic and position == len(op.operands) - 1 else saved[position]
    if name in op.residuals:
        return saved[len(op.operands) + list(op.residuals).index(name)]
    if name in node.attrs:
        return node.attrs[name]
    if name == "i":
        return i - (len(op.operands) - 1)
    if name.endswith("_shapes"):
        return [None if source is None else source.shape for source in node.inputs[len(op.operands) - 1 :]]
    source = node.inputs[op.operands.index(name.removesuffix("_shape"))]
    assert source is not None, f"the rules of {op.name} may ask for the shape of a tracked operand only"
    return source.shape


def _run_hooks(node: Node, g: Any, on_tensors: bool) -> Any:
    tensor = g if isinstance(g, Variable) else wrap(np.asarray(g))
    turned = tensor.array.dtype.kind == "c"
    tensor = conj(tensor) if turned else tensor
    for hook in list((node.hooks or {}).values()):
        if hook.late:
            continue
        replaced = hook.function(tensor)
        if replaced is not None:
            tensor = replaced
    tensor = conj(tensor) if turned else tensor
    return tensor if on_tensors else tensor.array


def _accumulate(leaf: Node, g: Any, on_tensors: bool) -> None:
    watcher = None if slot.tracer is None else tracer()
    if watcher is not None:
        watcher.delivered(leaf, g)
    if leaf.dtype.kind == "c":
        g = conj(g)
    if leaf.grad is None:
        leaf.grad = g if isinstance(g, Variable) else wrap(np.asarray(g))  # type: ignore[assignment]
    elif on_tensors:
        leaf.grad = leaf.grad + g
    else:
        array = leaf.grad.array
        np.add(array, g, out=array)
        mutation.touch(array, "backward")


def _leading_to(targets: set[Node], roots: list[Node]) -> set[Node]:
    """The nodes from which some target is reached: no rule runs for any other."""
    seen = set(roots)
    stack = list(roots)
    while stack:
        for source in stack.pop().inputs:
            if source is not None and source not in seen:
                seen.add(source)
                stack.append(source)
    needed: set[Node] = set()
    for node in sorted(seen, key=lambda n: n.serial):
        if node in targets or any(source in needed for source in node.inputs if source is not None):
            needed.add(node)
    return needed

"""`backward` and `grad` as users call them: checks, cotangents, and the walk. `byhand.autograd` re-exports both."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from byhand.core import engine
from byhand.core.engine import walk
from byhand.core.errors import DtypeError, GraphError, ShapeError, UsageError
from byhand.core.recorder import wrap
from byhand.core.tape import Node
from byhand.core.variable import Variable


def backward(
    tensors: Any,
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Any = None,
) -> None:
    """Add the gradients of the tensors to `.grad` of the leaves they were computed from (or of `inputs` only)."""
    if isinstance(tensors, Variable) and grad_tensors is None and inputs is None and not create_graph:
        array = tensors.array  # loss.backward(), the case that counts: 6 µs less
        if tensors.node is not None and array.size == 1 and array.dtype.kind == "f":
            walk(((tensors.node, np.ones(array.shape, array.dtype)),), retain_graph=bool(retain_graph))
            return
    roots = _roots(_listed(tensors), _listed(grad_tensors), create_graph, "backward")
    keep = create_graph if retain_graph is None else retain_graph
    if inputs is None:
        walk(roots, create_graph=create_graph, retain_graph=keep)
        return
    wanted = [_node(x, "backward") for x in _listed(inputs)]
    found = walk(roots, targets=set(wanted), create_graph=create_graph, retain_graph=keep)
    for node in dict.fromkeys(wanted):
        if node in found:
            g: Any = found[node]
            g = engine.conj(g) if g.dtype.kind == "c" else g
            if not isinstance(g, Variable):
                g = wrap(np.array(g))
            node.grad = g if node.grad is None else node.grad + g


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Any, ...]:
    """The gradients of the sum of outputs · grad_outputs by the inputs, as new tensors; `.grad` stays as it is.

    With `create_graph` the result can be differentiated again. Raises GraphError if an input was not used,
    unless `allow_unused` (then its gradient is None) or `materialize_grads` (then zeros).

    >>> import byhand
    >>> x = byhand.tensor(3.0, requires_grad=True)
    >>> first, = byhand.autograd.grad(x * x * x, x, create_graph=True)
    >>> second, = byhand.autograd.grad(first, x)
    >>> first.item(), second.item()
    (27.0, 18.0)
    """
    if is_grads_batched:
        raise UsageError("is_grads_batched is not there; use autograd.jacobian")
    wanted = [_node(x, "grad") for x in _listed(inputs)]
    roots = _roots(_listed(outputs), _listed(grad_outputs), create_graph, "grad")
    keep = create_graph if retain_graph is None else retain_graph
    found = walk(roots, targets=set(wanted), create_graph=create_graph, retain_graph=keep)
    results: list[Any] = []
    for position, node in enumerate(wanted):
        g = found.get(node)
        if g is None and materialize_grads:
            g = np.zeros(node.shape, node.dtype)
        if g is None and not allow_unused:
            raise GraphError(
                f"input {position} of grad, of shape {node.shape}, was not used to compute the outputs; "
                "pass allow_unused=True to get None for it"
            )
        if g is not None and g.dtype.kind == "c":
            g = engine.conj(g)
        results.append(g if g is None or isinstance(g, Variable) else wrap(np.array(g)))
    return tuple(results)


def _listed(values: Any) -> list[Any]:
    if values is None or isinstance(values, (Variable, np.ndarray)):
        return [values]
    return list(values) if isinstance(values, Iterable) else [values]


def _node(x: Any, name: str) -> Node:
    if not isinstance(x, Variable):
        raise UsageError(f"{name} takes tensors, not {type(x).__name__}")
    if x.node is None:
        raise GraphError(
            f"{name}: a tensor of shape {x.array.shape} does not require a gradient and was not computed from one "
            "that does; make it with requires_grad=True, and look for no_grad(), detach() or a compiled function on "
            "the way"
        )
    return x.node


def _roots(tensors: Sequence[Any], cotangents: list[Any], create_graph: bool, name: str) -> list[tuple[Node, Any]]:
    if len(cotangents) == 1 and cotangents[0] is None:
        cotangents = [None] * len(tensors)
    if len(cotangents) != len(tensors):
        raise UsageError(f"{name}: {len(tensors)} tensors, but {len(cotangents)} gradients for them")
    return [(_node(x, name), _cotangent(x, g, create_graph, name)) for x, g in zip(tensors, cotangents, strict=True)]


def _cotangent(x: Variable, g: Any, create_graph: bool, name: str) -> Any:
    """The gradient to start from, as the walk wants it."""
    array = x.array
    if g is None:
        if array.size != 1:
            raise GraphError(
                f"{name} of a tensor of shape {array.shape}: only a single number has a gradient by itself; "
                "reduce it with .sum() or .mean(), or pass the gradient that arrives at it"
            )
        if array.dtype.kind == "c":
            raise GraphError(
                f"{name} of a complex number: only a real one has a gradient by itself; take .real or .abs(), or pass "
                "the gradient that arrives at it"
            )
        g = np.ones(array.shape, array.dtype)
    elif not isinstance(g, (Variable, np.ndarray)):
        g = np.asarray(g, dtype=array.dtype)
    value = g.array if isinstance(g, Variable) else g
    if value.shape != array.shape:
        raise ShapeError(f"{name}: the gradient has shape {value.shape}, the tensor {array.shape}")
    if value.dtype.kind not in ("fc" if array.dtype.kind == "c" else "f"):
        raise DtypeError(f"{name}: a gradient is a float tensor, not {value.dtype}")
    if value.dtype != array.dtype:
        g = value = value.astype(array.dtype)
    if array.dtype.kind == "c":
        g, value = engine.conj(g), np.conjugate(value)
    if create_graph:
        return g if isinstance(g, Variable) else wrap(value)
    return value


__all__ = ["backward", "grad"]

"""Whole derivatives of functions: Jacobian, Hessian, and their products with vectors. As `torch.autograd.functional`.

Functions take tensors and return tensors; inputs may be one tensor or a tuple, and results have the same structure.
Each differentiates fresh leaves, so tensors of the caller are not touched.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from byhand.core.errors import ShapeError, UsageError
from byhand.core.gradient import grad
from byhand.core.tape import enable_grad
from byhand.ops.shape import stack
from byhand.tensor import Tensor

Function = Callable[..., Any]


def _leaves(inputs: Any, create_graph: bool) -> tuple[Tensor, ...]:
    """The inputs as tensors to differentiate by; still connected to their own past if a graph is wanted."""
    tensors = inputs if isinstance(inputs, tuple) else (inputs,)
    if create_graph:
        return tuple(x.view(x.shape) if x.requires_grad else x.detach().requires_grad_() for x in tensors)
    return tuple(x.detach().requires_grad_() for x in tensors)


def _outputs(results: Any) -> tuple[Tensor, ...]:
    return results if isinstance(results, tuple) else (results,)


def _gradients(y: Tensor, xs: tuple[Tensor, ...], g: Any, create_graph: bool) -> tuple[Tensor, ...]:
    if not y.requires_grad:
        return tuple(Tensor(np.zeros(x.shape, x.dtype)) for x in xs)
    return grad(y, xs, g, retain_graph=True, create_graph=create_graph, materialize_grads=True)


def jacobian(
    func: Function, inputs: Any, create_graph: bool = False, strict: bool = False, vectorize: bool = False
) -> Any:
    """J[i, j] = ∂ out_i / ∂ in_j, of shape (*out, *in); nested tuples for several inputs or outputs.

    >>> import byhand
    >>> byhand.autograd.jacobian(lambda x: x * x, byhand.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    with enable_grad():
        xs = _leaves(inputs, create_graph)
        results = func(*xs)
        rows = tuple(_jacobian(y, xs, create_graph) for y in _outputs(results))
    table = rows if isinstance(inputs, tuple) else tuple(row[0] for row in rows)
    return table if isinstance(results, tuple) else table[0]


def _jacobian(y: Tensor, xs: tuple[Tensor, ...], create_graph: bool) -> tuple[Tensor, ...]:
    parts: list[tuple[Tensor, ...]] = []
    for i in range(y.numel()):
        g = np.zeros(y.shape, y.dtype)
        g.flat[i] = 1
        parts.append(_gradients(y, xs, Tensor(g), create_graph))
    return tuple(
        stack([part[k] for part in parts], 0).reshape(*y.shape, *x.shape)
        if parts
        else Tensor(np.zeros((*y.shape, *x.shape)))
        for k, x in enumerate(xs)
    )


def hessian(
    func: Function, inputs: Any, create_graph: bool = False, strict: bool = False, vectorize: bool = False
) -> Any:
    """H[i, j] = ∂² out / ∂ in_i ∂ in_j of a function with one number as its result.

    >>> import byhand
    >>> byhand.autograd.hessian(lambda x: (x**3).sum(), byhand.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """

    def gradient(*xs: Tensor) -> Any:
        y = _scalar(func(*xs), "hessian")
        first = _gradients(y, xs, None, True)
        return first if isinstance(inputs, tuple) else first[0]

    return jacobian(gradient, inputs, create_graph)


def _scalar(y: Any, name: str) -> Tensor:
    if not isinstance(y, Tensor) or y.numel() != 1:
        raise ShapeError(
            f"{name} is for functions with one number as their result, this one gave {getattr(y, 'shape', y)}"
        )
    return y


def _shaped(v: Any, outputs: tuple[Tensor, ...]) -> tuple[Any, ...]:
    if v is None:
        return tuple(Tensor(np.ones(_scalar(y, "v=None").shape, y.dtype)) for y in outputs)
    return v if isinstance(v, tuple) else (v,)


def vjp(
    func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """(func(inputs), vᵀ J): one backward pass. v has the shape of the result, or is left out for one number."""
    with enable_grad():
        xs = _leaves(inputs, create_graph)
        results = func(*xs)
        outputs = _outputs(results)
        tracked = [(y, g) for y, g in zip(outputs, _shaped(v, outputs), strict=True) if y.requires_grad]
        if tracked:
            found = grad(
                [y for y, _ in tracked], xs, [g for _, g in tracked], create_graph=create_graph, materialize_grads=True
            )
        else:
            found = tuple(Tensor(np.zeros(x.shape, x.dtype)) for x in xs)
    values = results if create_graph else _detached(results)
    return values, found if isinstance(inputs, tuple) else found[0]


def _detached(results: Any) -> Any:
    return tuple(y.detach() for y in results) if isinstance(results, tuple) else results.detach()


def value_and_grad(func: Function) -> Function:
    """The function of the same arguments that returns (value, gradient) of `func`, whose result is one number.

    The gradient is by all arguments that are float tensors: one tensor if there is one such argument, else a tuple in
    their order; zeros for those that `func` does not use. `.grad` stays as it is. Raises UsageError if there is none.

    >>> import byhand
    >>> byhand.autograd.value_and_grad(lambda x, power: (x**power).sum())(byhand.tensor([1.0, 2.0]), 2)
    (tensor(5.), tensor([2., 4.]))
    """

    @functools.wraps(func)
    def call(*args: Any, **kwargs: Any) -> tuple[Tensor, Any]:
        given = [*args, *kwargs.values()]
        places = [i for i, x in enumerate(given) if isinstance(x, Tensor) and x.dtype.kind == "f"]
        if not places:
            raise UsageError("value_and_grad: none of the arguments is a float tensor; write them as byhand.tensor(…)")
        with enable_grad():
            xs = _leaves(tuple(given[i] for i in places), False)
            for i, x in zip(places, xs, strict=True):
                given[i] = x
            named = dict(zip(kwargs, given[len(args) :], strict=True))
            y = _scalar(func(*given[: len(args)], **named), "value_and_grad")
            found = _gradients(y, xs, None, False)
        return y.detach(), found if len(found) > 1 else found[0]

    return call


def jvp(
    func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """(func(inputs), J v), by two backward passes: the derivative of uᵀ J by u is J, along v."""
    with enable_grad():
        xs = _leaves(inputs, create_graph)
        results = func(*xs)
        outputs = _outputs(results)
        us = tuple(Tensor(np.zeros(y.shape, y.dtype)).requires_grad_() for y in outputs)
        tracked = [(y, u) for y, u in zip(outputs, us, strict=True) if y.requires_grad]
        first = grad([y for y, _ in tracked], xs, [u for _, u in tracked], create_graph=True, materialize_grads=True)
        directions = _shaped(v, xs)
        second = [(row, d) for row, d in zip(first, directions, strict=True) if row.requires_grad]
        products = grad(
            [row for row, _ in second], us, [d for _, d in second], create_graph=create_graph, materialize_grads=True
        )
    return (results if create_graph else _detached(results)), products if isinstance(results, tuple) else products[0]


def hvp(
    func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """(func(inputs), H v) of a function with one number as its result: the gradient of (∇f · v)."""
    with enable_grad():
        xs = _leaves(inputs, create_graph)
        y = _scalar(func(*xs), "hvp")
        first = _gradients(y, xs, None, True)
        directions = _shaped(v, xs)
        tracked = [(row, d) for row, d in zip(first, directions, strict=True) if row.requires_grad]
        if tracked:
            found = grad(
                [row for row, _ in tracked],
                xs,
                [d for _, d in tracked],
                create_graph=create_graph,
                materialize_grads=True,
            )
        else:
            found = tuple(Tensor(np.zeros(x.shape, x.dtype)) for x in xs)
    return (y if create_graph else y.detach()), found if isinstance(inputs, tuple) else found[0]


vhp = hvp  # the Hessian of a twice continuously differentiable function is symmetric

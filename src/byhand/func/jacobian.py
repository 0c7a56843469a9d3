"""Jacobians and Hessians as functions: rows by `vjp` of unit vectors, all at once under `vmap`."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from byhand.core.errors import UsageError
from byhand.func.transforms import Call, Function, depth
from byhand.func.vmap import vmap
from byhand.ops.views import reshaped
from byhand.program.tree import flatten, unflatten
from byhand.tensor import Tensor


def jacrev(func: Function, argnums: Any = 0, *, has_aux: bool = False, chunk_size: int | None = None) -> Function:
    """The function that returns ∂ out / ∂ in of shape (*out, *in), nested as the results and in them the arguments are.

    argnums     by which positional arguments: an int, or a tuple, which gives a tuple for each result
    has_aux     `func` returns (result, aux), and (Jacobian, aux) is returned
    chunk_size  at most so many rows at a time

    >>> import byhand
    >>> byhand.func.jacrev(lambda x: x * x)(byhand.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """

    @functools.wraps(func)
    def call(*args: Any, **kwargs: Any) -> Any:
        made = Call(func, argnums, has_aux, args, kwargs, "jacrev")
        outputs, structure = flatten(made.value)
        if not outputs or not all(isinstance(y, Tensor) for y in outputs):
            raise UsageError("jacrev: the function must return tensors")
        tables = [_rows(made, list(outputs), k, chunk_size) for k in range(len(outputs))]
        found = unflatten(structure, iter([made.gradients(table) for table in tables]))
        return (found, made.leaves.results(made.aux)) if has_aux else found

    return call


def _rows(made: Call, outputs: list[Tensor], k: int, chunk_size: int | None) -> list[Tensor]:
    """∂ outputs[k] / ∂ each leaf."""
    y = outputs[k]
    n = math.prod(y.shape)
    units = Tensor(np.eye(n, dtype=y.dtype).reshape(n, *y.shape))
    keep = made.leaves.keep or depth.value > 0
    rows = vmap(lambda g: made.leaves.pulled([y], [g], keep), chunk_size=chunk_size)(units) if n else None
    if rows is None:
        return [Tensor(np.zeros((*y.shape, *shape), y.dtype)) for shape in made.leaves.shapes]
    return [reshaped(row, shape=(*y.shape, *row.shape[1:])) for row in rows]


def jacfwd(
    func: Function, argnums: Any = 0, has_aux: bool = False, *, chunk_size: int | None = None, randomness: str = "error"
) -> Function:
    """The same as `jacrev`: there is no forward mode, so the rows are computed and not the columns."""
    return jacrev(func, argnums, has_aux=has_aux, chunk_size=chunk_size)


def hessian(func: Function, argnums: Any = 0) -> Function:
    """The function that returns the second derivatives, (*out, *in, *in).

    >>> import byhand
    >>> byhand.func.hessian(lambda x: (x**3).sum())(byhand.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    return jacrev(jacrev(func, argnums), argnums)

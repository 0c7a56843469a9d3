"""Derivatives of functions: `grad`, `vjp`, `jvp`, of pure functions of tensors, to be nested and put under `vmap`.

What is differentiated by is made a fresh leaf, connected to its past where that matters, and expanded to the batches
of all running `vmap`s, so that one backward pass gives each example its own gradient.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from byhand.core import gradient
from byhand.core.errors import ShapeError, UsageError
from byhand.core.lanes import Level, running
from byhand.core.tape import enable_grad, is_grad_enabled
from byhand.func.lanes import spread, wrapped
from byhand.ops.views import permuted, reshaped
from byhand.program.tree import flatten, unflatten
from byhand.tensor import Tensor

Function = Callable[..., Any]


class _Depth(threading.local):
    value = 0


depth = _Depth()


@contextmanager
def inside() -> Iterator[None]:
    """While a function is differentiated; what it computes is recorded, whatever the mode outside."""
    depth.value += 1
    try:
        with enable_grad():
            yield
    finally:
        depth.value -= 1


class Leaves:
    """What is differentiated by: the tensors in nested arguments, as leaves.

    tree     the arguments with the leaves in place of the tensors
    inner    the leaves as the tape knows them, with the batches of `levels` as their first axes
    keep     whether results stay connected to what came before
    """

    def __init__(self, tree: Any, name: str) -> None:
        tensors, self.structure = flatten(tree)
        for x in tensors:
            if not isinstance(x, Tensor) or x.dtype.kind not in "fc":
                kind = f"a tensor of {x.dtype}" if isinstance(x, Tensor) else type(x).__name__
                raise UsageError(f"{name} differentiates by float tensors, not by {kind}; see argnums")
        self.levels = list(running.levels)
        self.numbers = [level.number for level in self.levels]
        self.shapes = [x.shape for x in tensors]
        full = [spread(x, self.levels) for x in tensors]
        self.keep = depth.value > 0 or (is_grad_enabled() and any(x.requires_grad for x in full))
        with enable_grad():
            self.inner = [
                reshaped(x, shape=x.shape) if x.requires_grad and self.keep else x.detach().requires_grad_()
                for x in full
            ]
            self.tree = unflatten(self.structure, iter([wrapped(x, self.numbers) for x in self.inner]))

    def pulled(
        self, outputs: list[Any], cotangents: list[Any], keep: bool | None = None, retain: bool = True
    ) -> list[Tensor]:
        """The gradients of Σ outputs · cotangents by the leaves, one for each."""
        extra = [level for level in running.levels if level.number not in self.numbers]
        pairs = []
        for y, g in zip(outputs, cotangents, strict=True):
            full = spread(y, self.levels)
            if full.requires_grad:
                pairs.append((full, _turned(g, self.levels, extra)))
        create = (self.keep if keep is None else keep) or bool(extra)
        if pairs:
            with enable_grad():
                found = gradient.grad(
                    [y for y, _ in pairs], self.inner, [g for _, g in pairs], create_graph=create, allow_unused=True,
                    retain_graph=retain or create,
                )  # fmt: skip
        else:
            found = (None,) * len(self.inner)
        made = []
        for g, x in zip(found, self.inner, strict=True):
            g = Tensor(np.zeros(x.shape, x.dtype)) if g is None else g
            made.append(
                wrapped(_returned(g, self.levels, extra), sorted(self.numbers + [level.number for level in extra]))
            )
        return made if self.keep or keep else [g.detach() for g in made]

    def results(self, tree: Any) -> Any:
        """What the function gave, cut off from the leaves unless it is to stay connected."""
        leaves, structure = flatten(tree)
        kept = [x.detach() if isinstance(x, Tensor) and not self.keep else x for x in leaves]
        return unflatten(structure, iter(kept))


def _turned(g: Tensor, levels: list[Level], extra: list[Level]) -> Tensor:
    """A cotangent as the tape wants it: batches of `levels` in front, as values of the `vmap`s begun since."""
    ordered = sorted(levels + extra, key=lambda level: level.number)
    full = spread(g, ordered)
    order = [ordered.index(level) for level in extra + levels]
    axes = (*order, *range(len(order), full.ndim))
    full = full if axes == tuple(range(full.ndim)) else permuted(full, axes=axes)
    return wrapped(full, [level.number for level in extra])


def _returned(g: Tensor, levels: list[Level], extra: list[Level]) -> Tensor:
    """The way back: the batches of all levels as the first axes."""
    if not extra:
        return g
    full = spread(g, extra)
    now = extra + levels
    ordered = sorted(now, key=lambda level: level.number)
    order = [now.index(level) for level in ordered]
    return permuted(full, axes=(*order, *range(len(order), full.ndim)))


def _chosen(argnums: int | tuple[int, ...], args: tuple[Any, ...], name: str) -> tuple[int, ...]:
    places = argnums if isinstance(argnums, tuple) else (argnums,)
    for place in places:
        if not -len(args) <= place < len(args):
            raise UsageError(f"{name}: argnums={argnums}, but {len(args)} positional arguments are given")
    return tuple(place % len(args) for place in places)


class Call:
    """One call of a function that is differentiated by some of its arguments."""

    def __init__(self, func: Function, argnums: Any, has_aux: bool, args: Any, kwargs: Any, name: str) -> None:
        self.single = isinstance(argnums, int)
        places = _chosen(argnums, args, name)
        self.leaves = Leaves(tuple(args[place] for place in places), name)
        given = list(args)
        for place, made in zip(places, self.leaves.tree, strict=True):
            given[place] = made
        with inside():
            found = func(*given, **kwargs)
        self.aux: Any = None
        if has_aux:
            if not isinstance(found, tuple) or len(found) != 2:
                raise UsageError(f"{name}: with has_aux the function returns a pair (result, aux)")
            found, self.aux = found
        self.value = found

    def gradients(self, found: list[Tensor]) -> Any:
        """One for each leaf, nested as the arguments are."""
        tree = unflatten(self.leaves.structure, iter(found))
        return tree[0] if self.single else tree


def grad_and_value(func: Function, argnums: Any = 0, has_aux: bool = False) -> Function:
    """The function of the same arguments that returns (gradient, value) of `func`, whose result is one number.

    argnums  by which positional arguments, tensors or nested ones: an int, or a tuple, which gives a tuple of gradients
    has_aux  `func` returns (number, aux), and (gradient, (number, aux)) is returned

    >>> import byhand
    >>> byhand.func.grad_and_value(lambda x: (x * x).sum())(byhand.tensor([1.0, 2.0]))
    (tensor([2., 4.]), tensor(5.))
    """

    @functools.wraps(func)
    def call(*args: Any, **kwargs: Any) -> Any:
        made = Call(func, argnums, has_aux, args, kwargs, "grad")
        y = made.value
        if not isinstance(y, Tensor) or y.ndim:
            raise ShapeError(f"grad: the function must return one number, it returned {getattr(y, 'shape', y)}")
        found = made.gradients(made.leaves.pulled([y], [Tensor(np.ones((), y.dtype))], retain=False))
        value, aux = made.leaves.results(y), made.leaves.results(made.aux)
        return found, ((value, aux) if has_aux else value)

    return call


def value_and_grad(func: Function, argnums: Any = 0, has_aux: bool = False) -> Function:
    """`grad_and_value` with the value first, as in JAX."""
    both = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func)
    def call(*args: Any, **kwargs: Any) -> Any:
        found, value = both(*args, **kwargs)
        return value, found

    return call


def grad(func: Function, argnums: Any = 0, has_aux: bool = False) -> Function:
    """The function of the same arguments that returns the gradient of `func`; see `grad_and_value`.

    >>> import byhand
    >>> cube = lambda x: x**3
    >>> byhand.func.grad(byhand.func.grad(cube))(byhand.tensor(2.0))
    tensor(12.)
    """
    both = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func)
    def call(*args: Any, **kwargs: Any) -> Any:
        found, rest = both(*args, **kwargs)
        return (found, rest[1]) if has_aux else found

    return call


def vjp(func: Function, *primals: Any, has_aux: bool = False) -> tuple[Any, ...]:
    """(func(*primals), pull): pull(v) is vᵀ J, a tuple with one part for each primal; v is nested as the result is.

    With has_aux `func` returns (result, aux), and (result, pull, aux) is returned.

    >>> import byhand
    >>> y, pull = byhand.func.vjp(byhand.sin, byhand.tensor(0.0))
    >>> pull(byhand.tensor(2.0))
    (tensor(2.),)
    """
    made = Call(func, tuple(range(len(primals))), has_aux, primals, {}, "vjp")
    outputs, structure = flatten(made.value)

    def pull(*cotangents: Any, retain_graph: bool = True, create_graph: bool | None = None) -> Any:
        given, kind = flatten(cotangents[0] if len(cotangents) == 1 else cotangents)
        if kind != structure or any(g.shape != y.shape for g, y in zip(given, outputs, strict=True)):
            raise ShapeError(
                f"vjp: the vectors {[g.shape for g in given]} do not have the shapes {[y.shape for y in outputs]}"
            )
        connected = depth.value > 0 or (is_grad_enabled() and any(g.requires_grad for g in given))
        return made.gradients(
            made.leaves.pulled(list(outputs), list(given), create_graph or made.leaves.keep or connected)
        )

    value = made.leaves.results(made.value)
    return (value, pull, made.leaves.results(made.aux)) if has_aux else (value, pull)


def jvp(func: Function, primals: Any, tangents: Any, *, strict: bool = False, has_aux: bool = False) -> tuple[Any, ...]:
    """(func(*primals), J v): by two backward passes, since v ↦ J v is the derivative of u ↦ uᵀ J, which is linear.

    With has_aux `func` returns (result, aux), and (result, J v, aux) is returned.
    """
    given, kind = flatten(tuple(tangents))
    with inside():  # the first pass is differentiated by the second
        made = Call(func, tuple(range(len(primals))), has_aux, tuple(primals), {}, "jvp")
    if kind != made.leaves.structure or [v.shape for v in given] != made.leaves.shapes:
        raise ShapeError(
            f"jvp: the tangents {[v.shape for v in given]} are not shaped as the primals {made.leaves.shapes}"
        )
    outputs, structure = flatten(made.value)
    us = Leaves([Tensor(np.zeros(y.shape, y.dtype)) for y in outputs], "jvp")
    with inside():
        first = made.leaves.pulled(list(outputs), us.tree, keep=True)
    keep = depth.value > 0 or (
        is_grad_enabled() and any(v.requires_grad for v in (*given, *flatten(tuple(primals))[0]))
    )
    found = us.pulled(first, list(given), keep)
    if not keep:
        found = [v.detach() for v in found]
    made.leaves.keep = keep
    value, products = made.leaves.results(made.value), unflatten(structure, iter(found))
    return (value, products, made.leaves.results(made.aux)) if has_aux else (value, products)

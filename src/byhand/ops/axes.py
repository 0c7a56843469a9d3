"""Axes and shapes as users write them, resolved to what is recorded: non-negative ints in order, complete shapes.

Called by the public functions of `byhand.ops`. Both of PyTorch's and NumPy's keywords arrive here (`dim`, `axis`).
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from byhand.core.errors import DomainError, ShapeError, UsageError

Axes = tuple[int, ...]


def count(x: Any) -> int:
    """How many values an array or a tensor has (`size` is a number on the one and a function on the other)."""
    return math.prod(x.shape)


def either(first: Any, second: Any, names: str, default: Any = None) -> Any:
    """The one of two aliases that was given."""
    if second is None:
        return default if first is None else first
    if first is not None and first is not default:
        raise UsageError(f"{names} mean the same thing: give one of them")
    return second


def one(axis: Any, ndim: int, name: str) -> int:
    """One axis, counted from the front; raises DomainError if there is no such axis."""
    try:
        value = operator.index(axis)
    except TypeError:
        raise UsageError(f"{name}: dim is an integer, not {axis!r}") from None
    limit = max(ndim, 1)  # a scalar has the axes 0 and -1, as in PyTorch
    if not -limit <= value < limit:
        raise DomainError(
            f"{name}: there is no axis {value} in a tensor of {ndim} axes (allowed: {-limit} to {limit - 1})"
        )
    return value % limit


def many(axis: Any, ndim: int, name: str) -> Axes:
    """Several axes, sorted; None and () mean all of them."""
    if axis is None:
        return tuple(range(ndim))
    if isinstance(axis, Iterable):
        axes = tuple(sorted(one(a, ndim, name) for a in axis))
        if len(set(axes)) < len(axes):
            raise UsageError(f"{name}: an axis is named twice in dim={tuple(axis)}")
        return axes if ndim else ()
    return (one(axis, ndim, name),) if ndim else ()


def shape_of(sizes: Sequence[Any]) -> tuple[int, ...]:
    """The shape in f(2, 3), f((2, 3)) or f([2, 3])."""
    if len(sizes) == 1:
        first = sizes[0]
        if type(first) is not int and not hasattr(first, "__index__"):
            sizes = tuple(first)
    try:
        return tuple([n if type(n) is int else operator.index(n) for n in sizes])
    except TypeError:
        raise UsageError(f"sizes are integers, not {', '.join(map(repr, sizes))}") from None


def together(name: str, *shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that these broadcast to; raises ShapeError if they do not."""
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        raise ShapeError(f"{name}: shapes {' and '.join(map(str, shapes))} do not broadcast") from None


def completed(shape: tuple[int, ...], size: int, name: str, old: tuple[int, ...]) -> tuple[int, ...]:
    """A shape with its -1 worked out; raises ShapeError if it does not hold `size` values."""
    if -1 not in shape:
        if math.prod(shape) != size or (shape and min(shape) < 0):
            raise ShapeError(f"{name}: shape {old} has {size} values, shape {shape} would hold {math.prod(shape)}")
        return shape
    if shape.count(-1) > 1 or min(shape) < -1:
        raise ShapeError(f"{name}: at most one size of {shape} may be -1, and none lower")
    known = -math.prod(shape)
    if known == 0 or size % known:
        reason = f"{size} is no multiple of {known}"
        raise ShapeError(f"{name}: {size} values of shape {old} do not fill {shape}: {reason}")
    return tuple([size // known if n == -1 else n for n in shape])


def each(value: Any, nd: int, name: str, what: str) -> tuple[int, ...]:
    """A size for each of `nd` axes, from one for all of them or from a sequence; else raises UsageError."""
    given = tuple(value) if isinstance(value, Iterable) else (value,)
    sizes = given * nd if len(given) == 1 else given
    if len(sizes) != nd or not all(hasattr(n, "__index__") for n in sizes):
        raise UsageError(f"{name}: {what} is an integer, or {nd} of them, not {value!r}")
    return tuple(operator.index(n) for n in sizes)

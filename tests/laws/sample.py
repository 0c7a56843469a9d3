"""A sample of an op, the operands that samples are made of, and the roads to a reference value.

A reference computes the same value otherwise than the kernel: by Python's `math` value by value, by loops, or by
another NumPy function. Called by the tables `pointwise` and `structural`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

rng = np.random.default_rng(20)


@dataclass(frozen=True)
class Sample:
    """One call of an op."""

    function: Callable[..., Any]
    operands: tuple[Any, ...]
    reference: Callable[..., Any] | None = None
    attrs: dict[str, Any] = field(default_factory=dict)
    compose: Callable[..., Any] | None = None  # how the op is called, if some operands are computed from others
    around: bool = False  # whether that does more than compute operands

    @property
    def op(self) -> Any:
        return self.function.op  # type: ignore[attr-defined]

    def call(self, *operands: Any) -> Any:
        return (self.compose or self.function)(*operands, **self.attrs)

    @property
    def floats(self) -> list[int]:
        """The places of the operands that have a gradient."""
        return [
            i for i, x in enumerate(self.operands)
            if isinstance(x, np.ndarray) and x.dtype == np.float64 and self.op.rule(i) is not None
        ]  # fmt: skip


def sample(
    function: Any, *operands: Any, reference: Any = None, compose: Any = None, around: bool = False, **attrs: Any
) -> Sample:
    return Sample(function, operands, reference, attrs, compose, around)


def spread(*shape_: int, low: float = -1.87, high: float = 1.93) -> np.ndarray:
    """Distinct values, evenly spaced in random order: no ties, nothing at 0 or another round number."""
    n = math.prod(shape_)
    return rng.permutation(np.linspace(low, high, n) + 0.0137).reshape(shape_)


def each(function: Callable[..., float]) -> Callable[..., np.ndarray]:
    """A function of Python numbers, applied value by value."""

    def reference(*arrays: Any, **attrs: Any) -> np.ndarray:
        rows = np.broadcast_arrays(*arrays)
        out = [function(*[x.item() for x in place], **attrs) for place in zip(*[r.ravel() for r in rows], strict=True)]
        return np.array(out).reshape(rows[0].shape)

    return reference


def along(function: Callable[[list[float]], float]) -> Callable[..., np.ndarray]:
    """A function of a list of Python numbers, applied over axes."""

    def reference(x: np.ndarray, axis: Any = None, keepdims: bool = False, **_: Any) -> np.ndarray:
        axes = tuple(range(x.ndim)) if axis is None else (axis,) if isinstance(axis, int) else axis
        kept = [n for i, n in enumerate(x.shape) if i not in axes]
        rows = np.moveaxis(x, axes, range(-len(axes), 0)).reshape(math.prod(kept), -1)
        out = np.array([function(row.tolist()) for row in rows])
        return out.reshape([1 if i in axes else n for i, n in enumerate(x.shape)] if keepdims else kept)

    return reference


def scanning(function: Callable[[list[float]], float]) -> Callable[..., np.ndarray]:
    """A function of all values so far, along an axis."""

    def reference(x: np.ndarray, axis: int) -> np.ndarray:
        return np.apply_along_axis(lambda row: [function(row[: i + 1].tolist()) for i in range(len(row))], axis, x)

    return reference


X, Y = spread(2, 3), spread(3, low=-1.5, high=1.7)
POSITIVE = spread(2, 3, low=0.3, high=2.5)
INNER = spread(2, 3, low=-0.9, high=0.9)
MASK = np.array([[True, False, True], [False, False, True]])
INTEGERS, OTHERS = np.array([[5, -3, 0], [12, 7, -8]]), np.array([3, 2, 6])
CUBE = spread(2, 3, 4)
MATRIX, SQUARE = spread(3, 4), spread(3, 3)
ROWS = np.array([0, 2, 2])
PLACES = np.array([[0, 2, 1, 0], [1, 1, 0, 2]])  # some names are there twice
ONCE = np.array([[0, 2, 1, 0], [2, 1, 0, 1]])  # along axis 0 no place twice


def sigma(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def phi(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2))

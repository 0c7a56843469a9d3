"""The table of samples: for every op at least one call, with operands away from kinks. `test_laws` reads it.

A sample is the op, its operands, its attributes, and a reference that computes the same value by another road:
Python's `math` value by value, loops, or another NumPy function than the kernel uses. To add an op, add one line here.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from byhand.ops import activation as a
from byhand.ops import compare as c
from byhand.ops import elementwise as e
from byhand.ops import index, inplace, linalg, loss, normalization, reduce, scan, shape, sort, special, triangle, views
from byhand.ops import trigonometry as trig
from byhand.ops.index import SLOT

rng = np.random.default_rng(20)


@dataclass(frozen=True)
class Sample:
    """One call of an op."""

    function: Callable[..., Any]
    operands: tuple[Any, ...]
    reference: Callable[..., Any] | None = None
    attrs: dict[str, Any] = field(default_factory=dict)
    compose: Callable[..., Any] | None = None  # how the op is called, if some operands are computed from others

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


def sample(function: Any, *operands: Any, reference: Any = None, compose: Any = None, **attrs: Any) -> Sample:
    return Sample(function, operands, reference, attrs, compose)


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


ARITHMETIC = [
    sample(e.add, X, Y, reference=each(lambda x, y: x + y)),
    sample(e.sub, X, Y, reference=each(lambda x, y: x - y)),
    sample(e.mul, X, Y, reference=each(lambda x, y: x * y)),
    sample(e.mul, X, 3.0, reference=each(lambda x, y: x * y)),
    sample(e.true_divide, X, Y, reference=each(lambda x, y: x / y)),
    sample(e.true_divide, 1.0, Y, reference=each(lambda x, y: x / y)),
    sample(e.neg, X, reference=each(lambda x: -x)),
    sample(e.pow, POSITIVE, Y, reference=each(math.pow)),
    sample(e.pow, X, 3, reference=each(lambda x, y: x * x * x)),
    sample(e.pow, X, 0, reference=each(lambda x, y: 1.0)),
    sample(e.pow, 2.0, X, reference=each(math.pow)),
    sample(e.square, X, reference=each(lambda x: x**2)),
    sample(e.sqrt, POSITIVE, reference=each(math.sqrt)),
    sample(e.rsqrt, POSITIVE, reference=each(lambda x: x**-0.5)),
    sample(e.reciprocal, X, reference=each(lambda x: 1 / x)),
    sample(e.abs, X, reference=each(math.fabs)),
    sample(e.sign, X, reference=each(lambda x: math.copysign(1, x))),
    sample(e.cast, X, dtype=np.dtype(np.float64), reference=lambda x, dtype: x),
    sample(e.clone, X, reference=each(float)),
]

EXPONENTIALS = [
    sample(e.exp, X, reference=each(math.exp)),
    sample(e.exp2, X, reference=each(lambda x: 2.0**x)),
    sample(e.expm1, X, reference=each(math.expm1)),
    sample(e.log, POSITIVE, reference=each(math.log)),
    sample(e.log2, POSITIVE, reference=each(math.log2)),
    sample(e.log10, POSITIVE, reference=each(math.log10)),
    sample(e.log1p, POSITIVE, reference=each(math.log1p)),
    sample(e.logaddexp, X, Y, reference=each(lambda x, y: math.log(math.exp(x) + math.exp(y)))),
    sample(e.xlogy, X, POSITIVE, reference=each(lambda x, y: x * math.log(y))),
]

TRIGONOMETRY = [
    sample(trig.sin, X, reference=each(math.sin)),
    sample(trig.cos, X, reference=each(math.cos)),
    sample(trig.tan, INNER, reference=each(math.tan)),
    sample(trig.asin, INNER, reference=each(math.asin)),
    sample(trig.acos, INNER, reference=each(math.acos)),
    sample(trig.atan, X, reference=each(math.atan)),
    sample(trig.atan2, X, Y, reference=each(math.atan2)),
    sample(trig.hypot, X, Y, reference=each(math.hypot)),
    sample(trig.sinh, X, reference=each(math.sinh)),
    sample(trig.cosh, X, reference=each(math.cosh)),
    sample(trig.tanh, X, reference=each(math.tanh)),
    sample(trig.asinh, X, reference=each(math.asinh)),
    sample(trig.acosh, POSITIVE + 1, reference=each(math.acosh)),
    sample(trig.atanh, INNER, reference=each(math.atanh)),
    sample(special.erf, X, reference=each(math.erf)),
    sample(special.erf, 0.05 * X, reference=each(math.erf)),
    sample(special.erfc, 4 * X, reference=each(math.erfc)),
]

ROUNDING = [
    sample(e.floor, X, reference=each(math.floor)),
    sample(e.ceil, X, reference=each(math.ceil)),
    sample(e.trunc, X, reference=each(math.trunc)),
    sample(e.rounded, X, decimals=1, reference=each(lambda x, decimals: round(x, decimals))),
    sample(e.floor_divide, X, Y, reference=each(lambda x, y: math.floor(x / y))),
    sample(e.remainder, X, Y, reference=each(lambda x, y: x - y * math.floor(x / y))),
    sample(e.fmod, X, Y, reference=each(math.fmod)),
]

SELECTION = [
    sample(e.maximum, X, Y, reference=each(max)),
    sample(e.minimum, X, Y, reference=each(min)),
    sample(e.select, MASK, X, Y, reference=each(lambda k, x, y: x if k else y)),
    sample(e.select, MASK, X, 0.0, reference=each(lambda k, x, y: x if k else y)),
    sample(e.clip, X, low=-1.0, high=0.5, reference=each(lambda x, low, high: min(max(x, low), high))),
    sample(e.clip, X, low=None, high=0.5, reference=each(lambda x, low, high: min(x, high))),
    sample(e.within, X, low=-1.0, high=0.5, reference=each(lambda x, low, high: low <= x <= high)),
    sample(e.within, X, low=-1.0, high=None, reference=each(lambda x, low, high: low <= x)),
]

COMPARISON = [
    sample(c.eq, X, X * (X > 0), reference=each(lambda x, y: x == y)),
    sample(c.ne, X, X * (X > 0), reference=each(lambda x, y: x != y)),
    sample(c.lt, X, Y, reference=each(lambda x, y: x < y)),
    sample(c.le, X, Y, reference=each(lambda x, y: x <= y)),
    sample(c.gt, X, Y, reference=each(lambda x, y: x > y)),
    sample(c.ge, X, Y, reference=each(lambda x, y: x >= y)),
    sample(c.bitwise_and, INTEGERS, OTHERS, reference=each(lambda x, y: x & y)),
    sample(c.bitwise_or, INTEGERS, OTHERS, reference=each(lambda x, y: x | y)),
    sample(c.bitwise_xor, INTEGERS, OTHERS, reference=each(lambda x, y: x ^ y)),
    sample(c.bitwise_not, INTEGERS, reference=each(lambda x: ~x)),
    sample(c.bitwise_not, MASK, reference=each(lambda x: not x)),
    sample(c.bitwise_left_shift, INTEGERS, OTHERS, reference=each(lambda x, y: x << y)),
    sample(c.bitwise_right_shift, INTEGERS, OTHERS, reference=each(lambda x, y: x >> y)),
    sample(c.logical_and, INTEGERS, MASK, reference=each(lambda x, y: bool(x and y))),
    sample(c.logical_or, INTEGERS, MASK, reference=each(lambda x, y: bool(x or y))),
    sample(c.logical_xor, INTEGERS, MASK, reference=each(lambda x, y: bool(x) != bool(y))),
    sample(c.logical_not, INTEGERS, reference=each(lambda x: not x)),
    sample(c.isnan, np.array([0.0, math.nan, math.inf]), reference=each(math.isnan)),
    sample(c.isinf, np.array([0.0, math.nan, -math.inf]), reference=each(math.isinf)),
    sample(c.isin, INTEGERS, OTHERS, reference=lambda x, y: (x[..., None] == y).any(-1)),
    sample(c.isfinite, np.array([0.0, math.nan, math.inf]), reference=each(math.isfinite)),
    sample(
        c._isclose, X, X + np.array([0, 1e-9, 1.0]), rtol=1e-5, atol=1e-8, equal_nan=False,
        reference=each(lambda x, y, rtol, atol, equal_nan: abs(x - y) <= atol + rtol * abs(y)),
    ),
]  # fmt: skip

ACTIVATIONS = [
    sample(a.relu, X, reference=each(lambda x: max(x, 0.0))),
    sample(a.leaky, X, slope=0.1, reference=each(lambda x, slope: x if x > 0 else slope * x)),
    sample(a.prelu, X, Y, reference=each(lambda x, w: x if x > 0 else w * x)),
    sample(a.sigmoid, X, reference=each(sigma)),
    sample(a.logsigmoid, X, reference=each(lambda x: math.log(sigma(x)))),
    sample(
        a.softened, X, beta=2.0, threshold=3.0,
        reference=each(lambda x, beta, threshold: x if beta * x > threshold else math.log1p(math.exp(beta * x)) / beta),
    ),
    sample(
        a.exponential_linear, X, alpha=1.5, scale=1.2, rate=0.7,
        reference=each(lambda x, alpha, scale, rate: scale * (x if x > 0 else alpha * math.expm1(rate * x))),
    ),
    sample(a.gelu, X, reference=each(lambda x: x * phi(x))),
    sample(
        a.gelu_tanh, X,
        reference=each(lambda x: 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))),
    ),
    sample(a.silu, X, reference=each(lambda x: x * sigma(x))),
    sample(a.mish, X, reference=each(lambda x: x * math.tanh(math.log1p(math.exp(x))))),
    sample(a.softsign, X, reference=each(lambda x: x / (1 + abs(x)))),
    sample(a.hardsigmoid, 2 * X, reference=each(lambda x: min(max(x / 6 + 0.5, 0), 1))),
    sample(a.hardswish, 2 * X, reference=each(lambda x: x * min(max(x / 6 + 0.5, 0), 1))),
    sample(a.clipped, X, low=-1.0, high=0.5, reference=each(lambda x, low, high: min(max(x, low), high))),
    sample(a.hard_shrunk, X, limit=0.5, reference=each(lambda x, limit: x if abs(x) > limit else 0.0)),
    sample(
        a.soft_shrunk, X, limit=0.5,
        reference=each(lambda x, limit: math.copysign(max(abs(x) - limit, 0.0), x)),
    ),
    sample(a.thresholded, X, limit=0.4, value=-2.0, reference=each(lambda x, limit, value: x if x > limit else value)),
    sample(
        a.normalized_exp, X, axis=1,
        reference=lambda x, axis: np.array([[math.exp(v) / sum(map(math.exp,
            row)) for v in row] for row in x.tolist()]),
    ),
    sample(
        a.log_normalized, X, axis=0,
        reference=lambda x, axis: x - np.array([math.log(sum(map(math.exp, col))) for col in x.T.tolist()]),
    ),
]  # fmt: skip

REDUCTIONS = [
    sample(reduce.sum_over, CUBE, axis=(0, 2), keepdims=False, reference=along(math.fsum)),
    sample(reduce.sum_over, CUBE, axis=(1,), keepdims=True, reference=along(math.fsum)),
    sample(reduce.mean_over, CUBE, axis=(1, 2), keepdims=False, size=12, reference=along(lambda v: math.fsum(v) / 12)),
    sample(reduce.prod_over, X, axis=(0, 1), keepdims=False, reference=along(math.prod)),
    sample(reduce.prod_over, X * MASK, axis=(1,), keepdims=True, reference=along(math.prod)),  # zeros among the factors
    sample(reduce.max_over, CUBE, axis=(0, 2), keepdims=False, reference=along(max)),
    sample(reduce.min_over, CUBE, axis=(1,), keepdims=True, reference=along(min)),
    sample(reduce.any_over, MASK, axis=(0,), keepdims=False, reference=along(any)),
    sample(reduce.all_over, MASK, axis=(0,), keepdims=True, reference=along(all)),
    sample(reduce.argmax_over, CUBE, axis=1, keepdims=False, reference=along(lambda v: v.index(max(v)))),
    sample(reduce.argmin_over, CUBE, axis=None, keepdims=False, reference=along(lambda v: v.index(min(v)))),
    sample(
        reduce.logsumexp_over, CUBE, axis=(0, 2), keepdims=False,
        reference=along(lambda v: math.log(math.fsum(map(math.exp, v)))),
    ),
    sample(reduce.euclidean, CUBE, axis=(1,), keepdims=True, reference=along(lambda v: math.hypot(*v))),
    sample(reduce.column_sums, MATRIX, reference=lambda x: np.array([math.fsum(column) for column in x.T.tolist()])),
    sample(scan.running_sum, CUBE, axis=1, reference=scanning(math.fsum)),
    sample(scan.running_product, X, axis=1, reference=scanning(math.prod)),
    sample(scan.running_product, X * MASK, axis=0, reference=scanning(math.prod)),
    sample(
        sort.order, CUBE, axis=1, descending=False,
        reference=lambda x, axis, descending: (x[:, None] < x[:, :, None]).sum(2).argsort(1),
    ),
    sample(
        sort.order, np.array([2, 1, 2, 3]), axis=0, descending=True,
        reference=lambda x, axis, descending: np.array([3, 0, 2, 1]),
    ),
]  # fmt: skip

VIEWS = [
    sample(views.reshaped, CUBE, shape=(4, 6), reference=lambda x, shape: np.array(x.ravel().tolist()).reshape(4, 6)),
    sample(views.permuted, CUBE, axes=(2, 0, 1), reference=lambda x, axes: np.einsum("abc->cab", x)),
    sample(views.expanded, Y, shape=(2, 3), reference=lambda x, shape: np.tile(x, (2, 1))),
    sample(views.narrowed, CUBE, axis=1, start=1, stop=3, reference=lambda x, axis, start, stop: np.take(x, [1, 2], 1)),
    sample(
        views.diagonal_of, MATRIX, offset=1, axis1=0, axis2=1,
        reference=lambda x, **_: np.array([x[i, i + 1] for i in range(3)]),
    ),
    sample(
        views.padded, X, widths=((1, 0), (0, 2)), value=7.0,
        reference=lambda x, widths, value: np.pad(x, widths, constant_values=value),
    ),
    sample(views.unpadded, MATRIX, widths=((1, 0), (0, 2)), reference=lambda x, widths: np.delete(x[1:], [2, 3], 1)),
    sample(
        views.diagonal_scattered, Y, shape=(4, 4), offset=-1, axis1=0, axis2=1,
        reference=lambda x, **_: np.diagflat(x, -1),
    ),
    sample(
        index.sliced, CUBE, index=(slice(None, None, -1), 1, None, Ellipsis),
        reference=lambda x, index: np.stack([np.take(x[1], [1], 0), np.take(x[0], [1], 0)]),
    ),
    sample(shape.compact, CUBE.transpose(2, 0, 1), reference=lambda x: x),
]  # fmt: skip

MOVES = [
    sample(shape.flipped, CUBE, axis=(0, 2), reference=lambda x, axis: x[::-1, :, ::-1]),
    sample(shape.rolled, CUBE, shift=(1, -2), axis=(0, 2), reference=lambda x, **_: x[[1, 0]][:, :, [2, 3, 0, 1]]),
    sample(triangle.lower, MATRIX, diagonal=-1, reference=lambda x,
        diagonal: x * (np.indices(x.shape)[0] > np.indices(x.shape)[1])),
    sample(triangle.upper, MATRIX, diagonal=1, reference=lambda x,
        diagonal: x * (np.indices(x.shape)[0] < np.indices(x.shape)[1])),
    sample(shape.joined, MATRIX, SQUARE, SQUARE, axis=1, reference=lambda *xs, axis: np.hstack(xs)),
    sample(index.indexed, MATRIX, ROWS, index=(SLOT,), reference=lambda x, i, index: np.take(x, i, 0)),
    sample(index.indexed, X, MASK, index=(SLOT,), reference=lambda x, m, index: np.compress(m.ravel(), x)),
    sample(
        index.indexed, CUBE, ROWS % 2, np.array([3, 0, 1]), index=(SLOT, slice(1, None), SLOT),
        reference=lambda x, i, j, index: np.stack([x[p, 1:, q] for p, q in zip(i, j, strict=True)]),
    ),
    sample(index.placed, Y, index=(1, slice(None, 3)), shape=(2, 5), reference=lambda x,
        **_: np.pad([[0, 0, 0], x], ((0, 0), (0, 2)))),
    sample(
        index.index_added, MATRIX, ROWS, index=(SLOT,), shape=(4, 4),
        reference=lambda x, i, **_: np.stack([x[0], 0 * x[0], x[1] + x[2], 0 * x[0]]),
    ),
    sample(index.gathered, MATRIX, PLACES, axis=0, reference=lambda x, i, axis: np.take_along_axis(x, i, 0)),
    sample(
        index.scatter_added, MATRIX, PLACES, spread(2, 4), axis=0,
        reference=lambda x, i, s, axis: x + np.eye(3)[i].transpose(2, 0, 1).__mul__(s).sum(1),
    ),
    sample(
        index.scattered, MATRIX, ONCE, spread(2, 4), axis=0,
        reference=lambda x, i, s, axis: (np.put_along_axis(y := x.copy(), i, s, 0), y)[1],
    ),
    sample(index.one_hot_of, ROWS, classes=4, reference=lambda x, classes: np.eye(4, dtype=np.int64)[x]),
    sample(
        inplace.view_written, MATRIX, Y, view="diagonal", attrs={"offset": 1, "axis1": 0, "axis2": 1},
        reference=lambda x, y, **_: np.where(np.eye(3, 4, 1) == 1, y[:, None], x),
    ),
    sample(
        inplace.written, MATRIX, Y, np.array([2, 0, 1]), index=(slice(None), SLOT),
        reference=lambda x, y, i, index: np.hstack([np.tile(y[[1, 2, 0]], (3, 1)), x[:, 3:]]),
    ),
    sample(inplace.copied, X, Y, reference=lambda x, y: np.stack([y, y])),
]  # fmt: skip


def statistics_first(x: Any, weight: Any, bias: Any, axes: Any, eps: float) -> Any:
    """The normalisation of x by its own statistics, as the layers call it."""
    center, _, rate = normalization.statistics(getattr(x, "array", x), axes, eps)
    return normalization.normalized(x, weight, bias, center, rate, axes=axes, eps=eps)


def standardized(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, axes: Any, eps: float) -> np.ndarray:
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps) * weight + bias


def slope_first(y: Any, x: Any, weight: Any, axes: Any, eps: float) -> Any:
    """The same for its derivative."""
    center, _, rate = normalization.statistics(getattr(x, "array", x), axes, eps)
    return normalization.normalized_slope(y, x, weight, center, rate, axes=axes, eps=eps)


def projected(y: np.ndarray, x: np.ndarray, weight: np.ndarray, axes: Any, eps: float) -> np.ndarray:
    """y · weight without its parts along 1 and along the standardized x, both for each group of averaged values."""
    h = standardized(x, np.ones(1), np.zeros(1), axes, eps)
    yw = y * weight
    rest = yw - yw.mean(axes, keepdims=True) - h * (yw * h).mean(axes, keepdims=True)
    return rest / np.sqrt(x.var(axes, keepdims=True) + eps)


NORMALIZATIONS = [
    sample(
        normalization.normalized, C, weight, bias, axes=axes, eps=0.1, reference=standardized, compose=statistics_first
    )
    for C, weight, bias, axes in [
        (MATRIX, spread(4), spread(4), (0,)), (CUBE, spread(4), spread(4), (2,)),
        (CUBE, spread(3, 1), spread(3, 1), (0, 2)),
    ]
] + [
    sample(
        normalization.normalized_slope, y, C, weight, axes=axes, eps=0.1, reference=projected, compose=slope_first
    )
    for y, C, weight, axes in [
        (spread(3, 4), MATRIX, spread(4), (0,)), (spread(2, 3, 4), CUBE, spread(4), (2,)),
        (spread(2, 3, 4), CUBE, spread(3, 1), (0, 2)),
    ]
]  # fmt: skip

PRODUCTS = [
    *[
        sample(linalg.matmul, x, y, reference=lambda x, y, s=s: np.einsum(s, x, y))
        for x, y, s in [
            (X, MATRIX, "ij,jk->ik"), (Y, SQUARE, "j,jk->k"), (SQUARE, Y, "ij,j->i"), (Y, X[1], "j,j->"),
            (CUBE, spread(4, 2), "bij,jk->bik"), (X, CUBE, "ij,bjk->bik"), (CUBE, spread(4), "bij,j->bi"),
            (Y, CUBE, "j,bjk->bk"), (spread(2, 1, 2, 3), CUBE, "abij,bjk->abik"),
        ]
    ],
    *[
        sample(linalg.linear, x, MATRIX, Y, reference=lambda x, w, b: np.einsum("...j,kj->...k", x, w) + b)
        for x in (spread(2, 4), CUBE, spread(4))
    ],
    sample(linalg.contracted, MATRIX, terms=("ij",), result="ji", reference=lambda x, **_: np.array(x.T.tolist())),
    sample(linalg.contracted, X, MATRIX, terms=("ij", "jk"), result="ki", reference=lambda x, y, **_: (x @ y).T),
    sample(linalg.contracted, CUBE, X, Y, terms=("ijk", "ij", "j"), result="i", reference=lambda x, y, z,
        **_: (x.sum(2) * y) @ z),
    sample(
        loss.softmax_cross_entropy, X, np.array([2, 0]),
        reference=lambda x, t: np.array([math.log(sum(map(math.exp, r))) - r[k] for r,
            k in zip(x.tolist(), t, strict=True)]),
    ),
    sample(
        loss.mean_cross_entropy, X, np.array([2, 0]),
        reference=lambda x, t: -np.mean(np.log(np.exp(x)[range(2), t] / np.exp(x).sum(1))),
    ),
    sample(loss.picked, X, np.array([2, 0]), reference=lambda x, k: np.array([x[0, 2], x[1, 0]])),
    sample(loss.planted, Y, ROWS, classes=4, reference=lambda x, k, classes: np.eye(4)[k] * x[:, None]),
    sample(loss.compared, X, np.array([2, 0]), reference=lambda x, k: x - np.take_along_axis(x, k[:, None], 1)),
    sample(loss.balanced, X, np.array([2, 0]), reference=lambda x, k: x - np.eye(3)[k] * x.sum(1, keepdims=True)),
    *[
        sample(
            loss.hinge, X, np.array([2, 0]), margin=0.7, power=power,
            reference=lambda x, k, margin, power: np.array([
                sum(max(0.0, margin - row[i] + v) ** power for j, v in enumerate(row) if j != i) / 3
                for row, i in zip(x.tolist(), k, strict=True)
            ]),
        )
        for power in (1, 2)
    ],
    sample(
        loss.bernoulli_loss, spread(2, 3, low=0.1, high=0.8), spread(2, 3, low=0.2, high=0.9),
        reference=each(lambda x, t: -t * math.log(x) - (1 - t) * math.log(1 - x)),
    ),
    sample(loss.less_one_hot, X, np.array([2, 0]), reference=lambda p, t: p - np.eye(3)[t]),
    sample(
        loss.sigmoid_cross_entropy, X, spread(2, 3, low=0.1, high=0.9),
        reference=each(lambda x, t: -t * math.log(sigma(x)) - (1 - t) * math.log(1 - sigma(x))),
    ),
    sample(
        loss.huber_of, X, delta=0.8,
        reference=each(lambda x, delta: x * x / 2 if abs(x) <= delta else delta * (abs(x) - delta / 2)),
    ),
]  # fmt: skip

SAMPLES: list[Sample] = list(
    itertools.chain(
        ARITHMETIC, EXPONENTIALS, TRIGONOMETRY, ROUNDING, SELECTION, COMPARISON, ACTIVATIONS, REDUCTIONS, VIEWS, MOVES,
        NORMALIZATIONS, PRODUCTS,
    )
)  # fmt: skip

# No gradient passes through these: their results are booleans, indices or whole steps.
NOT_DIFFERENTIABLE = {
    "all", "any", "argmax", "argmin", "argsort", "bitwise_and", "bitwise_left_shift", "bitwise_not", "bitwise_or",
    "bitwise_right_shift", "bitwise_xor", "eq", "floor_divide", "ge", "gt", "isclose", "isfinite", "isin", "isinf",
    "isnan",
    "le", "logical_and", "logical_not", "logical_or", "logical_xor", "lt", "ne", "one_hot_of", "within",
}  # fmt: skip

"""Samples of ops with axes: reductions, views, moves, products, normalisations, losses. To add an op, add one line."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from byhand.core.capture import values
from byhand.ops import index, inplace, linalg, loss, normalization, reduce, scan, shape, sort, triangle, views
from byhand.ops.index import SLOT
from laws.sample import (
    CUBE,
    MASK,
    MATRIX,
    ONCE,
    PLACES,
    ROWS,
    SQUARE,
    X,
    Y,
    along,
    each,
    sample,
    scanning,
    sigma,
    spread,
)

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
    sample(
        reduce.row_sums, CUBE, reference=lambda x: np.array([[[math.fsum(r)] for r in rows] for rows in x.tolist()])
    ),
    sample(reduce.column_sums, MATRIX, reference=lambda x: np.array([math.fsum(column) for column in x.T.tolist()])),
    sample(scan.running_sum, CUBE, axis=1, reference=scanning(math.fsum)),
    sample(scan.running_product, X, axis=1, reference=scanning(math.prod)),
    sample(scan.running_product, X * MASK, axis=0, reference=scanning(math.prod)),
    *[
        sample(
            sort.place_of, np.array([1, 3, 3, 5]), np.array([[3, 0], [9, 5]]), side=side,
            reference=lambda x, v, side: ((x < v[..., None]) if side == "left" else (x <= v[..., None])).sum(-1),
        )
        for side in ("left", "right")
    ],
    *[
        sample(
            scan.running_place, CUBE, axis=1, largest=largest,
            reference=lambda x, axis, largest: scanning(lambda v: v.index((max if largest else min)(v)))(x, axis),
        )
        for largest in (True, False)
    ],
    sample(
        scan.running_place, np.array([2, 1, 2, 3, 1]), axis=0, largest=True,
        reference=lambda x, axis, largest: np.array([0, 0, 2, 3, 3]),
    ),
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
    center, _, rate = normalization.statistics(values(x), axes, eps)
    return normalization.normalized(x, weight, bias, center, rate, axes=axes, eps=eps)


def standardized(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, axes: Any, eps: float) -> np.ndarray:
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps) * weight + bias


def slope_first(y: Any, x: Any, weight: Any, axes: Any, eps: float) -> Any:
    """The same for its derivative."""
    center, _, rate = normalization.statistics(values(x), axes, eps)
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
    sample(linalg.sum_of_squares, MATRIX, reference=lambda x: math.fsum(v * v for v in x.ravel().tolist())),
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
    *[
        sample(loss.out_of_range, labels, classes=3, reference=lambda t, classes: any(k not in range(3) for k in t))
        for labels in (ROWS, np.array([1, 3]), np.array([-1, 2]))
    ],
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

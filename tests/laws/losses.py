"""Samples of ops of single families of losses and normalisations: CTC's sums over paths, `rms_norm`, memory orders."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np

from byhand.core.capture import values
from byhand.ops import ctc, normalization
from laws.sample import CUBE, MATRIX, along, sample, spread

TIMES, STATES = 4, 5
EMITTED = spread(TIMES, 2, STATES)
SKIP = np.array([[False, False, False, True, False], [False, False, False, False, False]])
FLOWS, SHARES = spread(3, 2, 4), spread(3, 2, 2, 4)


def over_paths(x: np.ndarray, skip: np.ndarray) -> np.ndarray:
    """The sum over paths, path by path."""
    out = np.full(x.shape, -np.inf)
    for n, t in product(range(x.shape[1]), range(len(x))):
        for path in product(range(x.shape[2]), repeat=t + 1):
            steps = [b - a for a, b in zip(path, path[1:])]  # noqa: B905, RUF007  # pairs
            allowed = all(k in (0, 1) or (k == 2 and skip[n, b]) for k, b in zip(steps, path[1:], strict=True))
            if path[0] < 2 and allowed:
                weight = math.fsum(x[i, n, s] for i, s in enumerate(path))
                out[t, n, path[-1]] = np.logaddexp(out[t, n, path[-1]], weight)
    return out


def flowing(x: np.ndarray, weights: np.ndarray, onward: bool) -> np.ndarray:
    """The matrices of all steps, applied one after the other."""
    times, count, _ = x.shape
    out = x.copy()
    for n in range(count):
        steps = [
            sum(np.diag(w[k, n, k:], -k) for k in range(3)) for w in weights.swapaxes(0, 1)
        ]  # from row of before to row of now
        for t in range(1, times) if onward else range(times - 2, -1, -1):
            out[t, n] += steps[t - 1] @ out[t - 1, n] if onward else steps[t].T @ out[t + 1, n]
    return out


def by_root_mean_square(x: Any, weight: Any, axes: Any, eps: float) -> Any:
    rate = normalization.root_mean_square(values(x), axes, eps)
    return normalization.normalized(x, weight, None, None, rate, axes=axes, eps=eps)


def slope_by_root_mean_square(y: Any, x: Any, weight: Any, axes: Any, eps: float) -> Any:
    rate = normalization.root_mean_square(values(x), axes, eps)
    return normalization.normalized_slope(y, x, weight, None, rate, axes=axes, eps=eps)


def projected(y: np.ndarray, x: np.ndarray, weight: np.ndarray, axes: Any, eps: float) -> np.ndarray:
    rate = 1 / np.sqrt((x * x).mean(axes, keepdims=True) + eps)
    return rate * (y * weight - x * rate * rate * (y * weight * x).mean(axes, keepdims=True))


SUMS_OVER_PATHS = [
    # as the losses call it: from the second state two steps after the first time on, all are reached
    sample(ctc.reached, EMITTED, SKIP, reference=lambda x, skip: over_paths(x, skip)[1:, :, :3], compose=lambda x, skip:
        ctc.reached(x, skip)[1:, :, :3], around=True),
    sample(ctc.flowed_back, FLOWS, SHARES, reference=lambda x, w: flowing(x, w, onward=False)),
    sample(ctc.flowed_on, FLOWS, SHARES, reference=lambda x, w: flowing(x, w, onward=True)),
]  # fmt: skip

NORMALIZATIONS = [
    *[
        sample(
            normalization.column_means, x, reference=lambda x: np.array([[math.fsum(c) / len(c) for c in x.T.tolist()]])
        )
        for x in (MATRIX, spread(70, 3))
    ],
    sample(normalization.row_means, CUBE, reference=lambda x: along(lambda v: math.fsum(v) / 4)(x, 2, True)),
    sample(
        normalization.normalized, CUBE, spread(4), axes=(2,), eps=0.1, around=True, compose=by_root_mean_square,
        reference=lambda x, weight, axes, eps: x / np.sqrt((x * x).mean(axes, keepdims=True) + eps) * weight,
    ),
    sample(
        normalization.normalized_slope, spread(3, 4), MATRIX, spread(4), axes=(1,), eps=0.1, reference=projected,
        compose=slope_by_root_mean_square, around=True,
    ),
    sample(normalization.ordered, CUBE, order=(0, 2, 1), before=(0, 1, 2), reference=lambda x, order, before: x),
]  # fmt: skip

"""Samples of convolution, its transposes, and of windows as columns. To add an op, add one line."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from byhand.ops import convolution, windows
from laws.sample import sample, spread


def _terms(x_size: Any, kernel: Any, stride: Any, padding: Any, dilation: Any) -> Any:
    """(place in the result, place in the kernel, place in x) for all products that are added up."""
    counts = windows.counts(x_size, kernel, stride, padding, dilation)
    for i in itertools.product(*map(range, counts)):
        for k in itertools.product(*map(range, kernel)):
            at = [s * a + d * b - p[0] for a, b, s, d, p in zip(i, k, stride, dilation, padding, strict=True)]
            if all(0 <= a < n for a, n in zip(at, x_size, strict=True)):
                yield i, k, tuple(at)


def _summed(shape: Any, formula: str, one: Any, other: Any, groups: int, terms: Any) -> np.ndarray:
    """Group by group and term by term, into places (…, *place)."""
    out = np.zeros(shape)
    for group in range(groups):
        parts = [
            _part(v, axis, group, groups) for v, axis in ((out, formula[-1]), (one, formula[0]), (other, formula[1]))
        ]
        for places in terms:
            a, b = (v[(slice(None), slice(None), *p)] for v, p in zip(parts[1:], places[1:], strict=True))
            parts[0][(slice(None), slice(None), *places[0])] += np.einsum(SUBSCRIPTS[formula], a, b)
    return out


SUBSCRIPTS = {"xwy": "nc,oc->no", "ywx": "no,oc->nc", "yxw": "no,nc->oc"}


def _part(v: np.ndarray, which: str, group: int, groups: int) -> np.ndarray:
    """The part of a group: of the channels of x and y, of the first axis of a weight."""
    axis = 0 if which == "w" else 1
    size = v.shape[axis] // groups
    return v[(slice(None),) * axis + (slice(group * size, (group + 1) * size),)]


def convolved(x: Any, w: Any, b: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> np.ndarray:
    settings = stride, padding, dilation
    terms = [(i, at, k) for i, k, at in _terms(x.shape[2:], w.shape[2:], *settings)]
    shape = (len(x), len(w), *windows.counts(x.shape[2:], w.shape[2:], *settings))
    return _summed(shape, "xwy", x, w, groups, terms) + (0 if b is None else b.reshape(-1, *[1] * (x.ndim - 2)))


def spread_out(y: Any, w: Any, b: Any, size: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> np.ndarray:
    terms = [(at, i, k) for i, k, at in _terms(size, w.shape[2:], stride, padding, dilation)]
    out = _summed((len(y), w.shape[1] * groups, *size), "ywx", y, w, groups, terms)
    return out + (0 if b is None else b.reshape(-1, *[1] * (y.ndim - 2)))


def correlated(y: Any, x: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> np.ndarray:
    terms = [(k, i, at) for i, k, at in _terms(x.shape[2:], kernel, stride, padding, dilation)]
    return _summed((y.shape[1], x.shape[1] // groups, *kernel), "yxw", y, x, groups, terms)


def columns(x: Any, kernel: Any, stride: Any, padding: Any, dilation: Any) -> np.ndarray:
    """One window after another, each looked at value by value."""
    counts = windows.counts(x.shape[2:], kernel, stride, padding, dilation)
    out = np.zeros((*x.shape[:2], *kernel, *counts))
    for i, k, at in _terms(x.shape[2:], kernel, stride, padding, dilation):
        out[(slice(None), slice(None), *k, *i)] = x[(slice(None), slice(None), *at)]
    return out.reshape(len(x), -1, math.prod(counts))


def images(x: Any, sizes: Any, kernel: Any, stride: Any, padding: Any, dilation: Any) -> np.ndarray:
    counts = windows.counts(sizes, kernel, stride, padding, dilation)
    x = x.reshape(len(x), -1, *kernel, *counts)
    out = np.zeros((*x.shape[:2], *sizes))
    for i, k, at in _terms(sizes, kernel, stride, padding, dilation):
        out[(slice(None), slice(None), *at)] += x[(slice(None), slice(None), *k, *i)]
    return out


def settings(ndim: int, stride: int = 1, padding: Any = (0, 0), dilation: int = 1) -> dict[str, Any]:
    return {"stride": (stride,) * ndim, "padding": (padding,) * ndim, "dilation": (dilation,) * ndim}


# x, w, groups and settings: an image, many channels, asymmetric borders, steps, gaps, groups, 1 × 1, 1 and 3 axes, and
# depthwise with steps and gaps
CASES = (
    (spread(2, 2, 5, 6), spread(3, 2, 3, 3), 1, settings(2, padding=(1, 1))),
    (spread(2, 5, 4, 4), spread(2, 5, 2, 3), 1, settings(2, padding=(0, 1))),
    (spread(1, 2, 6, 7), spread(2, 2, 3, 2), 1, settings(2, stride=2, padding=(1, 2))),
    (spread(1, 4, 7, 6), spread(4, 2, 3, 3), 2, settings(2, stride=3, padding=(2, 2), dilation=2)),
    (spread(2, 3, 4, 4), spread(2, 3, 1, 1), 1, settings(2)),
    (spread(2, 3, 4, 4), spread(6, 1, 1, 1), 3, settings(2, stride=2)),
    (spread(2, 4, 9), spread(2, 2, 3), 2, settings(1, stride=2, padding=(3, 3))),
    (spread(1, 2, 3, 4, 4), spread(2, 2, 2, 2, 2), 1, settings(3, padding=(1, 1))),
    (spread(2, 3, 4, 6), spread(3, 1, 3, 2), 3, settings(2, padding=(2, 1), dilation=2)),
    (spread(2, 2, 7), spread(2, 1, 3), 2, settings(1, stride=2, padding=(1, 1))),
)


def _result(x: Any, w: Any, options: dict[str, Any]) -> Any:
    return spread(len(x), len(w), *windows.counts(x.shape[2:], w.shape[2:], **options))


CONVOLUTIONS = [
    made
    for i, (x, w, groups, options) in enumerate(CASES)
    for made in (
        sample(
            convolution.convolution, x, w, spread(len(w)) if i % 2 == 0 else None, groups=groups, **options,
            reference=convolved,
        ),
        sample(
            convolution.convolution_transpose, _result(x, w, options), w, spread(x.shape[1]) if i % 2 else None,
            size=x.shape[2:], groups=groups, **options, reference=spread_out,
        ),
        sample(
            convolution.convolution_weight, _result(x, w, options), x, kernel=w.shape[2:], groups=groups, **options,
            reference=correlated,
        ),
    )
]  # fmt: skip

WINDOWS = [
    made
    for sizes, kernel, options in [
        ((5, 6), (3, 2), settings(2, stride=2, padding=(1, 1))), ((6, 7), (2, 2), settings(2, dilation=2)),
    ]
    for made in (
        sample(windows.unfolded, spread(2, 2, *sizes), kernel=kernel, **options, reference=columns),
        sample(
            windows.folded, spread(2, 2 * math.prod(kernel), math.prod(windows.counts(sizes, kernel, **options))),
            sizes=sizes, kernel=kernel, **options, reference=images,
        ),
    )
]  # fmt: skip

"""Sums over all alignments of a sequence of labels with a longer sequence of times: what the CTC loss is made of.

The states are the labels with a blank before, between and behind them; from one time to the next a path stays, goes on
by one state, or by two where that leaves out a blank between different labels. Called by `nn.functional.alignment`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from byhand.core.op import SCAN, derive, op
from byhand.core.variable import Array
from byhand.ops import elementwise as e
from byhand.ops.compare import isfinite
from byhand.ops.shape import stack
from byhand.ops.views import narrowed, padded


@op(SCAN, name="ctc_forward")
def reached(x: Array, skip: Array) -> Array:
    """ln Σ over all paths to a state of the product of their eˣ: x (T, N, states), may two be gone (N, states) → x's"""
    out = np.full_like(x, -np.inf)
    out[0, :, :2] = x[0, :, :2]
    for t in range(1, len(x)):
        before, now = out[t - 1], out[t]
        now[:, :1] = before[:, :1]
        np.logaddexp(before[:, 1:], before[:, :-1], out=now[:, 1:])
        np.logaddexp(now[:, 2:], before[:, :-2], out=now[:, 2:], where=skip[:, 2:])
        now += x[t]
    return out


@op(SCAN, name="ctc_backward")
def flowed_back(x: Array, weights: Array) -> Array:
    """out[t] = x[t] + what of out[t + 1] came by each step: x (T, N, states), weights (3, T − 1, N, states) → x's"""
    out = x.copy()
    for t in range(len(x) - 2, -1, -1):
        # einsum, since symbols cannot follow it: a program of 50 times written out took 5 s to compile
        now, parts = out[t], np.einsum("knl,nl->knl", weights[:, t], out[t + 1])
        now += parts[0]
        now[:, :-1] += parts[1, :, 1:]
        now[:, :-2] += parts[2, :, 2:]
    return out


@op(SCAN, name="ctc_onward")
def flowed_on(x: Array, weights: Array) -> Array:
    """out[t] = x[t] + what of out[t − 1] goes by each step: the transpose of `ctc_backward`"""
    out = x.copy()
    for t in range(1, len(x)):
        before, now, w = out[t - 1], out[t], weights[:, t - 1]
        now += np.einsum("nl,nl->nl", w[0], before)  # as above
        now[:, 1:] += w[1, :, 1:] * before[:, :-1]
        now[:, 2:] += w[2, :, 2:] * before[:, :-2]
    return out


def _by_step(x: Any, fill: float) -> list[Any]:
    """Of each state from the second time on, where its paths may have been before: 0, 1 and 2 states back."""
    times, _, states = x.shape
    x = narrowed(x, axis=0, start=0, stop=times - 1)
    back = [padded(x, widths=((0, 0), (0, 0), (k, 0)), value=fill) for k in (1, 2)]
    return [x, *[narrowed(y, axis=2, start=0, stop=states) for y in back]]


def _shares(out: Any, x: Any, skip: Any) -> Any:
    """The share of each of the three steps in what reaches a state: (3, T − 1, N, states), summing to 1 or 0."""
    total = narrowed(out - x, axis=0, start=1, stop=x.shape[0])
    total = e.select(isfinite(total), total, 0)
    stay, step, leap = _by_step(out, -np.inf)
    return stack([e.exp(before - total) for before in (stay, step, e.select(skip, leap, -np.inf))])


def _weights_rule(late: Any, early: Any) -> Any:
    """The gradient of a step's weight: what arrives behind it times what was there before it."""
    behind = narrowed(late, axis=0, start=1, stop=late.shape[0])
    return stack([before * behind for before in _by_step(early, 0.0)])


derive(reached, x=lambda g, x, skip, out: flowed_back(g, _shares(out, x, skip)))
derive(
    flowed_back,
    x=lambda g, weights: flowed_on(g, weights),
    weights=lambda g, weights, out: _weights_rule(out, flowed_on(g, weights)),
)
derive(
    flowed_on,
    x=lambda g, weights: flowed_back(g, weights),
    weights=lambda g, weights, out: _weights_rule(flowed_back(g, weights), out),
)

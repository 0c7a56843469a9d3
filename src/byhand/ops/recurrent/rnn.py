"""Elman's recurrent network over a sequence, forward and backward. Elman, Finding structure in time, 1990."""

from __future__ import annotations

from typing import Any

import numpy as np

from byhand.core.op import SCAN, derive, op, share
from byhand.core.variable import Array
from byhand.ops.activation import relu
from byhand.ops.recurrent.product import multiplied
from byhand.ops.recurrent.unrolled import Sizes, before, rows, seconds, spans, stacked, unrolled
from byhand.ops.shape import joined
from byhand.ops.trigonometry import tanh


def step(x: Any, h: Any, weight: Any, nonlinearity: str) -> tuple[Any, ...]:
    """One step: the new h."""
    return ((tanh if nonlinearity == "tanh" else relu)(x + h @ weight.T),)


def by_steps(x: Any, h: Any, weight: Any, batch_sizes: Sizes, reverse: bool, nonlinearity: str) -> Any:
    """The op made of small ones."""
    parts, last = unrolled(lambda x, h: step(x, h, weight, nonlinearity), x, (h,), batch_sizes, reverse)
    return joined(parts[0], *last, axis=0)


@op(SCAN, name="rnn")
def plain(
    x: Array, h: Array, weight: Array, *, batch_sizes: tuple[int, ...], reverse: bool, nonlinearity: str
) -> Array:
    """h ← tanh(x + h Wᵀ), or relu of it: all h, then the last"""
    length, (n, size) = x.shape[0], h.shape
    out = np.empty((length + n, size), x.dtype)
    back = weight.T.copy()
    hidden = out[length:]
    hidden[...] = h
    for start, stop, count in spans(batch_sizes, reverse):
        now, state = out[start:stop], hidden[:count]
        multiplied(state, back, now)
        now += x[start:stop]
        if nonlinearity == "tanh":
            np.tanh(now, out=now)
        else:
            np.maximum(now, 0, out=now)
        state[...] = now
    return out


@op(SCAN, name="rnn_slopes")
def plain_slopes(
    y: Array,
    x: Array,
    h: Array,
    weight: Array,
    states: Array,
    *,
    batch_sizes: tuple[int, ...],
    reverse: bool,
    nonlinearity: str,
) -> Array:
    """`rnn` backward: y with respect to x and, in the last rows, to h; `states` is what `rnn` gave"""
    length, n = x.shape[0], h.shape[0]
    out = np.empty((length + n, h.shape[1]), x.dtype)
    hidden = out[length:]
    hidden[...] = y[length:]
    for start, stop, count in spans(batch_sizes, not reverse):
        dz, now, dh = out[start:stop], states[start:stop], hidden[:count]
        if nonlinearity == "tanh":
            np.multiply(now, now, out=dz)
            np.subtract(1, dz, out=dz)
        else:
            np.copyto(dz, now > 0)
        dh += y[start:stop]
        dz *= dh
        multiplied(dz, weight, dh)
    return out


share(
    plain,
    slopes=lambda g, x, h, weight, out, batch_sizes, reverse, nonlinearity: plain_slopes(
        g, x, h, weight, out, batch_sizes=batch_sizes, reverse=reverse, nonlinearity=nonlinearity
    ),
)
derive(
    plain,
    x=lambda g, slopes, x_shape: rows(slopes, 0, x_shape[0]),
    h=lambda g, slopes, h_shape: rows(slopes, slopes.shape[0] - h_shape[0], slopes.shape[0]),
    weight=lambda g, slopes, out, h, batch_sizes, reverse: (
        rows(slopes, 0, sum(batch_sizes)).T @ before(out, h, batch_sizes, reverse)
    ),
)
share(
    plain_slopes,
    all=lambda g, y, x, h, weight, batch_sizes, reverse, nonlinearity: seconds(
        lambda x, h, weight: by_steps(x, h, weight, batch_sizes, reverse, nonlinearity), 2,
        lambda *parts: stacked(parts, x.shape[1]), g, y, x, h, weight,
    ),
)  # fmt: skip
derive(
    plain_slopes,
    y=lambda g, all: all[0],
    x=lambda g, all: all[1],
    h=lambda g, all: all[2],
    weight=lambda g, all: all[3],
)

"""Samples of the sequence ops: the reference takes each sequence by itself, and its slopes by a complex step.

For an analytic f the imaginary part of f(x + iε) is ε f′(x) to all digits, if ε is small enough.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from byhand.core.capture import tracer
from byhand.ops.recurrent import gru, lstm, rnn
from laws.sample import Sample, sample, spread

SHAPES = (((2, 2), False), ((2, 1, 1), True), ((2, 1), False))
H = 2


def sigma(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


def tracks(batch_sizes: tuple[int, ...], reverse: bool) -> Iterator[list[int]]:
    """For each sequence the rows that are its own, in the order in which time runs."""
    starts = np.cumsum((0, *batch_sizes))
    for k in range(batch_sizes[0]):
        track = [int(starts[t]) + k for t, n in enumerate(batch_sizes) if k < n]
        yield track[::-1] if reverse else track


def followed(step: Callable[..., Any], x: Any, first: Any, batch_sizes: Any, reverse: bool) -> Any:
    """The states of all rows and the last of each sequence: for every kind of state an array (rows + N, H)."""
    length = x.shape[0]
    out = [np.zeros((length + f.shape[0], H), np.result_type(x, *first)) for f in first]
    for k, track in enumerate(tracks(batch_sizes, reverse)):
        state = [f[k] for f in first]
        for row in track:
            state = step(x[row], *state)
            for array, s in zip(out, state, strict=True):
                array[row] = s
        for array, s in zip(out, state, strict=True):
            array[length + k] = s
    return out


def lstm_reference(x: Any, h: Any, c: Any, weight: Any, batch_sizes: Any, reverse: bool) -> Any:
    def step(x: Any, h: Any, c: Any) -> Any:
        i, f, g, o = np.split(x + weight @ h, 4)
        c = sigma(f) * c + sigma(i) * np.tanh(g)
        return sigma(o) * np.tanh(c), c

    hs, cs = followed(step, x, (h, c), batch_sizes, reverse)
    return np.concatenate([hs, cs[x.shape[0] :]])


def gru_reference(x: Any, h: Any, weight: Any, bias: Any, batch_sizes: Any, reverse: bool, more: Any = None) -> Any:
    def step(x: Any, h: Any) -> Any:
        r, z, n, added = np.split(x, 4)
        a, b, inner = np.split(weight @ h + (0 if bias is None else bias), 3)
        r, z = sigma(r + a), sigma(z + b)
        n = np.tanh(n + r * (inner + added))
        return ((1 - z) * n + z * h,)

    more = np.zeros((x.shape[0], H)) if more is None else more
    return followed(step, np.hstack([x, more]), (h,), batch_sizes, reverse)[0]


def rnn_reference(x: Any, h: Any, weight: Any, batch_sizes: Any, reverse: bool, nonlinearity: str) -> Any:
    def step(x: Any, h: Any) -> Any:
        z = x + weight @ h
        return (np.tanh(z) if nonlinearity == "tanh" else np.where(np.real(z) > 0, z, 0),)

    return followed(step, x, (h,), batch_sizes, reverse)[0]


def slopes(y: Any, function: Callable[[Any], Any], x: Any) -> Any:
    """The gradient of Σ y · function(x), one value of x after the other."""
    out = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        moved = x.astype(complex)
        moved[place] += 1e-30j
        out[place] = (y * function(moved).imag).sum() / 1e-30
    return out


def lstm_slopes_reference(y: Any, x: Any, h: Any, c: Any, weight: Any, **attrs: Any) -> Any:
    dx = slopes(y, lambda x: lstm_reference(x, h, c, weight, **attrs), x)
    dh = slopes(y, lambda h: lstm_reference(x, h, c, weight, **attrs), h)
    dc = slopes(y, lambda c: lstm_reference(x, h, c, weight, **attrs), c)
    return np.vstack([dx, np.hstack([dh, dc, 0 * dh, 0 * dc])])


def gru_slopes_reference(y: Any, x: Any, h: Any, weight: Any, bias: Any, **attrs: Any) -> Any:
    dx = slopes(y, lambda x: gru_reference(x, h, weight, bias, **attrs), x)
    dh = slopes(y, lambda h: gru_reference(x, h, weight, bias, **attrs), h)
    dn = slopes(y, lambda p: gru_reference(x, h, weight, bias, **attrs, more=p), np.zeros((x.shape[0], H)))
    return np.vstack([np.hstack([dn, dx]), np.hstack([dh, 0 * dh, 0 * dh, 0 * dh])])


def rnn_slopes_reference(y: Any, x: Any, h: Any, weight: Any, **attrs: Any) -> Any:
    dx = slopes(y, lambda x: rnn_reference(x, h, weight, **attrs), x)
    return np.vstack([dx, slopes(y, lambda h: rnn_reference(x, h, weight, **attrs), h)])


def forward_first(backward: Any, forward: Any, operands: Any) -> Callable[..., Any]:
    """The backward op as rules call it: after the forward one, with what that hands on.

    While it is captured, that is computed from the `operands` of the sample, which are those that are given then.
    """

    def call(y: Any, *given: Any, **attrs: Any) -> Any:
        now = operands if tracer() else [getattr(x, "array", x) for x in given]
        now = [None if x is None else x.astype(y.dtype) for x in now]
        made = forward.op.kernel(*now, **attrs)
        handed = made[1:] if forward.op.residuals else (made,)
        return backward(y, *given, *handed, **attrs)

    return call


def family(forward: Any, backward: Any, shapes: Any, references: Any, **attrs: Any) -> Iterator[Sample]:
    """Samples of a sequence op and of its backward op."""
    for batch_sizes, reverse in SHAPES:
        sizes = {"L": sum(batch_sizes), "N": batch_sizes[0]}
        operands = [None if s is None else spread(*[sizes.get(n, n) for n in s]) for s in shapes]
        given: Any = {"batch_sizes": batch_sizes, "reverse": reverse, **attrs}
        yield sample(forward, *operands, reference=references[0], **given)
        if sum(batch_sizes) > 3:  # the third derivative of these many values takes seconds
            continue
        y = spread(*np.shape(forward(*operands, **given)))
        made = forward_first(backward, forward, operands)
        yield sample(backward, y, *operands, reference=references[1], compose=made, **given)


LSTM = [
    *family(
        lstm.long_short, lstm.long_short_slopes, [("L", 4 * H), ("N", H), ("N", H), (4 * H, H)],
        (lstm_reference, lstm_slopes_reference),
    )
]  # fmt: skip
GRU = [
    one
    for bias in ((3 * H,), None)
    for one in family(
        gru.gated, gru.gated_slopes, [("L", 3 * H), ("N", H), (3 * H, H), bias], (gru_reference, gru_slopes_reference)
    )
    if bias is not None or sum(one.attrs["batch_sizes"]) <= 3
]
RNN = [
    one
    for nonlinearity in ("tanh", "relu")
    for one in family(
        rnn.plain, rnn.plain_slopes, [("L", H), ("N", H), (H, H)], (rnn_reference, rnn_slopes_reference),
        nonlinearity=nonlinearity,
    )
]  # fmt: skip

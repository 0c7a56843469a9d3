"""The gated recurrent unit over a sequence, forward and backward. Cho et al., 2014, in the form that cuDNN has.

There the reset gate r acts on the product with the state, bias and all: n = tanh(xₙ + r · (Wₙ h + bₙ)). So the product
has slopes of its own, which differ from those of x in n: a row of slopes holds those of the product in the order
n, r, z and then once more n, so that both are a block of it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from byhand.core.op import SCAN, derive, op, share
from byhand.core.variable import Array
from byhand.ops.activation import sigmoid
from byhand.ops.recurrent.product import multiplied
from byhand.ops.recurrent.unrolled import Sizes, before, blocks, columns, rows, seconds, spans, stacked, unrolled
from byhand.ops.reduce import column_sums
from byhand.ops.shape import joined
from byhand.ops.trigonometry import tanh
from byhand.ops.views import padded


def step(x: Any, h: Any, weight: Any, bias: Any) -> tuple[Any]:
    """One step, made of small ops: the new h. x may have a block before its r, z, n: what is added to Wₙ h + bₙ."""
    product = h @ weight.T
    a, b, inner = blocks(product if bias is None else product + bias, h.shape[1])
    *more, r, z, n = blocks(x, h.shape[1])
    inner = inner + more[0] if more else inner
    r, z = sigmoid(r + a), sigmoid(z + b)
    n = tanh(n + r * inner)
    return (n + z * (h - n),)


def by_steps(x: Any, h: Any, weight: Any, bias: Any, batch_sizes: Sizes, reverse: bool) -> Any:
    """The op made of small ones."""
    parts, last = unrolled(lambda x, h: step(x, h, weight, bias), x, (h,), batch_sizes, reverse)
    return joined(parts[0], *last, axis=0)


@op(SCAN, name="gru", residuals={"gates": None, "inner": None, "states": None})
def gated(
    x: Array, h: Array, weight: Array, bias: Array | None, *, batch_sizes: tuple[int, ...], reverse: bool
) -> tuple[Array, Array, Array, Array]:
    """h ← n + z (h − n), with r, z = σ(x + h Wᵀ + b) and n = tanh(x + r (h Wᵀ + b)): all h, then the last"""
    length, (n, size) = x.shape[0], h.shape
    out = np.empty((length + n, size), x.dtype)
    gates = np.empty((length, 3 * size), x.dtype)
    inner, states = np.empty((length, size), x.dtype), np.empty((length, size), x.dtype)
    back = weight.T.copy()
    hidden = out[length:]
    hidden[...] = h
    products = np.empty((n, 3 * size), x.dtype)
    for start, stop, count in spans(batch_sizes, reverse):
        product, state, now = products[:count], hidden[:count], gates[start:stop]
        multiplied(state, back, product)
        if bias is not None:
            product += bias
        both, new = now[:, : 2 * size], now[:, 2 * size :]
        inner[start:stop] = product[:, 2 * size :]
        states[start:stop] = state
        np.add(product[:, : 2 * size], x[start:stop, : 2 * size], out=both)
        both *= 0.5  # σ(z) = (1 + tanh(z/2)) / 2
        np.tanh(both, out=both)
        both *= 0.5
        both += 0.5
        np.multiply(both[:, :size], inner[start:stop], out=new)
        new += x[start:stop, 2 * size :]
        np.tanh(new, out=new)
        state -= new
        state *= both[:, size:]
        state += new
        out[start:stop] = state
    return out, gates, inner, states


@op(SCAN, name="gru_slopes")
def gated_slopes(
    y: Array,
    x: Array,
    h: Array,
    weight: Array,
    bias: Array | None,
    gates: Array,
    inner: Array,
    states: Array,
    *,
    batch_sizes: tuple[int, ...],
    reverse: bool,
) -> Array:
    """`gru` backward: y with respect to n, r and z of h Wᵀ + b and to n of x, and in the last rows to h"""
    length, (n, size) = x.shape[0], h.shape
    out = np.zeros((length + n, 4 * size), x.dtype)
    turned = np.concatenate((weight[2 * size :], weight[: 2 * size]))
    hidden, parts = y[length:].copy(), np.empty((n, size), x.dtype)
    through = np.empty((n, size), x.dtype)
    for start, stop, count in spans(batch_sizes, not reverse):
        r, z, new = gates[start:stop, :size], gates[start:stop, size : 2 * size], gates[start:stop, 2 * size :]
        dh, part, product = hidden[:count], parts[:count], through[:count]
        dz = out[start:stop, 2 * size : 3 * size]
        dn = out[start:stop, 3 * size :]
        dh += y[start:stop]
        np.subtract(1, z, out=part)
        np.multiply(dh, part, out=dn)
        np.subtract(states[start:stop], new, out=dz)
        dz *= z
        dz *= part
        dz *= dh
        np.multiply(new, new, out=part)
        np.subtract(1, part, out=part)
        dn *= part
        np.multiply(dn, r, out=out[start:stop, :size])
        np.subtract(1, r, out=part)
        part *= inner[start:stop]
        np.multiply(out[start:stop, :size], part, out=out[start:stop, size : 2 * size])
        dh *= z
        multiplied(out[start:stop, : 3 * size], turned, product)
        dh += product
    out[length:, :size] = hidden
    return out


def _in_order(x: Any) -> Any:
    """Blocks of rows n, r, z as r, z, n."""
    size = x.shape[0] // 3
    return joined(rows(x, size, 3 * size), rows(x, 0, size), axis=0)


def _of_product(slopes: Any, out: Any, h: Any) -> Any:
    """The slopes of the product with the state, for all rows of x."""
    return columns(rows(slopes, 0, out.shape[0] - h.shape[0]), 0, 3 * h.shape[1])


def _seconds(g: Any, y: Any, x: Any, h: Any, weight: Any, bias: Any, batch_sizes: Sizes, reverse: bool) -> list[Any]:
    wide = padded(x, widths=((0, 0), (h.shape[1], 0)), value=0)
    given = (y, wide, h, weight) if bias is None else (y, wide, h, weight, bias)

    def function(x: Any, h: Any, weight: Any, bias: Any = None) -> Any:
        return by_steps(x, h, weight, bias, batch_sizes, reverse)

    return seconds(function, 2, lambda *parts: stacked(parts, wide.shape[1]), g, *given)


share(
    gated,
    slopes=lambda g, x, h, weight, bias, gates, inner, states, batch_sizes, reverse: gated_slopes(
        g, x, h, weight, bias, gates, inner, states, batch_sizes=batch_sizes, reverse=reverse
    ),
)
derive(
    gated,
    x=lambda g, slopes, x_shape: columns(rows(slopes, 0, x_shape[0]), x_shape[1] // 3, slopes.shape[1]),
    h=lambda g, slopes, h_shape: columns(rows(slopes, slopes.shape[0] - h_shape[0], slopes.shape[0]), 0, h_shape[1]),
    weight=lambda g, slopes, out, h, batch_sizes, reverse: _in_order(
        _of_product(slopes, out, h).T @ before(out, h, batch_sizes, reverse)
    ),
    bias=lambda g, slopes, out, h: _in_order(column_sums(_of_product(slopes, out, h))),
)
share(
    gated_slopes,
    all=lambda g, y, x, h, weight, bias, batch_sizes, reverse: _seconds(g, y, x, h, weight, bias, batch_sizes, reverse),
)
derive(
    gated_slopes,
    y=lambda g, all: all[0],
    x=lambda g, all: columns(all[1], all[2].shape[1], all[1].shape[1]),
    h=lambda g, all: all[2],
    weight=lambda g, all: all[3],
    bias=lambda g, all: all[4],
)

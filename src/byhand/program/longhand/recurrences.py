"""Recurrent layers as a course writes them: one step after the other, a formula a line.

The kernels do the same with all gates at once and in place. These functions are printed in their stead, where all
sequences have one length; only the law that longhand equals eager holds the two together. Called by `reading`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from byhand.program.ir import Node


def sigmoid(z: Any) -> Any:
    """1 / (1 + e⁻ᶻ)."""
    return 1 / (1 + np.exp(-z))


def steps(batch_sizes: Any, reverse: Any) -> Any:
    """The steps in the order in which they are taken."""
    return range(len(batch_sizes))[::-1] if reverse else range(len(batch_sizes))


def lstm(x: Any, h: Any, c: Any, weight: Any, *, batch_sizes: Any, reverse: Any) -> Any:
    """The h of all steps and the last h and c; then, of all steps, the gates, the c before and tanh(c) after."""
    T, (N, H) = len(batch_sizes), h.shape
    x = x.reshape(T, N, 4 * H)
    hs, before, squashed = [np.empty((T, N, H), x.dtype) for _ in range(3)]
    gates = np.empty_like(x)
    for t in steps(batch_sizes, reverse):
        i, f, g, o = np.split(x[t] + h @ weight.T, 4, axis=1)
        i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        gates[t], before[t] = np.hstack((i, f, g, o)), c
        c = f * c + i * g
        squashed[t] = np.tanh(c)
        h = hs[t] = o * np.tanh(c)
    out = np.concatenate((hs.reshape(T * N, H), h, c))
    return out, gates.reshape(T * N, 4 * H), before.reshape(T * N, H), squashed.reshape(T * N, H)


def lstm_slopes(
    y: Any,
    x: Any,
    h: Any,
    c: Any,
    weight: Any,
    gates: Any,
    cells: Any,
    squashed: Any,
    *,
    batch_sizes: Any,
    reverse: Any,
) -> Any:
    """Backpropagation through time: d_z of all steps, where z = x + h Wᵀ, then d_h and d_c of the first."""
    T, (N, H) = len(batch_sizes), h.shape
    d_hs, d_h, d_c = y[: T * N].reshape(T, N, H), y[T * N : T * N + N], y[T * N + N :]
    gates, cells, squashed = gates.reshape(T, N, 4 * H), cells.reshape(T, N, H), squashed.reshape(T, N, H)
    d_z = np.empty_like(gates)
    for t in steps(batch_sizes, not reverse):
        i, f, g, o = np.split(gates[t], 4, axis=1)
        d_h = d_hs[t] + d_h  # from above, and from the step after
        d_o = d_h * squashed[t]
        d_c = d_c + d_h * o * (1 - squashed[t] ** 2)
        d_i, d_f, d_g = d_c * g, d_c * cells[t], d_c * i
        d_z[t] = np.hstack((d_i * i * (1 - i), d_f * f * (1 - f), d_g * (1 - g**2), d_o * o * (1 - o)))
        d_h = d_z[t] @ weight
        d_c = d_c * f
    last = np.hstack((d_h, d_c, np.zeros((N, 2 * H), y.dtype)))
    return np.concatenate((d_z.reshape(T * N, 4 * H), last))


def gru(x: Any, h: Any, weight: Any, bias: Any, *, batch_sizes: Any, reverse: Any) -> Any:
    """The h of all steps and the last; then, of all steps, the gates, W_n h + b_n and the h before."""
    T, (N, H) = len(batch_sizes), h.shape
    x = x.reshape(T, N, 3 * H)
    hs, inner, before = [np.empty((T, N, H), x.dtype) for _ in range(3)]
    gates = np.empty_like(x)
    for t in steps(batch_sizes, reverse):
        product = h @ weight.T if bias is None else h @ weight.T + bias
        before[t], inner[t] = h, product[:, 2 * H :]
        r = sigmoid(x[t, :, :H] + product[:, :H])
        z = sigmoid(x[t, :, H : 2 * H] + product[:, H : 2 * H])
        n = np.tanh(x[t, :, 2 * H :] + r * inner[t])
        gates[t] = np.hstack((r, z, n))
        h = hs[t] = (1 - z) * n + z * h
    out = np.concatenate((hs.reshape(T * N, H), h))
    return out, gates.reshape(T * N, 3 * H), inner.reshape(T * N, H), before.reshape(T * N, H)


def gru_slopes(
    y: Any,
    x: Any,
    h: Any,
    weight: Any,
    bias: Any,
    gates: Any,
    inner: Any,
    states: Any,
    *,
    batch_sizes: Any,
    reverse: Any,
) -> Any:
    """Backpropagation through time: d of n, r, z of h Wᵀ + b and of n of x at all steps, then d_h of the first."""
    T, (N, H) = len(batch_sizes), h.shape
    d_hs, d_h = y[: T * N].reshape(T, N, H), y[T * N :]
    gates, inner, states = gates.reshape(T, N, 3 * H), inner.reshape(T, N, H), states.reshape(T, N, H)
    slopes = np.empty((T, N, 4 * H), x.dtype)
    for t in steps(batch_sizes, not reverse):
        r, z, n = np.split(gates[t], 3, axis=1)
        d_h = d_hs[t] + d_h  # from above, and from the step after
        d_n = d_h * (1 - z) * (1 - n**2)
        d_z = d_h * (states[t] - n) * z * (1 - z)
        d_r = d_n * inner[t] * r * (1 - r)
        slopes[t] = np.hstack((d_n * r, d_r, d_z, d_n))
        d_h = d_h * z + np.hstack((d_r, d_z, d_n * r)) @ weight
    last = np.hstack((d_h, np.zeros((N, 3 * H), y.dtype)))
    return np.concatenate((slopes.reshape(T * N, 4 * H), last))


def rnn(x: Any, h: Any, weight: Any, *, batch_sizes: Any, reverse: Any, nonlinearity: Any) -> Any:
    """The h of all steps, and the last."""
    T, (N, H) = len(batch_sizes), h.shape
    x = x.reshape(T, N, H)
    hs = np.empty_like(x)
    for t in steps(batch_sizes, reverse):
        z = x[t] + h @ weight.T
        h = hs[t] = np.tanh(z) if nonlinearity == "tanh" else np.maximum(z, 0)
    return np.concatenate((hs.reshape(T * N, H), h))


def rnn_slopes(
    y: Any, x: Any, h: Any, weight: Any, states: Any, *, batch_sizes: Any, reverse: Any, nonlinearity: Any
) -> Any:
    """Backpropagation through time: d_z of all steps, where z = x + h Wᵀ, then d_h of the first."""
    T, (N, H) = len(batch_sizes), h.shape
    d_hs, d_h = y[: T * N].reshape(T, N, H), y[T * N :]
    hs = states[: T * N].reshape(T, N, H)
    d_z = np.empty_like(hs)
    for t in steps(batch_sizes, not reverse):
        d_h = d_hs[t] + d_h  # from above, and from the step after
        d_z[t] = d_h * (1 - hs[t] ** 2) if nonlinearity == "tanh" else d_h * (hs[t] > 0)
        d_h = d_z[t] @ weight
    return np.concatenate((d_z.reshape(T * N, H), d_h))


BOOK = {f.__name__: f for f in (lstm, lstm_slopes, gru, gru_slopes, rnn, rnn_slopes)}


def function(node: Node) -> Callable[..., Any]:
    """What is printed for a kernel that is more than a formula: the kernel itself, or the same as in books."""
    sizes = node.attrs.get("batch_sizes")
    book = BOOK.get(node.op.name) if sizes is not None and len(set(sizes)) == 1 else None
    kernel: Callable[..., Any] = node.op.kernel
    return kernel if book is None else book

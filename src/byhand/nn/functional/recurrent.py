"""Recurrent layers as functions of their parameters, one direction of one layer at a time, and stacks of them.

All take the rows of packed sequences (see `byhand.ops.recurrent`); N sequences of T steps are (T · N) rows with
batch_sizes = (N,) * T. Called by `nn.recurrent`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from byhand.nn.functional.dropout import dropout as dropped
from byhand.nn.functional.linear import linear
from byhand.ops.recurrent import gated, long_short, plain
from byhand.ops.recurrent.lstm import step
from byhand.ops.recurrent.unrolled import rows, unrolled
from byhand.ops.shape import joined
from byhand.tensor import Tensor

Sizes = tuple[int, ...]
Parameters = Sequence[Any]
Layer = Callable[[Tensor, Sequence[Any], Parameters, Sizes, bool], tuple[Tensor, tuple[Tensor, ...]]]


def _projected(input: Tensor, parameters: Parameters) -> Tensor:
    """x Wᵀ + b with both biases, which the gates only ever add."""
    weight, _, *biases = parameters
    return linear(input, weight, biases[0] + biases[1] if len(biases) > 1 else None)


def _parted(out: Any, length: int, n: int) -> tuple[Tensor, tuple[Tensor, ...]]:
    """The states of all rows, and the last states."""
    last = [rows(out, start, start + n) for start in range(length, out.shape[0], n)]
    return rows(out, 0, length), tuple(last)


def rnn_tanh(
    input: Tensor, states: Sequence[Any], parameters: Parameters, batch_sizes: Sizes, reverse: bool = False
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """h ← tanh(x Wᵢₕᵀ + bᵢₕ + h Wₕₕᵀ + bₕₕ): the h of all rows, and the last. Elman, 1990.

    input (rows, in), states (h,), parameters (w_ih, w_hh) or (w_ih, w_hh, b_ih, b_hh).
    """
    return _elman(input, states, parameters, batch_sizes, reverse, "tanh")


def rnn_relu(
    input: Tensor, states: Sequence[Any], parameters: Parameters, batch_sizes: Sizes, reverse: bool = False
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """`rnn_tanh` with max(0, z) in the place of tanh. Le, Jaitly & Hinton, 2015."""
    return _elman(input, states, parameters, batch_sizes, reverse, "relu")


def _elman(
    input: Tensor, states: Sequence[Any], parameters: Parameters, batch_sizes: Sizes, reverse: bool, nonlinearity: str
) -> tuple[Tensor, tuple[Tensor, ...]]:
    out = plain(
        _projected(input, parameters), states[0], parameters[1],
        batch_sizes=batch_sizes, reverse=reverse, nonlinearity=nonlinearity,
    )  # fmt: skip
    return _parted(out, input.shape[0], states[0].shape[0])


def lstm(
    input: Tensor, states: Sequence[Any], parameters: Parameters, batch_sizes: Sizes, reverse: bool = False
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """c ← f·c + i·g, h ← o·tanh(c): the h of all rows, and the last h and c. Hochreiter & Schmidhuber, 1997.

    The rows of the weights are the gates i, f, g, o: σ, σ, tanh and σ of x Wᵢₕᵀ + bᵢₕ + h Wₕₕᵀ + bₕₕ. input (rows, in),
    states (h, c), parameters (w_ih, w_hh), then b_ih and b_hh if there are biases, then w_hr if h is projected by it
    (Sak, Senior & Beaufays, 2014).
    """
    h, c = states
    if len(parameters) % 2:
        *parameters, projection = parameters
        x = _projected(input, parameters)
        parts, last = unrolled(
            lambda x, h, c: step(x, h, c, parameters[1], projection), x, states, batch_sizes, reverse
        )
        return parts[0], tuple(last)
    x = _projected(input, parameters)
    out = long_short(x, h, c, parameters[1], batch_sizes=batch_sizes, reverse=reverse)
    return _parted(out, x.shape[0], h.shape[0])


def gru(
    input: Tensor, states: Sequence[Any], parameters: Parameters, batch_sizes: Sizes, reverse: bool = False
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """h ← (1 − z) n + z h: the h of all rows, and the last. Cho et al., 2014.

    The rows of the weights are r, z, n: r and z are σ of x Wᵢₕᵀ + bᵢₕ + h Wₕₕᵀ + bₕₕ, and n = tanh(x Wᵢₙᵀ + bᵢₙ +
    r (h Wₕₙᵀ + bₕₙ)). input (rows, in), states (h,), parameters (w_ih, w_hh) or (w_ih, w_hh, b_ih, b_hh).
    """
    weight, back, *biases = parameters
    x = linear(input, weight, biases[0] if biases else None)
    out = gated(x, states[0], back, biases[1] if biases else None, batch_sizes=batch_sizes, reverse=reverse)
    return _parted(out, x.shape[0], states[0].shape[0])


def stacked_layers(
    layer: Layer,
    input: Tensor,
    states: Sequence[Sequence[Any]],
    parameters: Sequence[Parameters],
    batch_sizes: Sizes,
    directions: int,
    dropout: float,
    training: bool,
) -> tuple[Tensor, list[tuple[Tensor, ...]]]:
    """Layers one after another, each in one or two directions: the rows of the last, and the last states of all.

    states and parameters are listed as layer 0, layer 0 in reverse, layer 1, …; dropout comes between layers.
    """
    last: list[tuple[Tensor, ...]] = []
    for first in range(0, len(parameters), directions):
        if first:
            input = dropped(input, dropout, training)
        outs = []
        for k in range(directions):
            out, ends = layer(input, states[first + k], parameters[first + k], batch_sizes, k == 1)
            outs.append(out)
            last.append(ends)
        input = outs[0] if directions == 1 else joined(*outs, axis=1)
    return input, last

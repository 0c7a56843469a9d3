"""Recurrences, whose kernels stay whole in a program, as one compiled step that runs once for each step of time.

An LSTM of 64 steps would be a program of 4,700 nodes. So the driver calls such a node as it calls NumPy; but where all
sequences have one length, what it calls is a program of its own: the step written here, compiled like any other, which
finds its arrays by a table of addresses. From one step of time to the next nothing but that table changes: it points to
the next rows of what is read and written. `repetition` does that; `driver` asks for it.

The step below is the textbook's. Only the law that loops equals eager holds it to the kernel in `byhand.ops.recurrent`.
For 64 steps of 32 · 128 and one thread: forward 5.5 → 4.3 ms, backward 6.2 → 3.6, of which the products take 3.4 each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from byhand.core.variable import Array


@dataclass
class Repetition:
    """One step, and where its arrays are each time.

    step    a function of arrays that returns a tuple of arrays, made of what `lowering` can follow
    reads   for each parameter, the array of each time
    writes  for each result, the array of each time
    begin, end  what NumPy does before and after
    """

    step: Callable[..., tuple[Any, ...]]
    reads: Sequence[Sequence[Array]]
    writes: Sequence[Sequence[Array]]
    begin: Callable[[], None]
    end: Callable[[], None]

    def parts(self, threads: int) -> list[Repetition]:
        """The same for some of the sequences each, which know nothing of each other: as many parts, or a few less."""
        n = len(self.writes[0][0])
        count = next(k for k in range(min(threads, n), 0, -1) if n % k == 0)
        rows = [slice(start, start + n // count) for start in range(0, n, n // count)]
        return [replace(self, reads=self._reads(part), writes=_rows(self.writes, part)) for part in rows]

    def _reads(self, part: slice) -> list[Sequence[Array]]:
        cut = _rows(self.reads, part)
        return [each if isinstance(each, Always) else rows for each, rows in zip(self.reads, cut, strict=True)]


def _rows(arrays: Sequence[Sequence[Array]], part: slice) -> list[list[Array]]:
    return [[array[part] for array in each] for each in arrays]


class Always(list[Array]):
    """The same array at all times, which belongs to no sequence: a weight."""


@dataclass
class Steps:
    """The steps of N sequences of one length."""

    count: int
    n: int
    reverse: bool

    @property
    def length(self) -> int:
        """All rows."""
        return self.count * self.n

    def parts(self, x: Array) -> list[Array]:
        """The rows of each step, in the order of time."""
        found = [x[start : start + self.n] for start in range(0, self.length, self.n)]
        return found[::-1] if self.reverse else found

    def always(self, x: Array) -> Always:
        """The same array in every step."""
        return Always([x] * self.count)

    def turns(self, like: Array) -> list[Array]:
        """Two arrays in turn: what a step writes, the next reads."""
        pair = np.empty((2, self.n, like.shape[1]), like.dtype)
        return [pair[i % 2] for i in range(self.count + 1)]


def sigmoid(z: Any) -> Any:
    """1 / (1 + e⁻ᶻ)."""
    return 1 / (1 + np.exp(-z))


# The long short-term memory.


def lstm_step(x: Any, h: Any, c: Any, back: Any) -> tuple[Any, ...]:
    """The new h and c, the gates, and tanh of the new c; `back` is Wᵀ."""
    size = h.shape[1]
    z = x + h @ back
    gates = np.empty(x.shape, x.dtype)
    gates[:, :size] = i = sigmoid(z[:, :size])
    gates[:, size : 2 * size] = f = sigmoid(z[:, size : 2 * size])
    gates[:, 2 * size : 3 * size] = g = np.tanh(z[:, 2 * size : 3 * size])
    gates[:, 3 * size :] = o = sigmoid(z[:, 3 * size :])
    c = f * c + i * g
    squashed = np.tanh(c)
    return o * squashed, c, gates, squashed


def lstm(steps: Steps, inputs: Sequence[Array], outs: Sequence[Array]) -> Repetition:
    """`lstm`."""
    x, h, c, weight = inputs
    out, gates, cells, squashed = outs
    first, back = np.empty(h.shape, h.dtype), np.empty(weight.shape[::-1], weight.dtype)
    hs, cs = [first, *steps.parts(out)], [*steps.parts(cells), out[steps.length + steps.n :]]

    def begin() -> None:
        first[...], cs[0][...], back[...] = h, c, weight.T

    def end() -> None:
        out[steps.length : steps.length + steps.n] = hs[-1]

    reads = [steps.parts(x), hs[:-1], cs[:-1], steps.always(back)]
    return Repetition(lstm_step, reads, [hs[1:], cs[1:], steps.parts(gates), steps.parts(squashed)], begin, end)


def lstm_step_back(y: Any, gates: Any, c: Any, squashed: Any, dh: Any, dc: Any, weight: Any) -> tuple[Any, ...]:
    """The slopes of z = x + h Wᵀ, and of h and c before the step."""
    size = c.shape[1]
    i, f, g, o = gates[:, :size], gates[:, size : 2 * size], gates[:, 2 * size : 3 * size], gates[:, 3 * size :]
    dh = dh + y
    dc = dc + dh * o * (1 - squashed * squashed)
    dz = np.empty(gates.shape, gates.dtype)
    dz[:, :size] = dc * g * i * (1 - i)
    dz[:, size : 2 * size] = dc * c * f * (1 - f)
    dz[:, 2 * size : 3 * size] = dc * i * (1 - g * g)
    dz[:, 3 * size :] = dh * squashed * o * (1 - o)
    return dz, dz @ weight, dc * f


def lstm_slopes(steps: Steps, inputs: Sequence[Array], outs: Sequence[Array]) -> Repetition:
    """`lstm_slopes`."""
    y, _, h, _, weight, gates, cells, squashed = inputs
    [out] = outs
    length, n, size = steps.length, steps.n, h.shape[1]
    dh, dc = steps.turns(h), steps.turns(h)

    def begin() -> None:
        dh[0][...], dc[0][...] = y[length : length + n], y[length + n :]

    def end() -> None:
        out[length:, :size], out[length:, size : 2 * size], out[length:, 2 * size :] = dh[-1], dc[-1], 0

    given = [steps.parts(a) for a in (y, gates, cells, squashed)]
    reads = [*given, dh[:-1], dc[:-1], steps.always(weight)]
    return Repetition(lstm_step_back, reads, [steps.parts(out), dh[1:], dc[1:]], begin, end)


# The gated recurrent unit.


def gru_step(x: Any, h: Any, back: Any, bias: Any) -> tuple[Any, ...]:
    """The new h, the gates, and Wₙ h + bₙ."""
    size = h.shape[1]
    product = h @ back + bias
    gates = np.empty(x.shape, x.dtype)
    inner = product[:, 2 * size :]
    gates[:, :size] = r = sigmoid(x[:, :size] + product[:, :size])
    gates[:, size : 2 * size] = z = sigmoid(x[:, size : 2 * size] + product[:, size : 2 * size])
    gates[:, 2 * size :] = n = np.tanh(x[:, 2 * size :] + r * inner)
    return n + z * (h - n), gates, inner.copy()


def gru(steps: Steps, inputs: Sequence[Any], outs: Sequence[Array]) -> Repetition:
    """`gru`."""
    x, h, weight, bias = inputs
    out, gates, inner, states = outs
    first, back = np.empty(h.shape, h.dtype), np.empty(weight.shape[::-1], weight.dtype)
    added = np.zeros(weight.shape[0], weight.dtype) if bias is None else bias
    hs, kept = [first, *steps.parts(out)], steps.parts(states)

    def begin() -> None:
        first[...], back[...] = h, weight.T

    def end() -> None:
        out[steps.length :] = hs[-1]
        for state, before in zip(kept, hs, strict=False):
            state[...] = before

    reads = [steps.parts(x), hs[:-1], steps.always(back), steps.always(added)]
    return Repetition(gru_step, reads, [hs[1:], steps.parts(gates), steps.parts(inner)], begin, end)


def gru_step_back(y: Any, gates: Any, inner: Any, h: Any, dh: Any, turned: Any) -> tuple[Any, ...]:
    """The slopes of n, r, z of the product and of n, and of h before the step; `turned` is W as n, r, z."""
    size = h.shape[1]
    r, z, n = gates[:, :size], gates[:, size : 2 * size], gates[:, 2 * size :]
    dh = dh + y
    dn = dh * (1 - z) * (1 - n * n)
    slopes = np.empty((*h.shape[:1], 4 * size), h.dtype)
    slopes[:, :size] = dn * r
    slopes[:, size : 2 * size] = dn * inner * r * (1 - r)
    slopes[:, 2 * size : 3 * size] = dh * (h - n) * z * (1 - z)
    slopes[:, 3 * size :] = dn
    return slopes, dh * z + slopes[:, : 3 * size] @ turned


def gru_slopes(steps: Steps, inputs: Sequence[Any], outs: Sequence[Array]) -> Repetition:
    """`gru_slopes`."""
    y, _, h, weight, _, gates, inner, states = inputs
    [out] = outs
    size, dh, turned = h.shape[1], steps.turns(h), np.empty(weight.shape, weight.dtype)

    def begin() -> None:
        dh[0][...] = y[steps.length :]
        turned[:size], turned[size:] = weight[2 * size :], weight[: 2 * size]

    def end() -> None:
        out[steps.length :, :size], out[steps.length :, size:] = dh[-1], 0

    reads = [*[steps.parts(a) for a in (y, gates, inner, states)], dh[:-1], steps.always(turned)]
    return Repetition(gru_step_back, reads, [steps.parts(out), dh[1:]], begin, end)


REPETITIONS = {"lstm": lstm, "lstm_slopes": lstm_slopes, "gru": gru, "gru_slopes": gru_slopes}
"""By the op's name. Elman's network has one nonlinearity a step and gains nothing."""

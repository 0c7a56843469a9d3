"""The rows of packed sequences, and recurrences written out step by step, in small ops: slow, with every derivative.

Called by the sequence ops for their rules, and by `nn.functional.recurrent` for an LSTM that projects its state.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from byhand.core import engine
from byhand.core.recorder import wrap
from byhand.core.tape import leaf, mode
from byhand.core.variable import Variable
from byhand.ops.index import SLOT, indexed
from byhand.ops.shape import joined
from byhand.ops.views import narrowed, padded, reshaped

Sizes = tuple[int, ...]


def spans(batch_sizes: Sizes, reverse: bool) -> list[tuple[int, int, int]]:
    """Where the rows of each step start and stop, and how many they are, in the order in which steps are taken."""
    found, start = [], 0
    for count in batch_sizes:
        found.append((start, start + count, count))
        start += count
    return found[::-1] if reverse else found


def rows(x: Any, start: int, stop: int) -> Any:
    """x[start:stop]."""
    return x if (start, stop) == (0, x.shape[0]) else narrowed(x, axis=0, start=start, stop=stop)


def columns(x: Any, start: int, stop: int) -> Any:
    """x[:, start:stop]."""
    return narrowed(x, axis=1, start=start, stop=stop)


def blocks(x: Any, size: int) -> list[Any]:
    """The columns in parts of that size."""
    return [columns(x, start, start + size) for start in range(0, x.shape[1], size)]


def before(out: Any, h: Any, batch_sizes: Sizes, reverse: bool) -> Any:
    """The state that each row began with, from the result `out` of a sequence op and the first states h: (rows, H)."""
    n, length = h.shape[0], sum(batch_sizes)
    if batch_sizes[-1] == n:
        return joined(rows(out, n, length), h, axis=0) if reverse else joined(h, rows(out, 0, length - n), axis=0)
    place = np.arange(length, length + n)  # where the state of each sequence is: at first in h, behind the rows of out
    found = np.empty(length, np.intp)
    for start, stop, count in spans(batch_sizes, reverse):
        found[start:stop] = place[:count]
        place[:count] = np.arange(start, stop)
    return indexed(joined(rows(out, 0, length), h, axis=0), found, index=(SLOT,))


def unrolled(
    step: Callable[..., tuple[Any, ...]], x: Any, states: Sequence[Any], batch_sizes: Sizes, reverse: bool
) -> tuple[list[Any], list[Any]]:
    """All that the steps give, each for all rows, and the last states.

    step(rows of x, *states) gives the new states, then what else is worth handing out.
    """
    now, given = list(states), []
    for start, stop, count in spans(batch_sizes, reverse):
        new = step(rows(x, start, stop), *[rows(state, 0, count) for state in now])
        given.append(new)
        now = [
            fresh if count == old.shape[0] else joined(fresh, rows(old, count, old.shape[0]), axis=0)
            for fresh, old in zip(new, now, strict=False)
        ]
    if reverse:
        given.reverse()
    return [joined(*part, axis=0) for part in zip(*given, strict=True)], now


def stacked(parts: Sequence[Any], width: int) -> Any:
    """Slopes as they are laid out: those of the rows of x, then those of the first states side by side."""
    first, *states = parts
    tail = joined(*states, axis=1) if len(states) > 1 else states[0]
    missing = width - tail.shape[1]
    return joined(first, padded(tail, widths=((0, 0), (0, missing)), value=0) if missing else tail, axis=0)


def seconds(
    function: Callable[..., Any], count: int, arrange: Callable[..., Any], g: Any, y: Any, *operands: Any
) -> list[Any]:
    """The rules of an op that is the backward pass of another: what g does to y and to each of the operands.

    function   the other op, made of small ones, of those operands
    arrange    puts the gradients of its first `count` operands for y in the form that this op gives them
    """
    before, on_tensors = mode.recording, isinstance(g, Variable)
    again = before and on_tensors
    mode.recording = True
    try:
        given = [_apart(x, again) for x in (y, *operands)]
        out = function(*given[1:])
        wanted = [x.node for x in given[1 : count + 1]]
        first = engine.walk([(out.node, given[0])], targets=set(wanted), create_graph=True, retain_graph=True)
        slopes = arrange(*[first[node] for node in wanted])
        found = engine.walk([(slopes.node, g)], targets={x.node for x in given}, create_graph=again, retain_graph=again)
    finally:
        mode.recording = before
    return [found[x.node] if x.node in found else (x if on_tensors else x.array) * 0 for x in given]


def _apart(x: Any, linked: bool) -> Any:
    """x with a node of its own, from which the graph goes on only if that is wanted."""
    if linked and isinstance(x, Variable) and x.node is not None:
        return reshaped(x, shape=x.array.shape)
    array = x.array if isinstance(x, Variable) else x
    return wrap(array, leaf(array.shape, array.dtype))

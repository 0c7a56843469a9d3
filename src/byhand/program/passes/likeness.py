"""When one value can stand in the place of another, and how values lie in memory once their axes are permuted.

Order and gaps in memory are part of what a value is: sums go along memory and round accordingly, products of what is
repeated in memory take another way than products of what is not, and a reshape of a lowered program relies on them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from byhand.core.op import VIEW
from byhand.program.ir import Value
from byhand.program.passes.sweep import RESULT, Sweep
from byhand.program.passes.vocabulary import PERMUTE, RESHAPE_TO, is_elementwise, meaning


def stands_in(x: Any, y: Value, sweep: Sweep) -> bool:
    """Whether x, which has the contents of the computed y, can be read in its place and give the same bits.

    What computes y gives an array without gaps. So either x has none, or nobody who reads y would notice.
    """
    return alike(x, y) and (is_dense(x, sweep) or unnoticed(y, sweep))


def alike(x: Any, y: Value) -> bool:
    """Whether x has the shape, the dtype and the order in memory of y."""
    return (
        isinstance(x, Value)
        and x.shape == y.shape
        and x.dtype == y.dtype
        and (x.order == y.order or _order(x) == _order(y))
    )


def is_dense(x: Value, sweep: Sweep) -> bool:
    """Whether it lies in memory without gaps or repetitions, as far as one can tell."""
    while (maker := sweep.makers.get(x)) is not None and maker.op.kind == VIEW:
        if meaning(maker) not in (PERMUTE, RESHAPE_TO):
            return False
        x = maker.inputs[0]
    return x.data is None or bool(x.data.transpose(x.order).flags.c_contiguous)


def unnoticed(x: Value, sweep: Sweep) -> bool:
    """Whether gaps in x would change nothing: it is read value by value, or is a result."""
    return all(reader is RESULT or is_elementwise(reader) for reader in sweep.readers(x))


def only_broadcast(x: Value, sweep: Sweep) -> bool:
    """Whether x is read by elementwise ops alone, to which an expansion is as good as what it stands for."""
    readers = sweep.readers(x)
    return bool(readers) and all(reader is not RESULT and is_elementwise(reader) for reader in readers)


def in_c_order(x: Value) -> bool:
    """Whether the last axis is the fastest in memory, and so on."""
    axes = _order(x)
    return axes == tuple(sorted(axes))


def _order(x: Value) -> tuple[int, ...]:
    """The order of the axes that matter: those of size 1 may lie anywhere."""
    return tuple([axis for axis in x.order if x.shape[axis] != 1])


def inverse(axes: Sequence[int]) -> tuple[int, ...]:
    """The permutation that undoes one."""
    back = [0] * len(axes)
    for place, axis in enumerate(axes):
        back[axis] = place
    return tuple(back)


def permuted_order(x: Value, axes: Sequence[int]) -> tuple[int, ...]:
    """The order in memory of x with its axes permuted."""
    back = inverse(axes)
    return tuple([back[axis] for axis in x.order])


def permuted(x: Value, axes: Sequence[int]) -> Value:
    """A new value like x with its axes permuted."""
    return Value(tuple([x.shape[axis] for axis in axes]), x.dtype, permuted_order(x, axes))

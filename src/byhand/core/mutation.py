"""In-place changes: when which memory was last overwritten.

PyTorch counts versions on every tensor. Here the serial numbers of the tape do the same: a change is stamped with
the next serial, and a node whose serial is older than the stamp of memory it saved has lost that value. As long as
the latest change is older than a node (a training loop that updates, then goes forward), one comparison of integers
says that all is well, and recording an op costs nothing.
"""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
from numpy.lib.array_utils import byte_bounds

from byhand.core.errors import GraphError
from byhand.core.tape import Node, next_serial
from byhand.core.variable import Array

Interval = tuple[int, int]
WHOLE: Interval = (0, 2**63)
MAX_INTERVALS = 64  # of one block of memory; beyond that the whole block counts as changed


class _Clock:
    """The serial of the latest change of any memory."""

    last: int = 0


clock = _Clock()
_changes: dict[int, dict[Interval, tuple[int, str]]] = {}
_owners: dict[int, weakref.ref[Array]] = {}


def owner(array: Array) -> Array:
    """The array that owns the memory `array` looks at."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def touch(array: Array, name: str) -> None:
    """Stamp the memory of `array` as overwritten by the op `name`."""
    clock.last = serial = next_serial()
    if array.base is None:
        key, interval = id(array), WHOLE
    else:
        interval = byte_bounds(array)
        array = owner(array)
        key = id(array)
    changes = _changes.get(key)
    if changes is None:
        changes = _changes[key] = {}
        _owners[key] = weakref.ref(array, lambda _, key=key: _forget(key))  # type: ignore[misc]
    elif len(changes) > MAX_INTERVALS:
        changes.clear()
        interval = WHOLE
    changes[interval] = serial, name


def _forget(key: int) -> None:
    _changes.pop(key, None)
    _owners.pop(key, None)


def verify(node: Node) -> None:
    """Raise if a value that `node` saved has been overwritten since; called only if `clock` says it may have been."""
    assert node.op is not None and node.saved is not None
    for position, value in enumerate(node.saved):
        if not isinstance(value, np.ndarray):
            continue
        changes = _changes.get(id(owner(value)))
        if changes is None:
            continue
        low, high = byte_bounds(value)
        for (start, stop), (serial, name) in changes.items():
            if serial > node.serial and start < high and low < stop:
                raise GraphError(_lost_value(node, position, name))


def _lost_value(node: Node, position: int, changed_by: str) -> str:
    op: Any = node.op
    saved: Any = node.saved
    what = (
        "its result"
        if position == len(saved) - 1
        else f"its operand {op.operands[min(position, len(op.operands) - 1)]}"
    )
    return (
        f"{op.name} saved {what}, of shape {saved[position].shape}, for its backward pass, but {changed_by} overwrote "
        f"it in place since; use the out-of-place form of {changed_by}, or change a clone()"
    )


def stamps_of(arrays: list[Array]) -> list[dict[Interval, tuple[int, str]]]:
    """Where changes of these whole arrays are stamped, to be handed to `touch_all` each time."""
    for array in arrays:
        touch(array, "a compiled step")
    return [_changes[id(owner(array))] for array in arrays]


def touch_all(stamps: list[dict[Interval, tuple[int, str]]]) -> None:
    """`touch` for a compiled step, which overwrites the same arrays each time: 0.1 µs each in place of 0.6."""
    clock.last = serial = next_serial()
    stamp = serial, "a compiled step"
    for changes in stamps:
        changes[WHOLE] = stamp

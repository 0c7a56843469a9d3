"""Where values are that reach memory: layouts that suit the loops, pieces of one arena, and states written in place.

What is given has its layout; what is computed gets the one in which the loop that writes it walks, so that neighbours
in the loop are neighbours in memory. Most values never get here: they live in registers within one nest.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from byhand.core.variable import Array
from byhand.program.ir import ARGUMENT, CONSTANT, STATE, Value
from byhand.program.layout import address, dense, seen
from byhand.program.loops.sources import Source
from byhand.program.packing import pack

Strides = tuple[int, ...]

STEP = 64
"""Numbers: what two threads write shares no cache line."""


@dataclass(frozen=True)
class Spot:
    """Where a value, or a view, is: so many numbers from the start of the root's memory, and the steps of its axes."""

    root: Value
    offset: int
    strides: Strides


@dataclass(eq=False)
class Piece:
    """A part of the arena, from the first item that uses it to the last."""

    nbytes: int
    first: int
    last: int
    offset: int = 0


@dataclass(eq=False)
class Storage:
    """The memory of a program.

    strides  of every root that has memory, in numbers and not in bytes
    homes    for what is computed in the memory of another root, of a state for example, that root
    offsets  for what is computed in a part of that memory, where the part begins
    pieces   of the arena, for the rest of what is computed
    scratch  roots that have memory for some of their axes only
    divided  of roots of which each part of a shared loop has memory of its own: how many numbers each has
    pinned   roots that are reshaped by views, and so lie in the order that their value says
    """

    sources: dict[Value, Source]
    strides: dict[Value, Strides] = field(default_factory=dict)
    homes: dict[Value, Value] = field(default_factory=dict)
    offsets: dict[Value, int] = field(default_factory=dict)
    pieces: dict[Value, Piece] = field(default_factory=dict)
    scratch: set[Value] = field(default_factory=set)
    divided: dict[Value, int] = field(default_factory=dict)
    pinned: set[Value] = field(default_factory=set)
    nbytes: int = 0

    def __post_init__(self) -> None:
        for source in self.sources.values():
            if source.axes is None:
                self.pinned.add(source.root)
            if source.root.origin in (ARGUMENT, STATE, CONSTANT):
                self.strides[source.root] = given_strides(source.root)
        self._spots: dict[Value, Spot] = {}
        self._uniform: dict[Value, Any] = {}

    def place(self, root: Value, order: Sequence[int], first: int, last: int) -> None:
        """Give a computed root a part of the arena, in which its axes lie in this order, slowest first."""
        lies = root.order if root in self.pinned else tuple(order)
        self.strides[root] = dense(root.shape, lies, 1)
        self.pieces[root] = Piece(root.nbytes, first, last)

    def place_scratch(self, root: Value, order: Sequence[int], item: int) -> None:
        """Give a root memory for some of its axes only: the others are of loops around all its uses."""
        shape = tuple(n if axis in order else 1 for axis, n in enumerate(root.shape))
        lies = (*[axis for axis in range(len(shape)) if axis not in order], *order)
        self.strides[root] = dense(shape, lies, 1)
        self.pieces[root] = Piece(math.prod(shape) * root.nbytes // max(root.size, 1), item, item)
        self.scratch.add(root)

    def divide(self, root: Value, parts: int) -> None:
        """Give each part of a shared loop memory of its own for a root: one behind the other."""
        dtype: Any = root.dtype
        size = self.divided[root] = -(-self.pieces[root].nbytes // (STEP * dtype.itemsize)) * STEP
        self.pieces[root].nbytes = parts * size * dtype.itemsize

    def place_in(self, root: Value, other: Value) -> None:
        """Compute a root in the memory of another one: a state, or what is used up."""
        self.strides[root] = self.strides[other]
        self.homes[root] = other

    def place_in_part(self, root: Value, whole: Value, index: Any, shape: tuple[int, ...]) -> bool:
        """Compute a root, seen as `shape`, in the part of another one that an index is, if it can lie there."""
        array = _likeness(whole.shape, self.strides[whole])
        part: Array = array[index if Ellipsis in index else (*index, Ellipsis)]
        inside = part.reshape(root.shape)
        if part.shape != shape or not part.size or not np.may_share_memory(part, inside):
            return False
        self.strides[root] = tuple(0 if n == 1 else step for n, step in zip(inside.shape, inside.strides, strict=True))
        self.homes[root] = whole
        self.offsets[root] = self.offsets.get(whole, 0) + address(inside) - address(array)
        return True

    def extend(self, root: Value, last: int) -> None:
        """Keep a root's memory until a later item."""
        piece = self.pieces.get(self.memory(root))
        if piece is not None:
            piece.last = max(piece.last, last)

    def spot(self, x: Value) -> Spot:
        """Where a value is whose root has memory."""
        found = self._spots.get(x)
        if found is None:
            source = self.sources[x]
            root = source.root
            if not source.views:
                found = Spot(root, self.offsets.get(root, 0), self.strides[root])
            else:
                array = _likeness(root.shape, self.strides[root])
                start = address(array)
                for node in source.views:
                    array = seen(array, node)
                steps = tuple(0 if n == 1 else step for n, step in zip(array.shape, array.strides, strict=True))
                found = Spot(root, self.offsets.get(root, 0) + address(array) - start, steps)
            self._spots[x] = found
        return found

    def memory(self, root: Value) -> Value:
        """The root whose memory this is: another one for what is computed in its place."""
        while root in self.homes:
            root = self.homes[root]
        return root

    def part(self, root: Value, index: Any) -> tuple[Spot, tuple[int, ...]]:
        """Where a basic index of a root is, and its shape."""
        array = _likeness(root.shape, self.strides[root])
        view: Array = array[index if Ellipsis in index else (*index, Ellipsis)]
        return Spot(root, address(view) - address(array), tuple(view.strides)), view.shape

    def is_part(self, x: Value, part: Spot) -> bool:
        """Whether x has been computed in this part of another root."""
        if self.sources[x].root not in self.offsets:
            return False
        spot = self.spot(x)
        steps = tuple(0 if n == 1 else step for n, step in zip(x.shape, part.strides, strict=True))
        same = self.memory(spot.root) is self.memory(part.root)
        return same and (spot.offset, spot.strides) == (part.offset, steps)

    def uniform(self, x: Value) -> Any:
        """The number that a constant is everywhere; None if there is none, and for all else."""
        root = self.sources[x].root
        if root not in self._uniform:
            data = root.data if root.origin == CONSTANT else np.empty(0)
            same = data.size and (not any(data.strides) or bool(np.all(data == data.flat[0])))
            self._uniform[root] = data.flat[0] if same else None
        return self._uniform[root]

    def pack(self) -> None:
        """Settle where in the arena each part is."""
        self.nbytes = pack(list(self.pieces.values()))


def given_strides(value: Value) -> Strides:
    """The strides of an argument, a state or a constant, in numbers: it has no gaps, or is copied."""
    return dense(value.shape, value.order, 1)


def _likeness(shape: tuple[int, ...], strides: Strides) -> Array:
    """An array of single bytes with these strides, over memory that nobody touches."""
    reach = sum((n - 1) * step for n, step in zip(shape, strides, strict=True) if n)
    return np.ndarray(shape, np.uint8, np.empty(max(reach, 0) + 1, np.uint8), strides=strides)

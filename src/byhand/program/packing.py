"""Packing buffers into one arena: what is never alive at the same time may share bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

ALIGNMENT = 64  # bytes, a cache line: elementwise work on aligned arrays is up to twice as fast


class Piece(Protocol):
    """What is packed: so many bytes from step `first` to step `last`; it is told its `offset`."""

    nbytes: int
    first: int
    last: int
    offset: int


def pack(pieces: Sequence[Piece]) -> int:
    """Give every piece an offset and return the bytes of the whole.

    The largest first, each at the lowest place that is free for its whole life ("greedy by size": Pisarchyk and Lee,
    Efficient memory management for deep neural net inference, 2020).
    """
    placed: list[Piece] = []  # by offset
    for piece in sorted(pieces, key=lambda piece: (-piece.nbytes, piece.first)):
        start = 0
        for other in placed:
            if other.first > piece.last or other.last < piece.first:
                continue
            if other.offset - start >= piece.nbytes:
                break
            start = max(start, aligned(other.offset + other.nbytes))
        piece.offset = start
        placed.append(piece)
        placed.sort(key=lambda other: other.offset)
    return max((aligned(piece.offset + piece.nbytes) for piece in placed), default=0)


def aligned(count: int) -> int:
    """The next multiple of a cache line."""
    return -(-count // ALIGNMENT) * ALIGNMENT

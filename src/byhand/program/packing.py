"""Packing buffers into one arena: what is never alive at the same time may share bytes."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Sequence
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

    One after another, each at the lowest place that is free for its whole life; what comes first is tried in several
    orders, of which the largest first is the best as a rule ("greedy by size": Pisarchyk and Lee, Efficient memory
    management for deep neural net inference, 2020).
    """
    orders: list[Callable[[Piece], tuple[int, ...]]] = [
        lambda piece: (-piece.nbytes, piece.first),
        lambda piece: (-piece.nbytes * (piece.last - piece.first + 1), piece.first),
        lambda piece: (piece.first - piece.last, -piece.nbytes),
        lambda piece: (piece.first, -piece.nbytes),
    ]
    least = _least(pieces)
    best: tuple[int, list[int]] | None = None
    for order in orders:
        total = _placed(sorted(pieces, key=order))
        if best is None or total < best[0]:
            best = total, [piece.offset for piece in pieces]
        if total <= least:
            break
    total, offsets = best or (0, [])
    for piece, offset in zip(pieces, offsets, strict=True):
        piece.offset = offset
    return total


def _placed(pieces: Sequence[Piece]) -> int:
    """Place the pieces in this order; the bytes of the whole."""
    placed: list[Piece] = []  # by offset
    for piece in pieces:
        start = 0
        for other in placed:
            if other.first > piece.last or other.last < piece.first:
                continue
            if other.offset - start >= piece.nbytes:
                break
            start = max(start, aligned(other.offset + other.nbytes))
        piece.offset = start
        insort(placed, piece, key=lambda other: other.offset)
    return max((aligned(piece.offset + piece.nbytes) for piece in placed), default=0)


def _least(pieces: Sequence[Piece]) -> int:
    """The most bytes that are alive at once: no order can do with less."""
    changes: dict[int, int] = {}
    for piece in pieces:
        changes[piece.first] = changes.get(piece.first, 0) + aligned(piece.nbytes)
        changes[piece.last + 1] = changes.get(piece.last + 1, 0) - aligned(piece.nbytes)
    alive = most = 0
    for step in sorted(changes):
        alive += changes[step]
        most = max(most, alive)
    return most


def aligned(count: int) -> int:
    """The next multiple of a cache line."""
    return -(-count // ALIGNMENT) * ALIGNMENT

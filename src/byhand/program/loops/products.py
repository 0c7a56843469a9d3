"""Matrix products as calls of BLAS: which can be, and how they are written."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from byhand.program.ir import Node, Value
from byhand.program.loops.accumulation import ACCUMULATE
from byhand.program.loops.storage import Spot, Storage

CODES = {np.dtype(np.float32): "f4", np.dtype(np.float64): "f8"}


ROWS, COLUMNS, MATRICES = "rows", "columns", "matrices"
"""What of a product threads share."""


@dataclass(frozen=True)
class Matrix:
    """A matrix as BLAS wants it: one axis without gaps, and how far apart its lines are."""

    flip: int
    line: int


@dataclass(frozen=True)
class Product:
    """C ← op(A) op(B) for every matrix of a batch.

    operands   A, B and C: where they are, and as matrices
    batch      (size, steps of A, B and C) of each axis of the batch
    """

    code: str
    sizes: tuple[int, int, int]
    operands: tuple[tuple[Spot, Matrix], ...]
    batch: tuple[tuple[int, tuple[int, int, int]], ...]

    def calls(self, names: Sequence[str], alpha: str, beta: str, shared: str = "") -> Iterator[str]:
        """Lines of text, given the names of the three pointers and what the product and C are multiplied with.

        With `shared` only the ROWS, COLUMNS or MATRICES from `first` to `last`.
        """
        (_, a), (_, b), (_, c) = self.operands
        n, m, k = map(str, self.sizes)
        indent, places = "", [[name] for name in names]
        if shared == ROWS:
            n = "last - first"
            places[0].append(_from(a.flip, a.line))
            places[2].append(_from(c.flip, c.line))
        elif shared == COLUMNS:
            m = "last - first"
            places[1].append(_from(1 - b.flip, b.line))
            places[2].append(_from(1 - c.flip, c.line))
        for depth, (size, steps) in enumerate(self.batch):
            i = f"batch_{depth + 1}"
            yield f"{indent}for {i} in range({'first, last' if shared == MATRICES and not depth else size}):"
            indent += "    "
            for place, step in zip(places, steps, strict=True):
                if step:
                    place.append(i if step == 1 else f"{i} * {step}")
        at = [name[0] if len(name) == 1 else f"at({name[0]}, {' + '.join(name[1:])})" for name in places]
        numbers = f"{self.code}({alpha})", f"{self.code}({beta})"
        if c.flip:  # Cᵀ = op(B)ᵀ op(A)ᵀ, so that C's lines are rows
            at[0], at[1], a, b, n, m = at[1], at[0], Matrix(1 - b.flip, b.line), Matrix(1 - a.flip, a.line), m, n
        yield (
            f"{indent}gemm_{self.code}({a.flip}, {b.flip}, {n}, {m}, {k}, {numbers[0]}, {at[0]}, {a.line}, "
            f"{at[1]}, {b.line}, {numbers[1]}, {at[2]}, {c.line})"
        )


def product(node: Node, storage: Storage) -> Product | None:
    """A matrix product as calls of BLAS; None if it is none for BLAS: other dtypes, or matrices with gaps both ways."""
    x, y = node.inputs[1:3] if node.op is ACCUMULATE else node.inputs
    out = node.out
    if not (isinstance(x, Value) and isinstance(y, Value)) or out.dtype not in CODES:
        return None
    if not (x.dtype == y.dtype == out.dtype) or min(len(x.shape), len(y.shape)) < 2 or not x.size or not y.size:
        return None
    spots, shapes = [storage.spot(value) for value in (x, y, out)], [x.shape, y.shape, out.shape]
    if node.op is ACCUMULATE and node.attrs["flipped"]:
        spots[2], shapes[2] = dataclasses.replace(spots[2], strides=spots[2].strides[::-1]), out.shape[::-1]
    matrices = [matrix(shape, spot.strides) for shape, spot in zip(shapes, spots, strict=True)]
    if None in matrices:
        return None
    lead = len(out.shape) - 2
    steps = [[0] * (lead + 2 - len(v.shape)) + list(s.strides[:-2]) for v, s in zip((x, y, out), spots, strict=True)]
    batch = [(out.shape[i], (steps[0][i], steps[1][i], steps[2][i])) for i in range(lead) if out.shape[i] != 1]
    n, m, k = x.shape[-2], y.shape[-1], x.shape[-1]
    # a batch times one matrix is one product, if the lines of all its matrices follow each other
    while batch and batch[-1][1][1] == 0 and not matrices[0].flip and not matrices[2].flip:  # type: ignore[union-attr]
        size, (of_x, _, of_out) = batch[-1]
        if of_x != n * matrices[0].line or of_out != n * matrices[2].line:  # type: ignore[union-attr]
            break
        batch.pop()
        n *= size
    return Product(CODES[out.dtype], (n, m, k), tuple(zip(spots, matrices, strict=True)), tuple(batch))  # type: ignore[arg-type]


def factors(node: Node, names: Mapping[Value, str]) -> tuple[str, str]:
    """What the product, and what was there before, is multiplied with: α and β as text."""
    if node.op is not ACCUMULATE:
        return "1", "0"
    texts = [names[x] if isinstance(x, Value) else repr(x) for x in node.inputs[3:]]
    (sign, count), (other, _) = node.attrs["alpha"], node.attrs["beta"]
    return _multiplied(sign, texts[:count]), _multiplied(other, texts[count:])


def _from(flip: int, line: int) -> str:
    """Where the line `first` of a matrix begins; if it is flipped, the row or column `first`."""
    return "first" if flip else f"first * {line}"


def _multiplied(sign: int, texts: Sequence[str]) -> str:
    text = " * ".join(texts) or "1"
    return text if sign > 0 else f"-({text})" if len(texts) > 1 else f"-{text}"


def matrix(shape: tuple[int, ...], strides: tuple[int, ...]) -> Matrix | None:
    """The last two axes as rows (flip 0) or as columns (flip 1) of BLAS."""
    (rows, columns), (down, right) = shape[-2:], strides[-2:]
    if (columns == 1 or right == 1) and (rows == 1 or down >= columns):
        return Matrix(0, max(down, columns))
    if (rows == 1 or down == 1) and (columns == 1 or right >= rows):
        return Matrix(1, max(right, rows))
    return None

"""The primitives that lowered programs are made of: single NumPy calls, by kind.

`lowering` turns every op of the table into these by running its kernel on symbols. `planned` writes each as one call
with `out=`; `loops` fuses them. A lowered `Node` has a `Primitive` (or an effect of `ir`) as its op.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

MAP = "map"  # value by value; inputs broadcast
FOLD = "fold"  # a ufunc reduced over axes
PRODUCT = "product"  # np.matmul
VIEW = "view"  # the same memory under another shape: the output aliases its first input
TAKE = "take"  # reading at index arrays: a copy
PUT = "put"  # a copy with values written, or added, at an index
CALL = "call"  # a whole kernel, opaque
NUMERIC = "number"  # arithmetic of Python numbers


@dataclass(frozen=True)
class Primitive:
    """One kind of NumPy call.

    name    `add`, `add.reduce`, `matmul`, `transpose`, …
    kind    one of the kinds above
    ufunc   NumPy's, for MAP, FOLD and PRODUCT; None for where, cast and copy
    """

    name: str
    kind: str
    ufunc: Any = None

    def __repr__(self) -> str:
        return f"<{self.kind} {self.name}>"


def elementwise(ufunc: Any) -> Primitive:
    """A ufunc, value by value. inputs: its operands. No attrs (a dtype= is a cast before it)."""
    return Primitive(ufunc.__name__, MAP, ufunc)


def fold(ufunc: Any) -> Primitive:
    """ufunc.reduce. inputs: (x,). attrs: axis (a sorted tuple of non-negative axes), keepdims."""
    return Primitive(f"{ufunc.__name__}.reduce", FOLD, ufunc)


WHERE = Primitive("where", MAP)
"""inputs: condition, x, y."""

CAST = Primitive("cast", MAP)
"""inputs: (x,); the output's dtype is the dtype. Like `astype`."""

COPY = Primitive("copy", MAP)
"""inputs: (x,); the output's order says how it lies in memory, its shape may be one that x broadcasts to."""

MATMUL = Primitive("matmul", PRODUCT, np.matmul)
"""inputs: x (…, n, k), y (…, k, m), or vectors as in NumPy."""

RESHAPE = Primitive("reshape", VIEW)
"""inputs: (x,), attrs: shape. Only where no copy is needed; else a COPY comes before it."""

TRANSPOSE = Primitive("transpose", VIEW)
"""inputs: (x,), attrs: axes."""

BROADCAST = Primitive("broadcast", VIEW)
"""inputs: (x,), attrs: shape. Axes of size 1 and new leading ones are repeated with stride 0."""

WINDOWS = Primitive("windows", VIEW)
"""inputs: (x,), attrs: sizes and axes, as `sliding_window_view` takes them. Numbers are in many places: only read."""

SLICE = Primitive("slice", VIEW)
"""inputs: (x,), attrs: index, a tuple of integers, slices, None and Ellipsis."""

INDEX = Primitive("index", TAKE)
"""inputs: x, then the index arrays; attrs: index, a tuple in which `ops.index.SLOT` marks where the arrays go."""

ASSIGN = Primitive("assign", PUT)
"""x with y (an array or a scalar, broadcast) written at an index. inputs: x, y, then index arrays; attrs: index."""

ADD_AT = Primitive("add_at", PUT)
"""x with y added at an index, repeated places summed (`np.add.at`). inputs and attrs as ASSIGN."""

KERNEL = Primitive("kernel", CALL)
"""The kernel of an op as it is. inputs: the operands; attrs: op (the Op), attrs (its own). Outputs: the kernel's."""

ARITHMETIC = {
    name: Primitive(name, NUMERIC, ufunc)
    for name, ufunc in {
        "add": np.add, "sub": np.subtract, "mul": np.multiply, "true_divide": np.true_divide, "neg": np.negative,
        "pow": np.power,
    }.items()
}  # fmt: skip
"""Arithmetic of Python numbers, in Python's floats and integers; the output has dtype None."""

"""The pass that takes transposes of matrix products apart."""

from __future__ import annotations

from typing import Any

from byhand.core.op import OPS
from byhand.program.ir import Node, Program, Value
from byhand.program.passes.likeness import permuted
from byhand.program.passes.sweep import Sweep
from byhand.program.passes.vocabulary import PERMUTE, instead, meaning, spoken


def products(program: Program) -> Program:
    """Write (xᵀ y)ᵀ as yᵀ x, in programs of ops; lowered ones, where a transpose costs nothing, stay.

    The product keeps the order in memory of what it replaces. It is the same sum of the same products, but a BLAS is
    free to round it differently; OpenBLAS, told to write the result in that order, makes the very same call.
    """
    return Sweep(program).over(lambda node, sweep: _multiplied(node, sweep) if meaning(node) == PERMUTE else None)


def _multiplied(node: Node, sweep: Sweep) -> Any:
    """The transpose of a product, one factor of which at least is a transpose."""
    product = sweep.makers.get(node.inputs[0])
    if not _swaps(node) or product is None or product.op is not OPS["matmul"]:
        return None
    x, y = product.inputs
    if min(len(x.shape), len(y.shape)) < 2 or len(sweep.readers(product.out)) > 1:
        return None
    sources = [_swapped(factor, sweep) for factor in (y, x)]
    if sources == [None, None]:
        return None
    factors = [_transposed(f, node, sweep) if s is None else s for f, s in zip((y, x), sources, strict=True)]
    return instead(node, product.op, factors, product.attrs)


def _swaps(node: Node) -> bool:
    """Whether it exchanges the last two axes and no others."""
    axes, n = tuple(node.attrs["axes"]), len(node.attrs["axes"])
    return n > 1 and axes == (*range(n - 2), n - 1, n - 2)


def _swapped(x: Value, sweep: Sweep) -> Value | None:
    """What x is the transpose of."""
    maker = sweep.makers.get(x)
    return maker.inputs[0] if maker is not None and meaning(maker) == PERMUTE and _swaps(maker) else None


def _transposed(x: Value, node: Node, sweep: Sweep) -> Value:
    """The transpose of x, as a new node."""
    n = len(x.shape)
    axes = (*range(n - 2), n - 1, n - 2)
    return sweep.emit(node, spoken(PERMUTE, node), (x,), {"axes": axes}, permuted(x, axes))

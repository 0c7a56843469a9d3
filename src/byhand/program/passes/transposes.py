"""The pass that moves permutations of axes to where they cancel or cost nothing."""

from __future__ import annotations

from typing import Any

from byhand.program.ir import Node, Program, Value
from byhand.program.passes.likeness import in_c_order, inverse, permuted
from byhand.program.passes.sweep import RESULT, Sweep
from byhand.program.passes.vocabulary import CLONE, PERMUTE, instead, is_array, is_elementwise, meaning
from byhand.program.primitives import COPY, MATMUL, TRANSPOSE

DEPTH = 8  # elementwise ops in a row that a permutation is moved over

Axes = tuple[int, ...]


def transposes(program: Program) -> Program:
    """Move permutations over elementwise ops, where the number of nodes does not grow.

    f(xᵀ)ᵀ is f(x) for elementwise f, of one operand or several. g(f(x)ᵀ) is g(f(x))ᵀ for elementwise f and g, if then a
    product, a sum or a view takes it up: the elementwise ops come together. In lowered programs a copy of (x y)ᵀ is the
    product yᵀ xᵀ: the same sums of the same products, though a BLAS is free to round them differently (OpenBLAS did
    not, in 490 products of all kinds of sizes).
    """
    return Sweep(program).over(_moved)


def _moved(node: Node, sweep: Sweep) -> Any:
    if meaning(node) == PERMUTE:
        return _cancelled(node, sweep)
    if node.op is COPY:
        return _turned(node, sweep)
    return _sunk(node, sweep) if is_elementwise(node) else None


def _cancelled(node: Node, sweep: Sweep) -> Any:
    """A permutation of the result of an elementwise op whose operands are permuted already."""
    x, axes = node.inputs[0], node.attrs["axes"]
    maker = sweep.makers.get(x)
    if maker is None or not _permutes(maker) or not _is_undone(x, inverse(axes), sweep):
        return None
    inputs = [_undone(y, inverse(axes), node, sweep) for y in maker.inputs]
    return instead(node, maker.op, inputs, maker.attrs)


def _is_undone(x: Any, axes: Axes, sweep: Sweep, depth: int = DEPTH) -> bool:
    """Whether x is something permuted by these axes, or can be written so with fewer nodes."""
    if not is_array(x) or x.shape == ():
        return True
    maker = sweep.makers.get(x)
    if maker is None or depth == 0 or len(x.shape) != len(axes):
        return False
    if meaning(maker) == PERMUTE:
        return tuple(maker.attrs["axes"]) == axes
    return (
        len(sweep.readers(x)) <= 1
        and _permutes(maker)
        and all(_is_undone(y, axes, sweep, depth - 1) for y in maker.inputs)
    )


def _permutes(node: Node) -> bool:
    """Whether permuting what it reads permutes what it gives, also in memory: there unlike orders would conflict."""
    if not is_elementwise(node) or meaning(node) == CLONE:
        return False
    orders = [x.order for x in node.inputs if is_array(x) and x.shape != ()]
    return bool(orders) and all(order == node.out.order for order in orders)


def _undone(x: Any, axes: Axes, node: Node, sweep: Sweep) -> Any:
    """What x is, permuted by these axes."""
    if not is_array(x) or x.shape == ():
        return x
    maker = sweep.makers[x]
    if meaning(maker) == PERMUTE:
        return maker.inputs[0]
    inputs = tuple([_undone(y, axes, node, sweep) for y in maker.inputs])
    return sweep.emit(node, maker.op, inputs, maker.attrs, permuted(x, inverse(axes)))


def _sunk(node: Node, sweep: Sweep) -> Node | None:
    """An elementwise op at the end of a chain of such, with a permutation in between."""
    makers = [sweep.makers.get(x) for x in node.inputs if is_array(x) and x.shape != ()]
    first = makers[0] if makers else None
    if first is None or meaning(first) != PERMUTE or not (_permutes(node) and _ends(node, sweep)):
        return None
    axes = tuple(first.attrs["axes"])
    behind = sweep.makers.get(first.inputs[0])
    if behind is None or not is_elementwise(behind) or len(axes) != len(node.out.shape):
        return None
    for maker in makers:
        if maker is None or meaning(maker) != PERMUTE or tuple(maker.attrs["axes"]) != axes:
            return None
        if len(sweep.readers(maker.out)) > 1:
            return None
    inputs = tuple([_undone(x, axes, node, sweep) for x in node.inputs])
    inner = sweep.emit(node, node.op, inputs, node.attrs, permuted(node.out, inverse(axes)))
    return instead(node, first.op, [inner], {"axes": axes})


def _ends(node: Node, sweep: Sweep) -> bool:
    """Whether no elementwise op reads the result of this one, and nobody outside."""
    readers = sweep.readers(node.out)
    return bool(readers) and not any(reader is RESULT or is_elementwise(reader) for reader in readers)


def _turned(node: Node, sweep: Sweep) -> Node | None:
    """The product the other way round, in the place of a copy that only brings its transpose into C order."""
    swap = sweep.makers.get(node.inputs[0])
    product = sweep.makers.get(swap.inputs[0]) if swap is not None and _swaps(swap) else None
    if swap is None or product is None or product.op is not MATMUL or not in_c_order(node.out):
        return None
    if any(len(sweep.readers(x)) > 1 for x in (swap.out, product.out)) or node.out.shape != swap.out.shape:
        return None
    if any(len(x.shape) < 2 for x in product.inputs):
        return None
    return instead(node, MATMUL, [_transposed(x, node, sweep) for x in product.inputs[::-1]])


def _swaps(node: Node) -> bool:
    """Whether it exchanges the last two axes and no others."""
    n = len(node.out.shape) if meaning(node) == PERMUTE else 0
    return n > 1 and tuple(node.attrs["axes"]) == (*range(n - 2), n - 1, n - 2)


def _transposed(x: Value, node: Node, sweep: Sweep) -> Value:
    """The transpose of x: what x is the transpose of, or a view of x."""
    maker = sweep.makers.get(x)
    if maker is not None and _swaps(maker):
        before: Value = maker.inputs[0]
        return before
    axes = (*range(len(x.shape) - 2), len(x.shape) - 1, len(x.shape) - 2)
    return sweep.emit(node, TRANSPOSE, (x,), {"axes": axes}, permuted(x, axes))

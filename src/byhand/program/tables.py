"""Products with rows that are picked from a table, made products of the table, which has less of them.

A character model reads 2048 rows of an embedding of 80, and multiplies each by the weight of its first layer. What is
picked from the product of all 80 is the same; and backward, the slopes of what is the same row can be summed before
they are multiplied:

    pick(table, i) @ W       is  pick(table @ W, i)
    gᵀ @ pick(table, i)      is  add(g, i)ᵀ @ table
    add(g @ W, i)            is  add(g, i) @ W

where add(g, i) sums the rows of g that have the same place in i. The step of an LSTM of 128 over 32 × 64 characters
takes four fifths of the time. The last bits can differ: sums run in another order. Called by `dialects`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from byhand.ops.index import SLOT
from byhand.program.ir import CONSTANT, Node, Program, Value
from byhand.program.passes.likeness import in_c_order, inverse
from byhand.program.passes.sweep import Sweep
from byhand.program.passes.vocabulary import instead, is_array
from byhand.program.primitives import ADD_AT, COPY, INDEX, MAP, MATMUL, RESHAPE, TRANSPOSE, fold

TIMES = 2  # so often is a row read, at least
WIDTH = 32  # of the products that are saved: a sum of so many terms takes longer than to pick, or to add, its result

PICKED = {"index": (SLOT,)}


def from_tables(program: Program) -> Program:
    """The program with products of tables in the place of products of what is picked from them."""
    if not any(node.op is INDEX and node.attrs == PICKED for node in program.nodes):
        return program
    return _Tables(program).over(_rewritten)


class _Tables(Sweep):
    """A walk that knows which rows have been summed, and the zeros that they were added to, by shape and dtype."""

    def __init__(self, program: Program) -> None:
        super().__init__(program)
        self.sums: dict[Value, Value] = {}
        self.zeros: dict[Any, Value] = {}


class _Picked:
    """Rows of a table, (n, E), as the matrix x holds them.

    table   (V, E)
    index   the places, of any shape
    steps   the nodes from x[index] to x: copies, and views that leave the last axis alone
    """

    def __init__(self, table: Value, index: Value, steps: list[Node]) -> None:
        self.table, self.index, self.steps = table, index, steps

    def places(self, node: Node, sweep: Sweep) -> Value:
        """The index as (n,), in the order of the rows."""
        found = self.index
        for step in self.steps:
            found = _seen(found, step.op, step.attrs, node, sweep)
        return found


def _picked(x: Any, sweep: Sweep) -> _Picked | None:
    """What a matrix consists of, if it is rows of a table, each of which is read several times."""
    steps, start = _chain(x, sweep)
    if start is None or start.op is not INDEX or start.attrs != PICKED or not is_array(x) or len(x.shape) != 2:
        return None
    table, index = start.inputs
    if len(table.shape) != 2 or x.shape[0] < TIMES * table.shape[0] or not table.size:
        return None
    return _Picked(table, index, steps)


def _chain(x: Any, sweep: Sweep) -> tuple[list[Node], Node | None]:
    """The copies and the views that leave the last axis alone, by which x was made, the first first; and of what."""
    steps: list[Node] = []
    maker = sweep.makers.get(x) if is_array(x) else None
    while maker is not None and _leaves_rows(maker):
        steps.append(maker)
        maker = sweep.makers.get(maker.inputs[0])
    return steps[::-1], maker


def _leaves_rows(node: Node) -> bool:
    x = node.inputs[0]
    if node.op not in (RESHAPE, TRANSPOSE, COPY) or not is_array(x) or not x.shape or not x.size:
        return False
    if node.op is TRANSPOSE:
        return bool(node.attrs["axes"][-1] == len(x.shape) - 1)
    return bool(node.out.shape and node.out.shape[-1] == x.shape[-1] and node.out.size == x.size)


def _seen(index: Value, op: Any, attrs: dict[str, Any], node: Node, sweep: Sweep) -> Value:
    """The places after a step that rearranges the rows they stand for."""
    if op is TRANSPOSE:
        axes = tuple(attrs["axes"][:-1])
        lies = Value(tuple([index.shape[i] for i in axes]), index.dtype, inverse([index.order[i] for i in axes]))
        return sweep.emit(node, TRANSPOSE, (index,), {"axes": axes}, lies)
    if op is RESHAPE:
        index = sweep.emit(node, COPY, (index,), {}, Value(index.shape, index.dtype))
        shape = tuple(attrs["shape"][:-1])
        return sweep.emit(node, RESHAPE, (index,), {"shape": shape}, Value(shape, index.dtype))
    return index


def _rewritten(node: Node, sweep: Any) -> Any:
    if node.op is MATMUL and all(is_array(x) for x in node.inputs) and in_c_order(node.out):
        return _counted(node, sweep) or _product(node, sweep) or _gradient(node, sweep)
    if node.op is ADD_AT and node.attrs == PICKED:
        return _summed_before(node, sweep)
    return _picked_after(node, sweep) if node.op.kind == MAP and len(node.outputs) == 1 else None


def _product(node: Node, sweep: _Tables) -> Node | None:
    """pick(table, i) @ W."""
    x, w = node.inputs
    rows = _picked(x, sweep) if len(w.shape) == 2 and w.shape[0] >= WIDTH else None
    if rows is None:
        return None
    whole = Value((rows.table.shape[0], w.shape[1]), node.out.dtype)
    sweep.emit(node, MATMUL, (rows.table, w), {}, whole)
    return instead(node, INDEX, [whole, rows.places(node, sweep)], PICKED)


def _picked_after(node: Node, sweep: Sweep) -> Node | None:
    """f(pick(x, i)) as pick(f(x), i) for elementwise f, whose other operands are the same for all rows."""
    for k, x in enumerate(node.inputs):
        maker = sweep.makers.get(x) if is_array(x) else None
        if maker is None or maker.op is not INDEX or maker.attrs != PICKED or len(sweep.readers(x)) != 1:
            continue
        table, places = maker.inputs
        others = [y for y in node.inputs if is_array(y) and y is not x]
        same = all(len(y.shape) < 2 or (len(y.shape) == 2 and y.shape[0] == 1) for y in others)
        if same and len(x.shape) == 2 and x.shape == node.out.shape and x.shape[0] >= TIMES * table.shape[0]:
            inputs = (*node.inputs[:k], table, *node.inputs[k + 1 :])
            whole = sweep.emit(node, node.op, inputs, node.attrs, Value(table.shape, node.out.dtype))
            return instead(node, INDEX, [whole, places], PICKED)
    return None


def _gradient(node: Node, sweep: _Tables) -> Node | None:
    """gᵀ @ pick(table, i), and pick(table, i)ᵀ @ g."""
    x, y = node.inputs
    if len(x.shape) != 2 or len(y.shape) != 2:
        return None
    rows = _picked(y, sweep) if y.shape[1] >= WIDTH else None
    if rows is not None:
        sums = _sums(_flipped(x, node, sweep), rows.table.shape[0], rows.places(node, sweep), node, sweep)
        return instead(node, MATMUL, [_flipped(sums, node, sweep), rows.table])
    maker = sweep.makers.get(x)
    if maker is None or maker.op is not TRANSPOSE or x.shape[0] < WIDTH:
        return None
    rows = _picked(maker.inputs[0], sweep)
    if rows is None:
        return None
    sums = _sums(y, rows.table.shape[0], rows.places(node, sweep), node, sweep)
    return instead(node, MATMUL, [_flipped(rows.table, node, sweep), sums])


def _summed_before(node: Node, sweep: _Tables) -> Node | None:
    """add(g @ W, i)."""
    zeros, y, index = node.inputs
    steps, product = _chain(y, sweep)
    if product is None or product.op is not MATMUL or not _are_zeros(zeros, sweep):
        return None
    g, w = product.inputs
    if len(g.shape) != 2 or len(w.shape) != 2 or w.shape[1] < WIDTH or g.shape[0] < TIMES * node.out.shape[0]:
        return None
    if index.shape != y.shape[:-1] or len(node.out.shape) != 2 or len(sweep.readers(product.out)) != 1:
        return None
    places = index
    for step in reversed(steps):
        back = {"shape": step.inputs[0].shape} if step.op is RESHAPE else {}
        back = {"axes": inverse(step.attrs["axes"])} if step.op is TRANSPOSE else back
        places = _seen(places, step.op, back, node, sweep)
    return instead(node, MATMUL, [_sums(g, node.out.shape[0], places, node, sweep), w])


def _sums(g: Value, rows: int, places: Value, node: Node, sweep: _Tables) -> Value:
    """add(g, i), for so many places."""
    shape = rows, g.shape[1]
    zeros = sweep.zeros.get((shape, g.dtype))
    if zeros is None:
        zeros = sweep.zeros[shape, g.dtype] = Value(shape, g.dtype)
        sweep.emit(node, COPY, (g.dtype.type(0),), {}, zeros)  # type: ignore[union-attr]
    sweep.sums[g] = sweep.emit(node, ADD_AT, (zeros, g, places), PICKED, Value(shape, g.dtype))
    return sweep.sums[g]


def _counted(node: Node, sweep: _Tables) -> Node | None:
    """The sum of all rows is that of the sums."""
    ones, g = node.inputs
    if g not in sweep.sums or len(ones.shape) != 1 or ones.origin != CONSTANT or not (ones.data == 1).all():
        return None
    return instead(node, fold(np.add), [sweep.sums[g]], {"axis": (0,), "keepdims": False})


def _are_zeros(x: Any, sweep: Sweep) -> bool:
    if isinstance(x, Value) and x.origin == CONSTANT:
        return not x.data.any()
    maker = sweep.makers.get(x)
    return maker is not None and maker.op is COPY and isinstance(maker.inputs[0], np.generic) and not maker.inputs[0]


def _flipped(x: Value, node: Node, sweep: Sweep) -> Value:
    """The transpose of a matrix."""
    maker = sweep.makers.get(x)
    if maker is not None and maker.op is TRANSPOSE:
        return maker.inputs[0]  # type: ignore[no-any-return]
    out = Value(x.shape[::-1], x.dtype, (1, 0) if x.order == (0, 1) else (0, 1))
    return sweep.emit(node, TRANSPOSE, (x,), {"axes": (1, 0)}, out)

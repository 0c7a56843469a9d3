"""Reading and writing at index arrays, as lines of NumPy that need no memory where that can be had."""

from __future__ import annotations

from typing import Any

import numpy as np

from byhand.ops.accumulation import add_at
from byhand.ops.index import SLOT
from byhand.program.ir import CONSTANT, Node, Value
from byhand.program.layout import Layouts, is_dense
from byhand.program.planned import runtime
from byhand.program.planned.moves import copied
from byhand.program.planned.names import Names
from byhand.program.primitives import ASSIGN


def index(node: Node, names: Names) -> list[str]:
    """x[i, j]: by `take` where its result can be written to memory that is there."""
    x, *arrays = node.inputs
    out = names.of(node.out)
    axis = _axis(node, names.plan.layouts)
    if axis is not None:
        pick = names.object(runtime.pick, "pick")
        return [f"{pick}({names.of(x)}, {names.of(arrays[0])}, {axis}, {out})"]
    where = names.index(node.attrs["index"], tuple(map(names.of, arrays)))
    found = flat_places(node, names.plan.layouts)
    if found is None:
        return [f"{out}[...] = {names.of(x)}[{where}]"]
    axis, step, rest = found
    places, pick = names.of(names.plan.scratch[node][0]), names.object(runtime.pick_each, "pick_each")
    more = f"{names.scalar(step, np.dtype(np.int64))}, {names.object(rest, 'rest')}, {places}"
    return [f"{pick}({names.of(x)}, ({where}), {axis}, {more}, {out})"]


def _axis(node: Node, lies: Layouts) -> int | None:
    """The axis along which `take` does the work of an index, if it does."""
    x, *arrays = node.inputs
    index = node.attrs["index"]
    parts = [part for part in index if part is not Ellipsis and part != slice(None)]
    if len(arrays) != 1 or parts != [SLOT] or not _indexable(node, x, arrays[0], lies):
        return None
    place = index.index(SLOT)
    return place if Ellipsis not in index[:place] else None


def flat_places(node: Node, lies: Layouts) -> tuple[int, int, Any] | None:
    """For an index of arrays along all axes of which one is not constant: its axis and step, and the sum of others."""
    x, *arrays = node.inputs
    moving = [(axis, a) for axis, a in enumerate(arrays) if a.origin != CONSTANT]
    if node.attrs["index"] != (SLOT,) * len(x.shape) or len(moving) != 1 or len(arrays) < 2:
        return None
    (where, value), steps = moving[0], [int(np.prod(x.shape[axis + 1 :], dtype=int)) for axis in range(len(x.shape))]
    if not _indexable(node, x, value, lies):
        return None
    parts = []
    for axis, array in enumerate(arrays):
        if axis != where:
            if array.dtype.kind not in "iu" or not array.size:
                return None
            if array.data.min() < 0 or array.data.max() >= x.shape[axis]:
                return None
            same = steps[axis] == 1 and array.dtype == np.int64  # then it is there already: no second array of it
            parts.append(array.data if same else array.data.astype(np.int64) * steps[axis])
    return where, steps[where], sum(parts[1:], parts[0])


def _indexable(node: Node, x: Value, places: Value, lies: Layouts) -> bool:
    """Whether `take` can read x at these places, and write to the result, without a copy of anything."""
    if places.dtype != np.int64 or not places.size or x.dtype is None or node.out.dtype is None:
        return False
    return all(is_dense(lies[v], tuple(range(len(v.shape))), v.dtype.itemsize) for v in (x, node.out))  # type: ignore[union-attr]


def put(node: Node, names: Names) -> list[str]:
    """x with y written, or added, at an index."""
    x, y, *arrays = node.inputs
    out = names.of(node.out)
    same = names.of(x) == out or node.attrs.get("bare")  # or every place will be written
    there = [] if same else [f"{names.function(np.copyto, 'copyto')}({out}, {names.of(x)})"]
    where = names.index(node.attrs["index"], tuple(map(names.of, arrays)))
    if isinstance(y, Value) and y in names.plan.layouts and names.plan.layouts[y].root in names.plan.parts:
        return there  # it has been computed there
    if node.op is ASSIGN:
        runs = copied(node.out, y, names, node.attrs["index"]) if isinstance(y, Value) and not arrays else None
        if runs is not None:
            return [*there, f"{names.function(np.copyto, 'copyto')}({', '.join(runs)})"]
        return [*there, f"{out}[{where}] = {names.operand(y)}"]
    if node.attrs["index"] == (SLOT,) and isinstance(y, Value):
        return [*there, f"{names.object(add_at, 'add_at')}({out}, ({where},), {names.of(y)})"]
    index = where if len(node.attrs["index"]) == 1 else f"({where})"
    if ":" in where or "..." in where:
        index = f"{names.function(np.s_, 's_')}[{where}]"
    return [*there, f"{names.function(np.add.at, 'add.at')}({out}, {index}, {names.operand(y)})"]

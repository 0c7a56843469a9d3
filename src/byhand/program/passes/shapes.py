"""Rules of shapes and copies for the pass `algebra`: views of views, copies of what never changes."""

from __future__ import annotations

from typing import Any

import numpy as np

from byhand.core.op import VIEW
from byhand.program.ir import Node
from byhand.program.passes.likeness import alike, in_c_order, inverse, is_dense, permuted_order, stands_in, unnoticed
from byhand.program.passes.sweep import Sweep
from byhand.program.passes.vocabulary import (
    CAST_TO,
    CLONE,
    EXPAND,
    PERMUTE,
    RESHAPE_TO,
    instead,
    is_array,
    meaning,
    spoken,
)
from byhand.program.primitives import COPY


def nothing_done(node: Node, sweep: Sweep) -> Any:
    """A view of all of x, or a cast to its own dtype: x."""
    x = node.inputs[0]
    same = alike(x, node.out) if node.op.kind == VIEW else stands_in(x, node.out, sweep)
    return [x] if same else None


def copied_twice(node: Node, sweep: Sweep) -> Any:
    """A copy of a copy is a copy; a copy that lies as x does is x."""
    x = node.inputs[0]
    if not is_array(x):
        return None
    if stands_in(x, node.out, sweep):
        return [x]
    maker = sweep.makers.get(x)
    if node.op is COPY and maker is not None and maker.op is COPY and is_array(maker.inputs[0]):
        return instead(node, COPY, maker.inputs)
    return None


def permuted_twice(node: Node, sweep: Sweep) -> Any:
    """A permutation of a permutation is one; one that leaves the axes in their places is x."""
    x, axes = node.inputs[0], node.attrs["axes"]
    maker = sweep.makers.get(x)
    if maker is not None and meaning(maker) == PERMUTE:
        x, axes = maker.inputs[0], tuple([maker.attrs["axes"][i] for i in axes])
    if tuple(axes) == tuple(range(len(axes))):
        return [x]
    return None if x is node.inputs[0] else instead(node, node.op, [x], {"axes": axes})


def reshaped_twice(node: Node, sweep: Sweep) -> Any:
    """Of two reshapes the last one counts; where one copies, the order in memory may be another, so not there."""
    maker = sweep.makers.get(node.inputs[0])
    if maker is None or meaning(maker) != RESHAPE_TO or not in_c_order(maker.inputs[0]):
        return None
    return instead(node, node.op, maker.inputs, node.attrs)


def expanded_twice(node: Node, sweep: Sweep) -> Any:
    """Of two expansions the last one counts."""
    maker = sweep.makers.get(node.inputs[0])
    return instead(node, node.op, maker.inputs, node.attrs) if maker is not None and meaning(maker) == EXPAND else None


def cast_twice(node: Node, sweep: Sweep) -> Any:
    """A cast by way of a dtype that can hold all of x is one cast, or none."""
    maker = sweep.makers.get(node.inputs[0])
    if maker is None or meaning(maker) != CAST_TO or not is_array(maker.inputs[0]):
        return None
    x = maker.inputs[0]
    if not _holds(maker.out.dtype, x.dtype):
        return None
    return [x] if stands_in(x, node.out, sweep) else instead(node, node.op, [x], node.attrs)


def _holds(wide: Any, narrow: Any) -> bool:
    """Whether each value of one dtype is exactly one of the other."""
    if narrow.kind in "iu" and wide.kind == "f":
        return bool(8 * narrow.itemsize <= np.finfo(wide).nmant)
    return bool(np.can_cast(narrow, wide, "safe"))


def overwritten(node: Node, sweep: Sweep) -> Any:
    """x.copy_(y) is y in the shape and dtype of x."""
    y, out = node.inputs[1], node.out
    if stands_in(y, out, sweep):
        return [y]
    if is_array(y) and y.shape == out.shape and y.dtype != out.dtype:
        return instead(node, spoken(CAST_TO, node), [y], {"dtype": out.dtype})
    return None


def wholly_written(node: Node, sweep: Sweep) -> Any:
    """What is written through a view of all of x leaves nothing of x."""
    y, out, view, attrs = node.inputs[1], node.out, node.attrs["view"], node.attrs["attrs"]
    if not is_array(y) or y.dtype != out.dtype or not (is_dense(y, sweep) or unnoticed(out, sweep)):
        return None
    if view == PERMUTE:
        back = inverse(attrs["axes"])
        if y.shape == tuple([out.shape[i] for i in attrs["axes"]]) and permuted_order(y, back) == out.order:
            return instead(node, spoken(PERMUTE, node), [y], {"axes": back})
    elif view == RESHAPE_TO and y.shape == tuple(attrs["shape"]) and in_c_order(y) and in_c_order(out):
        return instead(node, spoken(RESHAPE_TO, node), [y], {"shape": out.shape})
    return None


def read_back(node: Node, sweep: Sweep) -> Any:
    """What was written through a view is what one then sees there."""
    maker = sweep.makers.get(node.inputs[0])
    if maker is None or meaning(maker) != "view_written":
        return None
    same = maker.attrs["view"] == meaning(node) and maker.attrs["attrs"] == node.attrs
    return [maker.inputs[1]] if same and alike(maker.inputs[1], node.out) and unnoticed(node.out, sweep) else None


RULES = {
    CLONE: [copied_twice],
    "contiguous": [copied_twice],
    "copied": [overwritten],
    CAST_TO: [nothing_done, cast_twice],
    PERMUTE: [permuted_twice, read_back],
    RESHAPE_TO: [nothing_done, reshaped_twice, read_back],
    EXPAND: [nothing_done, expanded_twice],
    "narrow": [nothing_done, read_back],
    "getitem": [read_back],
    "view_written": [wholly_written],
}

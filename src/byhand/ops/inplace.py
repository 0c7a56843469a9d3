"""In-place changes that keep every gradient right: `x.mul_(y)`, `x[i] = v`, and views that change with their base.

An in-place op overwrites memory, stamps it (see `core.mutation`), and gives the tensor a new node. If the tensor is a
view, what it looks at has changed as well: the parent's new node writes the view's new value into the parent's old
value, and all other views of it are derived anew. Called by the methods of `Tensor`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from byhand.core.capture import slot, tracer
from byhand.core.complaint import explain
from byhand.core.errors import GraphError
from byhand.core.mutation import touch
from byhand.core.op import MOVE, OPS, Op, derive, op
from byhand.core.recorder import record
from byhand.core.tape import Node, mode, next_serial
from byhand.core.variable import Array, Variable, link
from byhand.ops.index import filled, indexed, sliced


@op(MOVE)
def view_written(x: Array, y: Array, *, view: str, attrs: dict[str, Any]) -> Array:
    """x with y written to where the view op `view` looks"""
    out = np.array(x)
    OPS[view].kernel(out, **attrs)[...] = y
    return out


@op(MOVE, name="setitem", onnx="ScatterND")
def written(x: Array, y: Array, *arrays: Array, index: tuple[Any, ...]) -> Array:
    """x with y written at an index"""
    out = np.array(x)
    out[filled(index, arrays)] = y
    return out


@op(MOVE)
def copied(x: Array, y: Array) -> Array:
    """y in the shape and dtype of x, of which nothing remains"""
    return np.broadcast_to(y, x.shape).astype(x.dtype)


def _viewed(g: Any, view: str, attrs: dict[str, Any]) -> Any:
    """The view op on g; recorded if g is."""
    return VIEWS[view](g, **attrs)


def _read(g: Any, arrays: Any, index: tuple[Any, ...]) -> Any:
    return indexed(g, *arrays, index=index) if arrays else sliced(g, index=index)


derive(
    view_written,
    x=lambda g, view, attrs: view_written(g, 0, view=view, attrs=attrs),
    y=lambda g, view, attrs: _viewed(g, view, attrs),
)
derive(
    written,
    x=lambda g, arrays, index: written(g, 0, *arrays, index=index),
    y=lambda g, arrays, index: _read(g, arrays, index),
)
derive(copied, x=lambda g: g * 0, y=lambda g: g)

VIEWS: dict[str, Any] = {}  # the recorded form of each view op, by name


def know_views(*functions: Any) -> None:
    """Tell which functions are view ops."""
    VIEWS.update({f.op.name: f for f in functions})


def change(x: Variable, function: Any, *others: Any, **attrs: Any) -> Any:
    """x ← function(x, others), in x's own memory; returns x."""
    record_of: Op = function.op
    if not mode.recording:
        return _overwrite(x, record_of, others, attrs)
    operands = (x, *others)
    nodes = [y.node if isinstance(y, Variable) else None for y in operands]
    arrays = [y.array if isinstance(y, Variable) else y for y in operands]
    tracked = any([node is not None for node in nodes]) and bool(record_of.rules)
    if x.node is not None or x.source is not None:
        _refuse_leaf(x, record_of.name)
    if tracked:
        keep = record_of.keep(tuple(node is not None for node in nodes))
        saved = [
            _snapshot(a) if k and isinstance(a, np.ndarray) and np.may_share_memory(a, x.array) else a
            for a, k in zip(arrays, keep, strict=False)
        ]
    _overwrite(x, record_of, others, attrs)
    if tracked:
        rebase(x, record(record_of, nodes, saved, x.array, attrs))
    elif x.node is not None:
        rebase(x, None)
    return x


def _snapshot(array: Array) -> Array:
    """The array as it is now."""
    watcher = None if slot.tracer is None else tracer()
    return array.copy() if watcher is None else watcher.snapshot(array)


def _overwrite(x: Variable, record_of: Op, others: tuple[Any, ...], attrs: dict[str, Any]) -> Any:
    """Compute and write, without a word to the tape."""
    if slot.tracer is not None and (watcher := tracer()) is not None:
        return watcher.overwrite(x, record_of, others, attrs)
    array = x.array
    arrays = [y.array if isinstance(y, Variable) else y for y in others]
    try:
        if record_of.ufunc is not None:
            record_of.ufunc(array, *arrays, out=array)
        else:
            _write(array, record_of.kernel(array, *arrays, **attrs))
    except Exception as error:
        raise explain(record_of, error, (x, *others), attrs) from error
    touch(array, record_of.inplace)
    return x


def accumulated(x: Variable, combine: Any, a: Any, b: Any, value: float) -> bool:
    """Whether x += value · combine(a, b) could be computed on the arrays at once, where nothing is recorded.

    The updates of optimisers are such calls; in parts they cost 3 µs each, so 1.5. What NumPy refuses, and what is
    recorded, goes the long way, which explains.
    """
    if mode.recording or slot.tracer is not None:
        return False
    array = x.array
    first = a.array if isinstance(a, Variable) else a
    second = b.array if isinstance(b, Variable) else b
    try:
        if array.size > BLOCK and _alike(array, first) and (type(second) is float or _alike(array, second)):
            _accumulate_blocks(array, combine, first, second, value)
        else:
            step = combine(first, second)
            if value != 1:
                step *= value
            np.add(array, step, array)
    except (TypeError, ValueError):
        return False
    touch(array, "add_")
    return True


BLOCK = 6144  # values; smaller blocks cost more calls than they save


def _alike(array: Array, other: Any) -> bool:
    """Whether both are whole blocks of memory in the same order."""
    return (
        type(other) is np.ndarray
        and other.shape == array.shape
        and other.strides == array.strides
        and other.dtype == array.dtype
        and bool(array.flags.forc)
    )


def _accumulate_blocks(array: Array, combine: Any, first: Array, second: Any, value: float) -> None:
    """array += value · combine(first, second) in blocks, through one small buffer.

    A temporary as large as a weight is memory fresh from the system in every step: for 784 × 256 the three passes take
    75 µs in place of 95.
    """
    target, left = array.ravel(order="K"), first.ravel(order="K")
    right: Any = second if type(second) is float else second.ravel(order="K")
    size = min(max(BLOCK, target.size // 8), 4 * BLOCK)
    buffer = np.empty(size, array.dtype)
    for start in range(0, target.size, size):
        part = target[start : start + size]
        step = buffer if part.size == size else buffer[: part.size]
        combine(left[start : start + size], right if right is second else right[start : start + size], step)
        if value != 1:
            step *= value
        part += step


def _write(array: Array, value: Any) -> None:
    if np.shape(value) != array.shape:
        raise ValueError(f"the result has shape {np.shape(value)} and cannot be written into shape {array.shape}")
    np.copyto(array, value, casting="same_kind")


def assign(x: Variable, key: tuple[Any, ...], arrays: list[Any], value: Any) -> None:
    """x[key] ← value, where `arrays` are the arrays of the key."""
    plain = [a.array if isinstance(a, Variable) else a for a in arrays]
    source = value.array if isinstance(value, Variable) else value
    node = value.node if isinstance(value, Variable) else None
    tracked = mode.recording and (x.node is not None or node is not None)
    if mode.recording:
        _refuse_leaf(x, "setitem")
    watcher = None if slot.tracer is None else tracer()
    if watcher is not None:
        watcher.overwrite(x, written.op, (value, *arrays), {"index": key})  # type: ignore[attr-defined]
    else:
        _store(x, filled(key, plain), value, source)
    if tracked:
        entry = record(written.op, [x.node, node, *[None] * len(plain)], [None, None, *plain], x.array, {"index": key})  # type: ignore[attr-defined]
        rebase(x, entry)


def _store(x: Variable, place: Any, value: Any, source: Any) -> None:
    """x[place] ← value, whose array is `source`."""
    if isinstance(source, np.ndarray) and np.may_share_memory(source, x.array):
        source = source.copy()
    try:
        if isinstance(source, np.ndarray):
            if not np.can_cast(source.dtype, x.array.dtype, "same_kind"):
                raise TypeError(f"values of {source.dtype} do not fit into {x.array.dtype}; convert them with .to()")
            source = _trimmed(source, x.array, place)
        x.array[place] = source
    except Exception as error:
        raise explain(written.op, error, (x, value), {}) from error  # type: ignore[attr-defined]
    touch(x.array, "setitem")


def _trimmed(source: Array, array: Array, key: Any) -> Array:
    """A value without leading axes of size 1, which NumPy and PyTorch both ignore."""
    while source.ndim > array.ndim and source.shape[0] == 1:
        source = source[0]
    return source


def _refuse_leaf(x: Variable, name: str) -> None:
    """Leaves that ask for gradients may not be changed while recording, nor may views of them."""
    root = x
    while root.source is not None:
        root = root.source[0]
    if root.node is not None and root.node.op is None:
        what = "a leaf tensor" if root is x else "a view of a leaf tensor"
        raise GraphError(
            f"{name} would change {what} that requires a gradient, of shape {x.array.shape}, in place; "
            "do it inside of `with byhand.no_grad():`, or work on a clone()"
        )


def rebase(x: Variable, node: Node | None) -> None:
    """Give x its new node, and bring what it looks at, and what looks at it, up to date."""
    if node is not None:
        # the change was stamped after the node was made, and what the node itself saved was saved or copied for it
        node.serial = next_serial()
    x.node = node
    child = x
    while child.source is not None:
        parent, view, attrs = child.source
        parent.node = record(
            view_written.op,  # type: ignore[attr-defined]
            [parent.node, child.node],
            [parent.array, child.array],
            parent.array,
            {"view": view.name, "attrs": attrs},
        )
        if parent.node.inputs == (None, None):
            parent.node = None
        child = parent
    _refresh(child, x)


def turn(x: Variable, view: Variable) -> None:
    """x ← a view of x; what x was lives on as the parent of the view."""
    if view is x:
        return
    if mode.recording:
        _refuse_leaf(x, "a change of shape")
    if view.source is None:
        x.array = view.array
        if x.node is not None:
            x.node.shape = view.array.shape
        return
    before = type(x)(x.array, x.node)
    before.source, before.views = x.source, x.views
    for reference in before.views or ():
        other = reference()
        if other is not None and other.source is not None and other.source[0] is x:
            other.source = (before, *other.source[1:])
    if before.source is not None:
        _, op_of_x, attrs = before.source
        link(before.source[0], op_of_x, attrs, before)
    x.array, x.node, x.views = view.array, view.node, None
    link(before, *view.source[1:], x)


def _refresh(parent: Variable, changed: Variable) -> None:
    """Derive the views of `parent` anew from its new value."""
    for reference in parent.views or ():
        view = reference()
        if view is None or view.source is None or view.source[0] is not parent:
            continue
        _, op_of_view, attrs = view.source
        if parent.node is None:
            view.node = None
        else:
            view.node = record(op_of_view, [parent.node], [parent.array], view.array, attrs)
        _refresh(view, changed)


__all__ = ["accumulated", "assign", "change", "copied", "know_views", "rebase", "turn", "view_written", "written"]

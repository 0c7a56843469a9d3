"""One lowered node as lines of NumPy: a call with `out=` that needs no memory, wherever NumPy has one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from byhand.core.generator import numpy_generator
from byhand.ops.index import SLOT
from byhand.program.ir import CHECK, CONSTANT, DRAW, Node, ProgramError, Value
from byhand.program.layout import Layouts, is_dense
from byhand.program.memory import FRESH
from byhand.program.planned import runtime
from byhand.program.planned.names import Names
from byhand.program.primitives import (
    ADD_AT,
    ASSIGN,
    CALL,
    CAST,
    COPY,
    FOLD,
    INDEX,
    MAP,
    NUMERIC,
    PRODUCT,
    VIEW,
    WHERE,
)

SIGNS = {"add": "+", "sub": "-", "mul": "*", "true_divide": "/", "pow": "**"}
INTEGERS = {2: "int16", 4: "int32", 8: "int64"}
KEYWORD_OUT = (np.maximum, np.minimum)  # NumPy 2.4 wants no third positional operand from these
FILLED = ("random", "standard_normal", "standard_exponential")  # methods of a generator that take out=


def lines(node: Node, names: Names) -> list[str]:
    """The lines that compute a node."""
    kind = node.op.kind
    if kind == VIEW:
        return []
    if node.op is CHECK:
        condition, *arrays = [_operand(x, names) for x in node.inputs]
        complain = names.object(node.attrs["complain"], "complaint")
        return [f"if {condition}: raise {complain}({', '.join(arrays)})"]
    if kind == NUMERIC:
        return [_arithmetic(node, names)]
    if kind == CALL:
        return [_kernel(node, names)]
    made = [f"{names.of(out)} = {_empty(out, names)}" for out in node.outputs if names.home(out).kind == FRESH]
    if node.op is DRAW:
        return [*made, _draw(node, names)]
    return made + WRITERS[kind if node.op not in WRITERS else node.op](node, names)


def scratch(node: Node, lies: Layouts) -> Sequence[Value]:
    """The memory that a node's lines need besides operands and result."""
    if node.op is WHERE:
        dtype = INTEGERS[node.out.dtype.itemsize] if _bitwise(node) else "bool"  # type: ignore[union-attr]
        return (Value(node.out.shape, np.dtype(dtype), node.out.order),)
    if node.op is INDEX and _flat(node, lies):
        return (Value(node.out.shape, np.dtype(np.int64)),)
    return ()


def _operand(x: Any, names: Names) -> str:
    return names.of(x) if isinstance(x, Value) else "None" if x is None else names.plain(x)


def _empty(out: Value, names: Names) -> str:
    if out.order == tuple(range(len(out.shape))):
        return f'{names.function(np.empty, "empty")}({out.shape}, "{out.dtype}")'
    return f'{names.object(runtime.fresh, "fresh")}({out.shape}, "{out.dtype}", {out.order})'


def _arithmetic(node: Node, names: Names) -> str:
    x = [_operand(x, names) for x in node.inputs]
    text = f"-{x[0]}" if node.op.name == "neg" else f"{x[0]} {SIGNS[node.op.name]} {x[1]}"
    return f"{names.of(node.out)} = {text}"


# Value by value.


def _map(node: Node, names: Names) -> list[str]:
    dtypes = _loop(node)
    operands = [
        names.scalar(x, dtype) if dtype is not None else _operand(x, names)
        for x, dtype in zip(node.inputs, dtypes, strict=True)
    ]
    outs = [names.of(out) for out in node.outputs]
    if node.op.ufunc in KEYWORD_OUT:
        outs[0] = f"out={outs[0]}"
    return [f"{names.function(node.op.ufunc, node.op.name)}({', '.join([*operands, *outs])})"]


def _loop(node: Node) -> list[Any]:
    """For each operand the dtype in which the ufunc takes it, if it is a scalar that can be converted before; or None."""
    given: list[Any] = [_type(x) for x in node.inputs]
    arrays = [x for x in node.values if x.dtype is not None]
    weak = [x for x in node.values if x.dtype is None]
    none = [None] * len(given)
    if not arrays or (weak and not any(x.dtype.kind == "f" for x in arrays if x.dtype is not None)):
        return none  # whether a number is an integer or a float is known only when it is there
    try:
        found = node.op.ufunc.resolve_dtypes((*given, *[None] * node.op.ufunc.nout))
        with np.errstate(all="ignore"):
            for x, dtype in zip(node.inputs, found, strict=False):
                if not isinstance(x, Value):
                    np.array(x, dtype)
    except (TypeError, OverflowError, ValueError):
        return none
    return [
        dtype if not isinstance(x, Value) or x.dtype is None else None
        for x, dtype in zip(node.inputs, found, strict=False)
    ]


def _type(x: Any) -> Any:
    if isinstance(x, Value):
        return float if x.dtype is None else x.dtype
    return type(x) if type(x) in (int, float) else np.asarray(x).dtype


def _copy(node: Node, names: Names) -> list[str]:
    x, out = node.inputs[0], names.of(node.out)
    if not isinstance(x, Value) or x.dtype is None:
        return [f"{out}[...] = {_operand(x, names)}"]
    if names.of(x) == out:
        return []
    unsafe = ', "unsafe"' if node.op is CAST else ""
    return [f"{names.function(np.copyto, 'copyto')}({out}, {names.of(x)}{unsafe})"]


def _where(node: Node, names: Names) -> list[str]:
    """x where the condition holds, else y.

    Bit by bit, as y ^ ((x ^ y) & mask): 12 µs for 128×256 float32, where NumPy's `where`, which branches, takes 34 and
    `copyto(…, where=…)` 73.
    """
    condition, x, y = node.inputs
    out, hold = names.of(node.out), names.of(names.plan.scratch[node][0])
    copyto = names.function(np.copyto, "copyto")
    over_x = isinstance(x, Value) and x.dtype is not None and names.of(x) == out
    if not _bitwise(node):
        other, copied = (x, y) if over_x else (y, x)
        first = [] if isinstance(other, Value) and names.of(other) == out else [f"{copyto}({out}, {_operand(other, names)})"]
        if not over_x:
            return [*first, f"{copyto}({out}, {_operand(copied, names)}, where={names.of(condition)})"]
        invert = names.function(np.logical_not, "logical_not")
        return [
            f"{invert}({names.of(condition)}, {hold})",
            f"{copyto}({out}, {_operand(copied, names)}, where={hold})",
        ]
    dtype = names.plan.scratch[node][0].dtype
    xor, both = (names.function(f, f.__name__) for f in (np.bitwise_xor, np.bitwise_and))
    bits = [_bits(x, dtype, node, names), _bits(y, dtype, node, names)]
    kept = bits[0] if over_x else bits[1]
    # all ones where the other of the two is to be seen: −1 where true, or 0 − 1 where false
    mask = (
        f"{names.function(np.subtract, 'subtract')}({hold}, {names.scalar(1, dtype)}, {hold})"
        if over_x
        else f"{names.function(np.negative, 'negative')}({hold}, {hold})"
    )
    result = _bits(node.out, dtype, node, names)
    return [
        f"{copyto}({hold}, {names.of(condition)})",
        mask,
        f"{xor}({bits[0]}, {bits[1]}, {result})",
        f"{both}({result}, {hold}, {result})",
        f"{xor}({result}, {kept}, {result})",
    ]


def _bitwise(node: Node) -> bool:
    """Whether a `where` is done on the bits: all of one dtype, and the condition boolean."""
    dtype, (condition, *cases) = node.out.dtype, node.inputs
    if dtype is None or dtype.kind not in "fi" or dtype.itemsize not in INTEGERS:
        return False
    if not isinstance(condition, Value) or condition.dtype != bool:
        return False
    return all(x.dtype == dtype if isinstance(x, Value) else _exact(x, dtype) for x in cases)


def _exact(x: Any, dtype: Any) -> bool:
    try:
        with np.errstate(all="ignore"):
            np.array(x, dtype)
    except (OverflowError, ValueError):
        return False
    return True


def _bits(x: Any, dtype: Any, node: Node, names: Names) -> str:
    if isinstance(x, Value):
        return names.of(x) if x.dtype == dtype else names.derived(x, "bits", f'{{}}.view("{dtype}")')
    with np.errstate(all="ignore"):
        return names.scalar(int(np.array(x, node.out.dtype).view(dtype)), dtype)


# Sums, products, indices.


def _fold(node: Node, names: Names) -> list[str]:
    reduce = names.function(node.op.ufunc.reduce, f"{node.op.ufunc.__name__}.reduce")
    axes = node.attrs["axis"]
    axis = axes[0] if len(axes) == 1 else axes
    keepdims = ", True" if node.attrs["keepdims"] else ""
    return [f"{reduce}({names.of(node.inputs[0])}, {axis}, None, {names.of(node.out)}{keepdims})"]


def _product(node: Node, names: Names) -> list[str]:
    """`dot` where it gives the same bits without a copy: 1.0 µs for (400, 2) · (2, 4), where `matmul` takes 1.6."""
    x, y = node.inputs
    whole = all(len(v.shape) <= 2 and _contiguous(v, names) for v in (x, y)) and _contiguous(node.out, names, "C")
    same = x.dtype == y.dtype == node.out.dtype and x.dtype in (np.float32, np.float64)
    # `dot` copies an operand that is part of a larger matrix, `matmul` hands BLAS its strides
    function = np.dot if whole and same else np.matmul
    return [f"{names.function(function, function.__name__)}({names.of(x)}, {names.of(y)}, {names.of(node.out)})"]


def _contiguous(value: Value, names: Names, orders: str = "CF") -> bool:
    tile = getattr(names, "tile", None)
    axis = None if tile is None else tile.axes.get(value)
    if axis is not None and not names.home(value).block and value.order[:1] != (axis,):
        return False
    layout, count = names.plan.layouts[value], len(value.shape)
    forward = tuple(range(count))
    size = value.dtype.itemsize  # type: ignore[union-attr]
    return is_dense(layout, forward, size) or ("F" in orders and is_dense(layout, forward[::-1], size))


def _index(node: Node, names: Names) -> list[str]:
    x, *arrays = node.inputs
    out, index = names.of(node.out), node.attrs["index"]
    pick = names.object(runtime.pick, "pick")
    axis = _axis(node, names.plan.layouts)
    if axis is not None:
        return [f"{pick}({names.of(x)}, {names.of(arrays[0])}, {axis}, {out})"]
    found = _flat(node, names.plan.layouts)
    if found is None:
        return [f"{out}[...] = {names.of(x)}[{names.index(index, tuple(map(names.of, arrays)))}]"]
    moving, step, rest = found
    places = names.of(names.plan.scratch[node][0])
    flat = names.derived(x, "flat", "{}.reshape(-1)")
    times = names.scalar(step, np.dtype(np.int64))
    return [
        f"{names.function(np.multiply, 'multiply')}({names.of(moving)}, {times}, {places})",
        f"{names.function(np.add, 'add')}({places}, {names.object(rest, 'places')}, {places})",
        f"{pick}({flat}, {places}, 0, {out})",
    ]


def _axis(node: Node, lies: Layouts) -> int | None:
    """The axis along which `take` does the work of an index, if it does."""
    x, *arrays = node.inputs
    index = node.attrs["index"]
    parts = [part for part in index if part is not Ellipsis and part != slice(None)]
    if len(arrays) != 1 or parts != [SLOT] or not _indexable(node, x, arrays[0], lies):
        return None
    place = index.index(SLOT)
    return place if Ellipsis not in index[:place] else None


def _flat(node: Node, lies: Layouts) -> tuple[Value, int, Any] | None:
    """For an index of arrays along all axes, all but one of them constant: that one, its step, and the other places."""
    x, *arrays = node.inputs
    moving = [(axis, a) for axis, a in enumerate(arrays) if a.origin != CONSTANT]
    if node.attrs["index"] != (SLOT,) * len(x.shape) or len(moving) != 1 or len(arrays) < 2:
        return None
    (where, value), steps = moving[0], [int(np.prod(x.shape[axis + 1 :], dtype=int)) for axis in range(len(x.shape))]
    if not _indexable(node, x, value, lies):
        return None
    rest: Any = np.zeros((), np.int64)
    for axis, array in enumerate(arrays):
        if axis != where:
            inside = array.dtype.kind in "iu" and array.size and 0 <= array.data.min() and array.data.max() < x.shape[axis]
            if not inside:
                return None
            rest = rest + array.data.astype(np.int64) * steps[axis]
    return value, steps[where], rest


def _indexable(node: Node, x: Value, places: Value, lies: Layouts) -> bool:
    """Whether `take` can read x at these places, and write to the result, without a copy of anything."""
    if places.dtype != np.int64 or not places.size or x.dtype is None or node.out.dtype is None:
        return False
    return all(is_dense(lies[v], tuple(range(len(v.shape))), v.dtype.itemsize) for v in (x, node.out))  # type: ignore[union-attr]


def _put(node: Node, names: Names) -> list[str]:
    x, y, *arrays = node.inputs
    out = names.of(node.out)
    copied = [] if names.of(x) == out else [f"{names.function(np.copyto, 'copyto')}({out}, {names.of(x)})"]
    where = names.index(node.attrs["index"], tuple(map(names.of, arrays)))
    if node.op is ASSIGN:
        return [*copied, f"{out}[{where}] = {_operand(y, names)}"]
    index = where if len(node.attrs["index"]) == 1 else f"({where})"
    if ":" in where or "..." in where:
        index = f"{names.function(np.s_, 's_')}[{where}]"
    return [*copied, f"{names.function(np.add.at, 'add.at')}({out}, {index}, {_operand(y, names)})"]


# Kernels and effects.


def _kernel(node: Node, names: Names) -> str:
    op, attrs = node.attrs["op"], node.attrs["attrs"]
    function = op.ufunc if op.ufunc is not None and not attrs else op.kernel
    if attrs:
        function = partial(function, **attrs)
        names.objects[f" {id(function)}"] = function  # alive as long as its id is a key
    operands = ", ".join(_operand(x, names) for x in node.inputs)
    call = f"{names.object(function, op.name)}({operands})"
    if node.outputs[0].dtype is None:
        return f"{names.of(node.outputs[0])} = {call}"
    arrays = ", ".join(names.of(x) for x in node.values if x.dtype is not None)
    own, beside = names.object(runtime.own, "own"), f", {arrays}" if arrays else ""
    outs = ", ".join(map(names.of, node.outputs))
    if not op.residuals:
        return f"{outs} = {own}({call}{beside})"
    more = ", *_" if len(node.outputs) <= len(op.residuals) else "," if len(node.outputs) == 1 else ""
    return f"{outs}{more} = [{own}(result{beside}) for result in {call}]"


def _draw(node: Node, names: Names) -> str:
    out, method, arguments = node.out, node.attrs["method"], dict(node.attrs["arguments"])
    drawn = f"{names.object(numpy_generator, 'numpy_generator')}({names.plain_object(node.attrs['generator'])}).{method}"
    size = arguments.pop("size", None)
    size = (size,) if isinstance(size, int) else size
    dtype = np.dtype(arguments.pop("dtype", np.float64)) if method in FILLED else None
    if method in FILLED and not arguments and dtype == out.dtype and size == out.shape and out.shape:
        if out.order == tuple(range(len(out.shape))):
            kind = names.function(getattr(np, str(dtype)), str(dtype))
            return f"{drawn}(dtype={kind}, out={names.of(out)})"
    given = ", ".join(f"{key}={names.spelled(x)}" for key, x in node.attrs["arguments"].items())
    return f"{names.of(out)}[...] = {drawn}({given})"


def _unknown(node: Node, names: Names) -> list[str]:
    raise ProgramError(f"planned does not know the primitive {node.op.name}")


WRITERS: dict[Any, Any] = {
    MAP: _map, FOLD: _fold, PRODUCT: _product, COPY: _copy, CAST: _copy, WHERE: _where, INDEX: _index,
    ASSIGN: _put, ADD_AT: _put,
}  # fmt: skip

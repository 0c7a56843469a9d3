"""One lowered node as lines of NumPy: a call with `out=` that needs no memory, wherever NumPy has one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from byhand.core.generator import numpy_generator
from byhand.program.ir import CHECK, DRAW, Node, ProgramError, Value
from byhand.program.layout import Layouts, is_dense
from byhand.program.memory import FRESH
from byhand.program.planned import runtime
from byhand.program.planned.indices import flat_places, index, put
from byhand.program.planned.moves import copied
from byhand.program.planned.names import LoopNames, Names
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
from byhand.program.symbol import CLIP

SIGNS = {"add": "+", "sub": "-", "mul": "*", "true_divide": "/", "pow": "**"}
INTEGERS = {2: "int16", 4: "int32", 8: "int64"}
KEYWORD_OUT = (np.maximum, np.minimum)  # NumPy 2.4 wants no third positional operand from these
MANY = 2048  # values from which two calls of clip and add are faster than one of maximum
FEW = 4096  # values up to which a mask is cast beforehand; for more of them that takes memory and gains nothing
FILLED = ("random", "standard_normal", "standard_exponential")  # methods of a generator that take out=


def lines(node: Node, names: Names) -> list[str]:
    """The lines that compute a node."""
    kind = node.op.kind
    if kind == VIEW:
        return []
    if node.op is CHECK:
        condition, *arrays = [names.operand(x) for x in node.inputs]
        complain = names.object(node.attrs["complain"], "complaint")
        return [f"if {condition}: raise {complain}({', '.join(arrays)})"]
    if kind == NUMERIC:
        return [_arithmetic(node, names)]
    if kind == CALL:
        return [_kernel(node, names)]
    if node.op is DRAW:
        return [_draw(node, names)]
    writer = WRITERS.get(node.op) or WRITERS.get(kind)
    if writer is None:
        raise ProgramError(f"planned does not know the primitive {node.op.name}")
    found: list[str] = writer(node, names)
    return found


def allocations(node: Node, names: Names) -> list[str]:
    """The lines that make those results of a node that are new arrays in each run."""
    if node.op.kind in (CALL, VIEW):
        return []
    return [f"{names.of(out)} = {_empty(out, names)}" for out in node.outputs if names.home(out).kind == FRESH]


def scratch(node: Node, lies: Layouts) -> Sequence[Value]:
    """The memory that a node's lines need besides operands and result."""
    if node.op is WHERE:
        dtype = INTEGERS[node.out.dtype.itemsize] if _bitwise(node) else "bool"  # type: ignore[union-attr]
        return (Value(node.out.shape, np.dtype(dtype), node.out.order),)
    if node.op is INDEX and flat_places(node, lies):
        return (Value(node.out.shape, np.dtype(np.int64)),)
    if node.op.kind == MAP and node.op.ufunc is not None and node.out.size <= FEW and _masks(node):
        return (Value(node.out.shape, node.out.dtype, node.out.order),)
    return ()


def _masks(node: Node) -> bool:
    """Whether floats meet a boolean array of the same shape and order."""
    out, arrays = node.out, [x for x in node.values if x.dtype is not None]
    masks = [x for x in arrays if x.dtype == bool]
    others = [x for x in arrays if x.dtype == out.dtype]
    whole = len(masks) == 1 and masks[0].shape == out.shape and masks[0].order == out.order
    return whole and len(arrays) == 2 == len(node.inputs) and len(others) == 1 and out.dtype in (np.float32, np.float64)


def _empty(out: Value, names: Names) -> str:
    if out.order == tuple(range(len(out.shape))):
        return f'{names.function(np.empty, "empty")}({out.shape}, "{out.dtype}")'
    return f'{names.object(runtime.fresh, "fresh")}({out.shape}, "{out.dtype}", {out.order})'


def _arithmetic(node: Node, names: Names) -> str:
    x = [names.operand(x) for x in node.inputs]
    text = f"-{x[0]}" if node.op.name == "neg" else f"{x[0]} {SIGNS[node.op.name]} {x[1]}"
    return f"{names.of(node.out)} = {text}"


# Value by value.


def _map(node: Node, names: Names) -> list[str]:
    dtypes = _loop(node)
    operands = [
        names.scalar(x, dtype) if dtype is not None else names.operand(x)
        for x, dtype in zip(node.inputs, dtypes, strict=True)
    ]
    outs = [names.of(out) for out in node.outputs]
    if _bounded(node, dtypes):
        return _clipped(node, names, operands, dtypes)
    if node.op.ufunc in KEYWORD_OUT:
        outs[0] = f"out={outs[0]}"
    cast = []
    if node in names.plan.scratch:  # 0.8 µs for (50, 30); the ufunc's own cast of the mask takes 0.4 more
        hold = names.of(names.plan.scratch[node][0])
        mask = next(i for i, x in enumerate(node.inputs) if isinstance(x, Value) and x.dtype == bool)
        cast = [f"{names.function(np.copyto, 'copyto')}({hold}, {operands[mask]})"]
        operands[mask] = hold
    return [*cast, f"{names.function(node.op.ufunc, node.op.name)}({', '.join([*operands, *outs])})"]


def _bounded(node: Node, dtypes: Sequence[Any]) -> bool:
    """Whether this is the larger, or smaller, of many floats and one scalar that is neither NaN nor −0."""
    scalars = [x for x, dtype in zip(node.inputs, dtypes, strict=True) if dtype is not None]
    if node.op.ufunc not in KEYWORD_OUT or len(scalars) != 1 or isinstance(scalars[0], Value):
        return False
    plain = node.out.size >= MANY and node.out.dtype is not None and node.out.dtype.kind == "f"
    odd = scalars[0] != scalars[0] or (scalars[0] == 0 and np.signbit(scalars[0]))
    return plain and not odd and all(x.dtype == node.out.dtype for x in node.values)


def _clipped(node: Node, names: Names, operands: Sequence[str], dtypes: Sequence[Any]) -> list[str]:
    """The ufunc that is behind `np.clip`, with one bound: 4 µs for 128×256 float32, where `maximum` takes 13.

    Of two zeros `maximum` returns the second one, `clip` the array's.
    """
    place = next(i for i, dtype in enumerate(dtypes) if dtype is not None)
    array, bound, out = operands[1 - place], operands[place], names.of(node.out)
    open_end = names.scalar(float("inf") if node.op.ufunc is np.maximum else -float("inf"), dtypes[place])
    low, high = (bound, open_end) if node.op.ufunc is np.maximum else (open_end, bound)
    zero = place == 1 and node.inputs[1] == 0
    return [
        f"{names.object(CLIP, 'clip')}({array}, {low}, {high}, {out})",
        *([f"{names.function(np.add, 'add')}({out}, {bound}, {out})"] if zero else []),  # −0 + 0 = 0
    ]


def _loop(node: Node) -> list[Any]:
    """For each operand that is a scalar the dtype in which the ufunc takes it, if it can be converted before."""
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


def _copy(node: Node, names: Names, x: Any = None) -> list[str]:
    x, out = node.inputs[0] if x is None else x, names.of(node.out)
    if node.attrs.get("bare"):  # every place will be written
        return []
    if not isinstance(x, Value) or x.dtype is None:
        return [f"{out}[...] = {names.operand(x)}"]
    if names.of(x) == out:
        return []
    runs = copied(node.out, x, names)
    if runs is not None:
        return [f"{names.function(np.copyto, 'copyto')}({', '.join(runs)})"]
    unsafe = ', "unsafe"' if node.op is CAST else ""
    return [f"{names.function(np.copyto, 'copyto')}({out}, {names.of(x)}{unsafe})"]


def _where(node: Node, names: Names) -> list[str]:
    """x where the condition holds, else y.

    Bit by bit, as y ^ ((x ^ y) & mask): 12 µs for 128×256 float32, where NumPy's `where`, which branches, takes 34 and
    `copyto(…, where=…)` 73.
    """
    condition, x, y = node.inputs
    if isinstance(x, Value) and isinstance(y, Value) and names.of(x) == names.of(y):
        return _copy(node, names, x)
    if not _bitwise(node):
        return _masked(node, names)
    dtype = names.plan.scratch[node][0].dtype
    hold, result = names.of(names.plan.scratch[node][0]), _bits(node.out, dtype, node, names)
    bits = [_bits(x, dtype, node, names), _bits(y, dtype, node, names)]
    copyto, xor, both = (names.function(f, f.__name__) for f in (np.copyto, np.bitwise_xor, np.bitwise_and))
    zero = names.scalar(0, dtype)
    if bits[0] == zero or bits[1] == result:  # y is overwritten first, so it must be x that the bits are put back onto
        other, kept = bits[::-1]
        mask = f"{names.function(np.subtract, 'subtract')}({hold}, {names.scalar(1, dtype)}, {hold})"
    else:
        other, kept = bits
        mask = f"{names.function(np.negative, 'negative')}({hold}, {hold})"
    return [
        f"{copyto}({hold}, {names.of(condition)})",
        mask,  # all ones where the other one is wanted
        *([] if kept == zero else [f"{xor}({other}, {kept}, {result})"]),
        f"{both}({other if kept == zero else result}, {hold}, {result})",
        *([] if kept == zero else [f"{xor}({result}, {kept}, {result})"]),
    ]


def _masked(node: Node, names: Names) -> list[str]:
    """The same by copies to some places: of y to those where the condition does not hold, if x is there already."""
    condition, x, y = node.inputs
    out, hold, given = names.of(node.out), names.of(names.plan.scratch[node][0]), names.operand(condition)
    copyto = names.function(np.copyto, "copyto")
    if isinstance(x, Value) and names.of(x) == out:
        invert = names.function(np.logical_not, "logical_not")
        return [f"{invert}({given}, {hold})", f"{copyto}({out}, {names.operand(y)}, where={hold})"]
    below = names.operand(y)
    return [
        *([] if below == out else [f"{copyto}({out}, {below})"]),
        f"{names.function(np.not_equal, 'not_equal')}({given}, 0, {hold})",
        f"{copyto}({out}, {names.operand(x)}, where={hold})",
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


# Sums and products.


def _fold(node: Node, names: Names) -> list[str]:
    ufunc = node.op.ufunc
    known = getattr(np, ufunc.__name__, None) is ufunc
    reduce = names.function(ufunc.reduce, node.op.name) if known else names.object(ufunc.reduce, node.op.name)
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
    """Whether an operand lies in one piece; of a matrix in Fortran's order some rows, as in a tile, do not."""
    layout, forward = names.plan.layouts[value], tuple(range(len(value.shape)))
    size = value.dtype.itemsize  # type: ignore[union-attr]
    if is_dense(layout, forward, size):
        return True
    split = isinstance(names, LoopNames) and names.tile.axes.get(value) == 0
    return "F" in orders and not split and is_dense(layout, forward[::-1], size)


# Kernels and effects.


def _kernel(node: Node, names: Names) -> str:
    op, attrs = node.attrs["op"], node.attrs["attrs"]
    function = op.ufunc if op.ufunc is not None and not attrs else op.kernel
    if attrs:
        function = partial(function, **attrs)
    operands = ", ".join(names.operand(x) for x in node.inputs)
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
    drawn = f"{names.object(numpy_generator, 'numpy_generator')}({names.spelled(node.attrs['generator'])}).{method}"
    size = arguments.pop("size", None)
    size = (size,) if isinstance(size, int) else size
    dtype = np.dtype(arguments.pop("dtype", np.float64)) if method in FILLED else None
    plain = method in FILLED and not arguments and out.order == tuple(range(len(out.shape)))
    if plain and dtype == out.dtype and size == out.shape != ():
        return f"{drawn}(dtype={names.function(getattr(np, str(dtype)), str(dtype))}, out={names.of(out)})"
    given = ", ".join(f"{key}={names.spelled(x)}" for key, x in node.attrs["arguments"].items())
    return f"{names.of(out)}[...] = {drawn}({given})"


WRITERS: dict[Any, Any] = {
    MAP: _map, FOLD: _fold, PRODUCT: _product, COPY: _copy, CAST: _copy, WHERE: _where, INDEX: index,
    ASSIGN: put, ADD_AT: put,
}  # fmt: skip

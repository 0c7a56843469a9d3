"""How a call of an op is recorded: one closure for each arity, written for speed.

`recorder(op)` is called by `byhand.core.op.op`. The bodies repeat themselves on purpose: a shared function on the
way costs 60 ns a call (of about 500 that recording takes), `isinstance` in front of a slot 10.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from byhand.core.complaint import explain
from byhand.core.lanes import StandIn
from byhand.core.promotion import DOUBLE, HALF, narrowed
from byhand.core.tape import Node, mode, next_serial
from byhand.core.variable import Variable, link, shares

if TYPE_CHECKING:
    from byhand.core.op import Op
    from byhand.tensor import Tensor

ndarray = np.ndarray
asarray = np.asanyarray  # a traced array stays one; see `core.capture`
new = object.__new__

Result: type[Tensor] = Variable  # type: ignore[assignment]  # what ops return; `announce` sets it


def announce(result: type[Tensor]) -> None:
    """Make `result` the class of what ops return; called once, by `byhand.tensor`."""
    global Result
    Result = result


def wrap(array: Any, node: Node | None = None) -> Tensor:
    """A tensor of an array, without a copy."""
    return Result(array, node)


def recorder(op: Op) -> Callable[..., Any]:
    """The function that computes on arrays and records on tensors, fitting the arity of `op`."""
    if op.residuals:
        return _with_residuals(op)
    if op.kind == "view":
        return _view(op)
    if len(op.operands) == 1 and not op.variadic:
        return _unary_attrs(op) if op.attributes else _unary(op)
    if len(op.operands) == 2 and not op.variadic and not op.attributes:
        return _binary(op)
    if len(op.operands) == 3 and not op.variadic and not op.attributes:
        return _ternary(op)
    return _nary(op)


def replace_kernel(function: Callable[..., Any], kernel: Callable[..., Any]) -> Callable[..., Any]:
    """Let a recorder's function call another kernel from now on; returns the one it called so far.

    Capture looks in through this door, so that recorders need no question that every call would pay for.
    """
    place = function.__code__.co_freevars.index("kernel")
    cell = function.__closure__[place]  # type: ignore[index]
    before: Callable[..., Any] = cell.cell_contents
    cell.cell_contents = kernel
    return before


def _double(op: Op) -> Any:
    """float64 for the ops whose result NumPy may have made wider than PyTorch would, else None: no dtype is that."""
    return DOUBLE if op.kind in ("elementwise", "move") and "dtype" not in op.attributes else None


def otherwise(op: Op, error: Exception, operands: tuple[Any, ...], attrs: dict[str, Any]) -> Any:
    """What a call gives whose kernel raised: that of a batch, if one stands in for an array, else an explanation."""
    arrays: list[Any] = [x.array for x in operands if isinstance(x, Variable)]
    batches = [array for array in arrays if isinstance(array, StandIn)]
    if batches:
        return max(batches, key=lambda batch: batch.level).take_over(op, operands, attrs)
    raise explain(op, error, operands, attrs) from error


def _unary(op: Op) -> Callable[..., Any]:
    kernel, rules, masks = op.ufunc or op.kernel, op.rules, op.masks  # a ufunc saves a Python frame, 30 ns
    attrs: dict[str, Any] = {}
    double = _double(op)
    half = None if double is None else HALF  # what NumPy makes of bytes

    def call(x: Any) -> Any:
        if not isinstance(x, Variable):
            return kernel(x)
        array = x.array
        try:
            out = kernel(array)
        except Exception as error:
            return otherwise(op, error, (x,), attrs)
        if type(out) is not ndarray:
            out = asarray(out)
        dtype = out.dtype
        if (dtype is double or dtype is half) and (again := narrowed(call, (x,), attrs)) is not None:
            return again
        result = new(Result)
        result.array = out
        if x.node is None or not rules or (mode.quiet and not mode.recording):
            result.node = None
            return result
        keep_x, keep_out = masks[1] or op.mask(1)
        result.node = node = new(Node)
        node.op = op
        node.inputs = (x.node,)
        node.saved = (array if keep_x else None, out if keep_out else None)
        node.attrs = attrs
        node.serial = next_serial()
        node.shape = out.shape
        node.dtype = dtype
        node.grad = node.hooks = None
        return result

    return call


def _unary_attrs(op: Op) -> Callable[..., Any]:
    kernel, rules, masks = op.kernel, op.rules, op.masks
    double = _double(op)

    def call(x: Any, **attrs: Any) -> Any:
        if not isinstance(x, Variable):
            return kernel(x, **attrs)
        array = x.array
        try:
            out = kernel(array, **attrs)
        except Exception as error:
            return otherwise(op, error, (x,), attrs)
        if type(out) is not ndarray:
            out = asarray(out)
        if out.dtype is double and (again := narrowed(call, (x,), attrs)) is not None:
            return again
        result = new(Result)
        result.array = out
        if x.node is None or not rules or (mode.quiet and not mode.recording):
            result.node = None
            return result
        keep_x, keep_out = masks[1] or op.mask(1)
        result.node = node = new(Node)
        node.op = op
        node.inputs = (x.node,)
        node.saved = (array if keep_x else None, out if keep_out else None)
        node.attrs = attrs
        node.serial = next_serial()
        node.shape = out.shape
        node.dtype = out.dtype
        node.grad = node.hooks = None
        return result

    return call


def _binary(op: Op) -> Callable[..., Any]:
    kernel, rules, masks = op.ufunc or op.kernel, op.rules, op.masks  # a ufunc saves a Python frame, 30 ns
    attrs: dict[str, Any] = {}
    double = _double(op)

    def call(x: Any, y: Any) -> Any:
        if isinstance(x, Variable):
            a, nx = x.array, x.node
            if isinstance(y, Variable):
                b, ny = y.array, y.node
            else:
                b, ny = y, None
        elif isinstance(y, Variable):
            a, nx, b, ny = x, None, y.array, y.node
        else:
            return kernel(x, y)
        try:
            out = kernel(a, b)
        except Exception as error:
            return otherwise(op, error, (x, y), attrs)
        if type(out) is not ndarray:
            out = asarray(out)
        if out.dtype is double and (again := narrowed(call, (x, y), attrs)) is not None:
            return again
        result = new(Result)
        result.array = out
        if (nx is None and ny is None) or not rules or (mode.quiet and not mode.recording):
            result.node = None
            return result
        tracked = (nx is not None) + 2 * (ny is not None)
        keep_x, keep_y, keep_out = masks[tracked] or op.mask(tracked)
        result.node = node = new(Node)
        node.op = op
        node.inputs = (nx, ny)
        node.saved = (a if keep_x else None, b if keep_y else None, out if keep_out else None)
        node.attrs = attrs
        node.serial = next_serial()
        node.shape = out.shape
        node.dtype = out.dtype
        node.grad = node.hooks = None
        return result

    return call


def _ternary(op: Op) -> Callable[..., Any]:
    kernel, rules, masks = op.kernel, op.rules, op.masks
    attrs: dict[str, Any] = {}
    double = _double(op)

    def call(x: Any, y: Any, z: Any) -> Any:
        nx = ny = nz = None
        recorded = False
        a, b, c = x, y, z
        if isinstance(x, Variable):
            a, nx, recorded = x.array, x.node, True
        if isinstance(y, Variable):
            b, ny, recorded = y.array, y.node, True
        if isinstance(z, Variable):
            c, nz, recorded = z.array, z.node, True
        if not recorded:
            return kernel(x, y, z)
        try:
            out = kernel(a, b, c)
        except Exception as error:
            return otherwise(op, error, (x, y, z), attrs)
        if type(out) is not ndarray:
            out = asarray(out)
        if out.dtype is double and (again := narrowed(call, (x, y, z), attrs)) is not None:
            return again
        result = new(Result)
        result.array = out
        tracked = (nx is not None) + 2 * (ny is not None) + 4 * (nz is not None)
        if not tracked or not rules or (mode.quiet and not mode.recording):
            result.node = None
            return result
        keep_x, keep_y, keep_z, keep_out = masks[tracked] or op.mask(tracked)
        result.node = node = new(Node)
        node.op = op
        node.inputs = (nx, ny, nz)
        node.saved = (a if keep_x else None, b if keep_y else None, c if keep_z else None, out if keep_out else None)
        node.attrs = attrs
        node.serial = next_serial()
        node.shape = out.shape
        node.dtype = out.dtype
        node.grad = node.hooks = None
        return result

    return call


def _nary(op: Op) -> Callable[..., Any]:
    kernel, rules = op.kernel, op.rules
    double = _double(op)

    def call(*operands: Any, **attrs: Any) -> Any:
        nodes = [x.node if isinstance(x, Variable) else None for x in operands]
        arrays = [x.array if isinstance(x, Variable) else x for x in operands]
        recorded = False
        for x in operands:
            if isinstance(x, Variable):
                recorded = True
                break
        if not recorded:
            return kernel(*operands, **attrs)
        try:
            out = kernel(*arrays, **attrs)
        except Exception as error:
            return otherwise(op, error, operands, attrs)
        if type(out) is not ndarray:
            out = asarray(out)
        if out.dtype is double and (again := narrowed(call, operands, attrs)) is not None:
            return again
        result = new(Result)
        result.array = out
        result.node = None
        if rules and (not mode.quiet or mode.recording):
            for node in nodes:
                if node is not None:
                    result.node = record(op, nodes, arrays, out, attrs)
                    break
        return result

    return call


def _with_residuals(op: Op) -> Callable[..., Any]:
    """For kernels that return residuals after the result."""
    kernel, masks = op.kernel, op.masks

    def call(*operands: Any, **attrs: Any) -> Any:
        arrays, nodes, bits, bit = [], [], 0, 1
        recorded = False
        for x in operands:
            if isinstance(x, Variable):
                recorded = True
                arrays.append(x.array)
                node = x.node
                if node is not None:
                    bits |= bit
            else:
                arrays.append(x)
                node = None
            nodes.append(node)
            bit += bit
        if not recorded:
            return kernel(*operands, **attrs)[0]
        try:
            out, *residuals = kernel(*arrays, **attrs)
        except Exception as error:
            return otherwise(op, error, operands, attrs)
        result = new(Result)
        result.array = out = asarray(out)
        if not bits or (mode.quiet and not mode.recording):
            result.node = None
            return result
        keep = masks[bits] or op.mask(bits)
        saved = [kept if keeps else None for kept, keeps in zip((*arrays, *residuals, out), keep)]  # noqa: B905
        result.node = node = new(Node)
        node.op = op
        node.inputs = tuple(nodes)
        node.saved = tuple(saved)
        node.attrs = attrs
        node.serial = next_serial()
        node.shape = out.shape
        node.dtype = out.dtype
        node.grad = node.hooks = None
        return result

    return call


def record(op: Op, nodes: list[Node | None], arrays: list[Any], out: Any, attrs: dict[str, Any]) -> Node:
    """The node of a call whose operands have these nodes and arrays."""
    tracked = tuple([node is not None for node in nodes])
    keep = op.keep(tracked)
    node = new(Node)
    node.op = op
    node.inputs = tuple(nodes)
    saved = [array if kept else None for array, kept in zip(arrays, keep, strict=False)]
    saved.append(out if keep[-1] else None)
    node.saved = tuple(saved)
    node.attrs = attrs
    node.serial = next_serial()
    node.shape = out.shape
    node.dtype = out.dtype
    node.grad = node.hooks = None
    return node


def _view(op: Op) -> Callable[..., Any]:
    """A view also remembers what it looks at, so that in-place changes of either reach the other's gradient."""
    kernel, rules, masks = op.kernel, op.rules, op.masks

    def call(x: Any, **attrs: Any) -> Any:
        if not isinstance(x, Variable):
            return kernel(x, **attrs)
        array = x.array
        try:
            out = kernel(array, **attrs)
        except Exception as error:
            return otherwise(op, error, (x,), attrs)
        if type(out) is not ndarray:
            out = asarray(out)
        result = new(Result)
        result.array = out
        if mode.quiet and not mode.recording:
            result.node = None
            return result
        if x.node is None or not rules:
            result.node = None
        else:
            keep_x, keep_out = masks[1] or op.mask(1)
            result.node = node = new(Node)
            node.op = op
            node.inputs = (x.node,)
            node.saved = (array if keep_x else None, out if keep_out else None)
            node.attrs = attrs
            node.serial = next_serial()
            node.shape = out.shape
            node.dtype = out.dtype
            node.grad = node.hooks = None
        if shares(array, out):
            link(x, op, attrs, result)
        return result

    return call

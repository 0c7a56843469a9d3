"""What NumPy's functions do to symbols: ufuncs, the functions written in C, and what makes arrays.

NumPy's functions written in Python are run as they are, on symbols (see `stand_in`). `lowering` connects a journal;
the methods of `Symbol` come here through NumPy's protocols.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from byhand.program.ir import Value, order_of
from byhand.program.journal import Journal, UnseenError
from byhand.program.primitives import SLICE, WHERE
from byhand.program.stand_in import Stage
from byhand.program.symbol import Memory, Number, Symbol, full, made, operand

NUMERIC = {
    np.add: "add", np.subtract: "sub", np.multiply: "mul", np.true_divide: "true_divide", np.negative: "neg",
    np.power: "pow",
}  # fmt: skip


class Dispatch:
    """Answers NumPy's protocols for the symbols of one journal."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.stage = Stage({
            np.asarray: self._asarray, np.asanyarray: self._asarray, np.array: self._array,
            np.ascontiguousarray: self._contiguous, np.zeros: self._zeros, np.empty: self._zeros,
            np.ones: self._ones, np.full: self._full,
        })  # fmt: skip
        self._functions: dict[Any, Callable[..., Any]] = {
            np.where: self._where, np.concatenate: self._concatenated, np.broadcast_to: self._broadcast,
            sliding_window_view: self._windows,
            np.empty_like: self._empty_like, np.result_type: self._result_type, np.copyto: self._copyto,
            np.shape: lambda x: x.shape, np.ndim: lambda x: x.ndim,
        }  # fmt: skip
        journal.ufunc_called, journal.function_called = self.ufunc, self.function

    # NumPy's protocols

    def ufunc(self, ufunc: Any, method: str, inputs: Sequence[Any], keywords: dict[str, Any]) -> Any:
        """A ufunc, or one of its methods, with a symbol among its operands."""
        if ufunc.nout != 1 or keywords.pop("where", True) is not True:
            raise UnseenError(f"{ufunc.__name__} in parts")
        (out,) = keywords.pop("out", (None,))
        if isinstance(out, Symbol) and any(look.op is SLICE for look in out.looks):
            out.memory.open()  # before what is written there, which can then be computed in its place
        if method == "at" and ufunc is np.add and not keywords:
            return self._add_at(*inputs)
        if method == "reduce":
            return self._into(out, self._reduced(ufunc, *inputs, **keywords))
        if method != "__call__" or keywords:
            raise UnseenError(f"{ufunc.__name__}.{method} with {sorted(keywords)}")
        if ufunc is np.matmul:
            operands = [operand(self.journal, x) for x in inputs]
            return self._into(out, self.journal.product(*operands))
        operands = self._operands(inputs)
        if not any(isinstance(x, Value) and x.dtype is not None for x in operands):
            return self._number(ufunc, operands)
        order = order_of(out.like) if isinstance(out, Symbol) and not out.scalar else None
        return self._into(out, self.journal.computed(ufunc, operands, order))

    def function(self, function: Any, arguments: Sequence[Any], keywords: dict[str, Any]) -> Any:
        """Another function of NumPy with a symbol among its arguments."""
        ours = self._functions.get(function)
        if ours is not None:
            return ours(*arguments, **keywords)
        body = getattr(function, "__wrapped__", None)
        if not isinstance(body, FunctionType):
            raise UnseenError(f"np.{function.__name__} on symbols")
        return self.stage.copy(body)(*arguments, **keywords)

    # ufuncs

    def _operands(self, inputs: Sequence[Any]) -> list[Any]:
        """Values and scalars; an array full of one scalar is that, if another operand shapes the result."""
        symbols = [x for x in inputs if isinstance(x, Symbol)]
        filled = [x for x in symbols if x.memory.scalar is not None]
        scalars = False
        if filled:
            shape = np.broadcast_shapes(
                *[np.shape(x) if isinstance(x, list) else getattr(x, "shape", ()) for x in inputs]
            )
            others = [x for x in symbols if x.memory.scalar is None and x.shape == shape]
            scalars = any(all(_follows(x, other) for x in filled) for other in others)
        return [operand(self.journal, x, scalars) for x in inputs]

    def _number(self, ufunc: Any, operands: Sequence[Any]) -> Number:
        if ufunc not in NUMERIC:
            raise UnseenError(f"{ufunc.__name__} of Python numbers")
        return Number(self.journal, self.journal.number(NUMERIC[ufunc], operands))

    def _reduced(
        self,
        ufunc: Any,
        x: Symbol,
        axis: Any = 0,
        dtype: Any = None,
        keepdims: bool = False,
        initial: Any = np._NoValue,
    ) -> Value:
        if initial is not np._NoValue:
            raise UnseenError("a reduction with an initial value")
        if dtype is not None:
            x = x.astype(dtype, copy=False)
        axes = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
        sorted_axes = tuple(sorted(int(a) % x.ndim for a in axes)) if x.ndim else ()
        return self.journal.folded(ufunc, x.value, sorted_axes, bool(keepdims))

    def _into(self, out: Any, value: Value) -> Symbol:
        """The result as a new array, or in the array that was given for it."""
        if out is None or (isinstance(out, Symbol) and out.scalar):
            return made(self.journal, value)
        if not isinstance(out, Symbol):
            raise UnseenError("an array that is no symbol is written to")
        if value.dtype is None or not np.can_cast(value.dtype, out.dtype, "same_kind") or len(value.shape) > out.ndim:
            raise UnseenError(f"{value!r} does not fit into {out.dtype}")
        out.store(value)
        return out

    def _add_at(self, x: Any, index: Any, y: Any = None) -> None:
        parts, arrays = x.indexed(index)
        x.store_at(parts, arrays, operand(self.journal, y, scalars=True), add=True)

    # functions written in C

    def _where(self, condition: Any, *cases: Any) -> Symbol:
        if len(cases) != 2:
            raise UnseenError("where a condition holds")
        operands = self._operands([condition, *cases])
        return made(self.journal, self.journal.mapped(WHERE, np.where, operands, None))

    def _concatenated(self, arrays: Sequence[Any], axis: int | None = 0, out: Any = None, **keywords: Any) -> Symbol:
        if axis is None or out is not None or keywords.get("dtype") is not None:
            raise UnseenError("a concatenation of flattened arrays")
        values = [operand(self.journal, x) for x in arrays]
        likes = [self.journal.likeness(x) for x in values]
        sample = np.concatenate([x[(slice(2),) * x.ndim] for x in likes], axis)
        axis %= sample.ndim
        shape = list(likes[0].shape)
        shape[axis] = sum(x.shape[axis] for x in likes)
        result = full(self.journal, tuple(shape), sample.dtype.type(0), order_of(sample))
        start = 0
        for value in values:
            stop = start + value.shape[axis]
            result[(slice(None),) * axis + (slice(start, stop),)] = made(self.journal, value)
            start = stop
        return result

    def _broadcast(self, x: Any, shape: Any, subok: bool = False) -> Symbol:
        shape = (int(shape),) if isinstance(shape, (int, np.integer)) else tuple(int(n) for n in shape)
        found: Symbol = x.broadcast_to(shape)
        return found

    def _windows(self, x: Symbol, sizes: Sequence[int], axes: Sequence[int]) -> Symbol:
        return x.windows(sizes, axes)

    def _copyto(self, out: Any, x: Any, casting: str = "same_kind", where: Any = True) -> None:
        if where is not True:
            raise UnseenError("a copy to some places")
        out[...] = x

    def _result_type(self, *operands: Any) -> Any:
        return np.result_type(*[x.dtype if isinstance(x, Symbol) else x for x in operands])

    # what makes arrays

    def _empty_like(
        self, x: Symbol, dtype: Any = None, order: Any = "K", subok: bool = True, shape: Any = None, **keywords: Any
    ) -> Any:
        if any(value is not None for value in keywords.values()):
            raise UnseenError(f"an array like another with {sorted(keywords)}")
        like = np.empty_like(x.like, dtype, order, shape=shape)
        return full(self.journal, like.shape, like.dtype.type(0), order_of(like))

    def _asarray(self, x: Any, dtype: Any = None, **keywords: Any) -> Any:
        if not isinstance(x, Symbol):
            return np.asarray(x, dtype, **keywords)
        if any(value not in (None, "K") for value in keywords.values()):
            raise UnseenError("an array in another order")
        x = x if dtype is None else x.astype(dtype, copy=False)
        return Symbol(Memory(self.journal, x.like, x.value)) if x.scalar else x

    def _array(self, x: Any, dtype: Any = None, **keywords: Any) -> Any:
        if not isinstance(x, Symbol):
            return np.array(x, dtype, **keywords)
        if keywords:
            raise UnseenError(f"an array with {sorted(keywords)}")
        return x.astype(x.dtype if dtype is None else dtype)

    def _contiguous(self, x: Any, dtype: Any = None) -> Any:
        if not isinstance(x, Symbol) or not x.ndim or dtype is not None:
            raise UnseenError("a contiguous array of a number")
        return x if x.like.flags.c_contiguous else x.copy()

    def _zeros(self, shape: Any, dtype: Any = float, order: str = "C") -> Any:
        return self._full(shape, 0, dtype, order)

    def _ones(self, shape: Any, dtype: Any = None, order: str = "C") -> Any:
        return self._full(shape, 1, float if dtype is None else dtype, order)

    def _full(self, shape: Any, x: Any, dtype: Any = None, order: str = "C") -> Any:
        scalar = np.array(x, dtype)[()]
        sizes = (int(shape),) if isinstance(shape, (int, np.integer)) else tuple(int(n) for n in shape)
        axes = range(len(sizes)) if order == "C" else reversed(range(len(sizes)))
        return full(self.journal, sizes, scalar, tuple(axes))


def _follows(x: Symbol, other: Symbol) -> bool:
    """Whether x has no say in the memory order of what is computed of both."""
    return sum(n > 1 for n in x.shape) < 2 or (x.ndim == other.ndim and order_of(x.like) == order_of(other.like))

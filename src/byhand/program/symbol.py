"""What stands for an array while a kernel is traced: it knows shape, dtype and memory order, and logs what is done.

A `Symbol` is a name for memory, as an array is: `x *= y` and `x[i] = y` give the memory a new value, and all views of
it see that. The values themselves never change. A `Number` stands for a Python number. Made by `lowering`; what is
asked of them is written to the `journal`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from byhand.core.variable import Array
from byhand.ops.index import SLOT
from byhand.program.ir import Value, order_of
from byhand.program.journal import Journal, UnseenError, view_of
from byhand.program.primitives import BROADCAST, RESHAPE, SLICE, TRANSPOSE, WINDOWS, Primitive

CLIP = np._core.umath.clip  # type: ignore[attr-defined]  # the ufunc that np.clip calls; it has no public name
NUMBERS = (bool, int, float, np.generic)


@dataclass(eq=False)
class Look:
    """One step from an array to a view of it."""

    op: Primitive
    attrs: dict[str, Any]


class Memory:
    """What views share: the value that is there now.

    value     None while nothing but `scalar` stands everywhere and nobody asked for it
    writable  false for the operands of the kernel
    """

    def __init__(
        self, journal: Journal, like: Array, value: Value | None, scalar: Any = None, writable: bool = True
    ) -> None:
        self.journal, self.like, self.scalar, self.writable = journal, like, scalar, writable
        self._value = value
        self._seen: dict[tuple[Look, ...], Value] = {}

    def look(self, looks: tuple[Look, ...]) -> Value:
        """The value of a view."""
        if not looks:
            if self._value is None:
                self._value = self._materialized()
            return self._value
        found = self._seen.get(looks)
        if found is None:
            found = self.journal.seen(looks[-1].op, self.look(looks[:-1]), looks[-1].attrs)
            self._seen[looks] = found
        return found

    def store(self, looks: tuple[Look, ...], x: Any, exact: bool = True) -> None:
        """Give a view a new value; what is not `exact`, of its shape, dtype and order, broadcasts to a slice."""
        if not self.writable:
            raise UnseenError("a kernel writes to its operand")
        scalar = not looks and not isinstance(x, Value)
        seen = {looks: x} if looks and exact else {}
        for depth in reversed(range(len(looks))):
            x = self._undone(looks[depth], looks[:depth], x)
        self._value, self._seen, self.scalar = (None, {}, x) if scalar else (x, seen, None)

    def open(self) -> None:
        """Be an array, which is to be written in parts."""
        if self._value is None:
            self._value = self.journal.filled(self.like.shape, self.scalar, order_of(self.like))

    def _undone(self, look: Look, outer: tuple[Look, ...], x: Any) -> Value:
        """The value of the view one step out, once x is the value of the inner one."""
        journal = self.journal
        self.open()
        if look.op is SLICE:
            return journal.put(self.look(outer), x, look.attrs["index"], ())
        if look.op is TRANSPOSE:
            return journal.seen(TRANSPOSE, x, {"axes": tuple(np.argsort(look.attrs["axes"]).tolist())})
        if look.op is RESHAPE:
            return journal.seen(RESHAPE, x, {"shape": self.look(outer).shape})
        raise UnseenError("a kernel writes to values that share their memory")

    def _materialized(self) -> Value:
        try:
            return self.journal.constant(np.full_like(self.like, self.scalar))
        except UnseenError:
            return self.journal.filled(self.like.shape, self.scalar, order_of(self.like))


class Symbol(NDArrayOperatorsMixin):
    """An array, or a view of one, whose values are not known.

    memory  what it looks at
    looks   the steps from the memory to this view
    like    an array of its shape, dtype and strides
    scalar  whether NumPy would have given a scalar here, which is not changed in place
    """

    def __init__(self, memory: Memory, looks: tuple[Look, ...] = (), like: Any = None, scalar: bool = False) -> None:
        self.memory, self.looks, self.scalar = memory, looks, scalar
        self.like: Array = memory.like if like is None else like

    @property
    def flags(self) -> SimpleNamespace:
        """What may be set and is not looked at."""
        return SimpleNamespace(writeable=self.memory.writable)

    @property
    def journal(self) -> Journal:
        """Where it writes."""
        return self.memory.journal

    @property
    def value(self) -> Value:
        """The value now."""
        return self.memory.look(self.looks)

    def store(self, x: Any) -> None:
        """Write x, a value or a scalar that broadcasts, to all places."""
        if self.looks and self.looks[-1].op is SLICE:
            self.memory.store(self.looks, x, exact=False)
            return
        if not self.looks and isinstance(x, NUMBERS):
            x = np.asarray(x).astype(self.dtype)[()]
        else:
            x = self.journal.spread(x, self.shape, self.dtype, order_of(self.like))
        self.memory.store(self.looks, x)

    def view(self, op: Primitive, attrs: dict[str, Any], scalar: bool = False) -> Symbol:
        """A view of this view."""
        like = view_of(self.like, op, attrs)
        if op is RESHAPE and like.size and not np.may_share_memory(like, self.like):
            return made(self.journal, self.journal.seen(op, self.value, attrs))
        return Symbol(self.memory, (*self.looks, Look(op, attrs)), like, scalar)

    # what NumPy asks

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **keywords: Any) -> Any:
        return self.journal.ufunc_called(ufunc, method, inputs, keywords)

    def __array_function__(self, function: Any, types: Any, arguments: Any, keywords: Any) -> Any:
        return self.journal.function_called(function, arguments, keywords)

    def _unknown(self, *_: Any, **__: Any) -> Any:
        raise UnseenError("a kernel asks for values")

    __bool__ = __float__ = __int__ = __index__ = __complex__ = __array__ = __iter__ = __contains__ = _unknown
    item = tolist = _unknown

    # what arrays know

    shape = property(lambda self: self.like.shape)
    dtype = property(lambda self: self.like.dtype)
    ndim = property(lambda self: self.like.ndim)
    size = property(lambda self: self.like.size)
    itemsize = property(lambda self: self.like.itemsize)
    nbytes = property(lambda self: self.like.nbytes)
    strides = property(lambda self: self.like.strides)

    def __len__(self) -> int:
        return len(self.like)

    # views

    @property
    def T(self) -> Symbol:
        return self.transpose()

    def transpose(self, *axes: Any) -> Symbol:
        given = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes
        order = tuple(range(self.ndim))[::-1] if not given else tuple(operator.index(a) % self.ndim for a in given)
        return self.view(TRANSPOSE, {"axes": order})

    def swapaxes(self, first: int, second: int) -> Symbol:
        order = list(range(self.ndim))
        order[first], order[second] = order[second], order[first]
        return self.transpose(order)

    def reshape(self, *shape: Any, order: str = "C") -> Symbol:
        if order != "C":
            raise UnseenError(f"a reshape in order {order}")
        return self.view(RESHAPE, {"shape": self.like.reshape(*shape).shape})

    def squeeze(self, axis: Any = None) -> Symbol:
        return self.view(RESHAPE, {"shape": self.like.squeeze(axis).shape})

    def ravel(self, order: str = "C") -> Symbol:
        return self.reshape(-1, order=order)

    def broadcast_to(self, shape: tuple[int, ...]) -> Symbol:
        return self.view(BROADCAST, {"shape": shape})

    def windows(self, sizes: Sequence[int], axes: Sequence[int]) -> Symbol:
        """As `sliding_window_view`."""
        return self.view(WINDOWS, {"sizes": tuple(sizes), "axes": tuple(axes)})

    def diagonal(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Symbol:
        """The matrices as vectors, of which every (columns + 1)-th value is on the diagonal."""
        if self.like.strides[axis1] < self.like.strides[axis2]:  # columns in a row: such a reshape needs no copy
            offset, axis1, axis2 = -offset, axis2, axis1
        first, second = axis1 % self.ndim, axis2 % self.ndim
        rest = [axis for axis in range(self.ndim) if axis not in (first, second)]
        rows, columns = self.shape[first], self.shape[second]
        count = max(min(rows + min(offset, 0), columns - max(offset, 0)), 0)
        start = offset if offset >= 0 else -offset * columns
        stop = start + (count - 1) * (columns + 1) + 1 if count else start
        matrix = self.transpose(*rest, first, second)
        shape = (*[self.shape[axis] for axis in rest], rows * columns)
        # a view even where the reshape copies: what is written to it finds its way back
        flat = Symbol(matrix.memory, (*matrix.looks, Look(RESHAPE, {"shape": shape})), matrix.like.reshape(shape))
        return flat.view(SLICE, {"index": (Ellipsis, slice(start, stop, columns + 1))})

    # copies

    def copy(self, order: str = "C") -> Symbol:
        return _copied(self, self.like.dtype, order)

    def flatten(self) -> Symbol:
        return self.ravel().copy()

    def astype(self, dtype: Any, order: str = "K", copy: bool = True) -> Symbol:
        dtype = np.dtype(dtype)
        return self if dtype == self.dtype and not copy else _copied(self, dtype, order)

    # reductions: NumPy's methods are these calls

    def _reduction(ufunc: Any) -> Callable[..., Any]:  # noqa: N805
        def method(self: Any, axis: Any = None, dtype: Any = None, out: Any = None, **keywords: Any) -> Any:
            if dtype is not None:
                keywords["dtype"] = dtype
            if out is not None:
                keywords["out"] = (out,)
            return self.__array_ufunc__(ufunc, "reduce", self, axis=axis, **keywords)

        return method

    sum, prod = _reduction(np.add), _reduction(np.multiply)
    max, min = _reduction(np.maximum), _reduction(np.minimum)
    any, all = _reduction(np.logical_or), _reduction(np.logical_and)

    # value by value

    def clip(self, min: Any = None, max: Any = None, out: Any = None) -> Any:
        if min is None:
            return np.minimum(self, max, out=out)
        return np.maximum(self, min, out=out) if max is None else CLIP(self, min, max, out=out)

    def round(self, decimals: int = 0, out: Any = None) -> Any:
        if self.dtype.kind != "f" or out is not None:
            raise UnseenError("integers are rounded")
        if decimals == 0:
            return np.rint(self)
        there, back = (np.multiply, np.true_divide) if decimals > 0 else (np.true_divide, np.multiply)
        scale = 10.0 ** abs(decimals)
        return back(np.rint(there(self, scale)), scale)

    # indices

    def __getitem__(self, key: Any) -> Symbol:
        index, arrays = self.indexed(key)
        if not arrays:
            if not any(isinstance(part, (int, slice)) or part is None for part in index) and not self.scalar:
                return self
            scalar = self.like[index].ndim == 0
            whole = index if not scalar or Ellipsis in index else (*index, Ellipsis)  # a view, where NumPy copies
            return self.view(SLICE, {"index": whole}, scalar and not any(part is Ellipsis for part in index))
        return made(self.journal, self.journal.taken(self.value, index, arrays))

    def __setitem__(self, key: Any, x: Any) -> None:
        index, arrays = self.indexed(key)
        x = operand(self.journal, x, scalars=True)
        if arrays:
            self.store_at(index, arrays, x)
        elif all(part is Ellipsis or part == slice(None) for part in index):
            self.store(x)
        else:
            self.view(SLICE, {"index": index}).store(x)

    def store_at(self, index: tuple[Any, ...], arrays: Sequence[Value], x: Any, add: bool = False) -> None:
        """Write x, or add it, at index arrays."""
        self.memory.open()
        self.memory.store(self.looks, self.journal.put(self.value, x, index, arrays, add))

    def indexed(self, key: Any) -> tuple[tuple[Any, ...], list[Value]]:
        """An index with its arrays taken out."""
        index: list[Any] = []
        arrays: list[Value] = []
        for part in key if isinstance(key, tuple) else (key,):
            if part is None or part is Ellipsis or isinstance(part, slice):
                index.append(part)
            elif isinstance(part, (Symbol, np.ndarray, list)):
                index.append(SLOT)
                arrays.append(operand(self.journal, part))
            elif isinstance(part, (bool, np.bool_)):
                raise UnseenError("a truth value as an index")
            else:
                index.append(operator.index(part))
        return tuple(index), arrays


class Number(NDArrayOperatorsMixin):
    """A Python number: weak where it meets an array."""

    def __init__(self, journal: Journal, value: Value) -> None:
        self.journal, self.value = journal, value

    shape, ndim = (), 0
    __array_ufunc__ = Symbol.__array_ufunc__
    __array_function__ = Symbol.__array_function__
    __bool__ = __float__ = __int__ = __index__ = __array__ = item = Symbol._unknown


def made(journal: Journal, value: Value) -> Symbol:
    """A fresh array of this value."""
    like = journal.likeness(value)
    return Symbol(Memory(journal, journal.alike(like.shape, like.dtype, order_of(like)), value), scalar=like.ndim == 0)


def operand(journal: Journal, x: Any, scalars: bool = False) -> Any:
    """What a node reads for x: a value or a scalar; with `scalars` a scalar also for an array full of it."""
    if isinstance(x, Symbol):
        return x.memory.scalar if scalars and x.memory.scalar is not None else x.value
    if isinstance(x, Number):
        return x.value
    if isinstance(x, NUMBERS):
        return x
    if isinstance(x, (list, tuple)):
        x = np.array(x)
    if not isinstance(x, np.ndarray):
        raise UnseenError(f"an operand of {type(x)}")
    return x[()] if x.ndim == 0 else journal.constant(x)


def _copied(x: Symbol, dtype: np.dtype[Any], order: str) -> Symbol:
    """A copy: the same value where only the memory would be another."""
    journal, like = x.journal, np.empty_like(x.like, dtype, order=order)  # type: ignore[call-overload]
    if x.memory.scalar is not None:
        return full(journal, x.shape, np.asarray(x.memory.scalar).astype(dtype)[()], order_of(like))
    value = journal.cast(x.value, dtype, order_of(like))
    return Symbol(Memory(journal, journal.alike(x.shape, dtype, order_of(like)), journal.copied(value, order_of(like))))


def full(journal: Journal, shape: tuple[int, ...], scalar: Any, order: tuple[int, ...]) -> Symbol:
    """An array that holds one scalar everywhere, and need not be made while nobody asks."""
    return Symbol(Memory(journal, journal.alike(shape, scalar.dtype, order), None, scalar))

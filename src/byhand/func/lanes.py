"""Tensors that hold a batch and look like one example of it: what functions under `vmap` compute with.

`Lanes` stands in the `array` of such a tensor; its `value` is a tensor with the batch as axis 0, which may be a batch
of an outer `vmap` in turn. All recording happens on the innermost tensors: the tape knows nothing of `vmap`.
"""

from __future__ import annotations

from typing import Any, NoReturn, Self

import numpy as np

from byhand.core.errors import DtypeError, UsageError
from byhand.core.lanes import Level, StandIn, running
from byhand.func.rules import mapped
from byhand.ops.views import expanded
from byhand.tensor import Tensor

SEEN = "vmap: a value of the batch cannot be looked at ({}), since there is one for each example; use byhand.where"


class Lanes(StandIn):
    """A batch, with the shape of one example."""

    __slots__ = ("level", "value")
    base = None

    def __init__(self, value: Tensor, level: int) -> None:
        self.value, self.level = value, level

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape[1:]

    @property
    def ndim(self) -> int:
        return len(self.value.shape) - 1

    @property
    def size(self) -> int:
        return int(np.prod(self.shape, dtype=int))

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.value.dtype

    @property
    def itemsize(self) -> int:
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        return self.size * self.itemsize

    @property
    def strides(self) -> tuple[int, ...]:
        return self.value.array.strides[1:]

    @property
    def flags(self) -> Any:
        return self.value.array.flags

    def take_over(self, op: Any, operands: tuple[Any, ...], attrs: dict[str, Any]) -> Any:
        own = [isinstance(x, Tensor) and isinstance(x.array, Lanes) and x.array.level == self.level for x in operands]
        values = [x.array.value if mine else x for x, mine in zip(operands, own, strict=True)]
        return batched(mapped(op, values, own, attrs), self.level)

    def plain(self) -> Tensor:
        inner: Any = self.value.array
        return batched(inner.plain() if isinstance(inner, Lanes) else Tensor(inner), self.level)

    def somewhere(self) -> bool:
        inner: Any = self.value.array
        return inner.somewhere() if isinstance(inner, Lanes) else bool(inner.any())


class Batched(Tensor):
    """A tensor under `vmap`: the shape of one example, the values of all."""

    __slots__ = ()
    array: Any

    @property
    def requires_grad(self) -> bool:
        return self.array.value.requires_grad  # type: ignore[no-any-return]

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        self.requires_grad_(wanted)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        if not requires_grad and not self.requires_grad:
            return self
        raise UsageError("vmap: requires_grad_() under vmap is not there; use byhand.func.grad")

    def detach(self) -> Tensor:
        return batched(self.array.value.detach(), self.array.level)

    @property
    def data(self) -> Tensor:
        return self.detach()

    @data.setter
    def data(self, value: Any) -> NoReturn:
        raise UsageError("vmap: .data cannot be set under vmap")

    def item(self) -> NoReturn:
        raise UsageError(SEEN.format("item()"))

    def tolist(self) -> NoReturn:
        raise UsageError(SEEN.format("tolist()"))

    def numpy(self, *, force: bool = False) -> NoReturn:
        raise UsageError(SEEN.format("numpy()"))

    def __len__(self) -> int:
        if not self.array.ndim:
            raise DtypeError("len() of a tensor without axes")
        return self.shape[0]

    def __bool__(self) -> NoReturn:
        raise UsageError(SEEN.format("if, while, and, or"))

    def __contains__(self, value: Any) -> NoReturn:
        raise UsageError(SEEN.format("in"))

    def backward(self, *_: Any, **__: Any) -> NoReturn:
        raise UsageError("vmap: backward() under vmap is not there; use byhand.func.grad")

    def __repr__(self) -> str:
        return f"Batched(level={self.array.level}, value={self.array.value!r})"

    __hash__ = Tensor.__hash__


def _refusing(name: str) -> Any:
    def refuse(self: Any, *_: Any, **__: Any) -> NoReturn:
        raise UsageError(
            f"vmap: {name} under vmap is not there, since it changes its tensor; write x = x + y for x += y, and "
            "byhand.where, scatter or index_copy for x[i] = y"
        )

    return refuse


for _name in dir(Tensor):
    if (_name.endswith("_") and not _name.endswith("__") and _name not in ("requires_grad_", "detach_")) or (
        _name == "__setitem__" or (_name.startswith("__i") and callable(getattr(Tensor, "__" + _name[3:], None)))
    ):
        setattr(Batched, _name, _refusing(_name))


def batched(value: Any, level: int) -> Tensor:
    """A tensor with a batch as axis 0, as one example of it."""
    made = object.__new__(Batched)
    made.array, made.node = Lanes(value, level), None
    return made


def is_batched(x: Any, level: int) -> bool:
    """Whether x is a batch of this very `vmap`."""
    return isinstance(x, Tensor) and isinstance(x.array, Lanes) and x.array.level == level


class Vmap(Level):
    """A running `vmap`, as the random draws see it."""

    def drawn(self, generator: np.random.Generator, method: str, arguments: dict[str, Any]) -> Any:
        """Random numbers: one draw for all examples, one for each, or an error, as `randomness` says for each level."""
        levels = running.levels
        if any(level.randomness == "error" for level in levels):
            raise UsageError(
                "vmap: the function draws random numbers; say randomness='different' for other ones in each example, "
                "or randomness='same'"
            )
        lanes = [level for level in levels if level.randomness == "different"]
        draw = getattr(generator, method)
        if not lanes:
            return np.asarray(draw(**arguments))
        front = tuple(level.size for level in lanes)
        if "size" in arguments:
            array = draw(**{**arguments, "size": (*front, *arguments["size"])})
        else:
            rows = [draw(**arguments) for _ in range(int(np.prod(front)))]
            array = np.stack(rows).reshape(*front, *rows[0].shape)
        return wrapped(Tensor(array), [level.number for level in lanes])


def wrapped(value: Tensor, levels: list[int]) -> Tensor:
    """A tensor whose first axes are the batches of these levels (ascending), as one example."""
    for level in levels:
        value = batched(value, level)
    return value


def spread(x: Any, levels: list[Level]) -> Tensor:
    """The tensor with the batches of these levels (ascending) as its first axes; expanded where it lacks one."""
    if not levels:
        return x  # type: ignore[no-any-return]
    *lower, top = levels
    return spread(x.array.value if is_batched(x, top.number) else expanded(x, shape=(top.size, *x.shape)), lower)

"""Python numbers that a captured step reads at each call: learning rates, momenta, step counts, float arguments.

While a step is captured a `Number` stands in the number's place. Its arithmetic is written into the program; what
Python decides by it (`if momentum:`) becomes a guard, under which the program holds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from byhand.core.errors import CaptureError
from byhand.core.op import OPS
from byhand.program.ir import Value

if TYPE_CHECKING:
    from byhand.program.tracer import Tracer

Plain = int | float


class Number:
    """A number of a program.

    current     what it is in the step that is being captured
    value       its value in the program
    expression  Python's text of it, in terms of the numbers that are read
    """

    __slots__ = ("current", "expression", "tracer", "value")

    def __init__(self, tracer: Tracer, value: Value, current: Plain, expression: str) -> None:
        self.tracer, self.value, self.current, self.expression = tracer, value, current, expression

    def _with(self, op: str, sign: str, other: Any, swapped: bool = False) -> Any:
        if isinstance(other, np.ndarray):
            return OPS[op].call(*((other, self) if swapped else (self, other)))
        if not isinstance(other, Number | int | float):
            return NotImplemented
        return self.tracer.arithmetic(op, sign, *((other, self) if swapped else (self, other)))

    def __add__(self, other: Any) -> Any:
        return self._with("add", "+", other)

    def __radd__(self, other: Any) -> Any:
        return self._with("add", "+", other, True)

    def __sub__(self, other: Any) -> Any:
        return self._with("sub", "-", other)

    def __rsub__(self, other: Any) -> Any:
        return self._with("sub", "-", other, True)

    def __mul__(self, other: Any) -> Any:
        return self._with("mul", "*", other)

    def __rmul__(self, other: Any) -> Any:
        return self._with("mul", "*", other, True)

    def __truediv__(self, other: Any) -> Any:
        return self._with("true_divide", "/", other)

    def __rtruediv__(self, other: Any) -> Any:
        return self._with("true_divide", "/", other, True)

    def __pow__(self, other: Any) -> Any:
        return self._with("pow", "**", other)

    def __rpow__(self, other: Any) -> Any:
        return self._with("pow", "**", other, True)

    def __neg__(self) -> Any:
        return self.tracer.arithmetic("neg", "-", self)

    def __pos__(self) -> Any:
        return self

    def _compared(self, sign: str, other: Any, outcome: Callable[[Any, Any], bool]) -> Any:
        if not isinstance(other, Number | int | float):
            return NotImplemented
        if isinstance(other, Number) and other.expression == self.expression:
            return outcome(0, 0)
        return self.tracer.guard(f"{self.expression} {sign} {expression(other)}", outcome(self.current, current(other)))

    def __bool__(self) -> bool:
        return self.tracer.guard(f"bool({self.expression})", bool(self.current))

    def __eq__(self, other: object) -> Any:
        return self._compared("==", other, lambda a, b: a == b)

    def __ne__(self, other: object) -> Any:
        return self._compared("!=", other, lambda a, b: a != b)

    def __lt__(self, other: Any) -> Any:
        return self._compared("<", other, lambda a, b: a < b)

    def __le__(self, other: Any) -> Any:
        return self._compared("<=", other, lambda a, b: a <= b)

    def __gt__(self, other: Any) -> Any:
        return self._compared(">", other, lambda a, b: a > b)

    def __ge__(self, other: Any) -> Any:
        return self._compared(">=", other, lambda a, b: a >= b)

    __array_ufunc__ = None  # arrays leave the arithmetic to it

    def __float__(self) -> float:
        raise self._frozen("a float (by math.sqrt or the like); write it with +, −, *, / and **")

    def __int__(self) -> int:
        raise self._frozen("an int")

    __index__ = __int__

    def _frozen(self, what: str) -> CaptureError:
        return self.tracer.refusal(f"turned into {what}", f"the number {self.value.name or self.expression}")

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise self._frozen("an array")

    def __repr__(self) -> str:
        return f"<number {self.expression} = {self.current!r}>"


def _freezing(what: str) -> Any:
    def method(self: Number, *_: Any) -> Any:
        raise self._frozen(what)

    return method


for _names, _what in {
    "floordiv rfloordiv mod rmod divmod rdivmod round floor ceil trunc": "a rounded number",
    "abs": "its magnitude", "hash": "a key", "str format": "text", "complex": "a complex number",
}.items():  # fmt: skip
    for _name in _names.split():
        setattr(Number, f"__{_name}__", _freezing(_what))


def current(x: Any) -> Any:
    """The plain number that stands for now where a `Number` may stand."""
    return x.current if isinstance(x, Number) else x


def expression(x: Any) -> str:
    """Its text."""
    return x.expression if isinstance(x, Number) else repr(x)

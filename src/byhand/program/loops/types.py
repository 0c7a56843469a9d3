"""The types of the language of loops: numbers, booleans and pointers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from llvmlite import ir


@dataclass(frozen=True)
class Type:
    """A number by its name in the text: f4, i8, u1, …; b1 is a boolean, one bit in a register."""

    code: str

    @property
    def llvm(self) -> Any:
        """LLVM's type."""
        if self.code[0] == "f":
            return ir.FloatType() if self.code == "f4" else ir.DoubleType()
        return ir.IntType(1 if self.code == "b1" else 8 * int(self.code[1:]))

    @property
    def bits(self) -> int:
        """Its size."""
        return 1 if self.code == "b1" else 8 * int(self.code[1:])


@dataclass(frozen=True)
class Pointer(Type):
    """An address of numbers of one type."""

    target: Type

    @property
    def llvm(self) -> Any:
        """LLVM's type."""
        return self.target.llvm.as_pointer()


class Term(NamedTuple):
    """A value while it is translated; without a type, a Python number that takes the type of its surroundings."""

    llvm: Any
    type: Any


NUMBERS = {code: Type(code) for code in ("f4", "f8", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1")}
POINTERS = {code: Pointer("p", kind) for code, kind in NUMBERS.items()}
BOOLEAN, INDEX = Type("b1"), NUMBERS["i8"]

"""The types of the language of loops, what a translated expression is, and the text of LLVM that is being written."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np


@dataclass(frozen=True)
class Type:
    """A number by its name in the text: f4, i8, u1, …; b1 is a boolean, one bit in a register; `to` makes a pointer."""

    code: str
    to: Type | None = None

    @property
    def llvm(self) -> str:
        """LLVM's name."""
        if self.to is not None:
            return "ptr"
        return {"f4": "float", "f8": "double"}.get(self.code, f"i{self.bits}")

    @property
    def bits(self) -> int:
        """Its size."""
        return 1 if self.code == "b1" else 8 * int(self.code[1:])

    @property
    def is_float(self) -> bool:
        """Whether it is f4 or f8."""
        return self.code[0] == "f"

    @property
    def is_signed(self) -> bool:
        """Whether it is an integer that may be negative."""
        return self.code[0] == "i"


NUMBERS = {code: Type(code) for code in ("f4", "f8", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1")}
POINTERS = {code: Type("p8", kind) for code, kind in NUMBERS.items()}
BOOLEAN, INDEX = Type("b1"), NUMBERS["i8"]


class Term(NamedTuple):
    """A value while it is translated: LLVM's text of it and its type, or a Python number that has none yet."""

    text: str
    type: Type | None
    literal: Any = None

    @property
    def kind(self) -> Type:
        """Its type, which it has."""
        assert self.type is not None, f"{self.literal} has no type yet"
        return self.type


def literal(value: Any) -> Term:
    """A Python number that takes the type of its surroundings."""
    return Term("", None, value)


def constant(value: Any, kind: Type) -> Term:
    """A number as LLVM writes it; floats by their bits, so that none is lost."""
    if kind.is_float:
        exact = float(np.float32(value)) if kind.code == "f4" else float(value)
        return Term(f"0x{struct.unpack('>Q', struct.pack('>d', exact))[0]:016X}", kind)
    if kind == BOOLEAN:
        return Term("true" if value else "false", kind)
    return Term(str(int(value)), kind)


@dataclass(eq=False)
class Block:
    """The text of one function: its instructions, and what it asks of other modules.

    top       instructions before all others: the places of variables
    declared  of the whole module: functions that are defined elsewhere
    """

    declared: dict[str, str]
    top: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    count: int = 0

    def name(self, stem: str = "v") -> str:
        """A name that is not taken."""
        self.count += 1
        return f"{stem}{self.count}"

    def do(self, kind: Type, instruction: str) -> Term:
        """An instruction; its result, of this type."""
        name = f"%{self.name()}"
        self.lines.append(f"  {name} = {instruction}")
        return Term(name, kind)

    def run(self, instruction: str) -> None:
        """An instruction without a result."""
        self.lines.append(f"  {instruction}")

    def label(self, name: str) -> None:
        """The begin of a basic block."""
        self.lines.append(f"{name}:")

    def place(self, kind: Type) -> str:
        """Room for a variable."""
        name = f"%{self.name()}"
        self.top.append(f"  {name} = alloca {kind.llvm}")
        return name

    @property
    def ended(self) -> bool:
        """Whether the last instruction leaves the block."""
        return bool(self.lines) and self.lines[-1].startswith(("  ret", "  br"))


def cast(block: Block, x: Term, kind: Type) -> Term:
    """A value or a literal in another type, as C converts it."""
    if x.type is None:
        return constant(x.literal, kind)
    if x.type == kind:
        return x
    source = x.type
    signed = (kind if source.is_float else source).is_signed
    if kind.is_float and source.is_float:
        word = "fpext" if kind.bits > source.bits else "fptrunc"
    elif kind.is_float:
        word = "sitofp" if signed else "uitofp"
    elif source.is_float:
        word = "fptosi" if signed else "fptoui"
    elif kind.bits == source.bits:
        return Term(x.text, kind)
    else:
        word = "trunc" if kind.bits < source.bits else "sext" if signed else "zext"
    return block.do(kind, f"{word} {source.llvm} {x.text} to {kind.llvm}")


def alike(block: Block, a: Term, b: Term) -> tuple[Term, Term]:
    """Two terms of one type: a literal takes that of the other."""
    if a.type is None and b.type is None:
        raise TypeError(f"{a.literal} and {b.literal} need a type")
    a = cast(block, a, b.kind) if a.type is None else a
    b = cast(block, b, a.kind) if b.type is None else b
    if a.type != b.type:
        raise TypeError(f"{a.type} beside {b.type}")
    return a, b


def compare(block: Block, sign: str, a: Term, b: Term, flags: str = "") -> Term:
    """`a sign b`; with NaN only != holds."""
    signed = {"==": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}[sign]
    if a.kind.is_float:
        word = f"fcmp {flags}{'une' if sign == '!=' else 'o' + signed}"
    elif sign in ("==", "!="):
        word = f"icmp {signed}"
    else:
        word = f"icmp {'s' if a.kind.is_signed else 'u'}{signed}"
    return block.do(BOOLEAN, f"{word} {a.kind.llvm} {a.text}, {b.text}")


def select(block: Block, condition: Term, x: Term, y: Term, flags: str = "") -> Term:
    """x where the condition holds, else y: no branch."""
    return block.do(x.kind, f"select {flags}i1 {condition.text}, {x.kind.llvm} {x.text}, {y.kind.llvm} {y.text}")

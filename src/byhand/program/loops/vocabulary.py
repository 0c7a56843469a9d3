"""The words of the language of loops: casts, selections, sums in any order, roundings, bits, addresses, BLAS.

Each is a function of LLVM's builder and the arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir

from byhand.program.loops.types import BOOLEAN, INDEX, NUMBERS, POINTERS, Pointer, Term, Type

Word = Callable[..., Term]

HEADER = object.__basicsize__
"""Where in a NumPy array's object the address of its data stands: right behind what every Python object begins with.

Reading it there takes no time; `array.ctypes.data` takes 1.0 µs, as long as three of the small kernels."""

ANY_ORDER = ("reassoc", "nsz", "contract")
"""What LLVM may do with a running sum: add up in as many lanes as the machine has."""


def cast(builder: Any, x: Term, kind: Type) -> Term:
    """A value or a literal in another type, as C converts it."""
    if x.type is None:
        return Term(ir.Constant(kind.llvm, float(x.llvm) if kind.code[0] == "f" else int(x.llvm)), kind)
    if x.type == kind:
        return x
    to_float, of_float = kind.code[0] == "f", x.type.code[0] == "f"
    signed = (kind if of_float else x.type).code[0] == "i"
    if to_float and of_float:
        change = builder.fpext if kind.bits > x.type.bits else builder.fptrunc
    elif to_float:
        change = builder.sitofp if signed else builder.uitofp
    elif of_float:
        change = builder.fptosi if signed else builder.fptoui
    elif kind.bits > x.type.bits:
        change = builder.sext if signed else builder.zext
    elif kind.bits < x.type.bits:
        change = builder.trunc
    else:
        return Term(x.llvm, kind)
    return Term(change(x.llvm, kind.llvm), kind)


def _alike(builder: Any, a: Term, b: Term) -> tuple[Term, Term]:
    if a.type is None:
        a = cast(builder, a, b.type)
    b = cast(builder, b, a.type) if b.type is None else b
    assert a.type == b.type, f"{a.type} beside {b.type}"
    return a, b


def _where(builder: Any, condition: Term, x: Term, y: Term) -> Term:
    x, y = _alike(builder, x, y)
    return Term(builder.select(condition.llvm, x.llvm, y.llvm), x.type)


def _wins(builder: Any, sign: str, a: Term, b: Term, flags: tuple[str, ...] = ()) -> Any:
    if a.type.code[0] == "f":
        return builder.fcmp_ordered(sign, a.llvm, b.llvm, flags=flags)
    return (builder.icmp_signed if a.type.code[0] == "i" else builder.icmp_unsigned)(sign, a.llvm, b.llvm)


def _extreme(sign: str) -> Word:
    """The larger or smaller of two, and NaN if one is NaN, as NumPy has it."""

    def word(builder: Any, a: Term, b: Term) -> Term:
        a, b = _alike(builder, a, b)
        wins = _wins(builder, sign, a, b)
        if a.type.code[0] == "f":
            wins = builder.or_(wins, builder.fcmp_unordered("uno", a.llvm, a.llvm))
        return Term(builder.select(wins, a.llvm, b.llvm), a.type)

    return word


def _running_extreme(sign: str) -> Word:
    """The same for a running total, in any order; a NaN may get lost."""

    def word(builder: Any, total: Term, x: Term) -> Term:
        total, x = _alike(builder, total, x)
        flags = ("nnan", "nsz") if x.type.code[0] == "f" else ()
        chosen = builder.select(_wins(builder, sign, x, total, flags), x.llvm, total.llvm, flags=flags)
        return Term(chosen, x.type)

    return word


def _running(of_floats: str, of_integers: str) -> Word:
    def word(builder: Any, total: Term, x: Term) -> Term:
        total, x = _alike(builder, total, x)
        if x.type.code[0] == "f":
            return Term(getattr(builder, of_floats)(total.llvm, x.llvm, flags=ANY_ORDER), x.type)
        return Term(getattr(builder, of_integers)(total.llvm, x.llvm), x.type)

    return word


def _intrinsic(name: str) -> Word:
    def word(builder: Any, *terms: Term) -> Term:
        kind = terms[0].type
        terms = tuple(cast(builder, x, kind) if x.type is None else x for x in terms)
        function = builder.module.declare_intrinsic(f"llvm.{name}", [kind.llvm])
        return Term(builder.call(function, [x.llvm for x in terms]), kind)

    return word


def _casting(kind: Type) -> Word:
    return lambda builder, x: cast(builder, x, kind)


def _bits(source: Type, target: Type) -> Word:
    return lambda builder, x: Term(builder.bitcast(cast(builder, x, source).llvm, target.llvm), target)


def _pointer(kind: Pointer) -> Word:
    def word(builder: Any, table: Term, k: Term) -> Term:
        place = builder.add(table.llvm, ir.Constant(INDEX.llvm, 8 * int(k.llvm)))
        return _address_at(builder, place, kind)

    return word


def _argument(kind: Pointer) -> Word:
    def word(builder: Any, identity: Term) -> Term:
        return _address_at(builder, builder.add(identity.llvm, ir.Constant(INDEX.llvm, HEADER)), kind)

    return word


def _address_at(builder: Any, place: Any, kind: Pointer) -> Term:
    address = builder.load(builder.inttoptr(place, INDEX.llvm.as_pointer()))
    return Term(builder.inttoptr(address, kind.llvm), kind)


def _at(builder: Any, start: Term, offset: Term) -> Term:
    number = cast(builder, offset, INDEX)
    place = builder.gep(start.llvm, [number.llvm], inbounds=True, source_etype=start.type.target.llvm)
    return Term(place, start.type)


def _gemm(symbol: str, kind: Type) -> Word:
    """C ← α op(A) op(B) + β C, row by row: CBLAS's gemm, behind a symbol for which the linker has the address."""

    def word(
        builder: Any, flip_a: Term, flip_b: Term, m: Term, n: Term, k: Term, alpha: Term, a: Term, lda: Term, b: Term,
        ldb: Term, beta: Term, c: Term, ldc: Term,
    ) -> Term:  # fmt: skip
        count, word = _integer_of_blas(), ir.IntType(32)
        pointer = kind.llvm.as_pointer()
        kinds = [word] * 3 + [count] * 3 + [kind.llvm, pointer, count, pointer, count, kind.llvm, pointer, count]
        function = builder.module.globals.get(symbol)
        if function is None:
            function = ir.Function(builder.module, ir.FunctionType(ir.VoidType(), kinds), symbol)
        row_major, flips = word(101), [word(112 if x.llvm else 111) for x in (flip_a, flip_b)]
        whole = [count(int(x.llvm)) for x in (m, n, k, lda, ldb, ldc)]
        real = [cast(builder, x, kind).llvm for x in (alpha, beta)]
        builder.call(
            function,
            [row_major, *flips, *whole[:3], real[0], a.llvm, whole[3], b.llvm, whole[4], real[1], c.llvm, whole[5]],
        )
        return Term(None, None)

    return word


def _integer_of_blas() -> Any:
    from byhand.program.loops.blas import numpys_blas

    blas = numpys_blas()
    return ir.IntType(8 * (blas.integer if blas is not None else 8))


WORDS: dict[str, Word] = {
    "where": _where, "maximum": _extreme(">"), "minimum": _extreme("<"),
    "plus": _running("fadd", "add"), "times": _running("fmul", "mul"),
    "larger": _running_extreme(">"), "smaller": _running_extreme("<"),
    **{name: _intrinsic(name) for name in ("floor", "ceil", "trunc", "rint", "sqrt", "fabs", "copysign")},
    **{code: _casting(kind) for code, kind in NUMBERS.items()},
    **{f"pointer_{code}": _pointer(kind) for code, kind in POINTERS.items()},
    **{f"argument_{code}": _argument(kind) for code, kind in POINTERS.items()},
    "at": _at,
    "bits_f4": _bits(NUMBERS["f4"], NUMBERS["i4"]), "of_bits_f4": _bits(NUMBERS["i4"], NUMBERS["f4"]),
    "bits_f8": _bits(NUMBERS["f8"], NUMBERS["i8"]), "of_bits_f8": _bits(NUMBERS["i8"], NUMBERS["f8"]),
    "gemm_f4": _gemm("byhand_sgemm", NUMBERS["f4"]), "gemm_f8": _gemm("byhand_dgemm", NUMBERS["f8"]),
}  # fmt: skip


__all__ = ["BOOLEAN", "HEADER", "WORDS", "cast"]

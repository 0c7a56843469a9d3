"""The words of the language of loops: casts, selections, sums in any order, roundings, bits, addresses, BLAS.

Each is a function of the text that is being written and of its arguments.
"""

from __future__ import annotations

from collections.abc import Callable

from byhand.program.loops.blas import SYMBOLS, numpys_blas
from byhand.program.loops.teamwork import DECLARED, FOLLOW, LEAD, MACHINE
from byhand.program.loops.terms import (
    BOOLEAN,
    INDEX,
    NUMBERS,
    POINTERS,
    Block,
    Term,
    Type,
    alike,
    cast,
    compare,
    literal,
    select,
)

Word = Callable[..., Term]

HEADER = object.__basicsize__
"""Where in a NumPy array's object the address of its data stands: right behind what every Python object begins with.

Reading it there takes no time; `array.ctypes.data` takes 1.0 µs, a third of the smallest step."""

ANY_ORDER = "reassoc nsz contract"
"""What LLVM may do with a running sum: add up in as many lanes as the machine has."""

ROW_MAJOR, AS_IT_IS, FLIPPED = 101, 111, 112  # of CBLAS


def _where(block: Block, condition: Term, x: Term, y: Term) -> Term:
    return select(block, condition, *alike(block, x, y))


def _extreme(sign: str) -> Word:
    """The larger or smaller of two, and NaN if one is NaN, as NumPy has it."""

    def word(block: Block, a: Term, b: Term) -> Term:
        a, b = alike(block, a, b)
        wins = compare(block, sign, a, b)
        if a.kind.is_float:
            odd = compare(block, "!=", a, a)
            wins = block.do(BOOLEAN, f"or i1 {wins.text}, {odd.text}")
        return select(block, wins, a, b)

    return word


def _running_extreme(sign: str) -> Word:
    """The same for a running total, in any order; a NaN may get lost."""

    def word(block: Block, total: Term, x: Term) -> Term:
        total, x = alike(block, total, x)
        flags = "nnan nsz " if x.kind.is_float else ""
        return select(block, compare(block, sign, x, total, flags), x, total, flags)

    return word


def _running(name: str) -> Word:
    def word(block: Block, total: Term, x: Term) -> Term:
        total, x = alike(block, total, x)
        instruction = f"f{name} {ANY_ORDER}" if x.kind.is_float else name
        return block.do(x.kind, f"{instruction} {x.kind.llvm} {total.text}, {x.text}")

    return word


def _intrinsic(name: str) -> Word:
    def word(block: Block, *terms: Term) -> Term:
        kind = next(x.kind for x in terms if x.type is not None)
        llvm, arguments = kind.llvm, [cast(block, x, kind).text for x in terms]
        symbol = f"llvm.{name}.f{kind.bits}"
        block.declared[symbol] = f"declare {llvm} @{symbol}({', '.join([llvm] * len(terms))})"
        return block.do(kind, f"call {llvm} @{symbol}({', '.join(f'{llvm} {x}' for x in arguments)})")

    return word


def _casting(kind: Type) -> Word:
    return lambda block, x: cast(block, x, kind)


def _bits(source: Type, target: Type) -> Word:
    def word(block: Block, x: Term) -> Term:
        return block.do(target, f"bitcast {source.llvm} {cast(block, x, source).text} to {target.llvm}")

    return word


def _pointer(kind: Type) -> Word:
    def word(block: Block, table: Term, k: Term) -> Term:
        return _address_at(block, block.do(INDEX, f"add i64 {table.text}, {8 * k.literal}"), kind)

    return word


def _argument(kind: Type) -> Word:
    def word(block: Block, identity: Term) -> Term:
        return _address_at(block, block.do(INDEX, f"add i64 {identity.text}, {HEADER}"), kind)

    return word


def _address_at(block: Block, place: Term, kind: Type) -> Term:
    pointer = block.do(kind, f"inttoptr i64 {place.text} to ptr")
    return block.do(kind, f"load ptr, ptr {pointer.text}")


def _at(block: Block, start: Term, offset: Term) -> Term:
    assert start.kind.to is not None
    number = cast(block, offset, INDEX)
    return block.do(start.kind, f"getelementptr inbounds {start.kind.to.llvm}, ptr {start.text}, i64 {number.text}")


def _gemm(symbol: str, kind: Type) -> Word:
    """C ← α op(A) op(B) + β C, row by row: CBLAS's gemm, behind a symbol for which the linker has the address."""

    def word(
        block: Block, flip_a: Term, flip_b: Term, m: Term, n: Term, k: Term, alpha: Term, a: Term, lda: Term, b: Term,
        ldb: Term, beta: Term, c: Term, ldc: Term,
    ) -> Term:  # fmt: skip
        blas = numpys_blas()
        whole = f"i{8 * (blas.integer if blas is not None else 8)}"
        flips = [FLIPPED if flip.literal else AS_IT_IS for flip in (flip_a, flip_b)]
        arguments: list[tuple[str, object]] = [("i32", ROW_MAJOR), *[("i32", flip) for flip in flips]]
        arguments += [(whole, _whole(block, x, whole)) for x in (m, n, k)]
        arguments += [(kind.llvm, cast(block, alpha, kind).text), ("ptr", a.text), (whole, lda.literal)]
        arguments += [("ptr", b.text), (whole, ldb.literal), (kind.llvm, cast(block, beta, kind).text)]
        arguments += [("ptr", c.text), (whole, ldc.literal)]
        block.declared[symbol] = f"declare void @{symbol}({', '.join(name for name, _ in arguments)})"
        block.run(f"call void @{symbol}({', '.join(f'{name} {x}' for name, x in arguments)})")
        return literal(None)

    return word


def _whole(block: Block, x: Term, llvm: str) -> object:
    """A number of rows as BLAS takes it; it may depend on the part that is computed."""
    if x.type is None:
        return x.literal
    return x.text if llvm == "i64" else block.do(INDEX, f"trunc i64 {x.text} to {llvm}").text


def _lead(block: Block, team: Term, given: Term, work: Term, parts: Term) -> Term:
    """Have all parts of a function computed by whoever comes; see `teamwork`."""
    block.declared["pause"], block.declared["lead"] = DECLARED, LEAD
    block.run(f"call void @lead(i64 {team.text}, ptr {work.text}, i64 {given.text}, i64 {parts.literal})")
    return literal(None)


def _follow(block: Block, team: Term, patience: Term) -> Term:
    """Compute parts of what others lead, until there has been none for a while; 1 if it is over for good."""
    block.declared["pause"], block.declared["follow"] = DECLARED, FOLLOW
    return block.do(INDEX, f"call i64 @follow(i64 {team.text}, i64 {patience.text})")


def _keep(block: Block, memory: Term, k: Term, x: Term) -> Term:
    """Write a number to place k of a memory of 8 bytes each; `kept_i8` and `kept_f8` read it."""
    block.run(f"store {x.kind.llvm} {x.text}, ptr {_kept_at(block, memory, k)}")
    return literal(None)


def _kept(kind: Type) -> Word:
    return lambda block, memory, k: block.do(kind, f"load {kind.llvm}, ptr {_kept_at(block, memory, k)}")


def _kept_at(block: Block, memory: Term, k: Term) -> str:
    place = block.do(INDEX, f"add i64 {memory.text}, {8 * k.literal}")
    return block.do(INDEX, f"inttoptr i64 {place.text} to ptr").text


def _flush(block: Block) -> Term:
    """Let numbers that are too small to be normal be 0 from here on; what was the case before, for `restore`."""
    if MACHINE in ("x86_64", "amd64"):
        place = block.place(NUMBERS["i4"])
        block.declared["llvm.x86.sse.stmxcsr"] = "declare void @llvm.x86.sse.stmxcsr(ptr)"
        block.run(f"call void @llvm.x86.sse.stmxcsr(ptr {place})")
        before = block.do(NUMBERS["i4"], f"load i32, ptr {place}")
        _restore(block, block.do(NUMBERS["i4"], f"or i32 {before.text}, {0x8040}"))
        return before
    if MACHINE in ("aarch64", "arm64"):
        block.declared["llvm.aarch64.get.fpcr"] = "declare i64 @llvm.aarch64.get.fpcr()"
        before = block.do(INDEX, "call i64 @llvm.aarch64.get.fpcr()")
        _restore(block, block.do(INDEX, f"or i64 {before.text}, {1 << 24}"))
        return before
    return cast(block, literal(0), INDEX)


def _restore(block: Block, mode: Term) -> Term:
    """Treat small numbers as before."""
    if MACHINE in ("x86_64", "amd64"):
        place = block.place(NUMBERS["i4"])
        block.run(f"store i32 {mode.text}, ptr {place}")
        block.declared["llvm.x86.sse.ldmxcsr"] = "declare void @llvm.x86.sse.ldmxcsr(ptr)"
        block.run(f"call void @llvm.x86.sse.ldmxcsr(ptr {place})")
    elif MACHINE in ("aarch64", "arm64"):
        block.declared["llvm.aarch64.set.fpcr"] = "declare void @llvm.aarch64.set.fpcr(i64)"
        block.run(f"call void @llvm.aarch64.set.fpcr(i64 {mode.text})")
    return literal(None)


WORDS: dict[str, Word] = {
    "where": _where, "maximum": _extreme(">"), "minimum": _extreme("<"),
    "plus": _running("add"), "times": _running("mul"),
    "larger": _running_extreme(">"), "smaller": _running_extreme("<"),
    **{name: _intrinsic(name) for name in ("floor", "ceil", "trunc", "rint", "sqrt", "fabs", "copysign")},
    **{code: _casting(kind) for code, kind in NUMBERS.items()},
    **{f"pointer_{code}": _pointer(kind) for code, kind in POINTERS.items()},
    **{f"argument_{code}": _argument(kind) for code, kind in POINTERS.items()},
    "at": _at, "flush": _flush, "restore": _restore,
    "lead": _lead, "follow": _follow, "keep": _keep, "kept_i8": _kept(NUMBERS["i8"]), "kept_f8": _kept(NUMBERS["f8"]),
    "bits_f4": _bits(NUMBERS["f4"], NUMBERS["i4"]), "of_bits_f4": _bits(NUMBERS["i4"], NUMBERS["f4"]),
    "bits_f8": _bits(NUMBERS["f8"], NUMBERS["i8"]), "of_bits_f8": _bits(NUMBERS["i8"], NUMBERS["f8"]),
    "gemm_f4": _gemm(SYMBOLS[0], NUMBERS["f4"]), "gemm_f8": _gemm(SYMBOLS[1], NUMBERS["f8"]),
}  # fmt: skip

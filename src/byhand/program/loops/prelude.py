"""The names that generated modules use: Numba's decorators, and what takes one instruction but has no name in Python.

Numba is imported here, inside of the function, and only when a module is compiled; one that is in the cache needs none
of this.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from byhand.program.loops import mathematics
from byhand.program.loops.blas import Blas

CODES = {
    "f4": np.float32, "f8": np.float64, "i8": np.int64, "i4": np.int32, "i2": np.int16, "i1": np.int8,
    "u8": np.uint64, "u4": np.uint32, "u2": np.uint16, "u1": np.uint8,
}  # fmt: skip
"""The numbers of loops by their names in generated text. Booleans (b1) are bytes in memory."""

HEADER = object.__basicsize__
"""Where in a NumPy array's object the address of its data stands: right behind what every Python object begins with.

Reading it there takes no time; `array.ctypes.data` takes 1.0 µs, as long as three of the small kernels."""


@functools.cache
def namespace(blas: Blas | None) -> dict[str, Any]:
    """The names, for `exec`; a generated module is run in a copy of it."""
    from numba import njit

    exact = {"error_model": "numpy", "fastmath": {"contract"}}
    names: dict[str, Any] = {"np": np, **CODES}
    names["nest"] = njit(**exact, pipeline_class=_without_aliases())
    names["formula"] = njit(**exact, forceinline=True)
    names |= _bits() | _selections() | _accumulations() | _roundings() | _pointers()
    if blas is not None:
        names |= _products(blas)
    return names


def _without_aliases() -> Any:
    """Numba's compiler, told that no two pointers of a nest lead to the same memory.

    Without that LLVM tests each pair before a loop, and does not vectorise one with more than a few.
    """
    from numba.core.compiler import Compiler

    class WithoutAliases(Compiler):  # type: ignore[misc, no-any-unimported]
        def __init__(self, *args: Any) -> None:
            args[5].noalias = True  # the flags
            super().__init__(*args)

    return WithoutAliases


def _bits() -> dict[str, Any]:
    from numba import types
    from numba.extending import intrinsic

    def reinterpreted(source: Any, target: Any) -> Any:
        @intrinsic
        def bits(typing: Any, x: Any) -> Any:
            def generate(context: Any, builder: Any, _: Any, args: Any) -> Any:
                return builder.bitcast(args[0], context.get_value_type(target))

            return target(source), generate

        return bits

    return {
        "bits_f4": reinterpreted(types.float32, types.int32),
        "of_bits_f4": reinterpreted(types.int32, types.float32),
        "bits_f8": reinterpreted(types.float64, types.int64),
        "of_bits_f8": reinterpreted(types.int64, types.float64),
    }


def _selections() -> dict[str, Any]:
    """`where`, and `maximum` and `minimum` as NumPy has them: NaN if one is NaN."""
    from numba import types
    from numba.extending import intrinsic

    @intrinsic
    def where(typing: Any, condition: Any, x: Any, y: Any) -> Any:
        def generate(context: Any, builder: Any, _: Any, args: Any) -> Any:
            return builder.select(*args)

        return (x(types.boolean, x, y), generate) if x == y else None

    def extreme(sign: str) -> Any:
        @intrinsic
        def extreme_of(typing: Any, x: Any, y: Any) -> Any:
            def generate(context: Any, builder: Any, _: Any, args: Any) -> Any:
                a, b = args
                if isinstance(x, types.Float):
                    wins = builder.or_(builder.fcmp_ordered(sign, a, b), builder.fcmp_unordered("uno", a, a))
                else:
                    wins = (builder.icmp_signed if x.signed else builder.icmp_unsigned)(sign, a, b)
                return builder.select(wins, a, b)

            return (x(x, y), generate) if x == y else None

        return extreme_of

    return {"where": where, "maximum": extreme(">"), "minimum": extreme("<")}


def _accumulations() -> dict[str, Any]:
    """Sums, products and extremes that LLVM may compute in any order, as many at a time as the machine can."""
    from numba import types
    from numba.extending import intrinsic

    free = ("reassoc", "nsz", "contract")

    def accumulation(of_floats: Any, of_integers: Any) -> Any:
        @intrinsic
        def accumulated(typing: Any, total: Any, x: Any) -> Any:
            def generate(context: Any, builder: Any, _: Any, args: Any) -> Any:
                return (of_floats if isinstance(x, types.Float) else of_integers)(builder, *args)

            return (x(x, x), generate) if x == total else None

        return accumulated

    def extreme(sign: str) -> Any:
        def of_floats(builder: Any, a: Any, b: Any) -> Any:  # a NaN may get lost: nests look for NaN besides
            flags = ("nnan", "nsz")
            return builder.select(builder.fcmp_ordered(sign, b, a, flags=flags), b, a, flags=flags)

        def of_integers(builder: Any, a: Any, b: Any) -> Any:
            return builder.select(builder.icmp_signed(sign, b, a), b, a)

        return accumulation(of_floats, of_integers)

    return {
        "plus": accumulation(lambda b, x, y: b.fadd(x, y, flags=free), lambda b, x, y: b.add(x, y)),
        "times": accumulation(lambda b, x, y: b.fmul(x, y, flags=free), lambda b, x, y: b.mul(x, y)),
        "larger": extreme(">"),
        "smaller": extreme("<"),
    }


def _roundings() -> dict[str, Any]:
    from numba.extending import intrinsic

    def rounding(name: str, count: int = 1) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            kind = context.get_value_type(signature.return_type)
            return builder.call(builder.module.declare_intrinsic(f"llvm.{name}", [kind]), args)

        @intrinsic
        def of_one(typing: Any, x: Any) -> Any:
            return x(x), generate

        @intrinsic
        def of_two(typing: Any, x: Any, y: Any) -> Any:
            return x(x, y), generate

        return of_one if count == 1 else of_two

    names = {name: rounding(name) for name in ("floor", "ceil", "trunc", "rint", "sqrt", "fabs")}
    return {**names, "copysign": rounding("copysign", 2)}


def _pointers() -> dict[str, Any]:
    """`pointer_f4(table, k)`, an address in the table; `argument_f4(x)`, the data of the array with this id; `at(p, 3)`."""
    from llvmlite import ir
    from numba import types
    from numba.extending import intrinsic
    from numba.np.numpy_support import from_dtype

    def of_table(target: Any) -> Any:
        @intrinsic
        def pointer(typing: Any, table: Any, k: Any) -> Any:
            def generate(context: Any, builder: Any, _: Any, args: Any) -> Any:
                word = ir.IntType(64)
                address = builder.load(builder.gep(builder.inttoptr(args[0], word.as_pointer()), [args[1]]))
                return builder.inttoptr(address, context.get_value_type(target))

            return target(table, k), generate

        return pointer

    def of_object(target: Any) -> Any:
        @intrinsic
        def argument(typing: Any, identity: Any) -> Any:
            def generate(context: Any, builder: Any, _: Any, args: Any) -> Any:
                word = ir.IntType(64)
                place = builder.add(args[0], word(HEADER))
                address = builder.load(builder.inttoptr(place, word.as_pointer()))
                return builder.inttoptr(address, context.get_value_type(target))

            return target(identity), generate

        return argument

    @intrinsic
    def at(typing: Any, start: Any, offset: Any) -> Any:
        def generate(context: Any, builder: Any, _: Any, args: Any) -> Any:
            return builder.gep(args[0], [args[1]])

        return start(start, offset), generate

    found = {"at": at}
    for code, dtype in CODES.items():
        target = types.CPointer(from_dtype(np.dtype(dtype)))
        found |= {f"pointer_{code}": of_table(target), f"argument_{code}": of_object(target)}
    return found


def _products(blas: Blas) -> dict[str, Any]:
    """`gemm_f4` and `gemm_f8`: C ← α op(A) op(B) + β C, all row by row, as CBLAS has it."""
    from llvmlite import ir
    from numba import types
    from numba.extending import intrinsic

    def product(symbol: str, real: Any, real_type: Any) -> Any:
        count = ir.IntType(8 * blas.integer)
        pointer = types.CPointer(real)

        @intrinsic
        def gemm(
            typing: Any, flip_a: Any, flip_b: Any, m: Any, n: Any, k: Any, alpha: Any, a: Any, lda: Any, b: Any,
            ldb: Any, beta: Any, c: Any, ldc: Any,
        ) -> Any:  # fmt: skip
            def generate(context: Any, builder: Any, _: Any, args: Any) -> Any:
                word, address = ir.IntType(32), context.get_value_type(pointer)
                kinds = [word] * 3 + [count] * 3 + [real_type, address, count, address, count, real_type, address, count]
                function = builder.module.globals.get(symbol)
                if function is None:
                    function = ir.Function(builder.module, ir.FunctionType(ir.VoidType(), kinds), symbol)
                flips = [builder.trunc(x, word) for x in args[:2]]
                sizes = {i: builder.trunc(x, count) if blas.integer < 8 else x for i, x in enumerate(args)}
                flip = [builder.select(builder.icmp_signed("!=", x, word(0)), word(112), word(111)) for x in flips]
                rest = [sizes[i] if i in (2, 3, 4, 7, 9, 12) else args[i] for i in range(2, 13)]
                builder.call(function, [word(101), *flip, *rest])
                return context.get_dummy_value()

            whole = types.int64
            kinds = (whole, whole, whole, whole, whole, real, pointer, whole, pointer, whole, real, pointer, whole)
            return types.void(*kinds), generate

        return gemm

    return {
        "gemm_f4": product(blas.symbols[0], types.float32, ir.FloatType()),
        "gemm_f8": product(blas.symbols[1], types.float64, ir.DoubleType()),
    }


__all__ = ["CODES", "HEADER", "mathematics", "namespace"]

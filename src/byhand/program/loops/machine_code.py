"""From generated text to functions of the machine: LLVM optimises what `translation` wrote, and the result is kept.

The object file goes into the cache; the next process loads it in 0.03 s. Kernels are called through ctypes, 0.3 µs a
call. LLVM comes with llvmlite, the part of Numba that is needed here.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from byhand.core.errors import UsageError
from byhand.program.loops import cache
from byhand.program.loops.blas import SYMBOLS, Blas
from byhand.program.loops.terms import NUMBERS

INTEGER, REAL = "i8", "f8"
"""The parameters of a kernel: addresses and identities, and Python's numbers."""

Parameters = Sequence[str]

COMPILER = "machine_code", "teamwork", "terms", "translation", "vocabulary"

_loaded: dict[str, dict[str, int]] = {}
_engines: list[Any] = []  # they own the code


def functions(source: str, kernels: Mapping[str, Parameters], blas: Blas | None) -> dict[str, Callable[..., int]]:
    """The functions `kernels` of a generated module, by name; each takes integers and reals and returns an integer.

    Raises UsageError if llvmlite is not installed.
    """
    key = _key(source, blas)
    addresses = _loaded.get(key)
    if addresses is None:
        code = cache.read(key)
        if code is None:
            code = compiled(source, kernels, blas)
            cache.write(key, code)
        addresses = _loaded[key] = _load(code, list(kernels), blas)
    kinds: dict[str, Any] = {INTEGER: ctypes.c_int64, REAL: ctypes.c_double}
    return {
        name: ctypes.CFUNCTYPE(ctypes.c_int64, *[kinds[kind] for kind in parameters])(addresses[name])
        for name, parameters in kernels.items()
    }


def optimised(source: str, kernels: Mapping[str, Parameters], blas: Blas | None) -> Any:
    """The module as LLVM has it in the end, before it becomes machine code; `str` of it is readable."""
    from byhand.program.loops.translation import translate

    llvm = _llvm()
    _announce(llvm, blas)
    text = translate(source, {name: [NUMBERS[p] for p in parameters] for name, parameters in kernels.items()})
    machine = _machine(llvm)
    module = llvm.parse_assembly(text)
    module.triple, module.data_layout = machine.triple, str(machine.target_data)
    module.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    options.loop_vectorization = options.slp_vectorization = True
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    return module


def compiled(source: str, kernels: Mapping[str, Parameters], blas: Blas | None) -> bytes:
    """The module as an object file for this machine."""
    code: bytes = _machine(_llvm()).emit_object(optimised(source, kernels, blas))
    return code


def _load(code: bytes, names: Sequence[str], blas: Blas | None) -> dict[str, int]:
    llvm = _llvm()
    _announce(llvm, blas)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _machine(llvm))
    engine.add_object_file(llvm.object_file.ObjectFileRef.from_data(code))
    engine.finalize_object()
    _engines.append(engine)
    return {name: engine.get_function_address(name) for name in names}


@functools.cache
def _llvm() -> Any:
    try:
        import llvmlite.binding as llvm
    except ImportError as error:
        raise UsageError(
            "the loops dialect compiles with LLVM, by way of llvmlite, which is not installed; type "
            "`pip install 'byhand[fast]'`, or choose dialect=\"planned\", which needs NumPy alone"
        ) from error
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    llvm.create_mcjit_compiler(
        llvm.parse_assembly(""), _machine(llvm)
    )  # opens this process to LLVM: memset and its kin
    return llvm


def _machine(llvm: Any) -> Any:
    features = llvm.get_host_cpu_features().flatten()
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(cpu=llvm.get_host_cpu_name(), features=features, opt=3, jit=True)


def _announce(llvm: Any, blas: Blas | None) -> None:
    if blas is not None:
        for symbol, address in zip(SYMBOLS, blas.addresses, strict=True):
            llvm.add_symbol(symbol, address)


def _key(source: str, blas: Blas | None) -> str:
    """What the machine code depends on: the text, this compiler, LLVM, the processor, and how BLAS is called."""
    llvm = _llvm()
    version = ".".join(map(str, llvm.llvm_version_info))
    processor = llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()
    parts = source, _own_text(), version, *processor, str(blas and blas.integer)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@functools.cache
def _own_text() -> str:
    """The text of the compiler, so that a new version of it does not find what an old one left."""
    folder = Path(__file__).parent
    return "".join((folder / f"{name}.py").read_text("utf-8") for name in COMPILER)

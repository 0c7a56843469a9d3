"""From generated text to functions of the machine: Numba translates, LLVM optimises, and what comes out is kept.

Numba is the translator only. Its LLVM module, without the parts that talk to Python, becomes an object file in the
cache; the next process loads that through llvmlite alone (0.04 s, where Numba takes 0.25 to import and as much again
to warm up) and calls it through ctypes, 0.3 µs a call.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from byhand.core.errors import UsageError
from byhand.program.loops import cache, mathematics
from byhand.program.loops.blas import Blas

INTEGER, REAL = "i8", "f8"
"""The parameters of a kernel: addresses and identities, and Python's numbers."""

Parameters = Sequence[str]


def functions(source: str, kernels: Mapping[str, Parameters], blas: Blas | None) -> dict[str, Callable[..., int]]:
    """The functions `kernels` of a generated module, by name; each takes integers and reals and returns an integer.

    Raises UsageError if neither the cache has the module nor Numba is there to compile it.
    """
    key = _key(source, blas)
    addresses = _loaded.get(key)
    if addresses is None:
        code = cache.read(key)
        if code is None:
            code = compiled(source, kernels, blas)
            cache.write(key, code)
        addresses = _loaded[key] = _load(code, list(kernels), blas)
    kinds = {INTEGER: ctypes.c_int64, REAL: ctypes.c_double}
    return {
        name: ctypes.CFUNCTYPE(ctypes.c_int64, *[kinds[kind] for kind in parameters])(addresses[name])
        for name, parameters in kernels.items()
    }


_loaded: dict[str, dict[str, int]] = {}
_engines: list[Any] = []  # they own the code


def compiled(source: str, kernels: Mapping[str, Parameters], blas: Blas | None) -> bytes:
    """The module as an object file for this machine."""
    try:
        from numba import cfunc, types
    except ImportError as error:
        raise UsageError(
            "the loops dialect compiles with Numba, which is not installed; type `pip install 'byhand[fast]'`, or "
            'choose dialect="planned", which needs NumPy alone'
        ) from error
    from byhand.program.loops.prelude import namespace

    llvm = _llvm()
    _announce(llvm, blas)
    names = dict(namespace(blas))
    exec(compile(source, "<loops>", "exec"), names)
    kinds = {INTEGER: types.int64, REAL: types.float64}
    module, entries = None, {}
    for name, parameters in kernels.items():
        kernel = cfunc(types.int64(*[kinds[p] for p in parameters]), error_model="numpy")(names[name])
        part = llvm.parse_assembly(kernel.inspect_llvm())
        if module is None:
            module = part
        else:
            module.link_in(part)
        entries[kernel.native_name] = name
    return _object_file(llvm, module, entries)


def _object_file(llvm: Any, module: Any, entries: Mapping[str, str]) -> bytes:
    """Machine code of a module of which only the entries can be seen from outside.

    So the paths on which a kernel would have told Python of an exception are found dead and removed, and with them
    all references to Python and to Numba.
    """
    for function in module.functions:
        if not function.is_declaration:
            kept = entries.get(function.name)
            function.linkage = llvm.Linkage.internal if kept is None else llvm.Linkage.external
            if kept is not None:
                function.name = kept
    for variable in module.global_variables:
        if not variable.is_declaration:
            variable.linkage = llvm.Linkage.internal
    machine = _machine(llvm)
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=2))
    builder.getModulePassManager().run(module, builder)
    for function in module.functions:
        known = function.name.startswith("llvm.") or llvm.address_of_symbol(function.name) is not None
        if function.is_declaration and not known:
            raise NotImplementedError(f"compiled code asks for {function.name}, which nobody has")
    code: bytes = machine.emit_object(module)
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
            "the loops dialect needs Numba, which is not installed; type `pip install 'byhand[fast]'`, or choose "
            'dialect="planned", which needs NumPy alone'
        ) from error
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    llvm.create_mcjit_compiler(llvm.parse_assembly(""), _machine(llvm))  # opens this process to LLVM: memset, powf, …
    return llvm


def _machine(llvm: Any) -> Any:
    features = llvm.get_host_cpu_features().flatten()
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(cpu=llvm.get_host_cpu_name(), features=features, opt=3, jit=True)


def _announce(llvm: Any, blas: Blas | None) -> None:
    if blas is not None:
        for symbol, address in zip(blas.symbols, blas.addresses, strict=True):
            llvm.add_symbol(symbol, address)


def _key(source: str, blas: Blas | None) -> str:
    """What the machine code depends on: the text, this compiler, LLVM, the processor, and how BLAS is called."""
    import llvmlite

    llvm = _llvm()
    processor = llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()
    parts = source, _own_text(), llvmlite.__version__, *processor, str(blas and (blas.symbols, blas.integer))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@functools.cache
def _own_text() -> str:
    folder = Path(__file__).parent
    return "".join((folder / name).read_text("utf-8") for name in ("machine_code.py", "prelude.py"))


__all__ = ["INTEGER", "REAL", "compiled", "functions", "mathematics"]

"""`Loops`: a lowered program that runs as compiled loops and calls of BLAS."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from byhand.core.variable import Array
from byhand.program import interpreter
from byhand.program.ir import ARGUMENT, CHECK, CONSTANT, DRAW, STATE, Node, Program, Value, line
from byhand.program.layout import seen
from byhand.program.loops.assembly import Assembly, Kernel
from byhand.program.loops.axes import Spaces
from byhand.program.loops.blas import numpys_blas
from byhand.program.loops.expressions import known
from byhand.program.loops.machine_code import functions
from byhand.program.loops.outline import Settlement
from byhand.program.loops.placement import Placement
from byhand.program.loops.rewriting import rewritten
from byhand.program.loops.sources import sources
from byhand.program.loops.storage import Storage
from byhand.program.packing import ALIGNMENT
from byhand.program.primitives import FOLD, MAP, NUMERIC, PRODUCT
from byhand.program.profile import instrumented, medians
from byhand.program.schedule import schedule

NUMBERS = {"add": "+", "sub": "-", "mul": "*", "true_divide": "/", "pow": "**"}


class Loops:
    """A lowered program, to be run as compiled loops.

    source    the generated module, and below it the function that drives it
    kernels   how many fused nests there are
    nbytes    the memory for what is computed on the way
    """

    def __init__(self, program: Program) -> None:
        self.program = program = rewritten(schedule(program))
        fusible = {node for node in program.nodes if node.op.kind in (MAP, FOLD) and known(node)}
        found = sources(program)
        spaces = Spaces(program, found, fusible.__contains__)
        storage = Storage(found)

        def fixed(x: Value, axis: int) -> int | None:
            given = found[x].root.origin in (ARGUMENT, STATE, CONSTANT)
            return storage.spot(x).strides[axis] if given and axis >= 0 else None

        placement = Placement(program, spaces, fusible.__contains__, fixed)
        self.settlement = Settlement(placement, storage)
        self.assembly = Assembly(program, self.settlement, numpys_blas())
        self.kernels = self.assembly.nests
        self.nbytes = storage.nbytes
        self._driver = _Driver(self.assembly)
        self.source = self.assembly.source + "\n\n" + self._driver.text

    def bind(self, states: Sequence[Array]) -> Callable[..., tuple[Any, ...]]:
        """The function of arguments and numbers; it writes the states in place, and returns outputs and numbers."""
        return self._driver.bound(states)

    def profile(self, states: Sequence[Array], inputs: Sequence[Any], rounds: int) -> list[tuple[str, float, bool]]:
        """The nests, products and calls, each with its median seconds in so many runs and whether it is a product."""
        assembly = Assembly(self.program, self.settlement, numpys_blas(), split=True)
        driver = _Driver(assembly)
        watched = [step for step in assembly.steps]
        spent = [0.0] * len(watched)
        run = driver.bound(states, spent)
        seconds = medians(run, spent, inputs, rounds)
        found = []
        for step, t in zip(watched, seconds, strict=True):
            if isinstance(step, Kernel):
                found.append((step.lines[0], t, step.lines[0].startswith("#")))
            else:
                found.append((line(step, assembly.names), t, step.op.kind == PRODUCT))
        return found


class _Driver:
    """The Python function around the kernels."""

    def __init__(self, assembly: Assembly) -> None:
        self.assembly, self.program, self.names = assembly, assembly.program, assembly.names
        self.storage = assembly.storage
        self.names_of: dict[str, Any] = {}
        self.calls: list[tuple[str, Node]] = []
        self.text = self._text()

    def _text(self) -> str:
        program, names = self.program, self.names
        given = [names[x] for x in (*program.arguments, *program.numbers)]
        lines = [f"def run({', '.join(given)}):"]
        lines += [f"    {names[node.out]} = {self._number(node)}" for node in program.nodes if node.op.kind == NUMERIC]
        identities = [f"id({names[x]})" for x in program.arguments]
        passed = ", ".join(["table", *identities, *[names[x] for x in self.assembly.numbers]])
        for step in self.assembly.steps:
            if isinstance(step, Kernel):
                call = f"{step.name}({passed})"
                lines += [f"    failed = {call}", "    if failed:", "        raise complaint(failed)"] if self._checks(step) else [f"    {call}"]
            else:
                self.calls.append((f"call_{len(self.calls) + 1}", step))
                arguments = ", ".join(names[x] for x in self._given_to(step))
                lines.append(f"    {self.calls[-1][0]}({arguments})  # {line(step, names)}")
        results = [self._result(i, x) for i, x in enumerate(program.outputs)]
        results += [names[new] for _, new in program.number_writes]
        returned = f"({', '.join(results)}{',' if len(results) == 1 else ''})"
        copies = [f"    copy_{k + 1}()" for k, _ in enumerate(self.assembly.settlement.copies)]
        # a state may be returned as it was
        lines += [f"    results = {returned}", *copies, "    return results"] if copies else [f"    return {returned}"]
        return "\n".join(lines) + "\n"

    def _checks(self, kernel: Kernel) -> bool:
        return any(text.startswith("    return") for text in kernel.lines)

    def _number(self, node: Node) -> str:
        parts = [f"({self.names[x]})" if isinstance(x, Value) else repr(x) for x in node.inputs]
        return f"-{parts[0]}" if node.op.name == "neg" else f" {NUMBERS[node.op.name]} ".join(parts)

    def _given_to(self, node: Node) -> list[Value]:
        """The arguments and numbers that a node needs, which differ from run to run."""
        found = [x if x.dtype is None else self.assembly.settlement.placement.root(x) for x in node.values]
        return list(dict.fromkeys(x for x in found if x.origin == ARGUMENT or x.dtype is None))

    def _result(self, i: int, x: Any) -> str:
        if not isinstance(x, Value):
            return f"output_{i + 1}"
        if x.dtype is None:
            return self.names[x]
        if self.assembly.settlement.placement.root(x).origin == ARGUMENT:
            return f"output_{i + 1}({self.names[self.assembly.settlement.placement.root(x)]})"
        return f"output_{i + 1}()"

    # Binding.

    def bound(self, states: Sequence[Array], spent: list[float] | None = None) -> Callable[..., tuple[Any, ...]]:
        compiled = functions(self.assembly.source, self.assembly.kernels, self.assembly.blas)
        arrays = self._arrays(states)
        table = np.array([_address(arrays[root]) for root in self.assembly.table], np.int64)
        names: dict[str, Any] = {**compiled, "table": table.ctypes.data}
        names["complaint"] = lambda number: self._complaint(number, arrays)
        for name, node in self.calls:
            names[name] = self._call(node, arrays)
        for k, (state, new) in enumerate(self.assembly.settlement.copies):
            names[f"copy_{k + 1}"] = _copy(arrays[state], self._view(new, arrays))
        for i, x in enumerate(self.program.outputs):
            names[f"output_{i + 1}"] = self._output(x, arrays)
        # names as locals of an outer function: each is found 10 ns faster than as a global
        lines = self.text.splitlines()
        if spent is not None:
            names |= {"clock": time.perf_counter, "spent": spent}
            lines = instrumented(lines, [text.startswith(("    kernel_", "    failed = kernel_", "    call_")) for text in lines])
        inner = "\n".join("    " + text for text in lines)
        exec(f"def bind({', '.join(names)}):\n{inner}\n    return run", scope := {})
        run: Callable[..., tuple[Any, ...]] = scope["bind"](**names)
        run.memory = table, arrays  # type: ignore[attr-defined]  # kernels know addresses only: this keeps them valid
        return run

    def _arrays(self, states: Sequence[Array]) -> dict[Value, Array]:
        """The memory of each root that is not an argument."""
        storage = self.storage
        arrays: dict[Value, Array] = dict(zip(self.program.states, states, strict=True))
        for value in self.program.constants:
            arrays[value] = interpreter.empty(value)
            arrays[value][...] = value.data
        arena = _aligned(storage.nbytes)
        for root, piece in storage.pieces.items():
            dtype: Any = root.dtype
            steps = tuple(step * dtype.itemsize for step in storage.strides[root])
            arrays[root] = np.ndarray(root.shape, dtype, arena, piece.offset, steps)
        for root, state in storage.homes.items():
            arrays[root] = arrays[state]
        return arrays

    def _view(self, x: Value, arrays: dict[Value, Array]) -> Array:
        source = self.storage.sources[x]
        array = arrays[source.root]
        for node in source.views:
            array = seen(array, node)
        return array

    def _call(self, node: Node, arrays: dict[Value, Array]) -> Callable[..., None]:
        """What a node does that NumPy computes: its operands are looked at anew in each run if they differ."""
        given = self._given_to(node)
        static = [self._view(x, arrays) if isinstance(x, Value) and x.dtype is not None and self.storage.sources[x].root not in given else None for x in node.inputs]
        outs = [arrays[out] for out in node.outputs if out in arrays]

        def call(*now: Any) -> None:
            known = dict(zip(given, now, strict=True))
            inputs = []
            for x, array in zip(node.inputs, static, strict=True):
                if not isinstance(x, Value):
                    inputs.append(x)
                elif array is not None:
                    inputs.append(array)
                else:
                    inputs.append(known[x] if x.dtype is None else self._view(x, known))
            for out, result in zip(outs, interpreter.evaluate(node, inputs), strict=False):
                out[...] = result

        return call

    def _complaint(self, number: int, arrays: dict[Value, Array]) -> Exception:
        node = self.assembly.checks[number - 1]
        error: Exception = node.attrs["complain"](*[self._view(x, arrays) if isinstance(x, Value) else x for x in node.inputs[1:]])
        return error

    def _output(self, x: Any, arrays: dict[Value, Array]) -> Any:
        if not isinstance(x, Value) or x.dtype is None:
            return x
        source = self.storage.sources[x]
        if source.root.origin == ARGUMENT:
            return lambda array: self._view(x, {source.root: array}).copy()
        return self._view(x, arrays).copy


def _copy(target: Array, source: Array) -> Callable[[], None]:
    return lambda: np.copyto(target, source)


def _address(array: Array) -> int:
    return int(array.__array_interface__["data"][0])


def _aligned(count: int) -> Array:
    """So many bytes that begin a cache line."""
    whole = np.empty(count + ALIGNMENT, np.uint8)
    start = -_address(whole) % ALIGNMENT
    return whole[start : start + count]


__all__ = ["CHECK", "DRAW", "Loops"]

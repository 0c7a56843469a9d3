"""The Python function around the kernels: numbers, calls of kernels and of NumPy, fresh arrays for results."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from byhand.core.variable import Array
from byhand.program import interpreter
from byhand.program.ir import ARGUMENT, Node, Program, Value, line
from byhand.program.layout import address, seen
from byhand.program.loops.assembly import Assembly, Kernel
from byhand.program.loops.machine_code import INTEGER, functions
from byhand.program.loops.repetition import program, repetition, running
from byhand.program.loops.team import memory, team
from byhand.program.packing import ALIGNMENT
from byhand.program.primitives import NUMERIC
from byhand.program.profile import instrumented

SIGNS = {"add": "+", "sub": "-", "mul": "*", "true_divide": "/", "pow": "**"}

OVER = """

@part
def steps(given, part):
    first = kept_i8(given, 0) + part * {whole}
    for i in range({count}):
        kernel_1(first + i * {size})


def over(team, given, tables):
    keep(given, 0, tables)
    lead(team, given, steps, {parts})
    return 0
"""
"""What runs a kernel once for each row of the tables of a part."""

Run = Callable[..., tuple[Any, ...]]


class Driver:
    """The driver of an assembly.

    inner  makes loops of a program: for nodes that repeat a step
    text   of the function `run`
    calls  the nodes that NumPy computes, by the name of what computes them
    """

    def __init__(self, assembly: Assembly, inner: Callable[[Program], Any]) -> None:
        self.inner = inner
        self.assembly, self.program, self.names = assembly, assembly.program, assembly.names
        self.storage, self.copies = assembly.storage, assembly.settlement.copies
        self.calls: dict[str, Node] = {}
        self.text = "\n".join(self._lines()) + "\n"

    def _lines(self) -> list[str]:
        program, names = self.program, self.names
        lines = [f"def run({', '.join(names[x] for x in (*program.arguments, *program.numbers))}):"]
        lines += [f"    {names[node.out]} = {self._number(node)}" for node in program.nodes if node.op.kind == NUMERIC]
        identities = [f"id({names[x]})" for x in program.arguments]
        given = ", ".join(["table", *identities, *[names[x] for x in self.assembly.numbers]])
        failure = f"complaint({', '.join(['failed', *[names[x] for x in program.arguments]])})"
        for step in self.assembly.steps:
            if isinstance(step, Kernel):
                lines += self._kernel_call(step, given)
                lines += ["    if failed:", f"        raise {failure}"] if step.checks else []
            else:
                self.calls[f"call_{len(self.calls) + 1}"] = step
                changing = ", ".join(names[x] for x in self._changing(step))
                lines.append(f"    call_{len(self.calls)}({changing})  # {line(step, names)}")
        results = [self._result(i, x) for i, x in enumerate(program.outputs)]
        results += [names[new] for _, new in program.number_writes]
        returned = f"({', '.join(results)}{',' if len(results) == 1 else ''})"
        if not self.copies:
            return [*lines, f"    return {returned}"]
        copies = [f"    copy_{i + 1}()" for i in range(len(self.copies))]
        return [*lines, f"    results = {returned}", *copies, "    return results"]  # a state may be returned as it was

    def _kernel_call(self, kernel: Kernel, given: str) -> list[str]:
        result = "failed = " if kernel.checks else ""
        if not kernel.leads:
            return [f"    {result}{kernel.name}({given})"]
        call = f"        {result}{kernel.name}(team, given, {given})"
        return ["    team = begin(alone)", "    try:", call, "    finally:", "        end(team)"]

    def _number(self, node: Node) -> str:
        parts = [f"({self.names[x]})" if isinstance(x, Value) else f"({x!r})" for x in node.inputs]
        return f"-{parts[0]}" if node.op.name == "neg" else f" {SIGNS[node.op.name]} ".join(parts)

    def _root(self, x: Value) -> Value:
        return self.storage.sources[x].root if x.dtype is not None else x

    def _changing(self, node: Node) -> list[Value]:
        """The arguments and numbers that a node needs, which differ from run to run."""
        roots = dict.fromkeys(map(self._root, node.values))
        return [x for x in roots if x.dtype is None or x.origin == ARGUMENT]

    def _result(self, i: int, x: Any) -> str:
        if isinstance(x, Value) and x.dtype is None:
            return self.names[x]
        if isinstance(x, Value) and self._root(x).origin == ARGUMENT:
            return f"output_{i + 1}({self.names[self._root(x)]})"
        return f"output_{i + 1}()" if isinstance(x, Value) else f"output_{i + 1}"

    def bind(self, states: Sequence[Array], spent: list[float] | None = None) -> Run:
        """The function; with `spent`, the seconds of each call of a kernel or of NumPy are added to it."""
        arrays = self._arrays(states)
        table = np.array([address(arrays[root]) for root in self.assembly.table], np.int64)
        names: dict[str, Any] = {**functions(self.assembly.source, self.assembly.kernels, self.assembly.blas)}
        names |= {"table": table.ctypes.data, "complaint": functools.partial(self._complaint, arrays)}
        keep: list[Array] = []
        if any(isinstance(step, Kernel) and step.leads for step in self.assembly.steps):
            crew = team(self.assembly.settlement.threads)
            keep = [memory(), np.zeros(len(self.assembly.given), np.int64)]
            names |= {"begin": crew.begin, "end": crew.end, "alone": address(keep[0]), "given": address(keep[1])}
        names |= {name: self._call(node, arrays) for name, node in self.calls.items()}
        for i, (state, new) in enumerate(self.copies):
            names[f"copy_{i + 1}"] = _copying(arrays[state], self._view(new, arrays))
        names |= {f"output_{i + 1}": self._output(x, arrays) for i, x in enumerate(self.program.outputs)}
        lines = self.text.splitlines()
        if spent is not None:
            names |= {"clock": time.perf_counter, "spent": spent}
            watched = ("kernel_", "failed = kernel_", "call_")
            lines = instrumented(lines, [text.lstrip().startswith(watched) for text in lines])
        run = _function(lines, names)
        run.memory = table, arrays, keep  # type: ignore[attr-defined]  # kernels know addresses only: this keeps them valid
        return run

    def bind_over(self, parts: Sequence[Sequence[Sequence[Array]]]) -> Callable[[], None] | None:
        """A function that runs with the first array of each state, then with the second, and so on.

        That for each of `parts`, which may run at the same time: none reads what another one writes. None if Python
        keeps an array of some state, where kernels find theirs in the table.
        """
        if self.copies or self.calls or self.program.arguments or len(self.assembly.kernels) != 1:
            return None
        bound = [self._addresses(states) for states in parts]
        rows = np.concatenate([addresses for addresses, _ in bound])
        count, width = bound[0][0].shape
        source = self.assembly.source + OVER.format(
            count=count, size=8 * width, whole=8 * width * count, parts=len(parts)
        )
        over = functions(source, {"over": [INTEGER] * 3}, self.assembly.blas)["over"]
        crew, alone, given = team(len(parts)), memory(), np.zeros(1, np.int64)
        places = address(given), address(rows)

        def run() -> None:
            leading = crew.begin(address(alone))
            try:
                over(leading, *places)
            finally:  # an interrupt, which Python raises when machine code has returned, must not keep the team
                crew.end(leading)

        run.memory = bound, rows, given  # type: ignore[attr-defined]
        return run

    def _addresses(self, states: Sequence[Sequence[Array]]) -> tuple[Array, object]:
        """The table of each run of `bind_over`, and what keeps its addresses valid."""
        arrays = self._arrays([each[0] for each in states])
        table = np.array([address(arrays[root]) for root in self.assembly.table], np.int64)
        addresses = np.tile(table, (len(states[0]), 1))
        places = dict(zip(self.program.states, states, strict=True))
        for column, root in enumerate(self.assembly.table):
            memory = self.storage.memory(root) if root in self.storage.homes else root
            if memory in places:
                addresses[:, column] = [address(array) for array in places[memory]]
        return addresses, arrays

    def _arrays(self, states: Sequence[Array]) -> dict[Value, Array]:
        """The memory of each root that is not an argument."""
        storage = self.storage
        arrays = _Arrays(zip(self.program.states, states, strict=True))
        arena = _aligned(storage.nbytes)
        for root, piece in storage.pieces.items():
            dtype: Any = root.dtype
            steps = tuple(step * dtype.itemsize for step in storage.strides[root])
            arrays[root] = np.ndarray(root.shape, dtype, arena, piece.offset, steps)
        for root in storage.homes:
            arrays[root] = arrays[storage.memory(root)]
        return arrays

    def _view(self, x: Value, arrays: dict[Value, Array]) -> Array:
        source = self.storage.sources[x]
        array = arrays[source.root]
        for node in source.views:
            array = seen(array, node)
        return array

    def _call(self, node: Node, arrays: dict[Value, Array]) -> Callable[..., None]:
        """A function of what changes that computes a node with NumPy."""
        changing = self._changing(node)
        fixed = {x: self._view(x, arrays) for x in node.values if self._root(x) not in changing}
        outs = [(i, arrays[out]) for i, out in enumerate(node.outputs) if out in arrays]
        repeated = None if changing else self._repeated(node, fixed, dict(outs))
        if repeated is not None:
            return repeated

        def now(x: Any, known: dict[Value, Any]) -> Any:
            if not isinstance(x, Value) or x.dtype is None:
                return known.get(x, x) if isinstance(x, Value) else x
            return fixed[x] if x in fixed else self._view(x, known)

        def call(*given: Any) -> None:
            known = dict(zip(changing, given, strict=True))
            with np.errstate(all="ignore"):  # as in the nests, and in eager kernels that know what they do
                results = interpreter.evaluate(node, [now(x, known) for x in node.inputs])
            for i, out in outs:
                out[...] = results[i]

        return call

    def _repeated(self, node: Node, fixed: dict[Value, Array], outs: dict[int, Array]) -> Callable[[], None] | None:
        """A function that runs a node's step as often as it says, if it is a loop over time."""
        inputs = [fixed[x] if isinstance(x, Value) else x for x in node.inputs]
        whole = [outs[i] if i in outs else np.empty(x.shape, x.dtype) for i, x in enumerate(node.outputs)]
        found = repetition(node, inputs, whole)
        if found is None:
            return None
        parts = found.parts(self.assembly.settlement.threads)
        over = self.inner(program(parts[0])).bind_over([[*part.reads, *part.writes] for part in parts])
        return None if over is None else running(found, over)

    def _complaint(self, arrays: dict[Value, Array], number: int, *arguments: Array) -> Exception:
        """What to raise when a check has failed."""
        node = self.assembly.checks[number - 1]
        known = _Arrays({**arrays, **dict(zip(self.program.arguments, arguments, strict=True))})
        shown = [self._view(x, known) if isinstance(x, Value) else x for x in node.inputs[1:]]
        error: Exception = node.attrs["complain"](*shown)
        return error

    def _output(self, x: Any, arrays: dict[Value, Array]) -> Any:
        """A result that does not change, or what makes a fresh one."""
        if not isinstance(x, Value) or x.dtype is None:
            return x
        root = self._root(x)
        if root.origin == ARGUMENT:
            return lambda array: self._view(x, {root: array}).copy()
        return self._view(x, arrays).copy


class _Arrays(dict[Value, Array]):
    """The arrays of roots; those of constants are made when somebody asks, since most constants are in the text."""

    def __missing__(self, value: Value) -> Array:
        array = self[value] = interpreter.empty(value)
        array[...] = value.data
        return array


def _function(lines: Sequence[str], names: dict[str, Any]) -> Run:
    """The function `run`, for which these names are those of a function around it: found 10 ns sooner than globals."""
    space: dict[str, Any] = {}
    inner = "\n".join("    " + text for text in lines)
    exec(f"def bind({', '.join(names)}):\n{inner}\n    return run\n", space)
    run: Run = space["bind"](**names)
    return run


def _copying(target: Array, source: Array) -> Callable[[], None]:
    return lambda: np.copyto(target, source)


def _aligned(count: int) -> Array:
    """So many bytes that begin a cache line: elementwise work is up to twice as fast there."""
    whole = np.empty(count + ALIGNMENT, np.uint8)
    start = -address(whole) % ALIGNMENT
    return whole[start : start + count]

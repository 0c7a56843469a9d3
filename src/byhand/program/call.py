"""The call of a program, written out like the program itself: checks that it still holds, then runs it.

An entry is asked at each call of the compiled function whether shapes, modes, tensors and numbers are what they were.
As loops over lists that took 8 µs; as straight-line Python made for the one entry it takes 2. Called by `entry`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from byhand.core.capture import UnforeseenError, structure
from byhand.core.errors import ByhandError, DomainError
from byhand.core.generator import numpy_generator
from byhand.core.mutation import touch_all
from byhand.core.recorder import wrap
from byhand.core.tape import mode
from byhand.core.variable import Array, Variable
from byhand.program.ir import CHECK, DRAW, Value
from byhand.program.surroundings import Surroundings
from byhand.program.tree import unflatten

if TYPE_CHECKING:
    from byhand.program.entry import Entry

MISS: Any = object()
"""What a call returns if the program does not hold."""


def written_out(entry: Entry, leaves: tuple[Any, ...], surroundings: Surroundings) -> Callable[[tuple[Any, ...]], Any]:
    """The function of the flattened arguments that runs the program of `entry`, or returns MISS."""
    if entry.provisional:
        return lambda leaves: MISS
    text = _Text(entry)
    text.check_arguments(leaves)
    text.check_surroundings(surroundings)
    text.check_states()
    text.check_gradients()
    text.read_numbers()
    text.run()
    source = "def call(leaves):\n" + "\n".join(f"    {line}" for line in text.lines)
    exec(source, text.names)  # the text is our own, from counted names only
    function: Callable[[tuple[Any, ...]], Any] = text.names["call"]
    return function


class _Text:
    """The lines, and the objects they name."""

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.lines: list[str] = []
        self.names: dict[str, Any] = {
            "MISS": MISS, "mode": mode, "wrap": wrap, "laid_out": laid_out, "touch_all": touch_all,
            "unflatten": unflatten, "copyto": np.copyto, "asarray": np.asarray,
            "UnforeseenError": UnforeseenError, "structure": structure, "as_eager": as_eager,
        }  # fmt: skip
        self.arguments: list[str] = []

    def name(self, thing: Any) -> str:
        """A name for an object."""
        name = f"k{len(self.names)}"
        self.names[name] = thing
        return name

    def require(self, condition: str) -> None:
        """Miss unless this holds."""
        self.lines.append(f"if not ({condition}): return MISS")

    def check_arguments(self, leaves: tuple[Any, ...]) -> None:
        """Kinds, shapes, dtypes; arrays are brought into C order."""
        self.require(f"len(leaves) == {len(leaves)}")
        for i, leaf in enumerate(leaves):
            self.lines.append(f"x{i} = leaves[{i}]")
            if isinstance(leaf, Variable):
                self.require(f"isinstance(x{i}, {self.name(Variable)})")
                self.lines.append(f"a{i} = x{i}.array")
                self._check_array(i, leaf.array)
                self.require(f"x{i}.node is {'' if leaf.node is None else 'not '}None")
            elif isinstance(leaf, np.ndarray):
                self.require(f"type(x{i}) is {self.name(np.ndarray)}")
                self.lines.append(f"a{i} = x{i}")
                self._check_array(i, leaf)
            elif isinstance(leaf, np.floating):
                self.require(f"type(x{i}) is {self.name(type(leaf))}")
                self.lines.append(f"a{i} = asarray(x{i})")
            elif isinstance(leaf, np.generic):
                self.require(f"type(x{i}) is {self.name(type(leaf))} and x{i} == {self.name(leaf)}")
            elif type(leaf) is float:
                self.require(f"type(x{i}) is float")
            elif isinstance(leaf, int | str | bytes | None):
                self.require(f"type(x{i}) is {self.name(type(leaf))} and x{i} == {leaf!r}")
            else:
                self.require(f"x{i} is {self.name(leaf)}")
        self.require("mode.recording" if self.entry.recording else "not mode.recording")

    def _check_array(self, i: int, array: Array) -> None:
        self.require(f"a{i}.shape == {array.shape} and a{i}.dtype == {self.name(array.dtype)}")
        dense = np.empty(array.shape, array.dtype)
        self.lines.append(f"if a{i}.strides != {dense.strides}: a{i} = laid_out(a{i}, {tuple(range(array.ndim))})")

    def check_surroundings(self, surroundings: Surroundings) -> None:
        """Modes of modules, what functions name, and what modules consist of."""
        version = self.name(structure.version)
        self.lines += [f"global {version}", f"if structure.version != {version}:"]
        self.lines.append(f"    if {self.name(surroundings.is_rebuilt)}(): return MISS")
        self.lines.append(f"    {version} = structure.version")
        tests = [f"{self.name(m)}.training is {training}" for m, training in surroundings.modes]
        used = {id(x) for x, _ in self.entry.states} | {id(x) for x, _ in surroundings.modes}
        used |= {id(x) for x, _ in self.entry.optimizers}
        bindings = [*surroundings.bindings, *(held for held in surroundings.held if id(held[2]) in used)]
        tests += [f"{self._place(where, key)} is {self.name(x)}" for where, key, x in bindings]
        for where, key, value in surroundings.numbers:
            tests.append(f"{self._place(where, key)} == {self.name(value)}")
        for i in range(0, len(tests), 8):
            self.require(" and ".join(tests[i : i + 8]))

    def _place(self, where: Any, key: Any) -> str:
        """A name in a namespace, a place in a list, or what a closure's cell holds."""
        name = self.name(where)
        if isinstance(where, list):
            return f"(len({name}) > {key} and {name}[{key}])"
        return f"{name}.get({self.name(key)})" if isinstance(where, dict) else f"{name}.cell_contents"

    def check_states(self) -> None:
        """The tensors must look at the arrays that the program is bound to; frozen ones must have stayed so."""
        tests = [f"{self.name(owner)}.array is {self.name(array)}" for owner, array in self.entry.states]
        for optimizer, state in self.entry.optimizers:
            names = self.name(optimizer), self.name(state)
            tests.append(f"{names[0]}.state is {names[1]} and len({names[1]}) == {len(state)}")
            tests.append(f"len({names[0]}.param_groups) == {len(optimizer.param_groups)}")
        tests += [f"{self.name(x)}.node is {'not ' if tracked else ''}None" for x, tracked in self.entry.tensors]
        for i in range(0, len(tests), 8):
            self.require(" and ".join(tests[i : i + 8]))

    def check_gradients(self) -> None:
        """Gradients that the step adds to must be there, and those it makes anew must not."""
        plan = self.entry.plan
        for target in plan.empty:
            self.require(f"{self._target(target)}.grad is None")
        for place, (index, owner, value) in enumerate(plan.places):
            if owner is None:
                self.arguments.append(f"a{index}")
                continue
            self.lines.append(f"g{place} = {self._target(owner)}.grad")
            self.require(f"g{place} is not None and g{place}.array.dtype == {self.name(value.dtype)}")
            self.lines.append(f"g{place} = g{place}.array")
            self.lines.append(f"if g{place}.strides != {strides(value)}: g{place} = laid_out(g{place}, {value.order})")
            self.arguments.append(f"g{place}")

    def read_numbers(self) -> None:
        """The numbers that are read at each call, and what Python decided by them."""
        for source in self.entry.sources:
            name = source.number.expression
            if not source.containers:
                self.lines.append(f"{name} = x{source.key}")
                continue
            place = f"[{source.key!r}]" + ("" if source.index is None else f"[{source.index}]")
            first, *others = [self.name(container) for container in source.containers]
            self.lines.append(f"{name} = {first}{place}")
            for other in others:
                self.require(f"{other}{place} == {name}")
        for guard, outcome in self.entry.guards.items():
            self.require(guard if outcome else f"not ({guard})")
        used = set(self.entry.executable.program.numbers)
        self.arguments += [s.number.expression for s in self.entry.sources if s.number.value in used]

    def run(self) -> None:
        """The run itself, then what it leaves behind."""
        plan = self.entry.plan
        run = f"out = {self.name(self.entry.run_program)}({', '.join(self.arguments)})"
        nodes = self.entry.program.nodes
        checks = [node.attrs["complain"] for node in nodes if node.op is CHECK]
        drawn = {numpy_generator(node.attrs["generator"]).bit_generator for node in nodes if node.op is DRAW}
        streams = [f"{self.name(bits)}.state" for bits in drawn] if checks else []
        kept = [f"s{i}" for i in range(len(streams))]
        back = [f"    {stream} = {name}" for name, stream in zip(kept, streams, strict=True)]
        self.lines += [f"{name} = {stream}" for name, stream in zip(kept, streams, strict=True)]
        self.lines += ["try:", f"    {run}"]
        if UnforeseenError in checks:
            self.lines += ["except UnforeseenError:", *back, "    return MISS"]
        self.lines += ["except Exception as error:", *back, "    raise as_eager(error)"]
        if self.entry.stamps:
            self.lines.append(f"touch_all({self.name(self.entry.stamps)})")
        for position, source in enumerate(self.entry.number_writes, len(self.entry.program.outputs)):
            for container in source.containers:
                self.lines.append(f"{self.name(container)}[{source.key!r}] = out[{position}]")
        for target, gradient in plan.gradients:
            made = "None" if gradient is None else f"wrap(out[{gradient}])"
            self.lines.append(f"{self._target(target)}.grad = {made}")
        for x, wanted in plan.switched:
            self.lines.append(f"{self.name(x)}.requires_grad_({wanted})")
        for module, training in plan.modes:
            self.lines.append(f"{self.name(module)}.training = {training}")
        for index, position in plan.changed:
            array = f"x{index}.array" if plan.tensors[index] else f"x{index}"
            self.lines.append(f"copyto({array}, out[{position}])")
        results = [self._result(kind, what) for kind, what in plan.results]
        if plan.structure is None:
            self.lines.append(f"return {results[0]}")
        elif results and plan.structure == (tuple, (None,) * len(results)):  # unflatten would take 1 µs
            self.lines.append(f"return ({', '.join(results)},)")
        else:
            listed = "".join(f"{result}, " for result in results)
            self.lines.append(f"return unflatten({self.name(plan.structure)}, iter(({listed})))")

    def _target(self, target: Any) -> str:
        return f"x{target}" if isinstance(target, int) else self.name(target)

    def _result(self, kind: Any, what: Any) -> str:
        if kind is None:
            return self.name(what)
        if kind == "given":
            return f"x{what}"
        return f"wrap(out[{what}])" if kind is Variable else f"out[{what}]"


def as_eager(error: Exception) -> Exception:
    """What an eager step raises: NumPy's word of an index that is out of bounds is a DomainError there."""
    if not isinstance(error, IndexError) or isinstance(error, ByhandError):
        return error
    found = DomainError(str(error))
    found.__cause__ = error
    return found


def laid_out(array: Array, order: tuple[int, ...]) -> Array:
    """A copy of the array whose axes lie in memory in this order, without gaps."""
    back = tuple(np.argsort(order))
    return np.ascontiguousarray(array.transpose(order)).transpose(back)


def strides(value: Value) -> tuple[int, ...]:
    """The strides of an array that looks like a value, without gaps."""
    assert value.dtype is not None
    steps, step = [0] * len(value.shape), value.dtype.itemsize
    for axis in reversed(value.order):
        steps[axis] = step
        step *= value.shape[axis]
    return tuple(steps)

"""The program: a straight line of nodes over values with fixed shapes, and the effects it has on what lives outside.

Written by `capture`, rewritten by `passes`, refined by `lowering` (from ops to single NumPy calls), printed by
`longhand` and run by `planned` and `loops`. A value is computed once and never changes; what was an in-place change is
a new value and, at the end, a write to a state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from byhand.core.errors import ByhandError
from byhand.core.variable import Array

FORWARD, BACKWARD, UPDATE = "forward", "backward", "update"
SECTIONS = (FORWARD, BACKWARD, UPDATE)

# Where a value comes from.
ARGUMENT = "argument"  # an array given at each call
NUMBER = "number"  # a Python number read at each call: a learning rate, a step count
STATE = "state"  # an array that lives outside and may be written: a parameter, a moment, a running mean
CONSTANT = "constant"  # an array fixed when the program was captured; its contents are `data`
COMPUTED = "computed"


class ProgramError(ByhandError, AssertionError):
    """A program that is not well-formed: a defect of a pass, never of a user's model."""


class Value:
    """One array, or one Python number, of a program.

    shape, dtype   of the array; a Python number has shape () and dtype None
    order          the axes from the slowest to the fastest in memory: (0, 1) is C order, (1, 0) Fortran's
    origin         one of ARGUMENT, NUMBER, STATE, CONSTANT, COMPUTED
    name           for a state its path (`fc1.weight`), for an argument its parameter name; else "" or a wish
    data           the array of a constant (of a state at capture, for its memory layout only); None for others
    gradient_of    the value whose cotangent this is, if backward handed it on
    """

    __slots__ = ("data", "dtype", "gradient_of", "name", "order", "origin", "shape")

    def __init__(
        self,
        shape: tuple[int, ...],
        dtype: np.dtype[Any] | None,
        order: tuple[int, ...] | None = None,
        origin: str = COMPUTED,
        name: str = "",
        data: Any = None,
    ) -> None:
        self.shape, self.dtype, self.origin, self.name, self.data = shape, dtype, origin, name, data
        self.order = tuple(range(len(shape))) if order is None else order
        self.gradient_of: Value | None = None

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        n = 1
        for length in self.shape:
            n *= length
        return n

    @property
    def nbytes(self) -> int:
        """Its bytes; a Python number has none."""
        return 0 if self.dtype is None else self.size * self.dtype.itemsize

    @property
    def type(self) -> str:
        """`f32[50,784]`, or `number`."""
        if self.dtype is None:
            return "number"
        kind = {"f": "f", "i": "i", "u": "u", "b": "bool"}.get(self.dtype.kind, self.dtype.kind)
        bits = "" if kind == "bool" else str(8 * self.dtype.itemsize)
        return f"{kind}{bits}[{','.join(map(str, self.shape))}]"

    def __repr__(self) -> str:
        return f"<{self.name or self.origin} {self.type}>"


@dataclass(eq=False, slots=True)
class Node:
    """One step: `outputs` = `op`(`inputs`, attrs).

    op       an `Op` of the table, an effect below, or after lowering a `Primitive`: all have `name` and `kind`
    inputs   values, or plain Python and NumPy scalars and None; in the order of the op's operands
    outputs  the result, then the residuals of an op that has some; empty for checks
    section  FORWARD, BACKWARD or UPDATE
    rule     (op, operand) of the derivative rule it was made by, for BACKWARD: ("relu", "x")
    place    (file, line) of the user's code it was captured at
    """

    op: Any
    inputs: tuple[Any, ...]
    attrs: dict[str, Any]
    outputs: tuple[Value, ...]
    section: str = FORWARD
    rule: tuple[str, str] | None = None
    place: tuple[str, int] | None = None

    @property
    def values(self) -> Iterator[Value]:
        """The inputs that are values."""
        return (x for x in self.inputs if isinstance(x, Value))

    @property
    def out(self) -> Value:
        """The result."""
        return self.outputs[0]


@dataclass(frozen=True)
class Effect:
    """An op that is not a function of its inputs: it stays, and keeps its place among its like."""

    name: str
    kind: str = "effect"


DRAW = Effect("draw")
"""attrs: generator (a `byhand.Generator` or None), method (of NumPy's: "random", "standard_normal", "integers",
"permutation"), arguments (a dict of keywords for it: size, dtype, low, high). The output is an array."""

CHECK = Effect("check")
"""inputs: a boolean (), then arrays for the message; attrs: complain, a function of those arrays that returns the
exception to raise if the boolean is true. No output."""


@dataclass(eq=False)
class Program:
    """A captured step.

    arguments, numbers, states, constants   the values that come from outside
    nodes           in the order of execution
    outputs         what the program returns, in order: values or plain scalars
    writes          (state, its new value): what is in the state's memory when the program has run
    number_writes   (number, its new value): step counts, which are returned after the outputs
    """

    name: str = "step"
    arguments: list[Value] = field(default_factory=list)
    numbers: list[Value] = field(default_factory=list)
    states: list[Value] = field(default_factory=list)
    constants: list[Value] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    outputs: list[Any] = field(default_factory=list)
    writes: list[tuple[Value, Value]] = field(default_factory=list)
    number_writes: list[tuple[Value, Value]] = field(default_factory=list)

    @property
    def given(self) -> list[Value]:
        """All that comes from outside."""
        return [*self.arguments, *self.numbers, *self.states, *self.constants]

    @property
    def roots(self) -> list[Value]:
        """What must be computed: outputs and effects."""
        roots = [x for x in self.outputs if isinstance(x, Value)]
        roots += [new for _, new in (*self.writes, *self.number_writes)]
        roots += [x for node in self.nodes if node.op.kind == "effect" for x in (*node.values, *node.outputs)]
        return list(dict.fromkeys(roots))

    def producers(self) -> dict[Value, Node]:
        """The node that computes each value."""
        return {out: node for node in self.nodes for out in node.outputs}

    def uses(self) -> dict[Value, list[Node]]:
        """The nodes that read each value, in order."""
        found: dict[Value, list[Node]] = {}
        for node in self.nodes:
            for x in dict.fromkeys(node.values):
                found.setdefault(x, []).append(node)
        return found

    def replaced(self, nodes: Iterable[Node], renamed: Mapping[Value, Any] | None = None) -> Program:
        """The program with other nodes, in which every use of a value in `renamed` is a use of what that names."""
        renamed = renamed or {}

        def now(x: Any) -> Any:
            while isinstance(x, Value) and x in renamed:
                x = renamed[x]
            return x

        fresh = [Node(n.op, tuple(map(now, n.inputs)), n.attrs, n.outputs, n.section, n.rule, n.place) for n in nodes]
        return Program(
            self.name, self.arguments, self.numbers, self.states, self.constants, fresh, [now(x) for x in self.outputs],
            [(state, now(new)) for state, new in self.writes],
            [(number, now(new)) for number, new in self.number_writes],
        )  # fmt: skip

    def __str__(self) -> str:
        return text(self)

    __repr__ = __str__


Pass = Callable[[Program], Program]


def verify(program: Program) -> Program:
    """The program itself, if it is well-formed: each value once, before its uses, and nothing from nowhere.

    Raises ProgramError. Tests run it between passes.
    """
    known: set[Value] = set(program.given)
    if len(known) != len(program.given):
        raise ProgramError("a given value is listed twice")
    for value in program.given:
        if value.origin == COMPUTED:
            raise ProgramError(f"{value!r} is given, but says that it is computed")
    for position, node in enumerate(program.nodes):
        label = f"node {position} ({node.op.name})"
        for x in node.inputs:
            if isinstance(x, Value) and x not in known:
                raise ProgramError(f"{label} reads {x!r} before it is computed")
            if isinstance(x, np.ndarray):
                raise ProgramError(f"{label} holds an array of shape {x.shape} that is not a constant of the program")
        if node.section not in SECTIONS:
            raise ProgramError(f"{label} is in no section: {node.section!r}")
        for out in node.outputs:
            if out in known or out.origin != COMPUTED:
                raise ProgramError(f"{label} computes {out!r} again")
            if sorted(out.order) != list(range(len(out.shape))):
                raise ProgramError(f"{label}: {out.order} is no order of the axes of {out!r}")
            known.add(out)
    for root in program.roots:
        if root not in known:
            raise ProgramError(f"{root!r} is a result, but nothing computes it")
    for state, new in program.writes:
        if (state.shape, state.dtype) != (new.shape, new.dtype):
            raise ProgramError(f"{new!r} cannot be written to {state!r}")
    if not {state for state, _ in program.writes} <= set(program.states):
        raise ProgramError("what is written is no state of the program")
    if not {number for number, _ in program.number_writes} <= set(program.numbers):
        raise ProgramError("a number is written that the program does not read")
    written = [state for state, _ in program.writes]
    if len(set(written)) != len(written):
        raise ProgramError("a state is written twice")
    return program


def order_of(array: Array) -> tuple[int, ...]:
    """The axes of an array from the slowest to the fastest in memory."""
    return tuple(sorted(range(array.ndim), key=lambda axis: (-abs(array.strides[axis]), axis)))


# The printed form.


def text(program: Program) -> str:
    """The program as text: what is given, one line a node under its section, what is returned and written."""
    names = labels(program)
    lines = [f"program {program.name}({', '.join(f'{names[v]}: {v.type}' for v in program.arguments)})"]
    for title, values in (("number", program.numbers), ("state", program.states), ("constant", program.constants)):
        lines += [f"  {title} {names[v]}: {v.type}" for v in values]
    section = None
    for node in program.nodes:
        if node.section != section:
            section = node.section
            lines.append(section)
        lines.append("  " + line(node, names))
    lines.append(f"return {', '.join(_operand(x, names) for x in program.outputs)}".rstrip())
    writes = [*program.writes, *program.number_writes]
    lines += [f"write  {names[state]} ← {names[new]}" for state, new in writes]
    return "\n".join(lines)


def line(node: Node, names: Mapping[Value, str]) -> str:
    """One node as text: `z1: f32[50,30] = linear(x, fc1_weight, fc1_bias)`."""
    parts = [_operand(x, names) for x in node.inputs]
    parts += [f"{key}={_attribute(value)}" for key, value in node.attrs.items()]
    outs = ", ".join(f"{names[out]}: {out.type}" for out in node.outputs)
    return f"{outs} = {node.op.name}({', '.join(parts)})" if outs else f"{node.op.name}({', '.join(parts)})"


def labels(program: Program) -> dict[Value, str]:
    """A name for every value, unlike all others: its own where it has one, else `v` and a number."""
    names: dict[Value, str] = {}
    taken: set[str] = set()
    count = 0
    for value in (*program.given, *(out for node in program.nodes for out in node.outputs)):
        name = identifier(value.name)
        if not name:
            name, count = f"v{count}", count + 1
        stem, number = name, 2
        while name in taken:
            name, number = f"{stem}_{number}", number + 1
        taken.add(name)
        names[value] = name
    return names


def identifier(name: str) -> str:
    """A dotted path as a Python identifier: `fc1.weight` is `fc1_weight`."""
    plain = "".join(c if f"_{c}".isidentifier() else "_" for c in name)
    return f"_{plain}" if plain[:1].isdigit() else plain


def _operand(x: Any, names: Mapping[Value, str]) -> str:
    return names[x] if isinstance(x, Value) else _attribute(x)


def _attribute(x: Any) -> str:
    if isinstance(x, dict):
        return "{" + ", ".join(f"{key}: {_attribute(value)}" for key, value in x.items()) + "}"
    if isinstance(x, np.generic):
        return f"{x.dtype}({x})"
    if isinstance(x, np.dtype):
        return str(x)
    return getattr(x, "__name__", None) or (repr(x) if len(repr(x)) < 80 else type(x).__name__)

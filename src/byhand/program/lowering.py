"""From ops to single NumPy calls: each op's kernel is run once on symbols, which log what NumPy would compute.

No op is known here by name: a kernel is lowered by what it does. One that asks for values, or for a function that
symbols cannot follow, stays whole, as the primitive `kernel`. Called by the dialects `planned` and `loops`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from byhand.program.dispatch import Dispatch
from byhand.program.ir import COMPUTED, Node, Program, Value
from byhand.program.journal import Journal, UnseenError
from byhand.program.primitives import ARITHMETIC, KERNEL, Primitive
from byhand.program.symbol import Memory, Number, Symbol, operand

Kernel = Callable[..., Any]

LONGEST = 256  # nodes of one op: an LSTM of 64 steps, unrolled to 4700, takes 1.2 × its kernel's time once planned


def lower(program: Program, longest: int = LONGEST, kernels: Mapping[str, Kernel] | None = None) -> Program:
    """The same program in primitives; values that are given, and what is returned and written, stay the same.

    An op whose kernel writes more than `longest` nodes stays whole. `kernels` are a dialect's own, by the names of ops:
    functions of symbols, which may return NotImplemented.
    """
    lowering = _Lowering(longest, kernels or {})
    for node in program.nodes:
        lowering.node(node)
    journal, now = lowering.journal, lowering.now
    outputs, writes = [now(x) for x in program.outputs], [(state, now(new)) for state, new in program.writes]
    constants = journal.constants([*outputs, *[new for _, new in writes]])
    return Program(
        program.name, program.arguments, program.numbers, program.states,
        [*program.constants, *constants], journal.nodes, outputs, writes,
        [(number, now(new)) for number, new in program.number_writes],
    )  # fmt: skip


class _Lowering:
    """Goes through the nodes of a program."""

    def __init__(self, longest: int, kernels: Mapping[str, Kernel]) -> None:
        self.longest, self.kernels = longest, kernels
        self.journal = Journal()
        self.dispatch = Dispatch(self.journal)
        self._known: dict[Value, Any] = {}  # what a value of the program is now

    def now(self, x: Any) -> Any:
        """The value, or scalar, that is what x was."""
        return self._known.get(x, x) if isinstance(x, Value) else x

    def node(self, node: Node) -> None:
        """Write one node as primitives."""
        self.journal.source = node
        count = len(self.journal.nodes)
        self.journal.limit = count + self.longest
        if node.op.kind == "effect" or isinstance(node.op, Primitive):
            self._keep(node.op, node.attrs, node)
            return
        try:
            results = self._arithmetic(node) if _numeric(node) else self._traced(node)
        except Exception:  # whatever a kernel cannot do to symbols, it can do to arrays
            del self.journal.nodes[count:]
            self._keep(KERNEL, {"op": node.op, "attrs": node.attrs}, node)
            return
        fresh = {out for written in self.journal.nodes[count:] for out in written.outputs}
        for out, result in zip(node.outputs, results, strict=False):
            self._known[out] = result
            if result in fresh:
                self._name(result, out)

    def _keep(self, op: Any, attrs: dict[str, Any], node: Node) -> None:
        """The node as it is."""
        outputs = []
        for out in node.outputs:
            self._known[out] = value = Value(out.shape, out.dtype, out.order)
            self._name(value, out)
            outputs.append(value)
        inputs = tuple(map(self.now, node.inputs))
        self.journal.nodes.append(Node(op, inputs, attrs, tuple(outputs), node.section, node.rule, node.place))

    def _name(self, value: Value, before: Value) -> None:
        value.name = value.name or before.name
        of = before.gradient_of
        of = of if of is None or of.origin != COMPUTED else self._known.get(of)
        value.gradient_of = of if isinstance(of, Value) else None

    def _arithmetic(self, node: Node) -> list[Any]:
        return [self.journal.number(node.op.name, [self.now(x) for x in node.inputs])]

    def _traced(self, node: Node) -> list[Any]:
        """The values that the kernel gives, one for each output of the node."""
        op, symbols = node.op, [self._symbol(self.now(x)) for x in node.inputs]
        own = self.kernels.get(op.name)
        results = NotImplemented if own is None else own(*symbols, **node.attrs)
        if results is NotImplemented:
            results = self._standard(op, symbols, node)
        values = []
        for result, out in zip(results if op.residuals else (results,), node.outputs, strict=False):
            value = operand(self.journal, result)
            if not isinstance(value, Value):
                value = self.journal.constant(np.asarray(value))
            if (value.shape, value.dtype) != (out.shape, out.dtype):
                raise UnseenError(f"{op.name} gives {value!r}, not {out!r}")
            values.append(value)
        return values

    def _standard(self, op: Any, symbols: Sequence[Any], node: Node) -> Any:
        """What the op's own kernel gives."""
        kernel = op.ufunc if op.ufunc is not None and not node.attrs else self.dispatch.stage.copy(op.kernel)
        return kernel(*symbols, **node.attrs)

    def _symbol(self, x: Any) -> Any:
        if not isinstance(x, Value):
            return x
        if x.dtype is None:
            return Number(self.journal, x)
        return Symbol(Memory(self.journal, self.journal.likeness(x), x, writable=False))


def _numeric(node: Node) -> bool:
    """Whether this is arithmetic of Python numbers."""
    return node.op.name in ARITHMETIC and node.outputs[0].dtype is None

"""Capture: one real step, in which every op, in-place change, draw and number is written down.

`Tracer` is what `core.capture.slot` holds meanwhile. Arrays are known by identity: each array object that an op reads
or makes has a `Cell`, which says what value of the program it holds now. An in-place change puts a new value into the
cell; views of it are derived anew when they are read. Called by `byhand.program.step`.
"""

from __future__ import annotations

import gc
import linecache
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

import byhand.core as package
from byhand.core.capture import slot
from byhand.core.complaint import explain
from byhand.core.errors import CaptureError
from byhand.core.generator import Generator, default_generator, numpy_generator
from byhand.core.mutation import touch
from byhand.core.op import OPS, Op
from byhand.core.recorder import replace_kernel
from byhand.core.tape import Node as TapeNode
from byhand.core.tape import next_serial
from byhand.core.variable import Array, Variable
from byhand.program.ir import (
    ARGUMENT,
    BACKWARD,
    CHECK,
    CONSTANT,
    DRAW,
    FORWARD,
    STATE,
    Node,
    Program,
    Value,
    order_of,
)  # fmt: skip
from byhand.program.number import Number, current
from byhand.program.numbers import Numbers
from byhand.program.traced_array import TracedArray, plain, traced

LIBRARY = str(Path(package.__file__).parents[1])
HINT = (
    "a compiled step runs the same operations each time and cannot look at values: return it from the step and look at "
    "it there, choose by value with byhand.where, or compile with fallback='eager'"
)


class Cell:
    """What an array holds: a value of the program, which a view derives from its parent's."""

    __slots__ = ("array", "attrs", "op", "parent", "root", "value", "version")

    def __init__(
        self, array: Array, value: Value, parent: Cell | None = None, op: Any = None, attrs: Any = None
    ) -> None:
        self.array, self.value, self.parent, self.op, self.attrs = array, value, parent, op, attrs
        self.root: Cell = self if parent is None else parent.root
        self.version: int = 0 if parent is None else self.root.version


class Tracer(Numbers):
    """Writes a program while a step runs.

    known   name and owner of the arrays that live outside, by identity: see `surroundings`
    """

    array_type = TracedArray

    def __init__(self, name: str) -> None:
        super().__init__()
        self.program = Program(name)
        self.section, self.rule = FORWARD, None
        self.cells: dict[int, Cell] = {}
        self.argument_cells: dict[Value, Cell] = {}
        self.known: dict[int, tuple[str, str, Any, Array]] = {}  # id → origin, name, owner, the array
        self.owners: dict[Value, Any] = {}  # of states and of gradients given as arguments
        self.fresh: dict[int, Array] = {}  # arrays of tensors that the step itself made
        self.by_serial: dict[int, Value] = {}
        self.in_kernel = False
        self.leaves: dict[TapeNode, Value] = {}
        self.cleared: set[TapeNode] = set()
        self.found_empty: set[TapeNode] = set()
        self.before: list[tuple[Array, Array]] = []
        self.streams: dict[int, tuple[Generator, Any]] = {}

    # what lives outside

    def know(self, array: Array, name: str, owner: Any = None, origin: str = STATE) -> None:
        """Say what an array is that the step may read: (`STATE`, or `ARGUMENT` for what is given at each call)."""
        self.known.setdefault(id(array), (origin, name, owner, array))

    def give(self, array: Array, name: str, owner: Any = None) -> TracedArray:
        """An argument of the step: the traced array to run it on."""
        made = traced(array)
        value = Value(array.shape, array.dtype, order_of(array), ARGUMENT, name)
        self.program.arguments.append(value)
        self.owners[value] = owner
        self.cells[id(made)] = self.argument_cells[value] = Cell(made, value)
        return made

    def cell(self, array: Array) -> Cell:
        """What an array holds; arrays seen for the first time come from outside."""
        found = self.cells.get(id(array))
        if found is not None:
            return found
        assert type(array) is not TracedArray, "a traced array without a cell"
        origin, name, owner, _ = self.known.get(id(array)) or self._unknown(array)
        data = array.copy(order="K") if origin == CONSTANT else array
        value = Value(array.shape, array.dtype, order_of(array), origin, name, None if origin == ARGUMENT else data)
        given = {STATE: self.program.states, ARGUMENT: self.program.arguments, CONSTANT: self.program.constants}
        given[origin].append(value)
        self.owners[value] = owner
        self.cells[id(array)] = made = Cell(array, value)
        return made

    def _unknown(self, array: Array) -> tuple[str, str, Any, Array]:
        """A tensor that nobody named may change and is a state; what the step made, and bare arrays, are constants."""
        if id(array) not in self.fresh:
            for owner in gc.get_referrers(array):
                if isinstance(owner, Variable):
                    return STATE, "", owner, array
        return CONSTANT, "", None, array

    def read(self, cell: Cell) -> Value:
        """The value in a cell, derived anew if what it looks at has changed."""
        if cell.parent is not None and cell.version != cell.root.version:
            cell.value = self.emit(cell.op, (self.read(cell.parent),), cell.attrs, plain(cell.array))
            cell.version = cell.root.version
        return cell.value

    def write(self, cell: Cell, value: Value) -> None:
        """Put a value into a cell, and so into all that it is a view of."""
        chain = [cell]
        while chain[-1].parent is not None:
            self.read(chain[-1].parent)
            chain.append(chain[-1].parent)
        cell.value = value
        for child, parent in pairwise(chain):
            attrs = {"view": child.op.name, "attrs": child.attrs}
            inputs = (parent.value, child.value)
            parent.value = self.emit(OPS["view_written"], inputs, attrs, plain(parent.array))
        cell.root.version += 1
        for member in chain:
            member.version = cell.root.version

    # ops

    def emit(self, op: Any, inputs: tuple[Any, ...], attrs: dict[str, Any], *arrays: Array) -> Value:
        """Write down a node whose results look like these arrays; returns the first value."""
        outputs = tuple(Value(a.shape, a.dtype, order_of(a)) for a in arrays)
        rule = self.rule if self.section == BACKWARD else None
        self.program.nodes.append(Node(op, inputs, attrs, outputs, self.section, rule, self.place()))
        return outputs[0] if outputs else None  # type: ignore[return-value]  # a check has no result

    def apply(self, op: Op, kernel: Callable[..., Any], operands: tuple[Any, ...], attrs: dict[str, Any]) -> Any:
        """Run a kernel on what the operands hold, and write that down: what recorders call in the kernel's place."""
        operands = tuple(np.asarray(x) if isinstance(x, list) else x for x in operands)
        inputs = tuple(self.operand(x) for x in operands)
        attrs = {key: self.fixed(value) for key, value in attrs.items()}
        arrays = [current(plain(x)) for x in operands]
        self.in_kernel = True  # kernels call functions of ops on arrays
        try:
            out = kernel(*arrays, **attrs)
        finally:
            self.in_kernel = False
        if not any(isinstance(x, np.ndarray | Number) for x in operands):
            return out
        outs = [np.asarray(x) for x in (out if op.residuals else (out,))]
        if any(outs[0] is x for x in arrays):  # a kernel that had nothing to do
            return operands[[outs[0] is x for x in arrays].index(True)]
        self.emit(op, inputs, attrs, *outs)
        node = self.program.nodes[-1]
        parent = self.cell(operands[0]) if op.kind == "view" and np.may_share_memory(arrays[0], outs[0]) else None
        made = [traced(array) for array in outs]
        for array, value in zip(made, node.outputs, strict=True):
            self.cells[id(array)] = Cell(array, value, parent, op, attrs)
        self.by_serial[next_serial() + 1] = node.out  # the tape's entry for this call comes next
        return made if op.residuals else made[0]

    def operand(self, x: Any) -> Any:
        """What stands for an operand in the program."""
        if isinstance(x, np.ndarray):
            return self.read(self.cell(x))
        return x.value if isinstance(x, Number) else x

    def kernel(self, op: Op, original: Callable[..., Any]) -> Callable[..., Any]:
        """What stands in the place of a kernel meanwhile."""

        def call(*operands: Any, **attrs: Any) -> Any:
            if self.in_kernel or slot.thread != threading.get_ident():
                return original(*operands, **attrs)
            return self.apply(op, original, operands, attrs)

        return call

    # what is no op

    def overwrite(self, x: Variable, op: Op, others: tuple[Any, ...], attrs: dict[str, Any]) -> Variable:
        """x ← op(x, others), in place."""
        array = x.array
        operands = (array, *[y.array if isinstance(y, Variable) else y for y in others])
        try:
            made = self.apply(op, op.ufunc or op.kernel, operands, attrs)
            if made.shape != array.shape:
                raise ValueError(f"the result has shape {made.shape} and cannot be written into shape {array.shape}")
            if made.dtype != array.dtype:
                if not np.can_cast(made.dtype, array.dtype, "same_kind"):
                    raise TypeError(f"{made.dtype} does not fit into {array.dtype}")
                made = self.apply(OPS["cast"], OPS["cast"].kernel, (made,), {"dtype": array.dtype})
        except CaptureError:
            raise
        except Exception as error:
            raise explain(op, error, (x, *others), attrs) from error
        value, cell = self.operand(made), self.cell(array)
        memory = plain(array)
        self.before.append((memory, memory.copy(order="K")))
        np.copyto(memory, plain(made))
        self.write(cell, value)
        touch(array, op.inplace)
        return x

    def snapshot(self, array: Array) -> TracedArray:
        """The array as it is now, for a rule that will ask for it after a change."""
        made = traced(plain(array).copy(order="K"))
        self.cells[id(made)] = Cell(made, self.operand(array))
        return made

    def draw(self, generator: Generator | None, method: str, arguments: dict[str, Any]) -> TracedArray:
        """Random numbers, which the program will draw anew."""
        source = generator or default_generator
        self.streams.setdefault(id(source), (source, source.get_state()))
        made = traced(np.asarray(getattr(numpy_generator(generator), method)(**arguments)))
        attrs = {"generator": generator, "method": method, "arguments": arguments}
        self.cells[id(made)] = Cell(made, self.emit(DRAW, (), attrs, plain(made)))
        return made

    def check(self, wrong: Any, complain: Callable[..., Exception], *operands: Any) -> None:
        """Raise complain(*arrays) if `wrong`, a boolean of the step, is true: now, and at each run of the program."""
        arrays = [x.array if isinstance(x, Variable) else x for x in (wrong, *operands)]
        if bool(plain(arrays[0])):
            raise complain(*[plain(x) for x in arrays[1:]])
        self.emit(CHECK, tuple(self.operand(x) for x in arrays), {"complain": complain})

    # gradients

    @contextmanager
    def backward(self) -> Iterator[None]:
        """While the tape is walked back."""
        section, self.section = self.section, BACKWARD
        try:
            yield
        finally:
            self.section, self.rule = section, None

    def arrived(self, node: TapeNode, g: Variable) -> None:
        """`g` is the whole gradient at `node`."""
        value, of = self.operand(g.array), self.by_serial.get(node.serial)
        if value.gradient_of is None and of is not None and of.shape == value.shape:
            value.gradient_of = of

    def delivered(self, leaf: TapeNode, g: Variable) -> None:
        """`g` is about to be added to the gradient of a leaf."""
        value = self.operand(g.array)
        if value.gradient_of is None:
            value.gradient_of = self.leaves.get(leaf)
        if leaf.grad is None and leaf not in self.cleared:
            self.found_empty.add(leaf)

    def set_grad(self, x: Variable) -> None:
        """`x.grad` is about to be set."""
        if x.node is not None:
            self.cleared.add(x.node)

    # errors

    def refusal(self, what: str, subject: str = "a value of the step") -> CaptureError:
        """The error that says which line of the user cannot be captured, and what to do."""
        place = self.place()
        where = ""
        if place is not None:
            text = linecache.getline(*place).strip()
            where = f" in {Path(place[0]).name}, line {place[1]}" + (f": {text}" if text else "")
        return CaptureError(f"{subject} is {what}{where}\n  {HINT}")

    def place(self) -> tuple[str, int] | None:
        """The line of the user that is running: the innermost one outside of the library."""
        frame: Any = sys._getframe(1)
        while frame is not None:
            if not frame.f_code.co_filename.startswith(LIBRARY):
                return frame.f_code.co_filename, frame.f_lineno
            frame = frame.f_back
        return None

    def roll_back(self) -> None:
        """Put memory and random streams back to where they were."""
        for memory, contents in reversed(self.before):
            np.copyto(memory, contents)
        for generator, state in self.streams.values():
            generator.set_state(state)


@contextmanager
def capturing(tracer: Tracer) -> Iterator[None]:
    """While this thread's step is captured: kernels write themselves down, new tensors are noticed."""
    if slot.tracer is not None:
        raise CaptureError("another step is being captured; one at a time")
    make = Variable.__init__

    def noticed(self: Variable, array: Array, node: TapeNode | None = None) -> None:
        make(self, array, node)
        if slot.thread == threading.get_ident():
            tracer.fresh[id(array)] = array

    originals: list[tuple[Op, Callable[..., Any]]] = []
    slot.thread, slot.tracer = threading.get_ident(), tracer
    try:
        Variable.__init__ = noticed  # type: ignore[method-assign]
        for op in OPS.values():
            kernel = tracer.kernel(op, op.ufunc or op.kernel)
            originals.append((op, replace_kernel(op.call, kernel)))
        yield
    finally:
        for op, original in originals:
            replace_kernel(op.call, original)
        Variable.__init__ = make  # type: ignore[method-assign]
        slot.tracer = None

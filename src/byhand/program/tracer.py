"""Capture: one real step, in which every op, in-place change, draw and number is written down.

`Tracer` is what `core.capture.slot` holds meanwhile. Each array object that an op reads or makes has a `Cell`, which
says what value of the program it holds now. An in-place change puts a new value into the cell; views of it are derived
anew when they are read. Called by `byhand.program.step`.
"""

from __future__ import annotations

import linecache
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

import byhand.core as package
from byhand.core.capture import UnforeseenError, slot
from byhand.core.complaint import explain
from byhand.core.errors import CaptureError
from byhand.core.generator import Generator, default_generator, numpy_generator
from byhand.core.lanes import StandIn
from byhand.core.mutation import touch
from byhand.core.op import OPS, WATCHERS, Op
from byhand.core.recorder import replace_kernel
from byhand.core.tape import Node as TapeNode
from byhand.core.tape import next_serial
from byhand.core.variable import Array, Variable
from byhand.program.cells import Cell, Cells
from byhand.program.ir import (
    BACKWARD,
    CHECK,
    CONSTANT,
    DRAW,
    FORWARD,
    Node,
    Program,
    Value,
    order_of,
)  # fmt: skip
from byhand.program.number import Number, current
from byhand.program.numbers import Numbers
from byhand.program.traced_array import TracedArray, plain, traced

LIBRARY, PYTHON = str(Path(package.__file__).parents[1]), str(Path(linecache.__file__).parent)
HINT = (
    "a compiled step runs the same operations each time and cannot look at values: return it from the step and look at "
    "it there, choose by value with byhand.where, or compile with fallback='eager'"
)


class Tracer(Cells, Numbers):
    """Writes a program while a step runs."""

    array_type, number_type = TracedArray, Number

    def __init__(self, name: str) -> None:
        Cells.__init__(self)
        Numbers.__init__(self)
        self.program = Program(name)
        self.section = FORWARD
        self.rule: tuple[str, str] | None = None
        self.by_serial: dict[int, Value] = {}
        self.in_kernel = False
        self.cleared: set[int] = set()  # ids of tensors whose gradient the step has set
        self.found_empty: set[int] = set()  # and of those that it found without one, and gave one
        self.before: list[tuple[Array, Array]] = []
        self.alive: list[Array] = []  # arrays whose ids name cells
        self.called: list[tuple[Any, bool]] = []  # modules, and whether they were training then
        self.streams: dict[int, tuple[Generator, Any]] = {}

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
        if op.name == "index" and any(x.dtype == bool for x in arrays[1:]):
            self._refuse_mask(operands[1:])
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

    def _refuse_mask(self, masks: tuple[Any, ...]) -> None:
        if any(x.dtype == bool and self.operand(x).origin != CONSTANT for x in masks):
            raise self.refusal(
                "chosen by a mask, and how many there are depends on values; use byhand.where(mask, x, 0), or a weight "
                "of 0, so that the shape stays"
            )

    def kernel(self, op: Op, original: Callable[..., Any]) -> Callable[..., Any]:
        """What stands in the place of a kernel meanwhile."""

        def call(*operands: Any, **attrs: Any) -> Any:
            if self.in_kernel:
                return original(*operands, **attrs)
            if slot.thread != threading.get_ident():
                return original(*[plain(x) for x in operands], **attrs)
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
        if cell.value.origin == CONSTANT and type(array) is not TracedArray:  # no constant from now on
            x.array = traced(array)
            self.cells[id(x.array)] = cell
            self.alive.append(x.array)
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
        if plain(arrays[0]):
            raise complain(*[plain(x) for x in arrays[1:]])
        if isinstance(arrays[0], np.ndarray):
            self.emit(CHECK, tuple(self.operand(x) for x in arrays), {"complain": complain})

    def takes_for_granted(self, condition: Any) -> bool:
        """Whether a condition is false, as it will be at each run of the program; else the step is captured anew."""
        if plain(condition.array if isinstance(condition, Variable) else condition):
            return False
        self.check(condition, UnforeseenError)
        return True

    def rebind(self, x: Variable, array: Array) -> bool:
        """`x.data = array` for what lives outside and keeps its memory: it gets the values. Whether that was done."""
        if array is x.array:
            return True
        if not self.lives_outside(x) or x.array.shape != array.shape or x.array.dtype != array.dtype:
            return False
        self.overwrite(x, OPS["copied"], (array,), {})
        return True

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
        if isinstance(g.array, StandIn):  # a batch of gradients, under `func.vmap`
            return
        value, of = self.operand(g.array), self.by_serial.get(node.serial)
        if value.gradient_of is None and of is not None and of.shape == value.shape:
            value.gradient_of = of

    def delivered(self, leaf: TapeNode, g: Variable) -> None:
        """`g` is about to be added to the gradient of a leaf."""
        value, x = self.operand(g.array), self.leaf_of.get(leaf)
        if x is None:  # a leaf that the step made
            return
        if value.gradient_of is None:
            value.gradient_of = self.operand(x.array)
        if leaf.grad is None and id(x) not in self.cleared:
            self.found_empty.add(id(x))

    def set_grad(self, x: Variable) -> None:
        """`x.grad` is about to be set."""
        if self.lives_outside(x):
            self.cleared.add(id(x))

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
            file = frame.f_code.co_filename
            if not file.startswith(LIBRARY) and (not file.startswith(PYTHON) or "site-packages" in file):
                return frame.f_code.co_filename, frame.f_lineno
            frame = frame.f_back
        return None

    def roll_back(self) -> None:
        """Put memory, step counts and random streams back to where they were."""
        for memory, contents in reversed(self.before):
            np.copyto(memory, contents)
        for container, key, value in reversed(self.counted):
            container[key] = value
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

    def watched(op: Op) -> None:
        originals.append((op, replace_kernel(op.call, tracer.kernel(op, op.ufunc or op.kernel))))

    slot.thread, slot.tracer = threading.get_ident(), tracer
    WATCHERS.append(watched)
    try:
        Variable.__init__ = noticed  # type: ignore[method-assign]
        for op in list(OPS.values()):
            watched(op)
        yield
    finally:
        WATCHERS.remove(watched)
        for op, original in originals:
            replace_kernel(op.call, original)
        Variable.__init__ = make  # type: ignore[method-assign]
        slot.tracer = None

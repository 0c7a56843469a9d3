"""What the arrays of a captured step hold: for each a value of the program, known by the identity of the array.

The lower half of `Tracer`. Arrays seen for the first time come from outside, or are constants.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from byhand.core.op import OPS
from byhand.core.tape import Node as TapeNode
from byhand.core.variable import Array, Variable
from byhand.program.ir import ARGUMENT, CONSTANT, STATE, Program, Value, order_of
from byhand.program.number import Number
from byhand.program.outside import Outside
from byhand.program.traced_array import TracedArray, plain, traced


class Cell:
    """What an array holds: a value of the program, which a view derives from its parent's."""

    __slots__ = ("array", "attrs", "op", "parent", "value", "version")

    def __init__(
        self, array: Array, value: Value, parent: Cell | None = None, op: Any = None, attrs: Any = None
    ) -> None:
        self.array, self.value, self.parent, self.op, self.attrs = array, value, parent, op, attrs
        self.version: int = 0 if parent is None else parent.root.version

    @property
    def root(self) -> Cell:
        """What this is, in the end, a view of."""
        found = self
        while found.parent is not None:
            found = found.parent
        return found


class Cells:
    """The memory of a step.

    cells    of each array that an op has read or made, by its id
    known    origin, name, owner and the array itself of what lives outside, by the id of the array
    owners   of states and of gradients given as arguments
    fresh    arrays of tensors that the step itself made
    leaf_of  the tensor from outside that a leaf of the tape belongs to
    """

    program: Program
    emit: Callable[..., Value]

    def __init__(self) -> None:
        self.cells: dict[int, Cell] = {}
        self.argument_cells: dict[Value, Cell] = {}
        self.known: dict[int, tuple[str, str, Any, Array]] = {}
        self.owners: dict[Value, Any] = {}
        self.fresh: dict[int, Array] = {}
        self.outside = Outside()
        self.leaf_of: dict[TapeNode, Variable] = {}

    def know(self, array: Array, name: str, owner: Any = None, origin: str = STATE) -> None:
        """Say what an array is that the step may read: (`STATE`, or `ARGUMENT` for what is given at each call)."""
        self.known.setdefault(id(array), (origin, name, owner, array))

    def meet(self, x: Variable, name: str = "") -> None:
        """Say that a tensor lives outside; it holds a traced array until the step is over, and so does its gradient."""
        self.outside.take(x)
        grad = self.outside.grads[id(x)]
        for tensor, origin in ((x, STATE), (grad, ARGUMENT)):
            if tensor is not None:
                self.know(tensor.array, name if tensor is x else f"{name}.grad", x, origin)
                self._lend(tensor)
        if x.node is not None:
            self.leaf_of[x.node] = x

    def _lend(self, x: Variable) -> None:
        known = self.known[id(x.array)]
        self.known[id(self.outside.lend(x))] = known

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
        known = self.known.get(id(array))
        origin, name, owner, own = known or self._unknown(array)
        if id(own) in self.cells:
            return self.cells.setdefault(id(array), self.cells[id(own)])
        data = array.copy(order="K") if origin == CONSTANT else own
        value = Value(array.shape, array.dtype, order_of(array), origin, name, None if origin == ARGUMENT else data)
        given = {STATE: self.program.states, ARGUMENT: self.program.arguments, CONSTANT: self.program.constants}
        given[origin].append(value)
        self.owners[value] = owner
        self.cells[id(array)] = self.cells[id(own)] = made = Cell(own, value)
        return made

    def _unknown(self, array: Array) -> tuple[str, str, Any, Array]:
        """A tensor that nobody named may change and is a state; what the step made, and bare arrays, are constants."""
        if id(array) not in self.fresh:
            for owner in gc.get_referrers(array):
                if isinstance(owner, Variable):
                    self.meet(owner)
                    return self.known[id(array)]
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

    def lives_outside(self, x: Variable) -> bool:
        """Whether x was there before the step."""
        if x in self.outside:
            return True
        if type(x.array) is TracedArray or id(x.array) in self.fresh:
            return False
        self.meet(x)
        return True

    def became_leaf(self, x: Variable) -> None:
        """x asks for a gradient from now on."""
        if x.node is not None and self.lives_outside(x):
            self.leaf_of[x.node] = x

    def operand(self, x: Any) -> Any:
        """What stands for an operand in the program."""
        if isinstance(x, np.ndarray):
            return self.read(self.cell(x))
        return x.value if isinstance(x, Number) else x

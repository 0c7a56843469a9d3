"""The generated module: formulas, nests, and kernels, which are what Python calls.

A kernel is a run of items that needs no Python: nests, matrix products and checks. Most steps are one kernel. Where a
node must be computed by NumPy, or numbers drawn, one kernel ends and the next begins after it.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from byhand.program.ir import ARGUMENT, CHECK, DRAW, Node, Program, Value, labels, line
from byhand.program.loops import mathematics, moves
from byhand.program.loops.blas import Blas
from byhand.program.loops.expressions import BOOLEAN, CODE
from byhand.program.loops.machine_code import INTEGER, REAL
from byhand.program.loops.nests import MARK, Nest, Pointer, Writer
from byhand.program.loops.outline import Settlement
from byhand.program.loops.placement import Item, Placement
from byhand.program.loops.products import product
from byhand.program.loops.storage import Storage

RESERVED = {"for", "in", "range", "where", "not", "np", "table", "at", "def", "return", "if", "is", "lambda", "step"}


@dataclass(eq=False)
class Kernel:
    """A function of the module: the table of addresses, the identities of the arguments, the numbers."""

    name: str
    lines: list[str] = field(default_factory=list)
    pointers: dict[tuple[Value, int], str] = field(default_factory=dict)


@dataclass(eq=False)
class Assembly:
    """The module as text, and what there is to do around it.

    split   whether each item gets a kernel of its own, so that it can be timed
    table   the roots whose addresses the table holds, in order
    steps   kernels, and nodes that Python computes, in order
    checks  the checks in the kernels; a kernel returns the number of one that failed, counted from 1, or 0
    """

    program: Program
    settlement: Settlement
    blas: Blas | None
    split: bool = False
    table: list[Value] = field(default_factory=list)
    steps: list[Kernel | Node] = field(default_factory=list)
    checks: list[Node] = field(default_factory=list)
    source: str = ""
    nests: int = 0

    def __post_init__(self) -> None:
        self.names = labels(self.program)
        self._numbered: dict[Value, int] = {}
        self._nests: dict[str, str] = {}
        self._texts: list[str] = []
        self._taken = {*RESERVED}
        for item in self.settlement.placement.items:
            self._item(item)
        self.source = self._module()

    @property
    def storage(self) -> Storage:
        """Where values are."""
        return self.settlement.storage

    @property
    def kernels(self) -> dict[str, list[str]]:
        """The kernels by name, with the kinds of their parameters."""
        kinds = [INTEGER] * (1 + len(self.program.arguments)) + [REAL] * len(self.numbers)
        return {step.name: kinds for step in self.steps if isinstance(step, Kernel)}

    @functools.cached_property
    def numbers(self) -> list[Value]:
        """The numbers that kernels are given: those that some nest reads."""
        found: dict[Value, None] = {}
        for node in self.settlement.placement.at:
            if self.settlement.placement.at[node].fused:
                found |= {x: None for x in node.values if x.dtype is None}
        return list(found)

    def _item(self, item: Item) -> None:
        node = item.nodes[0]
        if item.fused:
            self._nest(item)
        elif node.op is CHECK:
            self.checks.append(node)
            flag = self._element(node.inputs[0])
            self._kernel().lines += [f"if {flag} != u1(0):", f"    return {len(self.checks)}"]
        elif node.op.kind == "product" and self.blas is not None and (made := product(node, self.storage)) is not None:
            kernel = self._kernel()
            names = [self._pointer(kernel, spot.root, spot.offset) for spot, _ in made.operands]
            kernel.lines += [f"# {line(node, self.names)}", *made.calls(names)]
        elif moves.known(node):
            self._move(node)
        else:
            self.steps.append(node)

    def _move(self, node: Node) -> None:
        kernel = self._kernel()
        kernel.lines.append(f"# {line(node, self.names)}")
        for move in moves.moves(node, self.storage):
            name = self._defined(move.text, move.text)
            arguments = [self._pointer(kernel, spot.root, spot.offset) for spot in move.spots]
            kernel.lines.append(f"{name}({', '.join(arguments)})")

    def _defined(self, key: str, text: str) -> str:
        """The name of the function that has this text, but for its name."""
        name = self._nests.get(key)
        if name is None:
            name = self._nests[key] = f"nest_{len(self._nests) + 1}"
            self._texts.append(f"@nest\ndef {name}{text}")
        return name

    def _kernel(self) -> Kernel:
        if not self.steps or not isinstance(self.steps[-1], Kernel) or (self.split and self.steps[-1].lines):
            count = sum(isinstance(step, Kernel) for step in self.steps)
            self.steps.append(Kernel(f"kernel_{count + 1}"))
        return self.steps[-1]  # type: ignore[return-value]

    def _element(self, x: Value) -> str:
        spot = self.storage.spot(x)
        return f"{self._pointer(self._kernel(), spot.root, spot.offset)}[0]"

    def _pointer(self, kernel: Kernel, root: Value, offset: int) -> str:
        """The name of a pointer, which the kernel defines where it begins."""
        root = self.storage.memory(root)
        found = kernel.pointers.get((root, offset))
        if found is None:
            name = self.names[root]
            found = kernel.pointers[root, offset] = name + (f"_{offset}" if offset else "") + ("_" if name in RESERVED else "")
        return found

    def _nest(self, item: Item) -> None:
        writer = Writer(self.settlement.outlines[item], self.storage)
        nest, kernel = writer.nest, self._kernel()
        if not nest.lines:
            return
        self.nests += 1
        key = "\n".join(_marked(nest, lambda i, _: f"a{i}"))
        types = [_kind(x) for x, _ in nest.parameters]
        name = self._defined(f"{types}{key}", self._definition(nest))
        arguments = []
        for x, _ in nest.parameters:
            if isinstance(x, Value):
                arguments.append(self.names[x])
            else:
                arguments.append(str(x.offset) if x.root is None else self._pointer(kernel, x.root, x.offset))
        kernel.lines.append(f"{name}({', '.join(arguments)})")

    def _definition(self, nest: Nest) -> str:
        """A nest with names for readers."""
        taken = {*RESERVED}
        chosen: dict[int, str] = {}

        def word(i: int, wish: tuple[Any, str]) -> str:
            if i not in chosen:
                base = (self.names[wish[0]] if isinstance(wish[0], Value) else str(wish[0])) + wish[1]
                text, k = base, 2
                while text in taken:
                    text, k = f"{base}_{k}", k + 1
                taken.add(text)
                chosen[i] = text
            return chosen[i]

        for number, (wish, _) in enumerate(nest.names):
            if wish in ("i", "j", "k", "l", "n"):
                word(number, nest.names[number])
        lines = list(_marked(nest, word))
        return "\n".join([f"({lines[0]}):", *lines[1:]])

    def _module(self) -> str:
        kernels = [self._kernel_text(step) for step in self.steps if isinstance(step, Kernel)]
        body = "\n\n\n".join([*self._texts, *kernels])
        return "\n\n\n".join([f'"""{self.program.name}, as loops."""', *_formulas(body), body]) + "\n"

    def _kernel_text(self, kernel: Kernel) -> str:
        given = [self.names[x] for x in (*self.program.arguments, *self.numbers)]
        lines = [f"def {kernel.name}({', '.join(['table', *given])}):"]
        done = set()
        for (root, offset), name in kernel.pointers.items():
            code = "u1" if root.dtype == BOOLEAN else CODE[root.dtype]  # type: ignore[index]
            base = kernel.pointers.get((root, 0))
            if root.origin == ARGUMENT:
                start = f"argument_{code}({self.names[root]})"
            else:
                start = f"pointer_{code}(table, {self._number(root)})"
            if base in done and offset:
                start = str(base)
            lines.append(f"    {name} = {f'at({start}, {offset})' if offset else start}")
            if not offset:
                done.add(name)
        return "\n".join([*lines, *["    " + text for text in kernel.lines], "    return 0"])

    def _number(self, root: Value) -> int:
        if root not in self._numbered:
            self._numbered[root] = len(self.table)
            self.table.append(root)
        return self._numbered[root]


def _kind(x: Pointer | Value) -> str:
    if isinstance(x, Value):
        return REAL
    return "n" if x.root is None else CODE[x.root.dtype]  # type: ignore[index]


def _marked(nest: Nest, word: Any) -> Iterator[str]:
    """The parameters, then the lines of a nest, with its marks replaced."""
    parameters = ", ".join(mark for _, mark in nest.parameters)
    for text in (parameters, *nest.lines):
        yield MARK.sub(lambda match: word(int(match[1]), nest.names[int(match[1])]), text)


@functools.cache
def _library() -> dict[str, str]:
    """The text of each formula of `mathematics`."""
    text = Path(mathematics.__file__).read_text("utf-8")
    found = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith(("bits", "of_bits")):
            found[node.name] = "@formula\n" + str(ast.get_source_segment(text, node))
    return found


def _formulas(text: str) -> list[str]:
    """The formulas that a text calls, and those that they call, in the order of `mathematics`."""
    library, needed, waiting = _library(), set(), [text]
    while waiting:
        for name in re.findall(r"\b(\w+_f[48])\(", waiting.pop()):
            if name in library and name not in needed:
                needed.add(name)
                waiting.append(library[name])
    return [code for name, code in library.items() if name in needed]


__all__ = ["DRAW", "Assembly", "Kernel", "Placement"]

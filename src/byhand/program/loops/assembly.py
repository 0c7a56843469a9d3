"""The generated module: formulas, nests, and kernels, which are what Python calls.

A kernel is a run of items that needs no Python: nests, matrix products, moves and checks. Most steps are one kernel.
Where NumPy must compute a node, or numbers are drawn, one kernel ends and the next begins after it.
"""

from __future__ import annotations

import functools
import keyword
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from byhand.program.ir import ARGUMENT, CHECK, FORWARD, Node, Program, Value, labels, line
from byhand.program.loops import mathematics, moves
from byhand.program.loops.accumulation import ACCUMULATE
from byhand.program.loops.blas import Blas
from byhand.program.loops.expressions import BOOLEAN, CODE
from byhand.program.loops.machine_code import INTEGER, REAL
from byhand.program.loops.manuscript import Parameter, Pointer
from byhand.program.loops.nests import manuscript
from byhand.program.loops.placement import Item
from byhand.program.loops.products import factors, product
from byhand.program.loops.settlement import Settlement
from byhand.program.loops.storage import Storage
from byhand.program.primitives import PRODUCT

RESERVED = {
    *keyword.kwlist,
    "bind",
    "clock",
    "complaint",
    "failed",
    "id",
    "np",
    "range",
    "results",
    "run",
    "small",
    "spent",
    "table",
}
NUMBERED = re.compile(r"(batch|call|copy|kernel|nest|output)_\d+")
"""Names that generated text has for things of its own."""

HEADER = '''"""{name}: the loops of one run.

`p[i]` is the number at place i of the memory at p; f4, f8, i8, … are the types of numbers. `plus` and its like add up
in any order, so that the machine can add many at a time. See byhand.program.loops.
"""'''


@dataclass(eq=False)
class Kernel:
    """A function of the table of addresses, the identities of the arguments, and the numbers.

    title     what it computes, if it is one item only
    pointers  the names of the pointers that it defines, by root and offset
    """

    name: str
    title: str = ""
    is_product: bool = False
    lines: list[str] = field(default_factory=list)
    pointers: dict[tuple[Value, int], str] = field(default_factory=dict)
    checks: int = 0
    flushes: bool = False

    def flush(self, wanted: bool) -> None:
        """Switch between exact small numbers and none, before what is written next."""
        if wanted != self.flushes:
            self.lines.append(
                "small = flush()  # below 1e-38 is 0: slow to compute with" if wanted else "restore(small)"
            )
            self.flushes = wanted


@dataclass(eq=False)
class Assembly:
    """The module as text, and what there is to do around it.

    split   whether each item gets a kernel of its own, so that it can be timed
    table   the roots whose addresses the table holds, in order
    steps   kernels, and nodes that Python computes, in order
    checks  the checks in the kernels; a kernel returns the number of one that failed, counted from 1, or 0
    nests   how many nests the kernels call
    source  the text
    """

    program: Program
    settlement: Settlement
    blas: Blas | None
    split: bool = False
    table: list[Value] = field(default_factory=list)
    steps: list[Kernel | Node] = field(default_factory=list)
    checks: list[Node] = field(default_factory=list)
    nests: int = 0
    source: str = ""

    def __post_init__(self) -> None:
        names = labels(self.program)
        self.names = {x: f"{n}_" if n in RESERVED or NUMBERED.fullmatch(n) else n for x, n in names.items()}
        self._taken = set(self.names.values())
        self._places: dict[Value, int] = {}
        self._functions: dict[str, str] = {}
        self._texts: list[str] = []
        for item in self.settlement.placement.items:
            self._item(item)
        kernels = [self._kernel_text(step) for step in self.steps if isinstance(step, Kernel)]
        body = "\n\n\n".join([*self._texts, *kernels])
        self.source = "\n\n\n".join([HEADER.format(name=self.program.name), *_formulas(body), body]) + "\n"

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
        fused = [n for item in self.settlement.placement.items for n in item.nodes if item.fused or n.op is ACCUMULATE]
        return list(dict.fromkeys(x for node in fused for x in node.values if x.dtype is None))

    def _item(self, item: Item) -> None:
        node = item.nodes[0]
        made = product(node, self.storage) if node.op.kind == PRODUCT and self.blas is not None else None
        if not item.fused and node.op is not CHECK and made is None and not moves.known(node):
            self.steps.append(node)
            return
        kernel = self._kernel()
        # gradients that vanish take their time: Adam's update of 200,000 numbers 116 µs where the squares are below
        # 1e-38, 66 if those are 0 (Zen 4; other processors are slower still). What comes forward stays exact
        kernel.flush(node.op is not CHECK and all(n.section != FORWARD for n in item.nodes))
        if item.fused:
            self._nest(item, kernel)
        elif node.op is CHECK:
            self.checks.append(node)
            kernel.checks += 1
            flag = self.storage.spot(node.inputs[0])
            pointer = self._pointer(kernel, flag.root, flag.offset)
            kernel.lines += [f"if {pointer}[0] != u1(0):", f"    return {len(self.checks)}"]
        elif made is not None:
            names = [self._pointer(kernel, spot.root, spot.offset) for spot, _ in made.operands]
            kernel.lines.append(f"# {line(node, self.names)}")
            if node.op is ACCUMULATE and self.storage.memory(node.out) is not node.inputs[0]:
                self._call_moves(moves.copied(node.inputs[0], node.out, self.storage), kernel)
            kernel.lines += made.calls(names, *factors(node, self.names))
        else:
            kernel.lines.append(f"# {line(node, self.names)}")
            self._call_moves(moves.moves(node, self.storage), kernel)
        if not kernel.title and len(kernel.lines) > kernel.flushes:
            kernel.title = kernel.lines[kernel.flushes].removeprefix("# ")
        kernel.is_product = made is not None

    def _call_moves(self, made: Iterable[moves.Move], kernel: Kernel) -> None:
        for move in made:
            pointers = [self._pointer(kernel, spot.root, spot.offset) for spot in move.spots]
            kernel.lines.append(f"{self._defined(move.text, move.text)}({', '.join(pointers)})")

    def _kernel(self) -> Kernel:
        """The kernel that is being written."""
        latest = self.steps[-1] if self.steps else None
        if not isinstance(latest, Kernel) or (self.split and latest.lines):
            latest = Kernel(f"kernel_{1 + sum(isinstance(step, Kernel) for step in self.steps)}")
            self.steps.append(latest)
        return latest

    def _pointer(self, kernel: Kernel, root: Value, offset: int) -> str:
        """The name of a pointer, which the kernel defines where it begins."""
        root = self.storage.memory(root)
        if (root, offset) not in kernel.pointers:
            name = f"{self.names[root]}_{offset}" if offset else self.names[root]
            while offset and name in self._taken:
                name += "_"
            kernel.pointers[root, offset] = name
        return kernel.pointers[root, offset]

    def _nest(self, item: Item, kernel: Kernel) -> None:
        made = manuscript(self.settlement.outlines[item], self.storage)
        if not made.lines:
            return
        self.nests += 1
        types = [_type(x) for x, _ in made.parameters]
        name = self._defined(f"{types}{made.canonical()}", made.readable(self.names, RESERVED))
        arguments = []
        for x, _ in made.parameters:
            if isinstance(x, Value):
                arguments.append(self.names[x])
            else:
                arguments.append(str(x.offset) if x.root is None else self._pointer(kernel, x.root, x.offset))
        written = [self.names[self.storage.memory(n.out)] for n in item.nodes if n.out in self.storage.strides]
        kernel.lines.append(f"{name}({', '.join(arguments)})  # → {', '.join(dict.fromkeys(written))}")

    def _defined(self, key: str, text: str) -> str:
        """The name of the function that has this text, but for its name."""
        name = self._functions.get(key)
        if name is None:
            name = self._functions[key] = f"nest_{len(self._functions) + 1}"
            self._texts.append(f"@nest\ndef {name}{text}")
        return name

    def _kernel_text(self, kernel: Kernel) -> str:
        given = [self.names[x] for x in (*self.program.arguments, *self.numbers)]
        lines = [f"def {kernel.name}({', '.join(['table', *given])}):"]
        # a pointer to the start of an argument takes the name that the identity had, so it comes last
        for (root, offset), name in sorted(kernel.pointers.items(), key=lambda pointer: -pointer[0][1]):
            code = "u1" if root.dtype == BOOLEAN else CODE[root.dtype]  # type: ignore[index]
            is_given = root.origin == ARGUMENT
            start = (
                f"argument_{code}({self.names[root]})" if is_given else f"pointer_{code}(table, {self._place(root)})"
            )
            lines.append(f"    {name} = {f'at({start}, {offset})' if offset else start}")
        kernel.flush(False)
        return "\n".join([*lines, *["    " + text for text in kernel.lines], "    return 0"])

    def _place(self, root: Value) -> int:
        """The place of a root in the table."""
        if root not in self._places:
            self._places[root] = len(self.table)
            self.table.append(root)
        return self._places[root]


def _type(x: Parameter) -> str:
    if isinstance(x, Pointer):
        return "n" if x.root is None else CODE[x.root.dtype]  # type: ignore[index]
    return REAL


@functools.cache
def _library() -> dict[str, str]:
    """The text of each formula of `mathematics`."""
    text = Path(mathematics.__file__).read_text("utf-8").partition("\n# float32\n")[2]
    parts = [part.strip() for part in re.split(r"\n\n\n(?:# float64\n\n\n)?", text)]
    return {part.partition("(")[0].removeprefix("def "): f"@formula\n{part}" for part in parts}


def _formulas(text: str) -> Iterator[str]:
    """The formulas that a text calls, and those that they call, in the order of `mathematics`."""
    library, waiting = _library(), [text]
    needed: set[str] = set()
    while waiting:
        for name in re.findall(r"\b(\w+_f[48])\(", waiting.pop()):
            if name in library and name not in needed:
                needed.add(name)
                waiting.append(library[name])
    yield from (code for name, code in library.items() if name in needed)

"""The generated module: formulas, nests, and kernels, which are what Python calls.

A kernel is a run of items that needs no Python: nests, matrix products, moves and checks. Most steps are one kernel.
Where NumPy must compute a node, or numbers are drawn, one kernel ends and the next begins after it.
"""

from __future__ import annotations

import functools
import keyword
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from byhand.program.ir import ARGUMENT, CHECK, FORWARD, Node, Program, Value, labels, line
from byhand.program.loops import convolutions, mathematics, moves
from byhand.program.loops.accumulation import ACCUMULATE
from byhand.program.loops.blas import Blas
from byhand.program.loops.convolutions import WINDOWED_WEIGHT
from byhand.program.loops.expressions import BOOLEAN, CODE, Fold
from byhand.program.loops.machine_code import INTEGER, REAL
from byhand.program.loops.manuscript import FIRST, LAST, Bound, Parameter, Pointer
from byhand.program.loops.nests import added_up, manuscript
from byhand.program.loops.placement import Item
from byhand.program.loops.products import Product, factors, product
from byhand.program.loops.settlement import Settlement
from byhand.program.loops.sharing import Span, product_span, totals
from byhand.program.loops.storage import Storage
from byhand.program.primitives import PRODUCT

RESERVED = {
    *keyword.kwlist,
    "alone", "begin", "bind", "clock", "complaint", "end", "failed", "first", "given", "id", "last", "np", "part",
    "range", "results", "run", "small", "spent", "table", "team",
}  # fmt: skip
NUMBERED = re.compile(r"(batch|call|copy|kernel|nest|output|part)_\d+")
"""Names that generated text has for things of its own."""

HEADER = '''"""{name}: the loops of one run.

`p[i]` is the number at place i of the memory at p; f4, f8, i8, … are the types of numbers. `plus` and its like add up
in any order, so that the machine can add many at a time. See byhand.program.loops.
"""'''


@dataclass(eq=False)
class Kernel:
    """A function of the table of addresses, the identities of the arguments, and the numbers; or a part of its work.

    title     what it computes, if it is one item only
    pointers  the names of the pointers that it defines, by root and offset
    leads     whether other threads help
    """

    name: str
    title: str = ""
    is_product: bool = False
    lines: list[str] = field(default_factory=list)
    pointers: dict[tuple[Value, int], str] = field(default_factory=dict)
    checks: int = 0
    flushes: bool = False
    leads: bool = False

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
        self._parts: list[Kernel] = []
        for item in self.settlement.placement.items:
            self._item(item)
        kernels = [self._kernel_text(step) for step in self.steps if isinstance(step, Kernel)]
        body = "\n\n\n".join([*self._texts, *map(self._part_text, self._parts), *kernels])
        self.source = "\n\n\n".join([HEADER.format(name=self.program.name), *_formulas(body), body]) + "\n"

    @property
    def storage(self) -> Storage:
        """Where values are."""
        return self.settlement.storage

    @property
    def kernels(self) -> dict[str, list[str]]:
        """The kernels by name, with the kinds of their parameters."""
        kernels = [step for step in self.steps if isinstance(step, Kernel)]
        return {kernel.name: [INTEGER] * 2 * kernel.leads + self._kinds for kernel in kernels}

    @property
    def given(self) -> list[str]:
        """The names of what kernels are given: the table, identities of arrays, numbers."""
        return ["table", *[self.names[x] for x in (*self.program.arguments, *self.numbers)]]

    @property
    def _kinds(self) -> list[str]:
        return [INTEGER] * (1 + len(self.program.arguments)) + [REAL] * len(self.numbers)

    @functools.cached_property
    def numbers(self) -> list[Value]:
        """The numbers that kernels are given: those that some nest reads."""
        fused = [n for item in self.settlement.placement.items for n in item.nodes if item.fused or n.op is ACCUMULATE]
        return list(dict.fromkeys(x for node in fused for x in node.values if x.dtype is None))

    def _item(self, item: Item) -> None:
        node = item.nodes[0]
        windowed = convolutions.known(node)
        multiplies = node.op.kind == PRODUCT and not windowed and self.blas is not None
        made = product(node, self.storage) if multiplies else None
        if not item.fused and node.op is not CHECK and made is None and not moves.known(node) and not windowed:
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
            self._product(node, made, kernel)
        elif windowed:
            self._windowed(item, kernel)
        else:
            kernel.lines.append(f"# {line(node, self.names)}")
            self._call_moves(moves.moves(node, self.storage, self.settlement.threads), kernel)
        if not kernel.title and len(kernel.lines) > kernel.flushes:
            first = kernel.lines[kernel.flushes]
            kernel.title = (self._parts[-1].lines[-1] if first.startswith("lead(") else first).removeprefix("# ")
        kernel.is_product = made is not None or windowed

    def _product(self, node: Node, made: Product, kernel: Kernel) -> None:
        kernel.lines.append(f"# {line(node, self.names)}")
        if node.op is ACCUMULATE and self.storage.memory(node.out) is not node.inputs[0]:
            self._call_moves(moves.copied(node.inputs[0], node.out, self.storage, self.settlement.threads), kernel)
        shared, span = product_span(made, self.settlement.threads) or ("", None)
        worker = self._worker(kernel, span)
        names = [self._pointer(worker, spot.root, spot.offset) for spot, _ in made.operands]
        worker.lines += made.calls(names, *factors(node, self.names), shared)

    def _windowed(self, item: Item, kernel: Kernel) -> None:
        node, span, storage = item.nodes[0], self.settlement.spans.get(item), self.storage
        kernel.lines.append(f"# {line(node, self.names)}")
        worker = self._worker(kernel, span)
        spots = [storage.spot(x) for x in (*node.inputs, *node.outputs)]
        own = storage.divided if span is not None else ()
        names = [
            self._argument(Pointer(spot.root, spot.offset), worker, own if i > 1 else ())
            for i, spot in enumerate(spots)
        ]
        worker.lines += convolutions.calls(
            node, storage, names, lambda text: self._defined(text, text), span is not None
        )
        if span is not None and node.op is WINDOWED_WEIGHT:
            self._add_up(node, span, kernel)

    def _call_moves(self, made: Iterable[moves.Move], kernel: Kernel) -> None:
        for move in made:
            worker = self._worker(kernel, move.span)
            pointers = [self._pointer(worker, spot.root, spot.offset) for spot in move.spots]
            arguments = [*(["first", "last"] if move.span else []), *pointers]
            worker.lines.append(f"{self._defined(move.text, move.text)}({', '.join(arguments)})")

    def _worker(self, kernel: Kernel, span: Span | None, comment: str = "") -> Kernel:
        """Where the lines go that do some work: into the kernel, or into a part that it has done by several threads."""
        if span is None:
            return kernel
        part = Kernel(f"part_{len(self._parts) + 1}", lines=span.lines())
        part.flush(kernel.flushes)
        self._parts.append(part)
        kernel.leads = True
        kernel.lines.append(f"lead(team, given, {part.name}, {span.parts}){comment}")
        return part

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
        span = self.settlement.spans.get(item)
        made = manuscript(self.settlement.outlines[item], self.storage, span is not None)
        if not made.lines:
            return
        self.nests += 1
        written = [self.names[self.storage.memory(n.out)] for n in item.nodes if n.out in self.storage.strides]
        comment = f"  # → {', '.join(dict.fromkeys(written))}"
        worker = self._worker(kernel, span, comment)
        types = [_type(x) for x, _ in made.parameters]
        text = made.readable(self.names, RESERVED - {FIRST.name, LAST.name})
        name = self._defined(f"{types}{made.canonical()}", text)
        own = {node.out for node in item.nodes} & self.storage.divided.keys()
        arguments = [self._argument(x, worker, own) for x, _ in made.parameters]
        worker.lines.append(f"{name}({', '.join(arguments)}){comment if worker is kernel else ''}")
        if span is not None:
            for node in totals(self.settlement.outlines[item]):
                self._add_up(node, span, kernel, Fold(node))

    def _add_up(self, node: Node, span: Span, kernel: Kernel, way: Fold | None = None) -> None:
        text = added_up(node.out, span.parts, self.storage.divided[node.out], way)
        kernel.lines.append(f"{self._defined(text, text)}({self._pointer(kernel, node.out, 0)})")

    def _argument(self, x: Parameter, worker: Kernel, own: Collection[Value]) -> str:
        """What a nest is given for a parameter; `own` are the roots of which each part has its own."""
        if isinstance(x, Value):
            return self.names[x]
        if isinstance(x, Bound):
            return x.name
        if x.root is None:
            return str(x.offset)
        pointer = self._pointer(worker, x.root, x.offset)
        return f"at({pointer}, part * {self.storage.divided[x.root]})" if x.root in own else pointer

    def _defined(self, key: str, text: str) -> str:
        """The name of the function that has this text, but for its name."""
        name = self._functions.get(key)
        if name is None:
            name = self._functions[key] = f"nest_{len(self._functions) + 1}"
            self._texts.append(f"@nest\ndef {name}{text}")
        return name

    def _kernel_text(self, kernel: Kernel) -> str:
        parameters = [*(["team", "given"] if kernel.leads else []), *self.given]
        kept = [f"keep(given, {k}, {name})" for k, name in enumerate(self.given) if kernel.leads]
        lines = [f"def {kernel.name}({', '.join(parameters)}):", *["    " + text for text in kept]]
        return "\n".join([*lines, *self._body(kernel), "    return 0"])

    def _part_text(self, part: Kernel) -> str:
        body = list(self._body(part))
        needed = set(re.findall(r"\w+", "\n".join(body)))
        places = [(k, *each) for k, each in enumerate(zip(self.given, self._kinds, strict=True)) if each[0] in needed]
        kept = [f"    {name} = kept_{kind}(given, {k})" for k, name, kind in places]
        return "\n".join(["@part", f"def {part.name}(given, part):", *kept, *body])

    def _body(self, kernel: Kernel) -> Iterator[str]:
        """The definitions of the pointers, then the lines."""
        # a pointer to the start of an argument takes the name that the identity had, so it comes last
        for (root, offset), name in sorted(kernel.pointers.items(), key=lambda pointer: -pointer[0][1]):
            code = "u1" if root.dtype == BOOLEAN else CODE[root.dtype]  # type: ignore[index]
            is_given = root.origin == ARGUMENT
            start = (
                f"argument_{code}({self.names[root]})" if is_given else f"pointer_{code}(table, {self._place(root)})"
            )
            yield f"    {name} = {f'at({start}, {offset})' if offset else start}"
        kernel.flush(False)
        yield from ("    " + text for text in kernel.lines)

    def _place(self, root: Value) -> int:
        """The place of a root in the table."""
        if root not in self._places:
            self._places[root] = len(self.table)
            self.table.append(root)
        return self._places[root]


def _type(x: Parameter) -> str:
    if isinstance(x, Bound):
        return "n"
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

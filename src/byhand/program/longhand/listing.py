"""From a program to lines: which values have a line of their own, and the formula of each.

A value stands inside of the one formula that reads it, unless it has a name of the courses, is read more than once, or
would make the formula long. Numbers always stand inside; `repeats` takes out what is there again and again. Called by
`longhand`.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

import numpy as np

from byhand.core.variable import Array
from byhand.program.ir import BACKWARD, CHECK, CONSTANT, DRAW, FORWARD, UPDATE, Node, Program, Value
from byhand.program.longhand.expression import (
    Tree,
    array_tree,
    copied,
    dtype_tree,
    float32_tree,
    is_atom,
    literal,
    marked,
    name,
    names_in,
    parsed,
    plain_number,
    substituted,
    text,
)
from byhand.program.longhand.line import Line, Listing
from byhand.program.longhand.naming import Names
from byhand.program.longhand.plainer import plainer, scalar_of
from byhand.program.longhand.reading import Reading, read
from byhand.program.longhand.tidy import negated, tidied

LONGEST = 72  # characters of a formula that stands inside of another
SMALL = 16  # values of a constant that is written out


class Builder:
    """Walks through the program; `lines` grow."""

    def __init__(self, program: Program, titles: Mapping[str, str]) -> None:
        self.program = plainer(program)
        self.nodes = _living(self.program)
        self.listing = Listing()
        self.readings: dict[Node, Reading] = {}
        alike: dict[Any, Reading] = {}
        for node in self.nodes:
            if node.op is not DRAW:
                key = node.op.name, *map(_facts, node.inputs), repr(node.attrs)
                reading = self.readings[node] = alike.get(key) or alike.setdefault(
                    key, read(node, self.listing.functions)
                )
                self.listing.functions |= reading.around.functions
                self.listing.constants |= reading.around.constants
                self.listing.modules |= reading.around.modules
                self.listing.ignored |= reading.ignored
        self.names = Names(self.program, {*self.listing.functions, *self.listing.constants}, titles)
        generators = dict.fromkeys(node.attrs["generator"] for node in self.nodes if node.op is DRAW)
        self.listing.streams = {f"rng{i + 1}" if i else "rng": generator for i, generator in enumerate(generators)}
        self.streams = set(self.listing.streams)
        self.lines: list[Line] = []
        self.formulas: dict[str, str] = {}  # of lines that nothing changes later, by the dump of the formula
        self.trees: dict[Value, Tree] = {}
        known = self.program
        self.roots = {*known.outputs, *[new for _, new in (*known.writes, *known.number_writes)]}
        self.counts: dict[Value, int] = {}
        for node in self.nodes:
            self._count(node)
        self.counters = {new: number for number, new in self.program.number_writes if self._counts_on(number, new)}

    def _count(self, node: Node) -> None:
        """How often each value stands in the text."""
        reading = self.readings.get(node)
        for i, x in enumerate(node.inputs):
            if isinstance(x, Value):
                times = 1 if reading is None else reading.count(reading.parameters[i])
                self.counts[x] = self.counts.get(x, 0) + times

    def _counts_on(self, number: Value, new: Value) -> bool:
        """Whether the old number is read for nothing but the new one."""
        readers = [node for node in self.nodes if number in node.inputs]
        return len(readers) == 1 and new in readers[0].outputs

    def build(self) -> list[Line]:
        """All lines, before writes find their places."""
        for value in self.program.given:
            self._give(value)
        for node in self.nodes:
            if node.op is DRAW:
                self._draw(node)
            elif node.outputs[0].dtype is None:
                self._number(node)
            else:
                self._compute(node)
        return self.lines

    # what comes from outside

    def _give(self, value: Value) -> None:
        facts = {"number": True} if value.dtype is None else {"shape": value.shape, "dtype": value.dtype}
        self.trees[value] = marked(name(self.names[value]), **facts)
        if value.origin != CONSTANT or value.shape == () or not self.counts.get(value):
            return
        tree = written_out(value.data)
        known = None if tree is None else self.formulas.get(ast.dump(tree))
        if known is not None:
            self.trees[value] = marked(name(known), **facts)
        elif tree is not None:
            self._line(value, tree, Line([], FORWARD, []))

    # one node

    def _draw(self, node: Node) -> None:
        arguments = dict(node.attrs["arguments"])
        first = [arguments.pop(key) for key in ("low", "high", "x") if key in arguments]
        first += [arguments.pop("size")] if not first and "size" in arguments else []
        keywords = [ast.keyword(key, literal(value)) for key, value in arguments.items()]
        stream = next(name for name, generator in self.listing.streams.items() if generator is node.attrs["generator"])
        call = ast.Call(parsed(f"{stream}.{node.attrs['method']}"), [literal(x) for x in first], keywords)
        out = node.out
        if self._is_inside(node, out, call) and self._is_next_draw(node):
            self.trees[out] = marked(call, shape=out.shape, dtype=out.dtype)
        else:
            self._line(out, call, Line([], node.section, [], out, node))

    def _is_next_draw(self, node: Node) -> bool:
        """Whether nothing else is drawn before this is read."""
        after = self.nodes[self.nodes.index(node) + 1 :]
        for other in after:
            if node.out in other.inputs:
                return self._is_line(other)
            if other.op is DRAW:
                return False
        return True

    def _is_line(self, node: Node) -> bool:
        """Whether a node that reads a draw surely has its own line."""
        return bool(node.outputs) and node.outputs[0] in self.names

    def _number(self, node: Node) -> None:
        out = node.outputs[0]
        reading = self.readings[node]
        tree = tidied(substituted(reading.results[0], self._operands(node, reading)))
        number = self.counters.get(out)
        if number is not None:
            self.names[out] = self.names[number]
            self._line(out, tree, Line([], node.section, [], None, node))
        else:
            positive = negated(tree)  # a sign in front stays outside, where a sum can take it up
            if positive is None:
                self.trees[out] = marked(tree, number=True, value_of=out)
            else:
                inner = marked(copied(positive), number=True, value_of=out)
                self.trees[out] = marked(ast.UnaryOp(ast.USub(), inner), number=True)

    def _compute(self, node: Node) -> None:
        reading = self.readings[node]
        operands = self._operands(node, reading)
        quotient = self._quotient(node)
        needed = [i for i, out in enumerate(node.outputs) if self.counts.get(out) or out in self.roots]
        renamed, statements = self._saved(node, reading, operands)
        results = [tidied(substituted(tree, operands, renamed)) for tree in reading.results]
        if quotient is not None:
            results = [tidied(quotient)]
        line = Line([], node.section, [], None, node, _may_alias(node))
        for part, shape in zip(statements, _shapes(node, reading), strict=True):
            if part is not None:
                line.statements.append(part)
                line.shapes.append(shape)
        if line.statements:
            self.lines.append(line)
        for i in reversed(needed):  # probabilities before the loss that is made of them
            out, tree = node.outputs[i], results[i]
            known = self.formulas.get(ast.dump(tree)) if not _may_alias(node) and self._is_settled(tree) else None
            if isinstance(tree, ast.Name) and tree.id in renamed.values():
                self.trees[out] = marked(tree, shape=out.shape, dtype=out.dtype)
                if tree.id == self.names.found(out):
                    line.value = out
            elif known is not None:
                self.trees[out] = marked(name(known), shape=out.shape, dtype=out.dtype)
            elif self._is_inside(node, out, tree):
                self.trees[out] = marked(tree, shape=out.shape, dtype=out.dtype, value_of=out)
            else:
                self._line(out, tree, Line([], node.section, [], out, node, _may_alias(node)))

    def _saved(
        self, node: Node, reading: Reading, operands: dict[str, Tree]
    ) -> tuple[dict[str, str], list[ast.stmt | None]]:
        """The statements of a reading, with names for its locals; None for what an earlier line has computed."""
        renamed: dict[str, str] = {}
        made: list[ast.stmt | None] = []
        changed = _changed(reading.statements)
        for part in reading.statements:
            formula = tidied(substituted(part.value, operands, renamed)) if isinstance(part, ast.Assign) else None
            target = part.targets[0] if isinstance(part, ast.Assign) else None
            if isinstance(target, ast.Name) and target.id not in changed and formula is not None:
                known = self.formulas.get(ast.dump(formula))
                if known is not None:
                    renamed[target.id] = known
                    made.append(None)
                    continue
                renamed[target.id] = self._local(node, reading, target.id, renamed)
                self.formulas[ast.dump(formula)] = renamed[target.id]
            for local in Line([part], "", []).writes - set(renamed):
                renamed[local] = self._local(node, reading, local, renamed)
            made.append(tidied(substituted(part, operands, renamed)))
        return renamed, made

    def _local(self, node: Node, reading: Reading, local: str, renamed: dict[str, str]) -> str:
        """The name of a local of a kernel: that of the output if it is one; d_hat goes with _hat."""
        for out, tree in zip(node.outputs, reading.results, strict=True):
            if isinstance(tree, ast.Name) and tree.id == local:
                return self.names[out]
        if f"_{local[2:]}" in renamed:
            return self.names.unlike(f"d_{renamed[f'_{local[2:]}']}")
        if local.startswith("_"):
            return self.names.unlike(f"{self.names[node.outputs[0]]}{local}")
        return self.names.unlike(local)

    def _line(self, out: Value, tree: Tree, line: Line) -> None:
        """A line that computes one value by a formula."""
        title = self.names[out]
        line.statements = [ast.Assign([ast.Name(title, ast.Store())], tree)]
        line.shapes = [None if out.dtype is None else out.shape]
        self.lines.append(line)
        if not line.alias and self._is_settled(tree):
            self.formulas.setdefault(ast.dump(tree), title)
        facts = {"number": True} if out.dtype is None else {"shape": out.shape, "dtype": out.dtype}
        self.trees[out] = marked(name(title), **facts)

    def _is_settled(self, tree: Tree) -> bool:
        """Whether a formula gives the same each time: it draws no random numbers."""
        return self.streams.isdisjoint(names_in(tree))

    def _is_inside(self, node: Node, out: Value, tree: Tree) -> bool:
        """Whether a value stands inside of the formula that reads it; updates are cut later, see `repeats`."""
        if out in self.roots or out in self.names:
            return False
        if is_atom(tree):
            return True
        return self.counts.get(out) == 1 and (node.section == UPDATE or len(text(tree)) <= LONGEST)

    # operands

    def _operands(self, node: Node, reading: Reading) -> dict[str, Tree]:
        """The formula that stands for each parameter."""
        found: dict[str, Tree] = {}
        for parameter, x in zip(reading.parameters, node.inputs, strict=True):
            scalar = scalar_of(x)
            if scalar is not None:
                found[parameter] = self._scalar(node, scalar)
            elif isinstance(x, Value):
                if reading.count(parameter):  # of some operands only the shape is asked for
                    found[parameter] = self.trees[x]
            elif (
                type(x) is float
                and node.out.dtype == np.float32
                and x in (float(str(np.float32(x))), float(np.float32(x)))
            ):
                found[parameter] = float32_tree(np.float32(x))
            elif x is not None:
                found[parameter] = literal(x)
        return found

    def _quotient(self, node: Node) -> Tree | None:
        """x · 0.02 as x / 50, and in the mean of squares 2 · x / 100: the mean over a batch, backwards."""
        if node.op.name != "mul":
            return None
        for x, factor in (node.inputs, node.inputs[::-1]):
            scalar = scalar_of(factor)
            if type(factor) is float and node.out.dtype is not None:
                scalar = node.out.dtype.type(factor)
            if scalar is None or not isinstance(x, Value) or x.dtype != scalar.dtype or scalar.dtype.kind != "f":
                continue
            squared = node.section == BACKWARD and node.rule is not None and node.rule[0] in ("square", "pow")
            above = 2 if squared else 1  # a mean of squares: 2 · x / n
            count = round(float(above / scalar)) if scalar > 1e-9 else 0
            long = type(factor) is not float or node.section == BACKWARD or len(repr(factor)) > 7
            if long and count > above and scalar == scalar.dtype.type(above / count):
                product = self.trees[x] if above == 1 else ast.BinOp(literal(2), ast.Mult(), self.trees[x])
                return ast.BinOp(product, ast.Div(), literal(count))
        return None

    def _scalar(self, node: Node, scalar: Any) -> Tree:
        """A NumPy scalar: as a plain number where an array of its dtype beside it settles the dtype of the result."""
        beside = [x for x in node.values if scalar_of(x) is None and x.dtype == scalar.dtype]
        if beside and node.op.kind == "elementwise" and node.out.dtype == scalar.dtype:
            return float32_tree(scalar) if scalar.dtype == np.float32 else literal(plain_number(scalar))
        return literal(scalar)


def _facts(x: Any) -> Any:
    """All of an operand that its reading depends on."""
    return (x.shape, x.dtype) if isinstance(x, Value) else (type(x), x is None)


def _living(program: Program) -> list[Node]:
    """The nodes that outputs, writes and draws need; what only a check reads is not printed."""
    needed = {x for x in program.outputs if isinstance(x, Value)}
    needed |= {new for _, new in (*program.writes, *program.number_writes)}
    kept: list[Node] = []
    for node in reversed(program.nodes):
        if node.op is DRAW or (node.op is not CHECK and needed.intersection(node.outputs)):
            kept.append(node)
            needed.update(node.values)
    return kept[::-1]


def _may_alias(node: Node) -> bool:
    """Whether the result may be a view of an operand; a law holds the table of ops to this."""
    return node.op.kind in ("view", "move")


def _changed(statements: list[ast.stmt]) -> set[str]:
    """The locals that are more than assigned once: written in place, perhaps through a view, or assigned again."""
    first: set[str] = set()
    changed: set[str] = set()
    for part in statements:
        if isinstance(part, ast.Assign) and isinstance(part.targets[0], ast.Name):
            title = part.targets[0].id
            changed |= {title} & first
            first.add(title)
        else:
            changed |= set(names_in(part.target if isinstance(part, ast.AugAssign) else part))
    for part in reversed(statements):
        if isinstance(part, ast.Assign) and isinstance(part.targets[0], ast.Name) and part.targets[0].id in changed:
            changed |= first.intersection(names_in(part.value))
    return changed


def written_out(data: Array) -> Tree | None:
    """A constant as a formula, if that is short."""
    dtype = text(dtype_tree(data.dtype))
    if data.size > 1 and (data == data.flat[0]).all():
        first = data.flat[0].item()
        if first in (0, 1):
            return parsed(f"np.{('zeros', 'ones')[int(first)]}({data.shape!r}, {dtype})")
        return parsed(f"np.full({data.shape!r}, {text(literal(plain_number(data.flat[0])))}, {dtype})")
    if data.size > SMALL or not data.size:
        return None if data.size else parsed(f"np.zeros({data.shape!r}, {dtype})")
    tree = array_tree(data)
    return tree if len(text(tree)) <= 80 else None


def _shapes(node: Node, reading: Reading) -> list[tuple[int, ...] | None]:
    """The shapes of what a kernel saves on its way, found by running it on zeros."""
    known: dict[str, Any] = {"np": np}
    for parameter, x in zip(reading.parameters, node.inputs, strict=True):
        known[parameter] = np.zeros(x.shape, x.dtype) if isinstance(x, Value) else x
    shapes: list[tuple[int, ...] | None] = []
    with np.errstate(all="ignore"):
        for part in reading.statements:
            try:
                code = ast.fix_missing_locations(ast.Module([copied(part)], []))
                exec(compile(code, "<line>", "exec"), known)  # the kernel's own text
            except Exception:  # it calls a function that stands above
                return [None] * (len(reading.statements) - 1) + [node.out.shape]
            target = part.targets[0] if isinstance(part, ast.Assign) else None
            shapes.append(np.shape(known[target.id]) if isinstance(target, ast.Name) else None)
    return shapes

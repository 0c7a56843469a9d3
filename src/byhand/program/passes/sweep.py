"""The walk that passes share: once over a program, with a rule that may put something simpler in a node's place."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from byhand.program.ir import COMPUTED, Node, Program, Value

Rule = Callable[[Node, "Sweep"], Any]
"""A function of a node and the sweep. It returns None to leave the node as it is; a node to put in its place, which
computes the same outputs and to which the rule is applied again; or a list that says what each output is, and the node
goes. Inputs of the node are up to date."""

RESULT: Any = object()


class Sweep:
    """One walk.

    makers      the node that computes each value, as rewritten so far
    marked      values that a rule wants to know again
    constants   new constants of the program
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.makers: dict[Value, Node] = {}
        self.marked: set[Value] = set()
        self.constants: list[Value] = []
        self._nodes: list[Node] = []
        self._renamed: dict[Value, Any] = {}
        self._readers: dict[Value, list[Any]] | None = None

    def over(self, rule: Rule) -> Program:
        """The program as the rule rewrites it; the program itself if the rule found nothing to do."""
        renamed, changed = self._renamed, bool(self._renamed)
        for node in self.program.nodes:
            now = self._current(node) if renamed else node
            result = rule(now, self)
            while type(result) is Node:
                now, changed = result, True
                result = rule(now, self)
            if result is None:
                self._keep(now)
                continue
            changed = True
            for out, x in zip(node.outputs, result, strict=True):
                self.rename(out, x)
        return self._rewritten() if changed else self.program

    def emit(self, node: Node, op: Any, inputs: tuple[Any, ...], attrs: dict[str, Any], out: Value) -> Value:
        """Put a new node, which computes `out`, before the node that is being rewritten."""
        self._keep(Node(op, inputs, attrs, (out,), node.section, node.rule, node.place))
        return out

    def readers(self, x: Value) -> list[Any]:
        """The nodes that read a value in the program before the walk, and RESULT once for each use as a result."""
        if self._readers is None:
            self._readers = {}
            for node in self.program.nodes:
                for value in node.values:
                    self._readers.setdefault(value, []).append(node)
            for root in self._results():
                self._readers.setdefault(root, []).append(RESULT)
        return self._readers.get(x, [])

    def _results(self) -> list[Value]:
        program = self.program
        values = [x for x in program.outputs if isinstance(x, Value)]
        return values + [new for _, new in (*program.writes, *program.number_writes)]

    def _current(self, node: Node) -> Node:
        """The node with its inputs up to date."""
        for x in node.inputs:
            if type(x) is Value and x in self._renamed:
                inputs = tuple(map(self._now, node.inputs))
                return Node(node.op, inputs, node.attrs, node.outputs, node.section, node.rule, node.place)
        return node

    def _now(self, x: Any) -> Any:
        return self._renamed.get(x, x) if type(x) is Value else x

    def _keep(self, node: Node) -> None:
        self._nodes.append(node)
        for out in node.outputs:
            self.makers[out] = node

    def rename(self, before: Value, now: Any) -> None:
        """From here on, `before` is `now`; what is known about the one holds for the other."""
        self._renamed[before] = now
        if isinstance(now, Value) and now.origin == COMPUTED:
            now.gradient_of = now.gradient_of or before.gradient_of
            now.name = now.name or before.name

    def _rewritten(self) -> Program:
        for node in self._nodes:
            for out in node.outputs:
                if out.gradient_of in self._renamed:
                    now = self._renamed[out.gradient_of]
                    out.gradient_of = now if isinstance(now, Value) else None
        program = self.program
        return dataclasses.replace(
            program,
            constants=[x for x in (*program.constants, *self.constants) if x not in self._renamed],
            nodes=self._nodes,
            outputs=list(map(self._now, program.outputs)),
            writes=[(state, self._now(new)) for state, new in program.writes],
            number_writes=[(number, self._now(new)) for number, new in program.number_writes],
        )

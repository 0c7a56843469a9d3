"""What of a kernel is settled once shapes, dtypes and attributes are: its branches, sizes, indices, names of types.

A kernel serves all shapes; a program has one. So `if x.shape[1] <= FEW:` is one branch of the two, `len(x)` is 50,
and `x[(slice(None),) * axis + (slice(start, stop),)]` is `x[:, 2:5]`. Nothing is guessed: an expression is settled
if Python can evaluate it knowing shapes and dtypes alone. Called by `reading`.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Mapping
from typing import Any

import numpy as np

from byhand.program.ir import Value
from byhand.program.longhand.expression import Tree, copied, literal, marked, name, names_in

LONGEST = 16  # parts of a tuple that stands in a formula, unless they are operands


class UnsettledError(Exception):
    """Asked for what depends on values."""


class StandIn:
    """An operand of which the shape and the dtype are known."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, name: str, value: Value) -> None:
        self._name, self._value = name, value

    @property
    def tree(self) -> Tree:
        """The operand's name, with what is known."""
        value = self._value
        if value.dtype is None:
            return marked(name(self._name), number=True)
        return marked(name(self._name), shape=value.shape, dtype=value.dtype)

    def __getattr__(self, attribute: str) -> Any:
        value = self._value
        if value.dtype is not None:
            match attribute:
                case "shape":
                    return value.shape
                case "dtype":
                    return value.dtype
                case "ndim":
                    return len(value.shape)
                case "size":
                    return value.size
        raise UnsettledError

    def __len__(self) -> int:
        if not self._value.shape:
            raise UnsettledError
        return self._value.shape[0]

    def _refused(self, *_: Any) -> Any:
        raise UnsettledError

    __bool__ = __eq__ = __ne__ = __iter__ = __getitem__ = __call__ = __contains__ = _refused
    __lt__ = __gt__ = __le__ = __ge__ = __float__ = __index__ = _refused


class Settling(ast.NodeTransformer):
    """Replaces what is settled by its literal.

    known    parameters, attributes and settled locals by name
    outside  the kernel's globals
    unknown  locals that depend on values
    """

    def __init__(self, known: Mapping[str, Any], outside: Mapping[str, Any]) -> None:
        self.known, self.outside = dict(known), outside
        self.unknown: set[str] = set()

    def settled(self, tree: ast.AST) -> tuple[bool, Any]:
        """Whether an expression is settled, and to what."""
        names = set(names_in(tree))
        bound = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        if names & self.unknown or not (names - bound) & set(self.known):
            return False, None
        code = compile(ast.fix_missing_locations(ast.Expression(copied(tree))), "<kernel>", "eval")
        try:
            with np.errstate(all="ignore"):
                value = eval(code, {**self.outside, **self.known, "__builtins__": builtins})
        except Exception:  # whatever it is that it needs, it is not known
            return False, None
        return True, value

    def truth(self, test: Tree) -> bool | None:
        """Whether a condition holds; None if that depends on values."""
        found, value = self.settled(test)
        return bool(value) if found and isinstance(value, bool | np.bool_ | int | str | tuple) else None

    def visit(self, node: ast.AST) -> Any:
        if isinstance(node, ast.expr) and not isinstance(node, ast.Constant | ast.Starred | ast.Slice):
            if not isinstance(getattr(node, "ctx", ast.Load()), ast.Load):
                return self._subscript(node) if isinstance(node, ast.Subscript) else self.generic_visit(node)
            if isinstance(node, ast.IfExp) and (truth := self.truth(node.test)) is not None:
                return self.visit(node.body if truth else node.orelse)
            if isinstance(node, ast.Subscript):
                return self._subscript(node)
            found, value = self.settled(node)
            if found and (tree := written(value)) is not None:
                return tree
        return super().visit(node)

    def _subscript(self, node: ast.Subscript) -> Any:
        found, value = self.settled(node) if isinstance(node.ctx, ast.Load) else (False, None)
        if found and (tree := written(value)) is not None:
            return tree
        found, index = self.settled(node.slice)
        inside = written(index, inside_index=True) if found else None
        node.value = self.visit(node.value)
        node.slice = inside or self.visit(node.slice)
        if isinstance(node.slice, ast.Tuple) and len(node.slice.elts) == 1:
            node.slice = node.slice.elts[0]
        return node

    def visit_Call(self, node: ast.Call) -> Any:
        """Starred tuples of operands become operands."""
        self.generic_visit(node)
        args: list[Tree] = []
        for arg in node.args:
            whole = isinstance(arg, ast.Starred) and isinstance(arg.value, ast.Tuple)
            args += arg.value.elts if whole else [arg]  # type: ignore[attr-defined]
        node.args = args
        return node


def written(value: Any, inside_index: bool = False) -> Tree | None:
    """The literal of a settled value, if it is short enough to stand in a formula."""
    if isinstance(value, StandIn):
        return value.tree
    if isinstance(value, tuple | list):
        parts = [written(part, inside_index) for part in value]
        short = len(parts) <= LONGEST or all(isinstance(part, StandIn) for part in value)
        if any(part is None for part in parts) or not short:
            return None
        value = type(value)(parts)
    try:
        return literal(value, inside_index)
    except ValueError:
        return None

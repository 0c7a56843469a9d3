"""Formulas as Python's own syntax trees: made from values, put into each other, printed.

`ast.unparse` sets the parentheses that precedence asks for and no more, which is why formulas are trees until the end.
A tree may carry what is known of its value: `shape` and `dtype` of an array, `number` if it is a Python number.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

import numpy as np

Tree = ast.expr


def name(text: str) -> ast.Name:
    """A variable."""
    return ast.Name(text, ast.Load())


def parsed(text: str) -> Tree:
    """A formula's text as a tree."""
    return ast.parse(text, mode="eval").body


def literal(value: Any, inside_index: bool = False) -> Tree:
    """The tree of a plain value: a number, a text, a tuple, a slice, a dtype, one of None and Ellipsis.

    Raises ValueError for anything else. A `Tree` stands for itself, so that tuples may hold operands.
    """
    if isinstance(value, ast.expr):
        return value
    if isinstance(value, tuple) and len(value) > 4 and isinstance(value[0], int) and value == value[:1] * len(value):
        return ast.BinOp(literal(value[:1]), ast.Mult(), ast.Constant(len(value)))
    if isinstance(value, tuple | list):
        parts = [literal(part, inside_index) for part in value]
        return ast.Tuple(parts, ast.Load()) if isinstance(value, tuple) else ast.List(parts, ast.Load())
    if isinstance(value, slice):
        bounds = [None if part is None else literal(part) for part in (value.start, value.stop, value.step)]
        if inside_index:
            return ast.Slice(*bounds)
        kept = bounds if bounds[2] is not None else bounds[:2]
        return ast.Call(name("slice"), [part or ast.Constant(None) for part in kept], [])
    if isinstance(value, np.dtype) or (isinstance(value, type) and issubclass(value, np.generic)):
        return dtype_tree(np.dtype(value))
    if isinstance(value, np.generic):
        return ast.Call(dtype_tree(value.dtype), [_number(plain_number(value))], [])
    if isinstance(value, bool | str | None) or value is Ellipsis:
        return ast.Constant(value)
    if isinstance(value, complex):
        return parsed(f"{value.imag!r}j" if value.real == 0 else repr(value))
    if isinstance(value, int | float):
        return _number(value)
    raise ValueError(f"no text stands for {type(value).__name__}")


def plain_number(value: Any) -> Any:
    """A NumPy scalar as a short Python number: float32's 0.1 is 0.1, and so are its neighbours."""
    if value.dtype != np.float32 or not math.isfinite(value):
        return value.item()
    near = 2 * abs(float(value) - float(np.nextafter(value, np.float32(0))))
    candidates = (float(f"{value:.{digits}g}") for digits in range(1, 10))
    most = float(np.finfo(np.float32).max)  # a number beyond it may be infinite as float32
    return next((x for x in candidates if abs(x - float(value)) <= near and abs(x) <= most), float(value))


def dtype_tree(dtype: np.dtype[Any]) -> Tree:
    """`np.float32`."""
    return parsed("bool" if dtype.kind == "b" else f"np.{dtype.name}")


def array_tree(data: Any) -> Tree:
    """`np.array([[1.0, 2.0]], np.float32)`."""

    def nested(part: Any) -> Any:
        return [nested(x) for x in part] if part.ndim else plain_number(part[()])

    return ast.Call(parsed("np.array"), [literal(nested(data)), dtype_tree(data.dtype)], [])


def _number(value: Any) -> Tree:
    if isinstance(value, float) and not math.isfinite(value):
        tree = parsed("np.nan" if math.isnan(value) else "np.inf")
    elif isinstance(value, float) and (quotient := _quotient(abs(value))) is not None:
        tree = ast.BinOp(ast.Constant(quotient[0]), ast.Div(), ast.Constant(quotient[1]))
    else:
        tree = ast.Constant(abs(_rounded(value)) if not isinstance(value, bool) else value)
    negative = not isinstance(value, bool) and (value < 0 or (value == 0 and math.copysign(1, value) < 0))
    return marked(ast.UnaryOp(ast.USub(), tree) if negative else tree, number=True)


def _rounded(value: Any) -> Any:
    """1.7999999999999998 as 1.8: what two factors left of a short number."""
    short = float(f"{value:.15g}") if isinstance(value, float) else value
    return short if len(repr(short)) + 3 < len(repr(value)) and math.isfinite(short) else value


def float32_tree(value: Any) -> Tree:
    """A float32 as a number that is right within two units of its last place: 0.1, or 1 / 120."""
    short = plain_number(value)
    count = round(1 / short) if 1e-6 < short < 1 else 0
    if not math.isfinite(short):
        return _number(short)
    if count and len(f"{short:.9g}") > 8 and abs(1 / count - float(value)) <= 2 * float(np.spacing(abs(value))):
        return ast.BinOp(ast.Constant(1), ast.Div(), ast.Constant(count))
    return _number(short)


def _quotient(value: float) -> tuple[int, int] | None:
    """1.3333333333333333 as 4 / 3: the fraction that a long number was."""
    if len(repr(value)) < 12:
        return None
    found = Fraction(value).limit_denominator(100_000)
    exact = found.numerator and found.numerator / found.denominator == value and found.numerator < 1_000_000
    return (found.numerator, found.denominator) if exact else None


def marked(tree: Tree, **facts: Any) -> Tree:
    """The tree, with what is known of its value."""
    for key, fact in facts.items():
        setattr(tree, key, fact)
    return tree


def copied(tree: Any) -> Any:
    """A copy of a tree; what is known of its values is shared, not copied."""
    made = type(tree)()
    for key, part in vars(tree).items():
        if isinstance(part, ast.AST):
            part = copied(part)
        elif isinstance(part, list):
            part = [copied(x) if isinstance(x, ast.AST) else x for x in part]
        setattr(made, key, part)
    return made


def is_number(tree: ast.AST) -> bool:
    """Whether it is a Python number, as far as is known."""
    if isinstance(tree, ast.UnaryOp):
        return is_number(tree.operand)
    if isinstance(tree, ast.BinOp):
        return is_number(tree.left) and is_number(tree.right)
    plain = isinstance(tree, ast.Constant) and isinstance(tree.value, int | float)
    return bool(getattr(tree, "number", False)) or plain


def is_atom(tree: ast.AST) -> bool:
    """Whether it may stand more than once in a formula: a name, a number, a transpose of a name."""
    if isinstance(tree, ast.UnaryOp):
        return isinstance(tree.operand, ast.Constant)
    if isinstance(tree, ast.Attribute):
        return isinstance(tree.value, ast.Name)
    return isinstance(tree, ast.Name | ast.Constant)


class _Substitution(ast.NodeTransformer):
    def __init__(self, trees: Mapping[str, Any], renamed: Mapping[str, str]) -> None:
        self.trees, self.renamed = trees, renamed

    def visit_Name(self, node: ast.Name) -> Any:
        if node.id in self.renamed:
            node.id = self.renamed[node.id]
            return node
        found = self.trees.get(node.id)
        return node if found is None or not isinstance(node.ctx, ast.Load) else copied(found)


def substituted(tree: Any, trees: Mapping[str, Tree], renamed: Mapping[str, str] | None = None) -> Any:
    """A copy of the tree in which names are replaced by trees where they are read, or renamed wherever they stand."""
    return _Substitution(trees, renamed or {}).visit(copied(tree))


def names_in(tree: ast.AST) -> Iterator[str]:
    """The names that are read or written, as often as they stand there."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id


def same(one: ast.AST, other: ast.AST) -> bool:
    """Whether both print alike."""
    return ast.dump(one) == ast.dump(other)


class _Tight(ast.NodeTransformer):
    """Powers without spaces, x**2, where both sides are simple: as formatters set them."""

    def visit_BinOp(self, node: ast.BinOp) -> Any:
        self.generic_visit(node)
        if isinstance(node.op, ast.Pow) and _base(node.left) and _simple(node.right):
            return marked(name(f"{ast.unparse(node.left)}**{ast.unparse(node.right)}"), tight=True)
        if isinstance(node.op, ast.Pow) and getattr(node.left, "tight", False):
            node.left = name(f"({ast.unparse(node.left)})")
        return node

    def _kept(self, node: Any) -> Any:
        """Below a dot or an index the power needs its parentheses."""
        self.generic_visit(node)
        if getattr(node.value, "tight", False):
            node.value = name(f"({node.value.id})")
        return node

    def visit_Attribute(self, node: ast.Attribute) -> Any:
        return self._kept(node)

    def visit_Subscript(self, node: ast.Subscript) -> Any:
        return self._kept(node)


def _base(tree: Tree) -> bool:
    """Whether a power of it needs no brackets: −1**n is −(1**n)."""
    return _simple(tree) and not isinstance(tree, ast.UnaryOp)


def _simple(tree: ast.AST) -> bool:
    if isinstance(tree, ast.UnaryOp):
        return isinstance(tree.operand, ast.Constant)
    return isinstance(tree, ast.Name | ast.Constant | ast.Attribute) and not getattr(tree, "tight", False)


def text(tree: ast.AST) -> str:
    """A formula or a statement as Python text."""
    plain = ast.unparse(ast.fix_missing_locations(_Tight().visit(copied(tree))))
    return re.sub(r"'([^'\"\\]*)'", r'"\1"', plain)

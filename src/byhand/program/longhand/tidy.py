"""From what a kernel says to what one would write: the same values with less ink.

`np.greater(x, 0)` is `x > 0`, `x.sum(axis=(0,), keepdims=False)` is `x.sum(axis=0)`, `x + -c * y` is `x - c * y`.
Each rule gives the same bits, but for products that are put in another order, as `(x.T @ g).T` is `g.T @ x`.
"""

from __future__ import annotations

import ast
from typing import Any

import numpy as np

from byhand.program.longhand.expression import Tree, is_number, literal, marked, same

COMPARISONS: dict[str, type[ast.cmpop]] = {
    "greater": ast.Gt, "greater_equal": ast.GtE, "less": ast.Lt, "less_equal": ast.LtE, "equal": ast.Eq,
    "not_equal": ast.NotEq,
}  # fmt: skip
OPERATORS: dict[str, type[ast.operator]] = {
    "add": ast.Add, "subtract": ast.Sub, "multiply": ast.Mult, "true_divide": ast.Div, "bitwise_and": ast.BitAnd,
    "bitwise_or": ast.BitOr, "bitwise_xor": ast.BitXor, "left_shift": ast.LShift, "right_shift": ast.RShift,
}  # fmt: skip
SIGNS: dict[str, type[ast.unaryop]] = {"negative": ast.USub, "invert": ast.Invert}
FOLDS = {"add": "sum", "multiply": "prod", "maximum": "max", "minimum": "min"}
REDUCTIONS = {"sum", "prod", "max", "min", "mean", "any", "all", "argmax", "argmin"}


def tidied(tree: Any) -> Any:
    """The tree by all rules, from the inside out; it is changed in place."""
    return _Tidy().visit(tree)


class _Tidy(ast.NodeTransformer):
    def visit(self, node: ast.AST) -> Any:
        before = {key: getattr(node, key) for key in ("shape", "dtype", "number", "value_of") if hasattr(node, key)}
        after = super().visit(node)
        if after is not node and isinstance(after, ast.AST):
            marked(after, **before)  # type: ignore[arg-type]
        return after

    def visit_Call(self, node: ast.Call) -> Any:
        self.generic_visit(node)
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="np"), attr=attr), args=args, keywords=[]):
                return _of_numpy(node, attr, args)
            case ast.Call(
                func=ast.Attribute(value=ast.Attribute(value=ast.Name(id="np"), attr=attr), attr="reduce"),
                args=[x, *rest],
            ) if attr in FOLDS:
                axis = [ast.keyword("axis", rest[0] if rest else ast.Constant(0))]
                keywords = [*([] if _has(node, "axis") else axis), *node.keywords]
                return _reduction(ast.Call(ast.Attribute(x, FOLDS[attr], ast.Load()), [], keywords))
            case ast.Call(func=ast.Attribute(attr=attr)) if attr in REDUCTIONS:
                return _reduction(node)
            case ast.Call(func=ast.Attribute(attr="reshape"), args=[ast.Tuple(elts=sizes)]) if sizes:
                node.args = sizes
            case ast.Call(func=ast.Attribute(value=x, attr="transpose"), args=[ast.Tuple(elts=axes)]):
                return _transposed(node, x, [a.value for a in axes if isinstance(a, ast.Constant)])
            case ast.Call(func=ast.Attribute(attr="copy")):
                node.args, node.keywords = [], []
            case ast.Call(func=ast.Attribute(attr="at"), args=[x, ast.Tuple(elts=[index]), *rest]):
                node.args = [x, index, *rest]
        return node

    def visit_BinOp(self, node: ast.BinOp) -> Any:
        self.generic_visit(node)
        match node.op:
            case ast.Mult():
                return _product(node)
            case ast.Add() | ast.Sub():
                return _sum(node)
            case ast.Pow() if _is_one(node.right) and _is_float(node.left):
                return node.left
        return node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> Any:
        self.generic_visit(node)
        if isinstance(node.op, ast.USub) and isinstance(node.operand, ast.BinOp | ast.UnaryOp):
            return negated(node.operand) or node
        return node

    def visit_Attribute(self, node: ast.Attribute) -> Any:
        self.generic_visit(node)
        if node.attr != "T":
            return node
        match node.value:
            case ast.Attribute(value=inner, attr="T"):
                return inner
            case ast.BinOp(op=ast.MatMult(), left=left, right=right) if _rank(left) == 2 == _rank(right):
                return ast.BinOp(_turned(right), ast.MatMult(), _turned(left))
        return node


def _has(node: ast.Call, keyword: str) -> bool:
    return any(k.arg == keyword for k in node.keywords)


def _rank(tree: ast.AST) -> int | None:
    """The number of axes, if it is known."""
    shape = getattr(tree, "shape", None)
    if shape is None and isinstance(tree, ast.Attribute) and tree.attr == "T":
        return _rank(tree.value)
    return None if shape is None else len(shape)


def _turned(tree: Tree) -> Tree:
    """The transpose of a matrix."""
    if isinstance(tree, ast.Attribute) and tree.attr == "T":
        return tree.value
    return ast.Attribute(tree, "T", ast.Load())


def _of_numpy(node: ast.Call, attr: str, args: list[Tree]) -> Tree:
    """A call of a NumPy function as the operator that it is."""
    if len(args) == 2 and attr in COMPARISONS:
        return ast.Compare(args[0], [COMPARISONS[attr]()], [args[1]])
    if len(args) == 2 and attr in OPERATORS:
        return _Tidy().visit_BinOp(ast.BinOp(args[0], OPERATORS[attr](), args[1]))  # type: ignore[no-any-return]
    if len(args) == 1 and attr in SIGNS:
        return ast.UnaryOp(SIGNS[attr](), args[0])
    if len(args) == 1 and attr == "asarray":
        return args[0]
    return node


def _reduction(node: ast.Call) -> Tree:
    """`axis` and `keepdims` only where they say something."""
    keywords = {k.arg: k.value for k in node.keywords}
    if isinstance(keep := keywords.get("keepdims"), ast.Constant) and not keep.value:
        del keywords["keepdims"]
    rank = _rank(node.func.value) if isinstance(node.func, ast.Attribute) else None
    axis = keywords.get("axis")
    if isinstance(axis, ast.Constant) and axis.value is None:
        del keywords["axis"]
    axes = [axis] if isinstance(axis, ast.Constant) else axis.elts if isinstance(axis, ast.Tuple) else None
    if axes is not None and "axis" in keywords and len(axes) == rank and not (rank == 0 and "keepdims" in keywords):
        del keywords["axis"]
    elif axes is not None and "axis" in keywords and len(axes) == 1:
        keywords["axis"] = axes[0]
    node.keywords = [ast.keyword(key, value) for key, value in keywords.items()]
    return node


def _transposed(node: ast.Call, x: Tree, axes: list[Any]) -> Tree:
    if axes == list(range(len(axes))):
        return x
    if axes == list(range(len(axes)))[::-1]:
        return _Tidy().visit_Attribute(ast.Attribute(x, "T", ast.Load()))  # type: ignore[no-any-return]
    node.args = [literal(axis) for axis in axes]
    return node


def _product(node: ast.BinOp) -> Tree:
    """Numbers first, with their sign; squares as squares; no brackets around a product of arrays."""
    left, right = node.left, node.right
    if is_number(right) and not is_number(left):
        left, right = right, left
    if is_number(left) and isinstance(right, ast.UnaryOp) and isinstance(right.op, ast.USub) and not is_number(right):
        left, right = negated(left) or ast.UnaryOp(ast.USub(), left), right.operand
    if same(left, right) and (_is_float(left) or is_number(left)):
        return ast.BinOp(left, ast.Pow(), ast.Constant(2))
    match right:
        case ast.BinOp(left=one, op=ast.Div(), right=below) if _is_one(one) and not is_number(right):
            return ast.BinOp(left, ast.Div(), below)
        case ast.BinOp(left=above, op=ast.Div(), right=below) if is_number(left) and not is_number(right):
            return ast.BinOp(_product(ast.BinOp(left, ast.Mult(), above)), ast.Div(), below)
        case ast.BinOp(left=first, op=ast.Mult(), right=second) if is_number(first) and _is_float(left):
            return ast.BinOp(_array(_product(ast.BinOp(first, ast.Mult(), left))), ast.Mult(), second)
        case ast.BinOp(left=first, op=ast.Mult(), right=second) if _is_float(first):
            if _is_float(left) or is_number(left):
                return _product(ast.BinOp(_array(ast.BinOp(left, ast.Mult(), first)), ast.Mult(), second))
    return ast.BinOp(left, ast.Mult(), right)


def _array(tree: Tree) -> Tree:
    """The tree, known to be an array of floats."""
    return marked(tree, dtype=np.dtype(np.float64))


def _is_one(tree: Tree) -> bool:
    return isinstance(tree, ast.Constant) and tree.value == 1


def _is_float(tree: Tree) -> bool:
    """Whether it is known to be an array of floats."""
    dtype = getattr(tree, "dtype", None)
    return dtype is not None and dtype.kind == "f"


def _sum(node: ast.BinOp) -> Tree:
    """No sum with the negative of something: that is a difference."""
    if isinstance(node.right, ast.Constant) and node.right.value == 0 and _is_float(node.left):
        return node.left
    positive = negated(node.right)
    if positive is None:
        return node
    return ast.BinOp(node.left, ast.Sub() if isinstance(node.op, ast.Add) else ast.Add(), positive)


def negated(tree: Tree) -> Tree | None:
    """−tree without a sign in front, if tree has one to give away: −x, −x · y, y · −x / z."""
    match tree:
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return operand
        case ast.BinOp(left=left, op=ast.Mult() | ast.Div(), right=right):
            inner = negated(left)
            if inner is not None:
                return marked(ast.BinOp(inner, tree.op, right), number=is_number(tree))
            inner = negated(right)
            if inner is not None:
                return marked(ast.BinOp(left, tree.op, inner), number=is_number(tree))
    return None

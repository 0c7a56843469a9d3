"""The ops that are not printed as their kernels stand, because tricks for speed would hide the mathematics.

The table is small on purpose: it is a second text beside the kernel, and only the law that longhand equals eager holds
the two together. A form is lines in terms of the kernel's parameters: `name = formula`, then a formula for each
output. Called by `reading`.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Sequence
from typing import Any

from byhand.core.op import OPS
from byhand.ops.index import SLOT
from byhand.program.ir import Node, Value
from byhand.program.longhand import attention, pooling, windows
from byhand.program.longhand.expression import Tree, literal, marked, name, substituted
from byhand.program.longhand.source import statements
from byhand.program.longhand.static import Settling, StandIn

Form = tuple[list[ast.stmt], list[Tree]]

_SOFTMAX = (
    "shifted = x - x.max(axis=1, keepdims=True)",
    "log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))",
)

LINES: dict[str, Sequence[str]] = {
    # one column a row and sums over rows first, for speed; the courses' log-softmax says the same
    "cross_entropy_mean": (*_SOFTMAX, "-log_p[np.arange(N), target].mean()", "np.exp(log_p)"),
    "cross_entropy": (*_SOFTMAX, "-log_p[np.arange(N), target]", "np.exp(log_p)"),
    "log_softmax": (
        "shifted = x - x.max(axis=axis, keepdims=True)",
        "shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))",
    ),
    "less_one_hot": ("onehot = target[:, None] == np.arange(C)", "p - onehot"),
    # a product with a vector of ones where there are many rows
    "column_sums": ("x.sum(axis=0)",),
    "column_means": ("x.mean(axis=0, keepdims=True)",),
    "row_means": ("x.mean(axis=-1, keepdims=True)",),
    "row_sums": ("x.sum(axis=-1, keepdims=True)",),
    # as one product of matrices where there are more axes
    "linear": ("x @ weight.T + bias",),
    "matmul": ("x @ y",),
    # in blocks that stay in the cache; what forward has computed is used again, and here it is not
    "gelu": ("0.5 * x * (1 + erf(x / np.sqrt(2)))",),
    "gelu_slope": ("y * (0.5 * (1 + erf(x / np.sqrt(2))) + x * np.exp(-x**2 / 2) / np.sqrt(2 * np.pi))",),
    "gelu_tanh": ("0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))",),
    "gelu_tanh_slope": (
        "u = np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))",
        "y * (0.5 * (1 + u) + 0.5 * x * (1 - u**2) * np.sqrt(2 / np.pi) * (1 + 0.134145 * x**2))",
    ),
    # one temporary less
    "tanh_slope": ("u * (1 - y**2)",),
    # by `clip`
    "relu": ("np.maximum(x, 0)",),
    # x may be a formula that should not stand there twice
    "square": ("x**2",),
    "mean": ("x.mean(axis=axis, keepdims=keepdims)",),
    # by the BLAS, and anew if that overflows
    "sum_of_squares": ("(x.astype(np.float64)**2).sum()",),
    # NumPy's own is read-only
    "diagonal": ("x.diagonal(offset, axis1, axis2)",),
    # all in place; `_hat` is for both, so that backward reads what forward computed
    "normalize": ("_hat = (x - center) * rate", "_hat * weight + bias"),
    "normalize_slope": (
        "_hat = (x - center) * rate",
        "d_hat = y * weight",
        "out = d_hat - d_hat.mean(axis=axes, keepdims=True)",
        "out -= _hat * (d_hat * _hat).mean(axis=axes, keepdims=True)",
        "out *= rate",
        "out",
    ),
}
"""By the op's name. A local that begins with _ is named after the result: `bn1_hat`."""

_UNCENTERED = (
    "_hat = x * rate", "d_hat = y * weight", "(d_hat - _hat * (d_hat * _hat).mean(axis=axes, keepdims=True)) * rate",
)  # fmt: skip
"""`normalize_slope` where no mean was taken off, in `rms_norm`."""


def form(node: Node, parameters: Sequence[str]) -> Form | None:
    """The form of a node, if its op has one."""
    if node.op.name in WRITTEN:
        return WRITTEN[node.op.name](node)
    lines = LINES.get(node.op.name)
    if node.op.name == "normalize_slope" and node.inputs[3] is None:
        lines = _UNCENTERED
    first = node.inputs[0] if node.inputs else None
    if lines is None or not isinstance(first, Value) or first.dtype is None:
        return None
    if node.op.name == "mean" and not _is_mean(node):
        return None
    facts: dict[str, Any] = {**node.attrs}
    if len(first.shape) == 2:
        facts |= {"N": first.shape[0], "C": first.shape[1]}
    trees = {key: literal(fact) for key, fact in facts.items()}
    trees |= {p: _known(p, x) for p, x in zip(parameters, node.inputs, strict=True) if isinstance(x, Value)}
    absent = {p for p, x in zip(parameters, node.inputs, strict=True) if x is None}
    parts = [substituted(_Without(absent).visit(part), trees) for line in lines for part in ast.parse(line).body]
    results = [part.value for part in parts if isinstance(part, ast.Expr)]
    return [part for part in parts if not isinstance(part, ast.Expr)], results


class _Without(ast.NodeTransformer):
    """Leaves factors and terms out that are not there: a layer without weight or bias."""

    def __init__(self, absent: set[str]) -> None:
        self.absent = absent

    def visit_BinOp(self, node: ast.BinOp) -> Any:
        self.generic_visit(node)
        return node.left if isinstance(node.right, ast.Name) and node.right.id in self.absent else node


def _known(parameter: str, value: Value) -> Tree:
    return marked(name(parameter), shape=value.shape, dtype=value.dtype)


def _is_mean(node: Node) -> bool:
    (x,) = node.values
    count = math.prod(x.shape[axis] for axis in node.attrs["axis"])
    return bool(x.dtype is not None and x.dtype.kind == "f" and count == node.attrs["size"])


def _view_written(node: Node) -> Form:
    """x with y written to where a view op looks: `out[:, 2:5] = y`."""
    x, _ = node.inputs
    seen = _seen(node.attrs["view"], node.attrs["attrs"], x)
    lines = ast.parse("out = np.array(x)").body
    if node.attrs["view"] == "diagonal":  # NumPy's own is read-only
        lines += ast.parse("diagonal = 0\ndiagonal.flags.writeable = True\ndiagonal[...] = y").body
        lines[1].value = seen  # type: ignore[attr-defined]
        return lines, [name("out")]
    target: Any = seen if isinstance(seen, ast.Subscript) else ast.Subscript(seen, ast.Constant(...))
    target.ctx = ast.Store()
    return [*lines, ast.Assign([target], name("y"))], [name("out")]


def _seen(view: str, attrs: dict[str, Any], x: Value) -> Tree:
    """The view of `out` as a formula."""
    kernel = OPS[view].kernel
    (operand,) = OPS[view].operands
    looks = ast.parse(ast.unparse(statements(kernel)[0])).body[0]
    assert isinstance(looks, ast.Return | ast.Assign) and looks.value is not None
    tree: Tree = Settling({operand: StandIn("out", x), **attrs}, kernel.__globals__).visit(looks.value)
    return tree


def _along_axis(node: Node) -> Form | None:
    """Reading and writing along an axis by NumPy's names for it, where the index is as large as x along the others."""
    x, index = node.inputs[:2]
    axis = node.attrs["axis"]
    if not isinstance(index, Value) or [n for i, n in enumerate(x.shape) if i != axis] != [
        n for i, n in enumerate(index.shape) if i != axis
    ]:
        return None
    if node.op.name == "gather":
        return [], [ast.parse(f"np.take_along_axis(x, index, axis={axis})", mode="eval").body]
    lines = ast.parse(f"out = np.array(x)\nnp.put_along_axis(out, index, src, axis={axis})").body
    return lines, [name("out")]


def _index_added(node: Node) -> Form:
    """Zeros with values added at an index, by NumPy's name for it; the kernel has a faster way for rows."""
    x, *arrays = node.inputs
    rest = iter([name(f"arrays{i + 1}") for i in range(len(arrays))])
    index = tuple(next(rest) if part is SLOT else part for part in node.attrs["index"])
    masks = all(isinstance(array, Value) and array.dtype == bool for array in arrays)
    out, place = ast.parse(f"out = np.zeros({node.attrs['shape']!r}, dtype)\nout[index] = x").body
    added: Any = ast.parse("np.add.at(out, index, x)").body[0]
    trees = {"dtype": literal(x.dtype), "index": literal(index, inside_index=masks)}
    return [substituted(part, trees) for part in (out, place if masks else added)], [name("out")]


WRITTEN: dict[str, Callable[[Node], Form | None]] = {
    "view_written": _view_written, "gather": _along_axis, "scatter": _along_axis,
    "index_added": _index_added, **windows.FORMS,
    **pooling.FORMS, **attention.FORMS,
}  # fmt: skip

"""Why a line is there, in one short formula: the rule of an op's derivative, or what the op says of itself.

`dx = g · [out > 0]` is the text of the rule of `relu` in the table of ops, in the letters of mathematics: g is the
gradient that arrives, out the result, [ ] is 1 where what stands inside holds and 0 elsewhere. Called by `display` and
`script` for `--explain`.
"""

from __future__ import annotations

import ast
import dis
import functools
import inspect
import re
import sys
from collections.abc import Callable
from typing import Any

from byhand.core.op import OPS
from byhand.program.ir import BACKWARD, UPDATE
from byhand.program.longhand.expression import Tree, name
from byhand.program.longhand.forms import LINES
from byhand.program.longhand.line import Line
from byhand.program.longhand.source import UnreadableError, sentence, statements

ITSELF = {"add", "sub", "mul", "true_divide", "neg", "pow", "getitem", "cast", "lt", "gt", "le", "ge", "eq", "ne"}
"""Ops whose line says all."""

SAME = {"reshaped", "expanded", "permuted", "kept", "spread", "narrowed", "contiguous", "cast", "rows", "flip_last"}
"""Functions that only arrange values: their argument stands for them."""

SYMBOLS = {
    "sum_over": "Σ {0}", "column_sums": "Σ {0} over the rows", "sqrt": "√{0}", "rsqrt": "1/√{0}", "log": "ln {0}",
    "sigmoid": "σ({0})", "square": "{0}²", "sign": "sign {0}", "abs": "|{0}|", "exp": "exp({0})",
    "less_one_hot": "({0} − onehot)", "select": "({1} where {0}, else {2})", "where": "({1} where {0}, else {2})",
    "share": "{0} · {3}", "within": "[low ≤ {0} ≤ high]", "power_slope": "{1} · {0}^({1} − 1)", "base_log": "ln {0}",
    "reversed_sum": "Σ {0} from there on",
}  # fmt: skip

SAID = {
    ("matmul", "x"): "g yᵀ",
    ("matmul", "y"): "xᵀ g",
    ("gelu", "x"): "g · (Φ(x) + x · Φ′(x))",
    ("gelu_tanh", "x"): "g · (S + x · S′), with S = (1 + tanh(u)) / 2",
    ("likeness", "x"): "scale · g y",
    ("likeness", "y"): "scale · gᵀ x",
    ("weighted", "weights"): "scale · g rowsᵀ",
    ("weighted", "rows"): "scale · weightsᵀ g",
    ("attention", "q"): "scale · s k, with s = p · (g vᵀ − Σ g · out)",
    ("attention", "k"): "scale · sᵀ q, with s = p · (g vᵀ − Σ g · out)",
    ("attention", "v"): "pᵀ g",
    ("attention", "bias"): "p · (g vᵀ − Σ g · out)",
    ("normalize", "x"): "rate · (y − mean(y) − h · mean(y · h)), with y = g · weight, h = (x − center) · rate",
    ("normalize", "weight"): "g · h, with h = (x − center) · rate",
    ("softmax", "x"): "out · (g − Σ (g · out))",
    ("einsum", "xs"): "the same sum with g in the place of x",
    ("binary_cross_entropy", "x"): "g · (x − target) / (x · (1 − x))",
    ("binary_cross_entropy", "target"): "g · (ln(1 − x) − ln x)",
    ("huber", "x"): "g · clip(x, −delta, delta)",
    ("amax", "x"): "g · [x = out], shared by equals",
    ("amin", "x"): "g · [x = out], shared by equals",
    ("prod", "x"): "g · the product of all others",
    ("norm", "x"): "g · x / out",
    ("logsumexp", "x"): "g · exp(x − out)",
    ("multi_margin", "x"): "g / C · [excess > 0], less their sum at the label",
}
"""Rules whose text has too many cases, or names what no reader knows."""

LONGEST = 68


def explained(line: Line) -> str:
    """The rule that a line was made by, as `relu: dx = g · [out > 0]`; "" where there is nothing to say."""
    node = line.node
    if node is None or line.section == UPDATE:
        return ""
    if line.section == BACKWARD and node.rule is not None:
        op, operand = node.rule
        return rule_text(op, operand)
    if node.op.name in ITSELF or not hasattr(node.op, "kernel"):
        return ""
    return f"{node.op.name}: {sentence(node.op.kernel).partition(': ')[0].rstrip('.')}"


@functools.cache
def rule_text(op: str, operand: str) -> str:
    """The derivative rule of an op for one operand."""
    record = OPS[op]
    rule: Any = record.rules[record.operands.index(operand)].rule
    try:
        formula = SAID.get((op, operand)) or _formula(rule)
    except UnreadableError:
        formula = ""
    if record.kind in ("view", "move") and formula != "g":
        formula = "g, each value to where it came from"
    if (op, operand) not in SAID and (not formula or len(formula) > LONGEST):
        formula = f"g · {op}′({operand})" if record.kind == "elementwise" else "g times the derivative"
    return f"{op}: d{operand} = {formula}"


def _formula(rule: Callable[..., Any]) -> str:
    if rule.__name__ == "<lambda>":
        return written(_body(rule))
    said = sentence(rule)
    if said:
        return re.split(r", |: ", said)[0].rstrip(".")
    saved: list[str] = []
    for part in statements(rule):
        while isinstance(part, ast.If):  # the common case comes first
            part = part.body[0]
        if isinstance(part, ast.Return) and part.value is not None:
            return ", ".join([written(part.value), *(f"with {line}" for line in saved)])
        if isinstance(part, ast.Assign) and isinstance(part.targets[0], ast.Name):
            saved.append(f"{part.targets[0].id} = {written(part.value)}")
    return ""


def _body(rule: Callable[..., Any]) -> Tree:
    """What a lambda returns; it is looked for in its module, since a line may hold several."""
    code = rule.__code__
    for tree in _lambdas(rule.__module__):
        if tree.lineno == code.co_firstlineno and [a.arg for a in tree.args.args] == list(
            inspect.signature(rule).parameters
        ):
            made = eval(compile(ast.Expression(tree), code.co_filename, "eval"), {})
            if _steps(made) == _steps(rule):
                return tree.body
    raise UnreadableError(f"{rule} is nowhere")


def _steps(function: Callable[..., Any]) -> list[Any]:
    """What a function does, in the order in which it does it; calls of methods are compiled in several ways."""
    kinds = ("BINARY_OP", "COMPARE_OP", "UNARY_NEGATIVE", "LOAD_FAST", "LOAD_GLOBAL", "LOAD_CONST")
    made = [(i.opname, i.argval) for i in dis.get_instructions(function) if i.opname in kinds]
    return [(kind, None if inspect.iscode(value) else value) for kind, value in made]


@functools.cache
def _lambdas(module: str) -> list[ast.Lambda]:
    tree = ast.parse(inspect.getsource(sys.modules[module]))
    return [node for node in ast.walk(tree) if isinstance(node, ast.Lambda)]


# the letters of mathematics


def written(tree: Tree) -> str:
    """A formula as one writes it: g · [out > 0]."""
    plain = ast.unparse(_Letters().visit(ast.parse(ast.unparse(tree), mode="eval").body))
    plain = re.sub(r"(?<![\w)\]²³ᵀ])-(?=[\w(])", "−", plain.replace(" - ", " − "))
    plain = plain.replace(" * ", " · ").replace(" @ ", " ").replace(" ** ", "^")
    return plain[1:-1] if re.fullmatch(r"\([^()]*\)", plain) else plain


class _Letters(ast.NodeTransformer):
    """Calls, comparisons, powers and transposes as single words."""

    def visit_Call(self, node: ast.Call) -> Any:
        self.generic_visit(node)
        title = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if title in SAME and node.args:
            return node.args[0]
        if title == "item" and isinstance(node.func, ast.Attribute):
            return node.func.value
        if title in SYMBOLS:
            words = [self._word(x, SYMBOLS[title]) for x in node.args]
            return name(SYMBOLS[title].format(*words))
        if title in LINES and len(LINES[title]) == 1:
            record = OPS[title]
            formula = LINES[title][0]
            for operand, x in zip(record.operands, node.args, strict=False):
                formula = re.sub(rf"\b{operand}\b", ast.unparse(x), formula)
            return self.visit(ast.parse(formula, mode="eval").body)
        if title in OPS and isinstance(node.func, ast.Attribute):
            return ast.Call(name(title), node.args, node.keywords)
        return node

    def _word(self, tree: Tree, symbol: str) -> str:
        """An argument, in brackets where the symbol does not bring its own."""
        plain = ast.unparse(tree)
        bare = isinstance(tree, ast.Name | ast.Constant) or "(" in symbol or "|" in symbol
        return plain if bare else f"({plain})"

    def visit_IfExp(self, node: ast.IfExp) -> Any:
        """The common case comes first."""
        return self.visit(node.body)

    def visit_Compare(self, node: ast.Compare) -> Any:
        self.generic_visit(node)
        signs = {"<=": "≤", ">=": "≥", "!=": "≠", "==": "="}
        plain = ast.unparse(node)
        for sign, letter in signs.items():
            plain = plain.replace(sign, letter)
        return name(f"[{plain}]")

    def visit_BinOp(self, node: ast.BinOp) -> Any:
        self.generic_visit(node)
        power = {"2": "²", "3": "³"}.get(ast.unparse(node.right))
        if isinstance(node.op, ast.Pow) and power and isinstance(node.left, ast.Name):
            return name(f"{node.left.id}{power}")
        match node:
            case ast.BinOp(left=ast.Name(id=one), op=ast.Mult(), right=ast.Name(id=other)) if one == f"{other}²":
                return name(f"{other}³")
            case ast.BinOp(
                left=ast.BinOp(left=x, op=ast.Mult(), right=ast.Name(id=one)), op=ast.Mult(), right=ast.Name(id=other)
            ) if one == other or one == f"{other}²":
                return ast.BinOp(x, ast.Mult(), name(f"{other}{'²' if one == other else '³'}"))
        same = isinstance(node.left, ast.Name) and isinstance(node.right, ast.Name) and node.left.id == node.right.id
        if isinstance(node.op, ast.Mult) and same:
            return name(f"{node.left.id}²")  # type: ignore[attr-defined]
        return node

    def visit_Attribute(self, node: ast.Attribute) -> Any:
        self.generic_visit(node)
        if node.attr == "T" and isinstance(node.value, ast.Name):
            return name(f"{node.value.id}ᵀ")
        return node

    def visit_Subscript(self, node: ast.Subscript) -> Any:
        self.generic_visit(node)
        plain = ast.unparse(node)
        sizes = {".shape[0]": "N", ".shape[1]": "C"}
        return next((name(letter) for ending, letter in sizes.items() if plain.endswith(ending)), node)

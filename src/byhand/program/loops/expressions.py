"""The text of one elementwise node or fold: which NumPy functions loops know, and how they are written.

What stands here is fused; all else is left to NumPy. A function without a vectorised form is not here on purpose: one
call of the C library in the middle of a loop costs more than the rest of it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from byhand.program.ir import Node, Value
from byhand.program.loops.rewriting import DTYPES, GATHER
from byhand.program.primitives import CAST, COPY, FOLD, MAP, WHERE

Dtype = np.dtype[Any]

BOOLEAN = np.dtype(bool)
CODE = {kind: "b1" if kind == BOOLEAN else kind.str[1:] for kind in DTYPES}
"""The names of dtypes in generated text."""

COMPARED = {
    "greater": ">", "greater_equal": ">=", "less": "<", "less_equal": "<=", "equal": "==", "not_equal": "!=",
}  # fmt: skip

FORMS: dict[str, str] = {
    "add": "{0} + {1}", "subtract": "{0} - {1}", "multiply": "{0} * {1}", "divide": "{0} / {1}",
    "negative": "-{0}", "positive": "{0}", "absolute": "fabs({0})", "fabs": "fabs({0})", "square": "{0} * {0}",
    "reciprocal": "{t}(1) / {0}", "sqrt": "sqrt({0})", "maximum": "maximum({0}, {1})", "minimum": "minimum({0}, {1})",
    "clip": "minimum(maximum({0}, {1}), {2})", "copysign": "copysign({0}, {1})",
    "sign": "where({0} > {t}(0), {t}(1), where({0} < {t}(0), {t}(-1), {0}))",
    "floor": "floor({0})", "ceil": "ceil({0})", "trunc": "trunc({0})", "rint": "rint({0})",
    "isnan": "{0} != {0}", "isinf": "fabs({0}) == {t}(np.inf)", "isfinite": "fabs({0}) < {t}(np.inf)",
    **{name: "{0} " + sign + " {1}" for name, sign in COMPARED.items()},
    **{name: name + "_{t}({0})" for name in ("exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "tanh")},
    "logaddexp": "logaddexp_{t}({0}, {1})",
}  # fmt: skip
"""How ufuncs on floats are written; {t} is the name of the dtype."""

FORMS_OF_INTEGERS: dict[str, str] = {
    **{name: FORMS[name] for name in ("add", "subtract", "multiply", "negative", "square", "maximum", "minimum")},
    **{name: FORMS[name] for name in COMPARED},
    "bitwise_and": "{0} & {1}", "bitwise_or": "{0} | {1}", "bitwise_xor": "{0} ^ {1}",
    "absolute": "where({0} < {t}(0), -{0}, {0})",
}  # fmt: skip

FORMS_OF_BOOLEANS: dict[str, str] = {
    "logical_and": "{0} & {1}", "logical_or": "{0} | {1}", "logical_xor": "{0} != {1}", "logical_not": "not {0}",
    "bitwise_and": "{0} & {1}", "bitwise_or": "{0} | {1}", "bitwise_xor": "{0} != {1}", "invert": "not {0}",
    "maximum": "{0} | {1}", "minimum": "{0} & {1}", "multiply": "{0} & {1}", "add": "{0} | {1}",
    "equal": "{0} == {1}", "not_equal": "{0} != {1}",
}  # fmt: skip

CALL = re.compile(r"[\w{}]+\([^=+*/&|-]*\)")
"""Forms in which operands stand between commas, and need no parentheses."""

REPEATED = {"square", "sign", "isnan", "absolute", "power"}
"""Forms that name an operand more than once, which should then be a name and no formula."""

POWERS = {2: "{0} * {0}", 3: "{0} * {0} * {0}", 4: "({0} * {0}) * ({0} * {0})", 0.5: "sqrt({0})", 1: "{0}"}
"""Exponents that need no logarithm; also with a minus, as the reciprocal."""


def known(node: Node) -> bool:
    """Whether the node is elementwise, or a fold, and can be written; an axis of size 0 makes no loop."""
    if node.op.kind not in (MAP, FOLD) or any(x.dtype is not None and x.dtype not in CODE for x in _arrays(node)):
        return False
    if not all(x.size for x in _arrays(node)):
        return False
    if node.op.kind == FOLD:
        return _known_fold(node)
    if node.op in (CAST, COPY, WHERE, GATHER):
        return True
    kinds = operand_dtypes(node)
    if kinds is None or any(kind not in CODE for kind in kinds):
        return False
    if node.op.name == "power":
        return kinds[0].kind == "f" and _power(node) is not None
    return node.op.name in _forms(kinds[0])


def _known_fold(node: Node) -> bool:
    x, name = node.inputs[0], node.op.name.removesuffix(".reduce")
    if not isinstance(x, Value) or name not in FOLDS:
        return False
    if name in ("logical_or", "logical_and"):
        return node.out.dtype == BOOLEAN
    return node.out.dtype != BOOLEAN and (name in ("add", "multiply") or x.dtype == node.out.dtype)


def _arrays(node: Node) -> list[Value]:
    return [*node.values, *node.outputs]


def _forms(kind: Dtype) -> dict[str, str]:
    return FORMS if kind.kind == "f" else FORMS_OF_BOOLEANS if kind == BOOLEAN else FORMS_OF_INTEGERS


def operand_dtypes(node: Node) -> tuple[Dtype, ...] | None:
    """What NumPy converts the operands of a node to before it computes; None if it would not."""
    count, out = len(node.inputs), node.out.dtype
    if node.op is WHERE:
        return BOOLEAN, out, out  # type: ignore[return-value]
    if node.op in (CAST, COPY):
        return (_dtype(node.inputs[0], out),)
    if node.op is GATHER:
        return np.dtype(np.int64), out  # type: ignore[return-value]
    if node.op.name.startswith("logical"):
        return (BOOLEAN,) * count
    weak = float if out is not None and (out.kind == "f" or out == BOOLEAN) else int
    asked = [x if x is not None else weak for x in (_dtype(x, None) for x in node.inputs)]
    try:
        return tuple(node.op.ufunc.resolve_dtypes((*asked, None))[:count])
    except TypeError:
        return None


def _dtype(x: Any, otherwise: Any) -> Any:
    """The dtype of an operand; of a Python number what it is, of a number that is not known yet `otherwise`."""
    if isinstance(x, Value):
        return x.dtype if x.dtype is not None else otherwise
    if isinstance(x, np.generic):
        return x.dtype
    return otherwise if otherwise is not None else BOOLEAN if isinstance(x, bool) else type(x)


def elementwise_text(node: Node, operands: Sequence[str]) -> str:
    """The formula of an elementwise node; the operands are formulas, converted to what `operand_dtypes` says."""
    out: Any = node.out.dtype
    if node.op is WHERE:
        return f"where({operands[0]}, {operands[1]}, {operands[2]})"
    if node.op in (CAST, COPY):
        return converted(operands[0], operand_dtypes(node)[0], out)  # type: ignore[index]
    if node.op is GATHER:
        return operands[1]
    kinds: Any = operand_dtypes(node)
    kind = kinds[0]
    form = str(_power(node)) if node.op.name == "power" else _forms(kind)[node.op.name]
    if not CALL.fullmatch(form):
        operands = [grouped(text) for text in operands]
    return form.format(*operands, t=CODE[kind])


def _power(node: Node) -> str | None:
    exponent = node.inputs[1]
    if isinstance(exponent, Value) or not isinstance(exponent, (int, float, np.number)):
        return None
    form = POWERS.get(abs(float(exponent)))
    return form if form is None or exponent > 0 else "{t}(1) / (" + form + ")"


def converted(text: str, source: Dtype, target: Dtype) -> str:
    """A formula in another dtype, as `astype` has it."""
    if source == target:
        return text
    if target == BOOLEAN:
        return f"{grouped(text)} != {CODE[source]}(0)"
    code = CODE[target]
    return f"where({text}, {code}(1), {code}(0))" if source == BOOLEAN else f"{code}({text})"


def grouped(text: str) -> str:
    """A formula in parentheses, unless it is a name, an element or a call."""
    depth = 0
    for i, c in enumerate(text):
        depth += (c in "([") - (c in ")]")
        if depth == 0 and (c == " " or (c == "-" and i == 0)):
            return f"({text})"
    return text


def literal(x: Any, kind: Dtype) -> str:
    """A scalar as text of a dtype."""
    if kind == BOOLEAN:
        return str(bool(x))
    value = kind.type(x).item() if kind.kind in "iu" else float(x)
    if isinstance(value, float) and not math.isfinite(value):
        return f"{CODE[kind]}({'np.nan' if math.isnan(value) else '-np.inf' if value < 0 else 'np.inf'})"
    whole = value == int(value) and abs(value) < 1e15 and str(value) != "-0.0"
    return f"{CODE[kind]}({int(value) if whole else value!r})"


class Fold:
    """How a fold is written.

    kind        the dtype it is summed in
    start       what it begins with
    is_extreme  whether it is a maximum or a minimum
    minds_nan   whether a NaN among many is to be seen in the end
    """

    def __init__(self, node: Node, count: int = 0) -> None:
        self.name = node.op.name.removesuffix(".reduce")
        out: Any = node.out.dtype
        # one sum over many float32 loses digits that NumPy, which sums pairwise, does not lose
        wide = self.name == "add" and out == np.float32 and count > MANY
        self.kind = np.dtype(np.float64) if wide else out
        self.is_extreme = self.name in ("maximum", "minimum")
        self.minds_nan = self.is_extreme and self.kind.kind == "f"
        if self.is_extreme:
            limits = np.iinfo(self.kind) if self.kind.kind in "iu" else None
            low, high = (-np.inf, np.inf) if limits is None else (limits.min, limits.max)
            self.start = literal(low if self.name == "maximum" else high, self.kind)
        else:
            self.start = literal(FOLDS[self.name].start, self.kind)

    def step(self, total: str, x: str) -> str:
        """A running total with one more value, in any order."""
        word = FOLDS[self.name].running
        return f"{word}({total}, {x})" if self.kind != BOOLEAN else self.pair(total, x)

    def pair(self, a: str, b: str) -> str:
        """Two values as one, in this order."""
        if self.is_extreme:
            return f"{self.name}({a}, {b})"
        if self.name != "add":
            a, b = a if re.fullmatch(r"[^ ]+( [*&|] [^ ]+)*", a) else grouped(a), grouped(b)
        return f"{a} {FOLDS[self.name].sign} {b}"

    def joined(self, terms: Sequence[str]) -> str:
        """Several values as one."""
        total = terms[0]
        for term in terms[1:]:
            total = self.pair(total, term)
        return total


class FoldForm(NamedTuple):
    """A fold's word for a running total, its sign between two, and what it begins with."""

    running: str
    sign: str
    start: int


FOLDS = {
    "add": FoldForm("plus", "+", 0), "multiply": FoldForm("times", "*", 1),
    "maximum": FoldForm("larger", "", 0), "minimum": FoldForm("smaller", "", 0),
    "logical_or": FoldForm("", "|", 0), "logical_and": FoldForm("", "&", 1),
}  # fmt: skip

MANY = 2048
"""Values whose sum, one after the other in each lane of a vector, is as exact as NumPy's."""

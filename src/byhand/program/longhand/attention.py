"""How attention is printed: queries first, as in the paper, where the kernels put the keys first. Called by `forms`."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from byhand.program.ir import Node
from byhand.program.longhand.expression import Tree

Form = tuple[list[ast.stmt], list[Tree]]


def _attention(node: Node) -> Form:
    """Scores, probabilities, and the values' mean."""
    bias, kept = node.inputs[3:]
    left = "_p" if kept is None else f"(_p * kept.swapaxes(-1, -2) / {1 - node.attrs['drop']!r})"
    results = [f"{left} @ v", "(top + np.log(total)).swapaxes(-1, -2)"][: len(node.outputs)]
    return _parsed(_softmax(node, bias), results)


def _softmax(node: Node, bias: Any) -> list[str]:
    """The lines of the probabilities; `_p` is for both passes, so that backward reads what forward computed."""
    scores = "scores"
    lines = [f"scores = {node.attrs['scale']!r} * (q @ k.swapaxes(-1, -2)){'' if bias is None else ' + bias'}"]
    if node.attrs["causal"]:
        scores, (queries, keys) = "seen", (x.shape[-2] for x in node.inputs[:2])
        lines.append(f"seen = np.where(np.tri({queries}, {keys}, dtype=bool), scores, -np.inf)")
    top, total = f"{scores}.max(axis=-1, keepdims=True)", "powers.sum(axis=-1, keepdims=True)"
    if bias is not None:  # a query may see no key
        top = f"np.maximum({top}, np.finfo({scores}.dtype).min)"
        total = f"np.maximum({total}, np.finfo(powers.dtype).tiny)"
    return [*lines, f"top = {top}", f"powers = np.exp({scores} - top)", f"total = {total}", "_p = powers / total"]


def _weights(node: Node) -> Form:
    return _parsed(_softmax(node, node.inputs[2]), ["_p.swapaxes(-1, -2)"])


def _product(node: Node) -> Form:
    """A product and its factor."""
    text = "x @ y.swapaxes(-1, -2)" if node.op.name == "likeness" else "weights @ rows"
    scale = node.attrs["scale"]
    return _parsed([], [text if scale == 1 else f"{scale!r} * ({text})"])


def _parsed(lines: list[str], results: list[str]) -> Form:
    bodies = [part for line in lines for part in ast.parse(line).body]
    return bodies, [ast.parse(result, mode="eval").body for result in results]


FORMS: dict[str, Callable[[Node], Form]] = {
    "attention": _attention, "attention_weights": _weights, "likeness": _product, "weighted": _product,
}  # fmt: skip

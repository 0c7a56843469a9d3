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
    lines = [
        *_scores(node, bias),
        "top = np.maximum(scores.max(axis=-1, keepdims=True), np.finfo(scores.dtype).min)",
        "powers = np.exp(scores - top)",
        "total = powers.sum(axis=-1, keepdims=True)",
        "_p = powers / (total + (total == 0))",
    ]
    left = "_p" if kept is None else f"(_p * kept.swapaxes(-1, -2) / {1 - node.attrs['drop']!r})"
    results = [f"{left} @ v", "(top + np.log(total + (total == 0))).swapaxes(-1, -2)"][: len(node.outputs)]
    return _parsed(lines, results)


def _scores(node: Node, bias: Any) -> list[str]:
    lines = [f"scores = {node.attrs['scale']!r} * (q @ k.swapaxes(-1, -2)){'' if bias is None else ' + bias'}"]
    if node.attrs["causal"]:
        lines.append("scores = np.where(np.tri(*scores.shape[-2:], dtype=bool), scores, -np.inf)")
    return lines


def _weights(node: Node) -> Form:
    """The probabilities again; the sums are known."""
    return _parsed(_scores(node, node.inputs[2]), ["np.exp(scores.swapaxes(-1, -2) - log_total)"])


def _parsed(lines: list[str], results: list[str]) -> Form:
    bodies = [part for line in lines for part in ast.parse(line).body]
    return bodies, [ast.parse(result, mode="eval").body for result in results]


FORMS: dict[str, Callable[[Node], Form]] = {"attention": _attention, "attention_weights": _weights}

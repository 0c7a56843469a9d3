"""Convolution as the courses write it: all windows at once, and Einstein's sum over what they hold.

The kernels copy windows piece by piece into matrices and keep channels last. Here a transposed convolution is the
convolution of the values spread out by the stride, with the kernel turned round. Called by `forms`.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from byhand.program.ir import Node
from byhand.program.longhand.expression import Tree

Form = tuple[list[ast.stmt], list[Tree]]
Widths = Sequence[tuple[int, int]]
Operand = tuple[str, Sequence[int]]
"""Its text and its shape."""


def convolution(node: Node) -> Form:
    """Σ over the channels of a group and the places in a window."""
    x, weight, bias = node.inputs
    attrs, kernel = node.attrs, weight.shape[2:]
    lines = _windows("x", kernel, attrs["padding"], attrs["stride"], attrs["dilation"])
    seen = (*x.shape[:2], *node.out.shape[2:], *kernel)
    formula = _sum("nc{S}{K},oc{K}->no{S}", ("_windows", seen), ("weight", weight.shape), node)
    return _form(lines, formula, bias, len(kernel))


def convolution_transpose(node: Node) -> Form:
    """The same over the gradient, or over what is to be transposed."""
    y, weight, bias = node.inputs
    attrs, kernel, sizes = node.attrs, weight.shape[2:], y.shape[2:]
    lines, given = [], "y"
    if max(attrs["stride"]) > 1:
        steps = ", ".join("::" if step == 1 else f"::{step}" for step in attrs["stride"])
        sizes = tuple((n - 1) * step + 1 for n, step in zip(sizes, attrs["stride"], strict=True))
        lines += [f"_spread = np.zeros({(*y.shape[:2], *sizes)}, y.dtype)", f"_spread[:, :, {steps}] = y"]
        given = "_spread"
    reach = [d * (k - 1) for k, d in zip(kernel, attrs["dilation"], strict=True)]
    widths = [
        (r - before, size + before - n)
        for r, (before, _), size, n in zip(reach, attrs["padding"], attrs["size"], sizes, strict=True)
    ]
    lines += _windows(given, kernel, widths, [1] * len(kernel), attrs["dilation"])
    seen = (*y.shape[:2], *attrs["size"], *kernel)
    turned = f"weight[:, :, {', '.join(['::-1'] * len(kernel))}]"
    formula = _sum("no{S}{K},oc{K}->nc{S}", ("_windows", seen), (turned, weight.shape), node)
    return _form(lines, formula, bias, len(kernel))


def convolution_weight(node: Node) -> Form:
    """Σ over the batch and all windows."""
    y, x = node.inputs
    attrs, kernel = node.attrs, node.attrs["kernel"]
    lines = _windows("x", kernel, attrs["padding"], attrs["stride"], attrs["dilation"])
    seen = (*x.shape[:2], *y.shape[2:], *kernel)
    return _form(lines, _sum("no{S},nc{S}{K}->oc{K}", ("y", y.shape), ("_windows", seen), node), None, len(kernel))


def unfold(node: Node) -> Form:
    """The windows, each as a column."""
    attrs, out = node.attrs, node.out
    lines = _windows("x", attrs["kernel"], attrs["padding"], attrs["stride"], attrs["dilation"])
    ndim = len(attrs["kernel"])
    axes = (0, 1, *range(2 + ndim, 2 + 2 * ndim), *range(2, 2 + ndim))
    return _form(lines, f"_windows.transpose({axes}).reshape({out.shape})", None, ndim)


def _windows(
    x: str, kernel: Sequence[int], widths: Widths, stride: Sequence[int], dilation: Sequence[int]
) -> list[str]:
    """The lines that see all windows of x: (N, C, *counts, *kernel)."""
    lines = []
    if any(min(pair) < 0 for pair in widths):
        x += f"[:, :, {', '.join(f'{max(-a, 0)}:{min(b, 0) or str()}' for a, b in widths)}]"
    added = [(max(a, 0), max(b, 0)) for a, b in widths]
    if any(map(any, added)):
        lines.append(f"_padded = np.pad({x}, {((0, 0), (0, 0), *added)})")
        x = "_padded"
    reach = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))
    seen = f"np.lib.stride_tricks.sliding_window_view({x}, {reach}, axis={tuple(range(2, 2 + len(reach)))})"
    steps = [*stride, *dilation] if max(dilation) > 1 else list(stride)
    if max(steps) > 1:
        seen += f"[:, :, {', '.join('::' if step == 1 else f'::{step}' for step in steps)}]"
    return [*lines, f"_windows = {seen}"]


def _sum(terms: str, one: Operand, other: Operand, node: Node) -> str:
    """Einstein's sum, with an axis for the groups if there are several."""
    shape, groups = node.out.shape, node.attrs["groups"]
    ndim = len(shape) - 2
    terms = terms.format(S="dhw"[-ndim:], K="kij"[-ndim:])
    texts, result = [one[0], other[0]], ""
    if groups > 1:
        inputs, out = terms.split("->")
        split = [_grouped(term, *x, groups) for term, x in zip(inputs.split(","), (one, other), strict=True)]
        terms = ",".join(term for term, _ in split) + "->" + _grouped(out, "", shape, groups)[0]
        texts, result = [text for _, text in split], f".reshape({shape})"
    return f'np.einsum("{terms}", {texts[0]}, {texts[1]}, optimize=True){result}'


def _grouped(term: str, text: str, shape: Sequence[int], groups: int) -> tuple[str, str]:
    """A term with its first axis, or its channels, split into groups, and the operand so."""
    axis = 0 if term[0] == "o" else 1
    sizes = *shape[:axis], groups, shape[axis] // groups, *shape[axis + 1 :]
    return f"{term[:axis]}g{term[axis:]}", f"{text}.reshape({sizes})"


def _form(lines: Sequence[str], formula: str, bias: Any, ndim: int) -> Form:
    if bias is not None:
        formula += f" + bias[:, {', '.join(['None'] * ndim)}]"
    statements = [part for text in lines for part in ast.parse(text).body]
    return statements, [ast.parse(formula, mode="eval").body]


FORMS = {
    "convolution": convolution,
    "convolution_transpose": convolution_transpose,
    "convolution_weight": convolution_weight,
    "unfold": unfold,
}

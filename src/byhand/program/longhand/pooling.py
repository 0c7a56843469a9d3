"""Pooling as the courses write it: windows seen at once, or tiles where they cover everything and do not overlap.

The kernels go through the offsets in a window instead, and remember which one was the largest. Called by `forms`.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from byhand.ops.pooling import regions, tiled
from byhand.program.ir import Node
from byhand.program.longhand.expression import Tree

Form = tuple[list[ast.stmt], list[Tree]]
Shape = Sequence[int]


def max_pool(node: Node) -> Form:
    """The largest value of each window."""
    lines, seen, _, axes = _windows(node.inputs[0].shape, node.attrs["windows"], "-np.inf")
    return _form(lines, f"{seen}.max(axis={axes})")


def window_sum(node: Node) -> Form:
    """Σ over each window."""
    lines, seen, _, axes = _windows(node.inputs[0].shape, node.attrs["windows"], "0")
    return _form(lines, f"{seen}.sum(axis={axes})")


def max_places(node: Node) -> Form:
    """The first of the largest values, as a number in its window."""
    shape, windows = node.inputs[0].shape, node.attrs["windows"]
    lines, seen, order, _ = _windows(shape, windows, "-np.inf")
    lines.append(f"_values = {seen}{order}.reshape({(*node.out.shape, _count(windows))})")
    found = "_values.argmax(axis=-1)"
    table = _numbers(shape, windows)
    if table != list(range(_count(windows))):
        found = f"np.array({table})[{found}]"
    return _form(lines, f"{found}.astype(np.{node.out.dtype})")


def window_put(node: Node) -> Form:
    """Each window's value at its place, where several may meet."""
    windows, shape = node.attrs["windows"], node.attrs["shape"]
    lines, index = _index(node.inputs[1].shape, windows, shape)
    lines.append(f"out = np.zeros({tuple(shape)}, y.dtype)")
    apart = tiled(tuple(shape), windows)[0]
    lines.append(f"out[{index}] = y" if apart else f"np.add.at(out, ({index}), y)")
    return _form(lines, "out")


def window_take(node: Node) -> Form:
    """The value at each window's place."""
    lines, index = _index(node.inputs[1].shape, node.attrs["windows"], node.inputs[0].shape)
    return _form(lines, f"x[{index}]")


def window_spread(node: Node) -> Form:
    """Each window's value at all of its places."""
    windows, shape = node.attrs["windows"], tuple(node.attrs["shape"])
    lead = len(shape) - len(windows)
    if tiled(shape, windows)[1]:
        formula = "y"
        for axis, (kernel, *_) in enumerate(windows, start=lead):
            formula = f"np.repeat({formula}, {kernel}, axis={axis})" if kernel > 1 else formula
        return _form([], formula if formula != "y" else "y.copy()")
    added = _widths(shape[lead:], windows)
    padded = [n + before + after for n, (before, after) in zip(shape[lead:], added, strict=True)]
    lines, index = [f"out = np.zeros({(*shape[:lead], *padded)}, y.dtype)"], []
    for i, (letter, (kernel, step, _, dilation, count)) in enumerate(
        zip(_letters("dhw", windows), windows, strict=True)
    ):
        within = ["None"] * 2 * len(windows)
        within[i] = within[len(windows) + i] = ":"
        places = f"{_times(step, f'np.arange({count})[:, None]')} + {_times(dilation, f'np.arange({kernel})')}"
        lines.append(f"{letter} = {places}")
        index.append(f"{letter}[{', '.join(within)}]")
    lines.append(f"np.add.at(out, (..., {', '.join(index)}), y[..., {', '.join(['None'] * len(windows))}])")
    inner = [f"{before}:{before + n}" for n, (before, _) in zip(shape[lead:], added, strict=True)]
    return _form(lines, f"out[..., {', '.join(inner)}]" if any(map(any, added)) else "out")


def _windows(shape: Shape, windows: Any, fill: str) -> tuple[list[str], str, str, tuple[int, ...]]:
    """Lines that see all windows, the name of what they see, how its axes come in order, and those within windows."""
    lead, nd = len(shape) - len(windows), len(windows)
    if tiled(tuple(shape), windows)[1]:
        parts = [n for kernel, _, _, _, count in windows for n in (count, kernel)]
        axes = tuple(range(lead + 1, lead + 2 * nd, 2))
        order = (*range(lead), *range(lead, lead + 2 * nd, 2), *axes)
        turned = f".transpose({order})" if nd > 1 else ""
        return [f"_tiles = x.reshape({(*shape[:lead], *parts)})"], "_tiles", turned, axes
    lines, x, added = [], "x", _widths(shape[lead:], windows)
    if any(map(any, added)):
        widths = (*[(0, 0)] * lead, *added)
        lines.append(f"_padded = np.pad(x, {widths}{'' if fill == '0' else f', constant_values={fill}'})")
        x = "_padded"
    reach = tuple(dilation * (kernel - 1) + 1 for kernel, _, _, dilation, _ in windows)
    seen = f"np.lib.stride_tricks.sliding_window_view({x}, {reach}, axis={tuple(range(lead, lead + nd))})"
    steps = [w[1] for w in windows] + ([w[3] for w in windows] if max(w[3] for w in windows) > 1 else [])
    if max(steps) > 1:
        whole = [":"] * lead + ["::" if step == 1 else f"::{step}" for step in steps]
        seen += f"[{', '.join(whole)}]"
    return [*lines, f"_windows = {seen}"], "_windows", "", tuple(range(lead + nd, lead + 2 * nd))


def _widths(sizes: Shape, windows: Any) -> list[tuple[int, int]]:
    """What windows see before and behind x."""
    each = zip(sizes, windows, strict=True)
    return [(p, max((count - 1) * s + d * (k - 1) + 1 - n - p, 0)) for n, (k, s, p, d, count) in each]


def _count(windows: Any) -> int:
    """How many values there are in a window."""
    return math.prod(kernel for kernel, *_ in windows)


def _numbers(shape: Shape, windows: Any) -> list[int]:
    """For each offset in a window, in row-major order, its number among those that some window has in x."""
    known = {offset: number for number, (offset, _, _) in enumerate(regions(tuple(shape), windows))}
    steps = [dilation for _, _, _, dilation, _ in windows]
    places = np.ndindex(*[kernel for kernel, *_ in windows])
    return [known.get(tuple(o * d for o, d in zip(place, steps, strict=True)), 0) for place in places]


def _index(out: Shape, windows: Any, shape: Shape) -> tuple[list[str], str]:
    """Lines that turn the number in each window into an index, and that index."""
    lead, nd = len(out) - len(windows), len(windows)
    outer = [*(["n", "c"][-lead:] if lead in (1, 2) else [f"n{i}" for i in range(lead)]), *_letters("dhw", windows)]
    inner = _letters("kij", windows) if nd > 1 else ["i"]
    table = _numbers(shape, windows)
    given = "places"
    if table != list(range(_count(windows))):
        given = f"np.array({[table.index(number) for number in range(max(table) + 1)]})[places]"
    unravelled = f"np.unravel_index({given}, {tuple(kernel for kernel, *_ in windows)})"
    lines = [
        f"{', '.join(outer)} = np.ogrid[{', '.join(f':{n}' for n in out)}]",
        f"{', '.join(inner)} = {unravelled if nd > 1 else given}",
    ]
    at = []
    for o, i, (_, step, padding, dilation, _) in zip(outer[lead:], inner, windows, strict=True):
        at.append(f"{_times(step, o)} + {_times(dilation, i)}{f' - {padding}' if padding else ''}")
    return lines, ", ".join([*outer[:lead], *at])


def _letters(names: str, windows: Any) -> list[str]:
    return list(names[-len(windows) :])


def _times(factor: int, text: str) -> str:
    return text if factor == 1 else f"{factor} * {text}"


def _form(lines: Sequence[str], formula: str) -> Form:
    return [part for text in lines for part in ast.parse(text).body], [ast.parse(formula, mode="eval").body]


FORMS = {
    "max_pool": max_pool, "max_places": max_places, "window_put": window_put, "window_take": window_take,
    "window_sum": window_sum, "window_spread": window_spread,
}  # fmt: skip

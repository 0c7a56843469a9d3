"""Where the numbers of a value come from: views looked through, down to the value that has memory or is computed.

A view that only renames axes (transposes, broadcasts, axes of size 1) can be looked through even when the value beneath
never reaches memory. One that computes places (slices, other reshapes) needs memory beneath.
"""

from __future__ import annotations

from dataclasses import dataclass

from byhand.program.ir import Node, Program, Value
from byhand.program.primitives import BROADCAST, RESHAPE, SLICE, TRANSPOSE, VIEW

Axes = tuple[int | None, ...]


@dataclass(frozen=True)
class Source:
    """What a value looks at.

    root   the value that is given or computed
    axes   for each axis of the looking value the axis of the root that it is, or None if the root does not depend on
           it; None altogether if this is no mere renaming
    views  the view nodes on the way, from the root
    """

    root: Value
    axes: Axes | None
    views: tuple[Node, ...] = ()


def sources(program: Program) -> dict[Value, Source]:
    """The source of every array of a lowered program."""
    found: dict[Value, Source] = {}
    for value in (*program.given, *(out for node in program.nodes for out in node.outputs if node.op.kind != VIEW)):
        found[value] = Source(value, tuple(axis if n != 1 else None for axis, n in enumerate(value.shape)))
    for node in program.nodes:
        if node.op.kind == VIEW:
            beneath, names = found[node.inputs[0]], renaming(node)
            axes = None
            if names is not None and beneath.axes is not None:
                axes = tuple(None if axis is None else beneath.axes[axis] for axis in names)
            found[node.out] = Source(beneath.root, axes, (*beneath.views, node))
    return found


def renaming(node: Node) -> Axes | None:
    """For each axis of a view the axis beneath, or None if it is repeated or of size 1; None if it is no renaming."""
    x, out = node.inputs[0], node.out
    axes: Axes | None
    if node.op is TRANSPOSE:
        axes = tuple(node.attrs["axes"])
    elif node.op is BROADCAST:
        lead = len(out.shape) - len(x.shape)
        axes = tuple(
            axis - lead if axis >= lead and x.shape[axis - lead] == n else None for axis, n in enumerate(out.shape)
        )
    elif node.op is RESHAPE:
        axes = _long_axes_kept(x, out)
    else:
        axes = _whole_slices(x, node.attrs["index"]) if node.op is SLICE else None
    return None if axes is None else tuple(None if n == 1 else a for a, n in zip(axes, out.shape, strict=True))


def _long_axes_kept(x: Value, out: Value) -> Axes | None:
    """A reshape that only adds and drops axes of size 1."""
    long = [axis for axis, n in enumerate(x.shape) if n != 1]
    if [x.shape[axis] for axis in long] != [n for n in out.shape if n != 1]:
        return None
    rest = iter(long)
    return tuple(None if n == 1 else next(rest) for n in out.shape)


def _whole_slices(x: Value, index: tuple[object, ...]) -> Axes | None:
    """A basic index that takes every axis as a whole, drops axes of size 1 or adds some."""
    taken = sum(part is not None and part is not Ellipsis for part in index)
    parts: list[object] = []
    for part in (*index, *(() if Ellipsis in index else (Ellipsis,))):
        parts += [slice(None)] * (len(x.shape) - taken) if part is Ellipsis else [part]
    axes: list[int | None] = []
    axis = 0
    for part in parts:
        if part is None:
            axes.append(None)
            continue
        n = x.shape[axis]
        if isinstance(part, slice):
            if part.indices(n) != (0, n, 1):
                return None
            axes.append(axis)
        elif n != 1:
            return None
        axis += 1
    return tuple(axes)

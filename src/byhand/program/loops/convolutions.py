"""Convolutions as products of windows, some images at a time: what they are lowered to for loops, and their text.

The kernels in `ops.convolution` copy windows part by part. Unrolled, that would be lines of its own for each part; here
a convolution is one node, whose text is a loop over the parts: pad, copy the windows (im2col), call BLAS. Threads
share the parts; each has its own copy, which stays in its cache.

    rows[n · i, k · c]  what window i of image n holds      y = rows w      dw = rowsᵀ dy
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from byhand.ops.convolution import phases
from byhand.ops.windows import counts, last, second
from byhand.program.ir import Node, Value
from byhand.program.layout import dense
from byhand.program.loops.moves import clearing, copying
from byhand.program.loops.products import CODES, matrix
from byhand.program.loops.sharing import LEAST_PRODUCT, Span, span
from byhand.program.loops.storage import Storage
from byhand.program.primitives import CALL, PRODUCT, Primitive
from byhand.program.symbol import full, made, operand

WINDOWED = Primitive("windowed", PRODUCT)
"""inputs: x (N, *sizes, C) and a matrix (kernel · C, O): (N · windows, O). attrs: kernel, stride, padding, dilation.
Two more outputs are memory: for an image with its border, and for what windows hold."""

WINDOWED_WEIGHT = Primitive("windowed_weight", PRODUCT)
"""inputs: x (N, *sizes, C) and y (N · windows, O): (kernel · C, O). The rest as above."""

PART = 512 << 10
"""Bytes of windows that are copied and multiplied at a time: half of what a core's second cache holds."""

Sizes = tuple[int, ...]


# What takes the place of a kernel when a program is lowered for loops.


def convolution(x: Any, weight: Any, bias: Any, *, groups: int, **how: Any) -> Any:
    """`ops.convolution` of symbols, if it has one group."""
    if groups > 1 or not _known(x, weight):
        return NotImplemented
    out = _convolved(x, weight, **how)
    return out if bias is None else out + bias.reshape(-1, *[1] * (x.ndim - 2))


def convolution_transpose(
    y: Any, weight: Any, bias: Any, *, size: Sizes, stride: Sizes, padding: Any, dilation: Sizes, groups: int
) -> Any:
    """`ops.convolution_transpose` of symbols, if it has one group: a convolution for each place within a stride."""
    if groups > 1 or not _known(y, weight):
        return NotImplemented
    turned, whole = weight.swapaxes(0, 1), slice(None)
    flip = (whole, whole, *[slice(None, None, -1)] * (y.ndim - 2))
    each = zip(y.shape[2:], weight.shape[2:], size, stride, padding, dilation, strict=True)
    parts = []
    for phase in itertools.product(*[list(phases(*along)) for along in each]):
        places, taps, widths, spread = zip(*phase, strict=True)
        kernel = turned[(whole, whole, *taps)][flip]
        parts.append((places, _convolved(y, kernel, stride=(1,) * len(taps), padding=widths, dilation=spread)))
    out = parts[0][1] if max(stride) == 1 else _put_together(y, parts, (len(y), turned.shape[0], *size))
    return _plus(out, bias)


def _put_together(y: Any, parts: Sequence[tuple[Any, Any]], shape: Sizes) -> Any:
    """(N, C, *size), each part at its places, and zero where there is none."""
    out = full(y.journal, shape, y.dtype.type(0), (0, *range(2, len(shape)), 1))
    for places, part in parts:
        out[(slice(None), slice(None), *places)] = part
    return out


def convolution_weight(y: Any, x: Any, *, kernel: Sizes, groups: int, **how: Any) -> Any:
    """`ops.convolution_weight` of symbols, if it has one group."""
    if groups > 1 or not _known(x, y):
        return NotImplemented
    count, channels, ndim = y.shape[1], x.shape[1], len(kernel)
    rows = last(y).reshape(-1, count)
    if _is_product(kernel, **how):
        out = last(x).reshape(-1, channels).T @ rows
    else:
        out = _node(WINDOWED_WEIGHT, x, rows, (math.prod(kernel) * channels, count), {"kernel": kernel, **how})
    return out.reshape(*kernel, channels, count).transpose(ndim + 1, ndim, *range(ndim))


KERNELS: dict[str, Callable[..., Any]] = {
    "convolution": convolution,
    "convolution_transpose": convolution_transpose,
    "convolution_weight": convolution_weight,
}
"""By the op's name."""


def _known(x: Any, y: Any) -> bool:
    return x.dtype == y.dtype and x.dtype in CODES and x.size > 0 and y.size > 0


def _plus(x: Any, bias: Any) -> Any:
    return x if bias is None else x + bias.reshape(-1, *[1] * (x.ndim - 2))


def _convolved(x: Any, weight: Any, **how: Any) -> Any:
    """The convolution of x (N, C, *sizes): (N, O, *windows)."""
    kernel, count = weight.shape[2:], weight.shape[0]
    windows = counts(x.shape[2:], kernel, **how)
    flat = weight.transpose(*range(2, weight.ndim), 1, 0).reshape(-1, count)
    if _is_product(kernel, **how):
        out = last(x).reshape(-1, x.shape[1]) @ flat
    else:
        out = _node(WINDOWED, x, flat, (len(x) * math.prod(windows), count), {"kernel": kernel, **how})
    return second(out.reshape(len(x), *windows, count))


def _is_product(kernel: Sizes, *, stride: Sizes, padding: Any, dilation: Sizes) -> bool:
    """Whether each window is one place of x, so that nothing need be copied."""
    return max(*kernel, *stride, 1) == 1 and not any(map(any, padding)) and min(*dilation, 1) == 1


def _node(op: Primitive, x: Any, y: Any, shape: Sizes, attrs: dict[str, Any]) -> Any:
    """A node for images x (N, C, *sizes), and its first output as a symbol."""
    journal = x.journal
    images = last(x)
    steps = [step // y.itemsize for step in y.strides]
    if matrix(y.shape, tuple(0 if n == 1 else step for n, step in zip(y.shape, steps, strict=True))) is None:
        y = y.copy()
    value = journal.write(
        op, [operand(journal, images), operand(journal, y)], attrs, journal.alike(shape, x.dtype, (0, 1))
    )
    node = journal.nodes[-1]
    plan = Plan.of(node)
    more = tuple(Value((size,), x.dtype) for size in (plan.border, plan.columns))
    journal.nodes[-1] = dataclasses.replace(node, outputs=(value, *more))
    return made(journal, value)


# The text.


@dataclass(frozen=True)
class Plan:
    """How a node is computed: `images` of them at a time, `parts` times.

    windows     how many there are along each axis
    by_offsets  whether windows are copied place by place, in runs of a row of x, and not window by window
    """

    shape: Sizes
    kernel: Sizes
    stride: Sizes
    padding: tuple[tuple[int, int], ...]
    dilation: Sizes
    windows: Sizes
    images: int
    by_offsets: bool

    @classmethod
    def of(cls, node: Node) -> Plan:
        """The plan for a node."""
        x, how = node.inputs[0], node.attrs
        dtype: Any = x.dtype
        windows = counts(x.shape[1:-1], **how)
        kernel, channels = how["kernel"], x.shape[-1]
        each = math.prod(windows) * math.prod(kernel) * channels * dtype.itemsize
        fitting = [n for n in range(1, x.shape[0] + 1) if x.shape[0] % n == 0 and n * each <= PART]
        by_offsets = 2 * kernel[-1] * channels <= windows[-1]
        padding = tuple(map(tuple, how["padding"]))
        return cls(
            x.shape, kernel, how["stride"], padding, how["dilation"], windows, max(fitting, default=1), by_offsets
        )

    @property
    def parts(self) -> int:
        """How often some images are taken."""
        return self.shape[0] // self.images

    @property
    def rows(self) -> int:
        """The windows of the images that are taken together."""
        return self.images * math.prod(self.windows)

    @property
    def width(self) -> int:
        """What a window holds."""
        return math.prod(self.kernel) * self.shape[-1]

    @property
    def columns(self) -> int:
        """The numbers that are copied at a time."""
        return self.rows * self.width

    @property
    def padded(self) -> Sizes:
        """The shape of some images with their border."""
        sizes = [n + a + b for n, (a, b) in zip(self.shape[1:-1], self.padding, strict=True)]
        return (self.images, *sizes, self.shape[-1])

    @property
    def border(self) -> int:
        """The numbers of some images with their border; one if there is none."""
        return math.prod(self.padded) if self.has_border else 1

    @property
    def has_border(self) -> bool:
        """Whether images are copied to where they have a border, or less of one."""
        return any(map(any, self.padding))

    def middle(self, inside: Sequence[int], outside: Sequence[int]) -> tuple[Sizes, int, int]:
        """The sizes of what stands within the border, and where it begins there and in x; a negative border crops x."""
        to = sum(max(a, 0) * step for (a, _), step in zip(self.padding, inside[1:], strict=False))
        of = sum(max(-a, 0) * step for (a, _), step in zip(self.padding, outside[1:], strict=False))
        sizes = zip(self.shape[1:-1], self.padding, strict=True)
        return tuple(n + min(a, 0) + min(b, 0) for n, (a, b) in sizes), to, of

    def copied(self, steps: Sequence[int]) -> tuple[Sizes, Sizes, Sizes]:
        """The shape (images, *windows, *kernel, C) of what windows hold, the steps of the columns, and those of x."""
        inner = steps[1:-1]
        of = (steps[0], *[s * n for s, n in zip(self.stride, inner, strict=True)])
        of = (*of, *[d * n for d, n in zip(self.dilation, inner, strict=True)], steps[-1])
        shape = (self.images, *self.windows, *self.kernel, self.shape[-1])
        ndim, axes = len(self.kernel), range(len(shape))
        order = (*axes[ndim + 1 :], *axes[: ndim + 1]) if self.by_offsets else tuple(axes)
        return shape, dense(shape, order, 1), of

    def span(self, count: int, threads: int) -> Span | None:
        """How threads share the parts, if each window is multiplied with so many columns."""
        return span(self.parts, threads) if self.parts * self.columns * count >= LEAST_PRODUCT else None


def known(node: Node) -> bool:
    """Whether this is such a product."""
    return node.op in (WINDOWED, WINDOWED_WEIGHT)


def is_rigid(node: Node) -> bool:
    """Whether the results of a node have a layout of their own, not that of a loop over them."""
    return node.op.kind == CALL or known(node)


def calls(node: Node, storage: Storage, names: Sequence[str], define: Callable[[str], str], shared: bool) -> list[str]:
    """The lines of a node, given the names of its pointers: x, y, the result, the border, the columns.

    `define` gives a name to the text of a nest. A shared node does the parts from `first` to `last`.
    """
    plan, (x, y), (out, border, columns) = Plan.of(node), names[:2], names[2:]
    images, dtype = storage.spot(node.inputs[0]).strides, node.out.dtype
    place, steps = f"at({x}, step * {plan.images * images[0]})", images
    lines = [f"for step in range({'first, last' if shared else plan.parts}):"]
    if plan.has_border:
        lines.insert(0, f"{define(clearing(plan.border, dtype))}({border})")
        inside = dense(plan.padded, tuple(range(len(plan.padded))), 1)
        size, to, of = plan.middle(inside, images)
        copy = define(copying((plan.images, *size, plan.shape[-1]), inside, images, dtype))
        at_x = f"at({x}, step * {plan.images * images[0]} + {of})" if of else place
        lines.append(f"    {copy}({f'at({border}, {to})' if to else border}, {at_x})")
        place, steps = border, inside
    lines.append(f"    {define(copying(*plan.copied(steps), dtype))}({columns}, {place})")
    return [*lines, f"    {_gemm(node, plan, storage, y, out, columns, shared)}"]


def _gemm(node: Node, plan: Plan, storage: Storage, y: str, out: str, columns: str, shared: bool) -> str:
    code, [of_y] = CODES[node.out.dtype], [matrix(node.inputs[1].shape, storage.spot(node.inputs[1]).strides)]
    assert of_y is not None
    count, line = node.inputs[1].shape[1], plan.rows if plan.by_offsets else plan.width
    if node.op is WINDOWED:
        return (
            f"gemm_{code}({int(plan.by_offsets)}, {of_y.flip}, {plan.rows}, {count}, {plan.width}, {code}(1), "
            f"{columns}, {line}, {y}, {of_y.line}, {code}(0), at({out}, step * {plan.rows * count}), {count})"
        )
    there = f"at({y}, step * {plan.rows * (1 if of_y.flip else of_y.line)})"
    beta = f"where(step == {'first' if shared else 'i8(0)'}, {code}(0), {code}(1))"
    return (
        f"gemm_{code}({int(not plan.by_offsets)}, {of_y.flip}, {plan.width}, {count}, {plan.rows}, {code}(1), "
        f"{columns}, {line}, {there}, {of_y.line}, {beta}, {out}, {count})"
    )

"""Padding: values around a tensor, constant ones or those of the tensor itself. Called by `nn.padding` and by users."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from byhand.core.errors import ShapeError, UsageError
from byhand.ops import shape as shapes
from byhand.ops.elementwise import clone
from byhand.ops.shape import flipped, joined
from byhand.ops.views import expanded, narrowed
from byhand.tensor import Tensor


def pad(input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:
    """input with more values around it; `pad` names (before, after) for the last axis first. Negative widths crop.

    mode    constant: `value`, or 0; reflect: the mirror image, without the value at the border; replicate: the value at
            the border; circular: the values from the other end
    Raises ShapeError where reflect or circular would need more values than there are.

    >>> import byhand
    >>> from byhand.nn import functional as F
    >>> F.pad(byhand.tensor([[0.0, 1.0, 2.0]]), (2, 1), mode="reflect")
    tensor([[2., 1., 0., 1., 2., 1.]])
    """
    widths = tuple(int(n) for n in pad)
    if mode == "constant":
        return shapes.pad(input, widths, 0.0 if value is None else value)
    if mode not in BORDERS:
        raise UsageError(f"pad: mode is one of {('constant', *BORDERS)}, not {mode!r}")
    if value is not None and value != 0:
        raise UsageError(f"pad: value={value} belongs to mode='constant'; mode={mode!r} takes values of the input")
    if len(widths) % 2 or not 0 < len(widths) < 2 * input.ndim:
        raise ShapeError(
            f"pad: {widths} must be pairs (before, after) for the last axes of {input.shape}, at most all but the first"
        )
    out = input
    for i in range(len(widths) // 2):
        out = _bordered(out, input.ndim - 1 - i, widths[2 * i], widths[2 * i + 1], mode)
    return out if max(widths) > 0 else clone(out)


def _bordered(x: Tensor, axis: int, before: int, after: int, mode: str) -> Tensor:
    """x with a border along one axis, or cropped where a width is negative."""
    n = x.shape[axis]
    start, stop = max(-before, 0), n - max(-after, 0)
    most = {"reflect": n - 1, "circular": stop - start, "replicate": max(before, after) if n else 0}[mode]
    if max(before, after) > most or n + before + after < 0:
        raise ShapeError(
            f"pad: widths ({before}, {after}) do not fit axis {axis} of {x.shape}; mode={mode!r} takes at most {most} "
            "a side"
        )
    inner = x if stop - start == n else narrowed(x, axis=axis, start=start, stop=stop)
    whole = inner if mode == "circular" else x  # what is cropped is not wrapped, but it is reflected
    parts = [
        *([BORDERS[mode](whole, axis, before, True)] if before > 0 else []),
        inner,
        *([BORDERS[mode](whole, axis, after, False)] if after > 0 else []),
    ]
    return joined(*parts, axis=axis) if len(parts) > 1 else inner


def _reflected(x: Tensor, axis: int, width: int, before: bool) -> Tensor:
    n = x.shape[axis]
    start = 1 if before else n - 1 - width
    return flipped(narrowed(x, axis=axis, start=start, stop=start + width), axis=(axis,))


def _replicated(x: Tensor, axis: int, width: int, before: bool) -> Tensor:
    n = x.shape[axis]
    edge = narrowed(x, axis=axis, start=0 if before else n - 1, stop=1 if before else n)
    return expanded(edge, shape=(*x.shape[:axis], width, *x.shape[axis + 1 :]))


def _wrapped(x: Tensor, axis: int, width: int, before: bool) -> Tensor:
    n = x.shape[axis]
    return narrowed(x, axis=axis, start=n - width if before else 0, stop=n if before else width)


BORDERS: dict[str, Callable[[Tensor, int, int, bool], Tensor]] = {
    "reflect": _reflected, "replicate": _replicated, "circular": _wrapped,
}  # fmt: skip

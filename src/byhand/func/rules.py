"""How each op is computed for a batch at once: by its kind where that is enough, else by a rule of its own here.

An op without a rule is called once for each example, and the results are stacked: slow, and always right. The tests
compare every rule with that. A rule takes the op, its operands (those of `own` with the batch as axis 0) and its
attributes, and gives the result with the batch as axis 0, or None where it does not apply.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from byhand.core.errors import ByhandError, UsageError
from byhand.core.op import ELEMENTWISE
from byhand.core.recorder import wrap
from byhand.ops import linalg, shape
from byhand.ops.index import SLOT
from byhand.ops.loss import softmax_cross_entropy
from byhand.ops.reduce import mean_over, sum_over
from byhand.ops.views import expanded, narrowed, reshaped

Rule = Callable[[Any, list[Any], list[bool], dict[str, Any]], Any]


def mapped(op: Any, values: list[Any], own: list[bool], attrs: dict[str, Any]) -> Any:
    """The results of an op for all examples, the batch as axis 0."""
    rule = RULES.get(op.name, elementwise if op.kind == ELEMENTWISE else None)
    try:
        found = None if rule is None else rule(op, values, own, attrs)
    except ByhandError:
        op.call(*[lane(x, 0) if mine else x for x, mine in zip(values, own, strict=True)], **attrs)  # says it better
        raise
    return looped(op, values, own, attrs) if found is None else found


def size(values: list[Any], own: list[bool]) -> int:
    """How many examples there are."""
    return next(int(x.shape[0]) for x, mine in zip(values, own, strict=True) if mine)


def looped(op: Any, values: list[Any], own: list[bool], attrs: dict[str, Any]) -> Any:
    """Example by example."""
    count = size(values, own)
    if not count:
        raise UsageError(f"vmap: a batch of no examples, which {op.name} cannot be called for")
    return shape.stack(
        [op.call(*[lane(x, i) if mine else x for x, mine in zip(values, own, strict=True)], **attrs)
         for i in range(count)], 0,
    )  # fmt: skip


def lane(x: Any, i: int) -> Any:
    """One example."""
    return reshaped(narrowed(x, axis=0, start=i, stop=i + 1), shape=x.shape[1:])


def _all(values: list[Any], own: list[bool]) -> list[Any]:
    """The operands, those that have no batch expanded to it."""
    count = size(values, own)
    return [x if mine else expanded(x, shape=(count, *x.shape)) for x, mine in zip(values, own, strict=True)]


def _aligned(x: Any, ndim: int) -> Any:
    """A batch of examples of fewer axes, with axes of size 1 behind that of the batch, so that it broadcasts."""
    missing = ndim + 1 - len(x.shape)
    return x if missing <= 0 else reshaped(x, shape=(x.shape[0], *(1,) * missing, *x.shape[1:]))


def elementwise(op: Any, values: list[Any], own: list[bool], attrs: dict[str, Any]) -> Any:
    """Operands broadcast."""
    ndim = max(len(getattr(x, "shape", ())) - mine for x, mine in zip(values, own, strict=True))
    return op.call(*[_aligned(x, ndim) if mine else x for x, mine in zip(values, own, strict=True)], **attrs)


def _same(op: Any, values: list[Any], own: list[bool], attrs: dict[str, Any]) -> Any:
    """The op works on the last axes and lets the others stand in front."""
    full = _all(values, own)
    ndim = max(len(x.shape) for x in full) - 1
    return op.call(*[_aligned(x, ndim) for x in full], **attrs)


def _axes(*names: str) -> Rule:
    """One operand, or several of one shape; these attributes name axes, which move up by one."""

    def rule(op: Any, values: list[Any], own: list[bool], attrs: dict[str, Any]) -> Any:
        if any(attrs[name] is None for name in names) or any(
            len(x.shape) == mine for x, mine in zip(values, own, strict=True)
        ):
            return None  # a number, or all values as one vector
        moved = {name: _up(attrs[name]) for name in names}
        return op.call(*_all(values, own), **{**attrs, **moved})

    return rule


def _up(axis: Any) -> Any:
    return tuple(a + 1 for a in axis) if isinstance(axis, tuple) else axis + 1


def _shaped(*names: str) -> Rule:
    """The attribute `shape` gets the batch in front, and these others name axes."""

    def rule(op: Any, values: list[Any], own: list[bool], attrs: dict[str, Any]) -> Any:
        (x,) = values
        moved = {name: _up(attrs[name]) for name in names}
        return op.call(x, **{**attrs, **moved, "shape": (x.shape[0], *attrs["shape"])})

    return rule


def _permuted(op: Any, values: list[Any], own: list[bool], attrs: dict[str, Any]) -> Any:
    return op.call(values[0], axes=(0, *_up(tuple(attrs["axes"]))))


def _expanded(op: Any, values: list[Any], own: list[bool], attrs: dict[str, Any]) -> Any:
    (x,) = values
    return op.call(_aligned(x, len(attrs["shape"])), shape=(x.shape[0], *attrs["shape"]))


def _padded(op: Any, values: list[Any], own: list[bool], attrs: dict[str, Any]) -> Any:
    return op.call(values[0], **{**attrs, "widths": ((0, 0), *attrs["widths"])})


def _sliced(op: Any, values: list[Any], own: list[bool], attrs: dict[str, Any]) -> Any:
    more = {"shape": (values[0].shape[0], *attrs["shape"])} if "shape" in attrs else {}
    return op.call(values[0], **more, index=(slice(None), *attrs["index"]))


def _matmul(op: Any, values: list[Any], own: list[bool], attrs: dict[str, Any]) -> Any:
    (x, y), (mine_x, mine_y) = values, own
    n, m = len(x.shape) - mine_x, len(y.shape) - mine_y
    if n == 1 and m == 1:
        return linalg.contracted(x, y, terms=("bi" if mine_x else "i", "bi" if mine_y else "i"), result="b")
    if n == 1:  # as a matrix of one row
        x = reshaped(x, shape=(*x.shape[:-1], 1, x.shape[-1]))
    if m == 1:
        y = reshaped(y, shape=(*y.shape, 1))
    lead = max(n, m, 2)
    out = linalg.matmul(_aligned(x, lead) if mine_x else x, _aligned(y, lead) if mine_y else y)
    if n == 1:
        return reshaped(out, shape=(*out.shape[:-2], out.shape[-1]))
    return reshaped(out, shape=out.shape[:-1]) if m == 1 else out


def _linear(op: Any, values: list[Any], own: list[bool], attrs: dict[str, Any]) -> Any:
    (x, weight, bias), (mine_x, mine_w, mine_b) = values, own
    if not mine_w and not mine_b:
        return op.call(x, weight, bias)
    transposed = linalg.flip_last(weight)
    product = _matmul(op, [x, transposed], [mine_x, mine_w], {}) if mine_x or mine_w else linalg.matmul(x, transposed)
    batched_product = mine_x or mine_w
    if not mine_b:
        return product + bias
    ndim = len(product.shape) - batched_product
    return product + _aligned(bias, ndim)


def _einsum(op: Any, values: list[Any], own: list[bool], attrs: dict[str, Any]) -> Any:
    terms, result = attrs["terms"], attrs["result"]
    letter = next(c for c in linalg.LETTERS if not any(c in term for term in terms))
    lettered = tuple(letter + term if mine else term for term, mine in zip(terms, own, strict=True))
    return op.call(*values, terms=lettered, result=letter + result)


def _column_sums(op: Any, values: list[Any], own: list[bool], attrs: dict[str, Any]) -> Any:
    return sum_over(values[0], axis=(1,), keepdims=False)


def _extreme_place(op: Any, values: list[Any], own: list[bool], attrs: dict[str, Any]) -> Any:
    (x,) = values
    if attrs["axis"] is None and not attrs["keepdims"]:
        return op.call(reshaped(x, shape=(x.shape[0], math.prod(x.shape[1:]))), axis=1, keepdims=False)
    return None if attrs["axis"] is None else op.call(x, **{**attrs, "axis": attrs["axis"] + 1})


def _rows(op: Any, values: list[Any], own: list[bool], attrs: dict[str, Any]) -> Any:
    """The op takes rows, each for itself: those of all examples are rows too."""
    full = _all(values, own)
    out = op.call(*[reshaped(x, shape=(x.shape[0] * x.shape[1], *x.shape[2:])) for x in full], **attrs)
    return reshaped(out, shape=(*full[0].shape[:2], *out.shape[1:]))


def _images(op: Any, values: list[Any], own: list[bool], attrs: dict[str, Any]) -> Any:
    """The op takes a batch of images (N, …) first, and what is done to them is the same for all examples."""
    x, *rest = values
    if not own[0] or any(own[1:]):
        return None
    out = op.call(reshaped(x, shape=(x.shape[0] * x.shape[1], *x.shape[2:])), *rest, **attrs)
    return reshaped(out, shape=(*x.shape[:2], *out.shape[1:]))


def _mean_cross_entropy(op: Any, values: list[Any], own: list[bool], attrs: dict[str, Any]) -> Any:
    losses = _rows(softmax_cross_entropy.op, values, own, {})  # type: ignore[attr-defined]
    return mean_over(losses, axis=(1,), keepdims=False, size=losses.shape[1])


def _indexed(op: Any, values: list[Any], own: list[bool], attrs: dict[str, Any]) -> Any:
    """By integer arrays that stand side by side; if they differ between the examples, in front."""
    (x, *arrays), index = values, attrs["index"]
    slots = [i for i, part in enumerate(index) if part is SLOT]
    if slots[-1] - slots[0] + 1 > len(slots) or any(a.dtype.kind == "b" for a in arrays):
        return None
    if not any(own[1:]):
        return op.call(x, *arrays, index=(slice(None), *index))
    if slots[0]:
        return None
    ndim = max(len(a.shape) - mine for a, mine in zip(arrays, own[1:], strict=True))
    places = [_aligned(a, ndim) if mine else a for a, mine in zip(arrays, own[1:], strict=True)]
    if not own[0]:
        return op.call(x, *places, index=index)
    count = x.shape[0]
    return op.call(x, wrap(np.arange(count).reshape(count, *(1,) * ndim)), *places, index=(SLOT, *index))


RULES: dict[str, Rule] = {
    **dict.fromkeys((
        "contiguous", "tril", "triu", "inv", "det", "slogdet", "cholesky", "eigh", "eig", "svd", "qr", "solve",
        "pivots", "eliminated", "one_hot_of", "row_order", "pinv", "matrix_exp", "real_pairs", "complex_pairs",
    ), _same),
    **dict.fromkeys((
        "sum", "mean", "prod", "amax", "amin", "any", "all", "logsumexp", "norm", "cumsum", "cumprod", "running_place",
        "argsort", "softmax", "log_softmax", "flip", "roll", "narrow", "cat", "gather", "scatter_add", "scatter",
        "fourier", "real_fourier", "real_inverse_fourier",
    ), _axes("axis")),
    **dict.fromkeys(
        ("cross_entropy", "less_one_hot", "picked", "planted", "compared", "balanced", "multi_margin"), _rows
    ),
    **dict.fromkeys(("convolution", "convolution_transpose", "max_pool", "unfold"), _images),
    **dict.fromkeys(("real", "imag", "paired", "complex_of"), elementwise),
    "argmax": _extreme_place, "argmin": _extreme_place, "cross_entropy_mean": _mean_cross_entropy, "index": _indexed,
    "diagonal": _axes("axis1", "axis2"), "diagonal_scattered": _shaped("axis1", "axis2"),
    "reshape": _shaped(), "permute": _permuted, "expand": _expanded, "pad": _padded, "unpadded": _padded,
    "getitem": _sliced, "placed": _sliced, "matmul": _matmul, "linear": _linear, "einsum": _einsum,
    "column_sums": _column_sums,
}  # fmt: skip

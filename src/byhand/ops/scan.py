"""Running sums, products and extremes along an axis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from byhand.core.op import SCAN, derive, op
from byhand.core.variable import Array
from byhand.ops import elementwise as e
from byhand.ops.axes import either, one
from byhand.ops.index import gathered
from byhand.ops.reduce import prod_over, sum_over
from byhand.ops.shape import flipped, joined, unsqueeze
from byhand.ops.views import lifted, narrowed

if TYPE_CHECKING:
    from byhand.tensor import Tensor


@op(SCAN, name="cumsum", onnx="CumSum")
def running_sum(x: Array, *, axis: int) -> Array:
    """out_i = Σ_{j ≤ i} x_j"""
    return x.cumsum(axis=axis, dtype=x.dtype if x.dtype.kind == "f" else None)


@op(SCAN, name="cumprod")
def running_product(x: Array, *, axis: int) -> Array:
    """out_i = Π_{j ≤ i} x_j"""
    return x.cumprod(axis=axis)


def reversed_sum(g: Any, axis: int) -> Any:
    """Σ_{j ≥ i} g_j"""
    return flipped(running_sum(flipped(g, axis=(axis,)), axis=axis), axis=(axis,))


def _product_rule(g: Any, x: Any, axis: int) -> Any:
    """dx_k = Σ_{i ≥ k} g_i Π_{j ≤ i, j ≠ k} x_j, right even where some x are 0: the products without k, for each k."""
    n = x.shape[axis]
    last = len(x.shape)
    rows = unsqueeze(x, last).swapaxes(axis, last)  # (…, 1 at axis, …, n)
    omitted = np.eye(n, dtype=bool).reshape([n if a == axis else n if a == last else 1 for a in range(last + 1)])
    products = running_product(e.select(omitted, 1, rows), axis=last)  # (…, k at axis, …, i)
    counts = np.tri(n, dtype=bool).T.reshape(omitted.shape)  # i ≥ k
    weights = unsqueeze(g, last).swapaxes(axis, last)
    return sum_over(e.select(counts, products * weights, 0), axis=(last,), keepdims=False)


derive(running_sum, x=lambda g, axis: reversed_sum(g, axis))
derive(running_product, x=_product_rule)


def _scanned(scan: Any, whole: Any, x: Any, dim: int | None, dtype: Any, name: str) -> Tensor:
    axis = one(0 if dim is None and x.ndim < 2 else dim, x.ndim, name)
    x = x if dtype is None else e.cast(x, dtype=np.dtype(dtype))
    # NumPy makes a vector of a scalar's running sum
    result: Tensor = scan(x, axis=axis) if x.ndim else whole(x, axis=(), keepdims=False)
    return result


def cumsum(x: Any, dim: int | None = None, *, dtype: Any = None, axis: int | None = None) -> Tensor:
    """out_i = Σ_{j ≤ i} x_j along an axis.

    >>> import byhand
    >>> byhand.cumsum(byhand.tensor([1, 2, 3]), 0)
    tensor([1, 3, 6])
    """
    return _scanned(running_sum, sum_over, x, either(dim, axis, "dim and axis"), dtype, "cumsum")


def cumprod(x: Any, dim: int | None = None, *, dtype: Any = None, axis: int | None = None) -> Tensor:
    """out_i = Π_{j ≤ i} x_j along an axis; the gradient is right also where factors are 0."""
    return _scanned(running_product, prod_over, x, either(dim, axis, "dim and axis"), dtype, "cumprod")


class Running(NamedTuple):
    """Values and the indices they come from."""

    values: Tensor
    indices: Tensor


@op(SCAN)
def running_place(x: Array, *, axis: int, largest: bool) -> Array:
    """The index of the largest (or smallest) of the values so far, the last of equals"""
    extreme = (np.maximum if largest else np.minimum).accumulate(x, axis=axis)
    places = np.arange(x.shape[axis]).reshape([-1 if a == axis else 1 for a in range(x.ndim)])
    return np.maximum.accumulate(np.where(x == extreme, places, 0), axis=axis)


def _running(x: Any, dim: int, largest: bool, name: str) -> Running:
    axis = one(dim, x.ndim, name)
    indices = running_place(x, axis=axis, largest=largest)
    return Running(gathered(x, indices, axis=axis), indices)


@lifted
def cummax(x: Any, dim: int) -> Running:
    """(values, indices) of the running maximum; of equals the last."""
    return _running(x, dim, True, "cummax")


@lifted
def cummin(x: Any, dim: int) -> Running:
    """(values, indices) of the running minimum; of equals the last."""
    return _running(x, dim, False, "cummin")


def diff(x: Any, n: int = 1, dim: int = -1, prepend: Any = None, append: Any = None) -> Tensor:
    """x_{i+1} − x_i along an axis, n times; of x with others before and behind it, if given."""
    axis = one(dim, x.ndim, "diff")
    if n and not (prepend is None and append is None):
        x = joined(*[part for part in (prepend, x, append) if part is not None], axis=axis)
    for _ in range(min(n, x.shape[axis])):
        size = x.shape[axis]
        x = e.sub(narrowed(x, axis=axis, start=1, stop=size), narrowed(x, axis=axis, start=0, stop=size - 1))
    return x

"""Products that are made of others: cross, Kronecker and chain products, and sums with a product added to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from byhand.core.errors import ShapeError, UsageError
from byhand.ops.axes import one, together
from byhand.ops.linalg import bmm, matmul, outer
from byhand.ops.reduce import sum_over
from byhand.ops.shape import flip, rolled
from byhand.ops.views import reshaped

if TYPE_CHECKING:
    from byhand.tensor import Tensor


def cross(x: Any, other: Any, dim: int | None = None) -> Tensor:
    """The cross product along an axis of size 3: the first such axis unless one is named.

    >>> import byhand
    >>> byhand.cross(byhand.tensor([1.0, 0.0, 0.0]), byhand.tensor([0.0, 1.0, 0.0]))
    tensor([0., 0., 1.])
    """
    shape = together("cross", x.shape, other.shape)
    if dim is None and 3 not in shape:
        raise ShapeError(f"cross got {x.shape} and {other.shape}; expected an axis of size 3")
    axis = shape.index(3) if dim is None else one(dim, len(shape), "cross")
    return crossed(x, other, axis - len(shape))


def crossed(x: Any, other: Any, dim: int = -1) -> Tensor:
    """The cross product along `dim`, the last axis unless told otherwise; the other axes broadcast."""
    places = [one(dim, t.ndim, "cross") for t in (x, other)]
    if any(t.shape[axis] != 3 for t, axis in zip((x, other), places, strict=True)):
        raise ShapeError(f"cross got {x.shape} and {other.shape}; expected the size 3 along axis {dim}")
    (x1, x2), (y1, y2) = (
        (rolled(t, shift=(-1,), axis=(axis,)), rolled(t, shift=(-2,), axis=(axis,)))
        for t, axis in zip((x, other), places, strict=True)
    )
    return x1 * y2 - x2 * y1


def vecdot(x: Any, other: Any, *, dim: int = -1) -> Tensor:
    """Σ x · other along an axis; the other axes broadcast."""
    product = x * other
    return sum_over(product, axis=(one(dim, product.ndim, "vecdot"),), keepdims=False)


def multi_dot(tensors: Sequence[Any]) -> Tensor:
    """The product of several matrices in the order that takes the fewest multiplications; the ends may be vectors."""
    chain = list(tensors)
    if len(chain) < 2:
        raise UsageError("multi_dot takes at least two matrices")
    first, last = chain[0].ndim == 1, chain[-1].ndim == 1
    if first:
        chain[0] = reshaped(chain[0], shape=(1, chain[0].shape[0]))
    if last:
        chain[-1] = reshaped(chain[-1], shape=(chain[-1].shape[0], 1))
    if any(x.ndim != 2 for x in chain):
        raise ShapeError(f"multi_dot got {[x.shape for x in tensors]}; expected matrices (vectors at the ends only)")
    out = _multiplied(chain, _splits([x.shape[0] for x in chain] + [chain[-1].shape[1]]), 0, len(chain) - 1)
    rows, columns = out.shape
    return reshaped(out, shape=(() if first else (rows,)) + (() if last else (columns,)))


def _splits(sizes: list[int]) -> dict[tuple[int, int], int]:
    """Where to split each part of a chain: Cormen et al., Introduction to Algorithms, 15.2."""
    count = len(sizes) - 1
    cost = dict.fromkeys([(i, i) for i in range(count)], 0)
    split = {}
    for length in range(1, count):
        for i in range(count - length):
            j = i + length
            ways = [(cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1], k) for k in range(i, j)]
            cost[i, j], split[i, j] = min(ways)
    return split


def _multiplied(chain: list[Any], split: dict[tuple[int, int], int], i: int, j: int) -> Any:
    if i == j:
        return chain[i]
    k = split[i, j]
    return matmul(_multiplied(chain, split, i, k), _multiplied(chain, split, k + 1, j))


def chain_matmul(*matrices: Any) -> Tensor:
    """`multi_dot` of the arguments."""
    return matrices[0] + 0 if len(matrices) == 1 else multi_dot(matrices)


def kron(x: Any, other: Any) -> Tensor:
    """The Kronecker product: all of `other` in the place of each value of x, times that value."""
    ndim = max(x.ndim, other.ndim)
    a, b = ((1,) * (ndim - t.ndim) + tuple(t.shape) for t in (x, other))
    left = reshaped(x, shape=tuple(n for size in a for n in (size, 1)))
    right = reshaped(other, shape=tuple(n for size in b for n in (1, size)))
    return reshaped(left * right, shape=tuple(n * m for n, m in zip(a, b, strict=True)))


def addr(x: Any, vec1: Any, vec2: Any, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta · x + alpha · vec1 ⊗ vec2."""
    return _added(x, outer(vec1, vec2), beta, alpha)


def addbmm(x: Any, batch1: Any, batch2: Any, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta · x + alpha · the sum of the products of two batches of matrices."""
    return _added(x, sum_over(bmm(batch1, batch2), axis=(0,), keepdims=False), beta, alpha)


def _added(x: Any, product: Any, beta: float, alpha: float) -> Any:
    product = product if alpha == 1 else alpha * product
    return product if beta == 0 else (x if beta == 1 else beta * x) + product


def vander(x: Any, N: int | None = None, increasing: bool = True) -> Tensor:
    """The powers 0 to N − 1 of the values of (…, n): (…, n, N), where N is n unless told otherwise."""
    x = x if x.ndim else reshaped(x, shape=(1,))
    powers = np.arange(x.shape[-1] if N is None else N)
    made = reshaped(x, shape=(*x.shape, 1)) ** powers.astype(x.dtype)
    return made if increasing else flip(made, -1)


def householder_product(x: Any, tau: Any) -> Tensor:
    """The first n columns of the product of the reflections 1 − τᵢ vᵢ vᵢᵀ, where vᵢ stands below the diagonal of x."""
    from byhand.ops.triangle import lower

    m, n = x.shape[-2:]
    vectors = lower(x, diagonal=-1) + np.eye(m, n, dtype=x.dtype)
    out: Any = x * 0 + np.eye(m, n, dtype=x.dtype)
    for i in reversed(range(tau.shape[-1])):
        v = vectors[..., i : i + 1]
        scale = reshaped(tau[..., i], shape=(*tau.shape[:-1], 1, 1))
        out = out - v * scale @ (v.mT @ out)
    return out

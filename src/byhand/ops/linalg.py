"""Matrix products: the ops that are BLAS underneath, and `einsum`. Called by users, by `nn.functional` and by rules."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from byhand.core.errors import ShapeError, UsageError
from byhand.core.op import CONTRACT, OTHER, derive, op
from byhand.core.variable import Array, Variable
from byhand.ops import elementwise as e
from byhand.ops.axes import count, one
from byhand.ops.reduce import column_sums, norm, sum_over
from byhand.ops.views import expanded, permuted, reshaped

if TYPE_CHECKING:
    from byhand.tensor import Tensor


@op(CONTRACT, onnx="MatMul", expects="(…, n, k) and (…, k, m)")
def matmul(x: Array, y: Array) -> Array:
    """x @ y: (…, n, k) · (…, k, m) → (…, n, m); vectors as in NumPy"""
    if y.ndim == 2 and x.ndim > 2:  # one product: a batch of them is not for the BLAS as a whole, or not at all
        return (x.reshape(math.prod(x.shape[:-1]), x.shape[-1]) @ y).reshape(*x.shape[:-1], y.shape[1])
    return x @ y


@op(CONTRACT, expects="x (…, in), weight (out, in) and bias (out)", onnx="Gemm")
def linear(x: Array, weight: Array, bias: Array) -> Array:
    """x Wᵀ + b: (…, in) → (…, out)"""
    flat = x if x.ndim < 3 else x.reshape(-1, x.shape[-1])
    out = flat @ weight.T
    out = out + bias if out.ndim < 2 else np.add(out, bias, out=out) if out.dtype == bias.dtype else out + bias
    return out if x.ndim < 3 else out.reshape(*x.shape[:-1], -1)


def flip_last(x: Any) -> Tensor:
    """The transpose of the last two axes."""
    n = len(x.shape)
    return permuted(x, axes=(*range(n - 2), n - 1, n - 2))


def rows(x: Any) -> Any:
    """(…, k) as a matrix (n, k)."""
    return x if len(x.shape) == 2 else reshaped(x, shape=(math.prod(x.shape[:-1]), x.shape[-1]))


def _matmul_x(g: Any, x_shape: tuple[int, ...], y: Any) -> Any:
    ndim = len(y.shape)
    if ndim == 2 and len(x_shape) == 2:
        return g @ y.T
    if ndim == 1:  # (…, k) · (k): an outer product
        return e.mul(reshaped(g, shape=(*g.shape, 1)), y) if len(x_shape) > 1 else g * y
    if len(x_shape) == 1:  # (k) · (…, k, m)
        return y @ g if ndim == 2 else _row(g, y)
    return g @ flip_last(y)


def _row(g: Any, y: Any) -> Any:
    return sum_over(y * reshaped(g, shape=(*g.shape[:-1], 1, g.shape[-1])), axis=(len(y.shape) - 1,), keepdims=False)


def _matmul_y(g: Any, x: Any, y_shape: tuple[int, ...]) -> Any:
    ndim = len(x.shape)
    if len(y_shape) == 1:  # (…, k) · (k)
        return (
            g * x
            if ndim == 1
            else sum_over(x * reshaped(g, shape=(*g.shape, 1)), axis=tuple(range(ndim - 1)), keepdims=False)
        )
    if ndim == 1:  # (k) · (…, k, m)
        return reshaped(x, shape=(*x.shape, 1)) * reshaped(g, shape=(*g.shape[:-1], 1, g.shape[-1]))
    if ndim == 2 and len(y_shape) == 2:
        return x.T @ g
    if len(y_shape) == 2 and ndim > 2:  # one product instead of a batch of them that is then summed
        return flip_last(rows(x)) @ rows(g)
    return flip_last(x) @ g


def _weight_rule(g: Any, x: Any, weight: Any) -> Any:
    """gᵀ x, laid out in memory as the weight is, so that updates run along both; see `nn.Linear`."""
    ndim = len(x.shape)
    if ndim != 2:
        if ndim == 1:
            return outer(g, x)
        g, x = rows(g), rows(x)
    strides = weight.array.strides if isinstance(weight, Variable) else weight.strides
    return (x.T @ g).T if strides[0] < strides[1] else g.T @ x


derive(matmul, x=_matmul_x, y=_matmul_y)
derive(
    linear,
    x=lambda g, weight: matmul(g, weight),
    weight=_weight_rule,
    bias=lambda g: column_sums(g) if len(g.shape) == 2 else g,
)


def mm(x: Any, mat2: Any) -> Tensor:
    """The product of two matrices: (n, k) · (k, m) → (n, m)."""
    return _ranked(x, mat2, 2, 2, "mm", "(n, k) and (k, m)")


def bmm(x: Any, mat2: Any) -> Tensor:
    """The products of two batches of matrices: (b, n, k) · (b, k, m) → (b, n, m)."""
    return _ranked(x, mat2, 3, 3, "bmm", "(b, n, k) and (b, k, m)")


def mv(x: Any, vec: Any) -> Tensor:
    """A matrix times a vector: (n, k) · (k) → (n)."""
    return _ranked(x, vec, 2, 1, "mv", "(n, k) and (k)")


def dot(x: Any, other: Any) -> Tensor:
    """The inner product of two vectors."""
    return _ranked(x, other, 1, 1, "dot", "two vectors of one size")


def _ranked(x: Any, y: Any, ndim_x: int, ndim_y: int, name: str, expects: str) -> Any:
    if x.ndim != ndim_x or y.ndim != ndim_y or (ndim_x == 3 and x.shape[0] != y.shape[0]):
        raise ShapeError(f"{name} got {x.shape} and {y.shape}; expected {expects}")
    return matmul(x, y)


def addmv(x: Any, mat: Any, vec: Any, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta · x + alpha · mat @ vec."""
    product = mv(mat, vec)
    return (x if beta == 1 else beta * x) + (product if alpha == 1 else alpha * product)


def cdist(x: Any, other: Any, p: float = 2.0, compute_mode: str | None = None) -> Tensor:
    """The p-norm between all rows of both: (…, n, k) and (…, m, k) → (…, n, m).

    For p = 2 and many rows √(|a|² + |b|² − 2ab), which needs no array of all differences, as PyTorch has it.
    """
    if p != 2 or max(x.shape[-2], other.shape[-2]) <= 25:
        differences = reshaped(x, shape=(*x.shape[:-1], 1, x.shape[-1]))
        differences = differences - reshaped(other, shape=(*other.shape[:-2], 1, *other.shape[-2:]))
        return norm(differences, p, -1)
    squares = sum_over(e.square(x), axis=(x.ndim - 1,), keepdims=True)
    others = sum_over(e.square(other), axis=(other.ndim - 1,), keepdims=True)
    squares = squares + flip_last(others) - 2 * matmul(x, flip_last(other))
    positive = squares > 0  # rounding may leave a little less than 0, and √ has no slope there
    return e.select(positive, e.sqrt(e.select(positive, squares, 1)), 0)


def outer(x: Any, vec2: Any) -> Tensor:
    """The outer product of two vectors: (n), (m) → (n, m)."""
    if x.ndim != 1 or vec2.ndim != 1:
        raise ShapeError(f"outer got {x.shape} and {vec2.shape}; expected two vectors")
    return e.mul(reshaped(x, shape=(x.shape[0], 1)), vec2)


def inner(x: Any, other: Any) -> Tensor:
    """Σ over the last axes of both."""
    if not (x.ndim and other.ndim):
        return e.mul(x, other)
    return matmul(x, other) if other.ndim < 2 else tensordot(x, other, ([-1], [-1]))


def tensordot(x: Any, other: Any, dims: Any = 2) -> Tensor:
    """Σ over pairs of axes: the last `dims` of x with the first of `other`, or the pairs of two lists."""
    if isinstance(dims, int):
        a, b = list(range(x.ndim - dims, x.ndim)), list(range(dims))
    else:
        a, b = ([one(i, t.ndim, "tensordot") for i in d] for t, d in zip((x, other), dims, strict=True))
    for i, j in zip(a, b, strict=False):  # an axis of size 1 broadcasts, as in PyTorch
        if x.shape[i] == 1 != other.shape[j]:
            other = sum_over(other, axis=(j,), keepdims=True)
        elif other.shape[j] == 1 != x.shape[i]:
            x = sum_over(x, axis=(i,), keepdims=True)
    if [x.shape[i] for i in a] != [other.shape[i] for i in b]:
        raise ShapeError(f"tensordot got {x.shape} and {other.shape}: axes {a} and {b} differ in size")
    free_a = [i for i in range(x.ndim) if i not in a]
    free_b = [i for i in range(other.ndim) if i not in b]
    size = int(np.prod([x.shape[i] for i in a], dtype=int))
    left = reshaped(permuted(x, axes=(*free_a, *a)), shape=(count(x) // max(size, 1), size))
    right = reshaped(permuted(other, axes=(*b, *free_b)), shape=(size, count(other) // max(size, 1)))
    return reshaped(matmul(left, right), shape=tuple([x.shape[i] for i in free_a] + [other.shape[i] for i in free_b]))


def addmm(x: Any, mat1: Any, mat2: Any, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta · x + alpha · mat1 @ mat2."""
    product = mm(mat1, mat2)
    return (x if beta == 1 else beta * x) + (product if alpha == 1 else alpha * product)


def baddbmm(x: Any, batch1: Any, batch2: Any, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta · x + alpha · batch1 @ batch2, for batches of matrices."""
    product = bmm(batch1, batch2)
    return (x if beta == 1 else beta * x) + (product if alpha == 1 else alpha * product)


@op(OTHER)
def sum_of_squares(x: Array) -> Any:
    """Σ x² as a float64: by the BLAS in the dtype of x, and anew in float64 if that overflows"""
    flat = x.ravel(order="K")
    total: Any = np.float64(np.vdot(flat, flat))
    if np.isinf(total) and x.dtype != np.float64:
        wide = flat.astype(np.float64)
        total = np.vdot(wide, wide)
    return total


# einsum


@op(CONTRACT, name="einsum", onnx="Einsum")
def contracted(*xs: Array, terms: tuple[str, ...], result: str) -> Array:
    """Einstein's sum of the operands, one term of letters each"""
    if len(xs) == 1:  # of one operand NumPy may give a view
        return np.array(np.einsum(f"{terms[0]}->{result}", xs[0]))
    return np.einsum(f"{','.join(terms)}->{result}", *xs, optimize=True)


def _einsum_rule(g: Any, i: int, xs: Any, terms: tuple[str, ...], result: str) -> Any:
    """The gradient of a sum of products is the same sum with g in the place of that operand."""
    others = [(x, t) for k, (x, t) in enumerate(zip(xs, terms, strict=True)) if k != i]
    sizes = dict(zip(terms[i], xs[i].shape, strict=True))
    given = set(result).union(*[t for _, t in others])
    letters = "".join(c for c in terms[i] if c in given)
    product = contracted(g, *[x for x, _ in others], terms=(result, *[t for _, t in others]), result=letters)
    if letters == terms[i]:
        return product
    # letters that only this operand has were summed alone: the gradient is the same along them
    grid = reshaped(product, shape=tuple(sizes[c] if c in given else 1 for c in terms[i]))
    return expanded(grid, shape=xs[i].shape)


derive(contracted, xs=_einsum_rule)

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def einsum(equation: str, *operands: Any) -> Tensor:
    """Einstein's summation: letters name axes, letters missing on the right are summed; "..." stands for the rest.

    >>> import byhand
    >>> byhand.einsum("ij,jk->ik", byhand.ones(2, 3), byhand.ones(3, 4)).shape
    (2, 4)
    """
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = tuple(operands[0])
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(operands):
        raise UsageError(f"einsum: {equation!r} names {len(terms)} operands, {len(operands)} are given")
    unused = [c for c in LETTERS if c not in equation]
    dots = ""
    for k, (term, x) in enumerate(zip(terms, operands, strict=True)):
        count = x.ndim - len(term.replace("...", ""))
        if count < 0 or (count > 0 and "..." not in term):
            raise ShapeError(f"einsum: {term!r} names {len(term)} axes, the operand has shape {x.shape}")
        letters = "".join(unused[len(unused) - count :])
        terms[k] = term.replace("...", letters)
        dots = max(dots, letters, key=len)
    if not arrow:
        letters = "".join(terms)
        right = "..." + "".join(sorted(c for c in set(letters) if letters.count(c) == 1 and c not in dots))
    result = right.replace("...", dots)
    matched, terms = _matched(*_distinct(operands, terms))
    return contracted(*matched, terms=tuple(terms), result=result)


def _distinct(operands: Any, terms: list[str]) -> tuple[list[Any], list[str]]:
    """Take the diagonal of axes that share a letter within one operand."""
    from byhand.ops.views import diagonal_of

    out, names = list(operands), list(terms)
    for k, term in enumerate(names):
        for c in dict.fromkeys(term):
            while names[k].count(c) > 1:
                a = names[k].index(c)
                b = names[k].index(c, a + 1)
                out[k] = diagonal_of(out[k], offset=0, axis1=a, axis2=b)
                names[k] = names[k][:a] + names[k][a + 1 : b] + names[k][b + 1 :] + c
    return out, names


def _matched(operands: list[Any], terms: list[str]) -> tuple[list[Any], list[str]]:
    """Check sizes letter by letter; drop axes of size 1 that meet larger ones (they broadcast)."""
    sizes: dict[str, int] = {}
    for term, x in zip(terms, operands, strict=True):
        for c, n in zip(term, x.shape, strict=True):
            if sizes.setdefault(c, n) != n and 1 not in (n, sizes[c]):
                raise ShapeError(f"einsum: axis {c!r} is {sizes[c]} in one operand and {n} in another")
            sizes[c] = max(sizes[c], n) if 0 not in (n, sizes[c]) else 0
    out, names = [], []
    for term, x in zip(terms, operands, strict=True):
        drop = [i for i, (c, n) in enumerate(zip(term, x.shape, strict=True)) if n != sizes[c]]
        out.append(reshaped(x, shape=tuple(n for i, n in enumerate(x.shape) if i not in drop)) if drop else x)
        names.append("".join(c for i, c in enumerate(term) if i not in drop))
    return out, names

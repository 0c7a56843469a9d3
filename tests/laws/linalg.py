"""Samples of linear algebra, Fourier transforms and complex parts. To add an op, add one line.

References go other roads: Cramer's rule by permutations, powers of the matrix, sums of exponentials.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from byhand.ops import complex as parts
from byhand.ops import decomposition, determinant, elimination, fourier, solve
from laws.sample import sample, spread

MATRICES = spread(2, 3, 3) + 2 * np.eye(3)
RIGHT = spread(2, 3, 2)
TALL, WIDE = spread(2, 4, 3), spread(3, 4)
REAL_SPECTRUM = np.diag([1.0, 2.5, -1.2]) + 0.2 * np.arange(9.0).reshape(3, 3) / 9


def leibniz(x: np.ndarray) -> np.ndarray:
    """Σ sign(p) Π x[i, p(i)] over all permutations."""
    n = x.shape[-1]
    total: Any = np.zeros(x.shape[:-2])
    for p in itertools.permutations(range(n)):
        sign = (-1) ** sum(p[i] > p[j] for i in range(n) for j in range(i + 1, n))
        total = total + sign * math.prod(x[..., i, p[i]] for i in range(n))
    return total


def cramer(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """x⁻¹ y by determinants."""
    out = np.zeros(np.broadcast_shapes(x.shape[:-2], y.shape[:-2]) + y.shape[-2:])
    for i, j in np.ndindex(y.shape[-2:]):
        changed = np.array(np.broadcast_to(x, (*out.shape[:-2], *x.shape[-2:])))
        changed[..., i] = y[..., j]
        out[..., i, j] = leibniz(changed) / leibniz(x)
    return out


def series(x: np.ndarray) -> np.ndarray:
    """Σ xᵏ / k!"""
    term = total = np.broadcast_to(np.eye(x.shape[-1]), x.shape)
    for k in range(1, 60):
        term = term @ x / k
        total = total + term
    return total


def banachiewicz(x: np.ndarray) -> np.ndarray:
    """Cholesky's L value by value."""
    out = np.zeros_like(x)
    for i in range(len(x)):
        for j in range(i + 1):
            rest = x[i, j] - sum(out[i, k] * out[j, k] for k in range(j))
            out[i, j] = math.sqrt(rest) if i == j else rest / out[j, j]
    return out


def symmetric(x: Any) -> Any:
    """A positive definite matrix that depends on all values of x."""
    return x @ x.T + np.eye(x.shape[-1], dtype=x.dtype)


def composed(function: Any, form: Any) -> Any:
    return lambda x, **attrs: function(form(x), **attrs)


def transform(x: np.ndarray, axis: int, sign: int) -> np.ndarray:
    n = x.shape[axis]
    matrix = np.exp(sign * 2j * np.pi * np.outer(np.arange(n), np.arange(n)) / n)
    return np.moveaxis(np.moveaxis(x, axis, -1) @ matrix, -1, axis)


def hermitian(x: np.ndarray, axis: int, size: int, scale: float) -> np.ndarray:
    """The real transform back, from the half that is given and its conjugates."""
    x = np.moveaxis(x, axis, -1)
    back = np.conj(x[..., 1 : (size + 1) // 2][..., ::-1])
    ends = np.arange(x.shape[-1]) % (size / 2) == 0
    whole = np.concatenate([np.where(ends, x.real, x), back], -1)
    return np.moveaxis(transform(whole, whole.ndim - 1, 1).real * scale, -1, axis)


def complex_input(op: Any) -> Any:
    """The op of x + i (x² / 2), as one real array of both parts: what samples differentiate is real."""

    def call(x: Any, **attrs: Any) -> Any:
        return both(op(parts.complex_of(x, 0.5 * x * x), **attrs))

    return call


def both(z: Any) -> Any:
    """Re z + 2 Im z, or a real z."""
    return z if z.dtype.kind == "f" else parts.real_part(z) + 2 * parts.imaginary_part(z)


def seen(z: np.ndarray) -> np.ndarray:
    return z.real + 2 * z.imag


def lifted(x: np.ndarray) -> np.ndarray:
    return x + 0.5j * x * x


SOLVING = [
    sample(solve.solution, MATRICES, RIGHT, reference=cramer),
    sample(solve.solution, MATRICES[0], RIGHT, reference=cramer),
    sample(solve.inverted, MATRICES, reference=lambda x: cramer(x, np.broadcast_to(np.eye(3), x.shape))),
    sample(determinant.determinant, MATRICES, reference=leibniz),
    sample(
        determinant.sign_and_log, MATRICES,
        reference=lambda x: np.stack([np.sign(leibniz(x)), np.log(np.abs(leibniz(x)))], -1),
    ),
    *[
        sample(
            solve.pseudoinverse, x, atol=0.0, rtol=1e-12,
            reference=lambda x, **_: (
                np.linalg.inv(np.swapaxes(x, -1, -2) @ x) @ np.swapaxes(x, -1, -2) if x.shape[-2] > x.shape[-1]
                else x.T @ np.linalg.inv(x @ x.T)
            ),
        )
        for x in (TALL, WIDE)
    ],
    *[sample(solve.matrix_exp, x, reference=series) for x in (spread(2, 3, 3), 3 * spread(3, 3))],
    sample(elimination.eliminated, MATRICES, reference=lambda x: np.stack([np.array(doolittle(m)) for m in x])),
    sample(
        elimination.pivots, np.array([[[1.0, 2.0], [3.0, 4.0]], [[5.0, 1.0], [2.0, 7.0]]]),
        reference=lambda x: np.array([[2, 2], [1, 2]], np.int32),
    ),
    sample(
        elimination.row_order, np.array([[3, 3, 3], [1, 3, 3]], np.int32), rows=3,
        reference=lambda x, rows: np.array([[2, 0, 1], [0, 2, 1]]),
    ),
]  # fmt: skip


def doolittle(x: np.ndarray) -> list[list[float]]:
    """L and U value by value, without exchanges."""
    out = x.tolist()
    for i, row in enumerate(out):
        for j in range(len(out)):
            row[j] -= sum(row[k] * out[k][j] for k in range(min(i, j)))
            if j < i:
                row[j] /= out[j][j]
    return out


def spectrum(x: np.ndarray, uplo: str = "L") -> np.ndarray:
    """Eigenvalues and |eigenvectors| by the other decomposition."""
    w, v = np.linalg.eig(x)
    order = np.argsort(w)
    return np.concatenate([w[order], np.abs(v[:, order]).ravel()])


def by_gram(x: np.ndarray, full: bool) -> np.ndarray:
    """|U|, the singular values and |Vᵀ| from the eigenvalues of x xᵀ and xᵀ x."""
    k = min(x.shape)
    (w, u), (_, v) = np.linalg.eigh(x @ x.T), np.linalg.eigh(x.T @ x)
    s = np.sqrt(w[::-1][:k])
    return np.concatenate([u[:, ::-1][:, :k].ravel(), s, v[:, ::-1][:, :k].T.ravel()])


def gram_schmidt(x: np.ndarray, full: bool) -> np.ndarray:
    """|Q| and |R| column by column."""
    q = np.zeros_like(x)
    r = np.zeros((x.shape[1],) * 2)
    for j, column in enumerate(x.T):
        r[:j, j] = q[:, :j].T @ column
        rest = column - q[:, :j] @ r[:j, j]
        r[j, j] = math.sqrt(rest @ rest)
        q[:, j] = rest / r[j, j]
    return np.concatenate([q.ravel(), r.ravel()])


def square_of(op: Any, form: Any = lambda x: x) -> Any:
    """The squares of what the op gives, since signs are free."""

    def call(x: Any, **attrs: Any) -> Any:
        out = op(form(x), **attrs)
        return out * out

    return call


DECOMPOSITIONS = [
    sample(
        decomposition.factored, spread(3, 3), around=True, compose=composed(decomposition.factored, symmetric),
        reference=lambda x: banachiewicz(symmetric(x)),
    ),
    sample(
        decomposition.symmetric_parts, spread(3, 3), uplo="L",
        around=True, compose=square_of(decomposition.symmetric_parts, symmetric),
        reference=lambda x, uplo: spectrum(symmetric(x)) ** 2,
    ),
    sample(
        decomposition.general_parts, REAL_SPECTRUM, around=True,
        compose=lambda x: ordered(decomposition.general_parts(x)),
        reference=lambda x: ordered(np.concatenate([part.ravel() for part in np.linalg.eig(x)])),
    ),
    *[
        sample(
            decomposition.singular_parts, x, full=False, around=True, compose=square_of(decomposition.singular_parts),
            reference=lambda x, full: by_gram(x, full) ** 2,
        )
        for x in (WIDE, spread(4, 3), spread(3, 3))
    ],
    sample(
        decomposition.orthogonal_parts, spread(4, 3), full=False, around=True,
        compose=square_of(decomposition.orthogonal_parts),
        reference=lambda x, full: gram_schmidt(x, full) ** 2,
    ),
]  # fmt: skip


def ordered(packed: Any) -> Any:
    """Squares of eigenvalues and eigenvectors."""
    return packed * packed


FOURIER = [
    *[
        sample(
            fourier.fourier, spread(3, 4), axis=(1,), inverse=inverse, scale=0.5,
            around=True, compose=complex_input(fourier.fourier),
            reference=lambda x, axis, inverse, scale: seen(0.5 * transform(lifted(x), 1, 1 if inverse else -1)),
        )
        for inverse in (True, False)
    ],
    sample(
        fourier.fourier, spread(3, 4), axis=(0, 1), inverse=False, scale=1.0,
        around=True, compose=lambda x, **attrs: both(fourier.fourier(x, **attrs)),
        reference=lambda x, **_: seen(transform(transform(x + 0j, 0, -1), 1, -1)),
    ),
    *[
        sample(
            fourier.real_fourier, spread(n, 2), axis=0, scale=2.0,
            around=True, compose=lambda x, **attrs: both(fourier.real_fourier(x, **attrs)),
            reference=lambda x, axis, scale: seen(2 * transform(x + 0j, 0, -1)[: len(x) // 2 + 1]),
        )
        for n in (4, 5)
    ],
    *[
        sample(
            fourier.real_inverse_fourier, spread(2, 3), axis=1, size=size, scale=0.5,
            around=True, compose=complex_input(fourier.real_inverse_fourier),
            reference=lambda x, axis, size, scale: hermitian(lifted(x), axis, size, scale),
        )
        for size in (4, 5)
    ],
]  # fmt: skip

COMPLEX = [
    sample(parts.complex_of, spread(3), spread(2, 3), around=True, compose=lambda x, y: both(parts.complex_of(x, y)),
           reference=lambda x, y: x + 2 * y),
    sample(parts.real_part, spread(3), around=True, compose=complex_input(parts.real_part),
           reference=lambda x: x.copy()),
    sample(parts.paired, spread(3), around=True, compose=lambda x: both(parts.paired(x)), reference=lambda x: x.copy()),
    sample(parts.imaginary_part, spread(3), around=True, compose=complex_input(parts.imaginary_part),
           reference=lambda x: 0.5 * x * x),
    sample(parts.conjugate, spread(3), around=True, compose=complex_input(parts.conjugate),
           reference=lambda x: x - x * x),
    sample(parts.real_pairs, spread(3), around=True, compose=complex_input(parts.real_pairs),
           reference=lambda x: np.stack([x, 0.5 * x * x], -1)),
    sample(parts.complex_pairs, spread(3, 2), around=True, compose=lambda x: both(parts.complex_pairs(x)),
           reference=lambda x: x[:, 0] + 2 * x[:, 1]),
]  # fmt: skip

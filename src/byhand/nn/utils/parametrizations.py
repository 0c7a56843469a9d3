"""Ready-made parametrisations of weights: by length and direction, of spectral norm 1, orthogonal. Called by users."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from byhand.core.errors import ShapeError, UsageError
from byhand.core.tape import no_grad
from byhand.creation import eye
from byhand.nn import functional as F
from byhand.nn.convolution import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from byhand.nn.module import Module
from byhand.nn.utils.parametrize import register_parametrization
from byhand.ops import reduce
from byhand.ops.decomposition import qr
from byhand.ops.linalg import mv
from byhand.ops.shape import cat
from byhand.ops.solve import matrix_exp, solve
from byhand.ops.triangle import tril
from byhand.tensor import Tensor

_M = TypeVar("_M", bound=Module)


def length(v: Tensor, dim: int | None) -> Tensor:
    """The lengths of the slices along an axis, which stays; of the whole tensor, shape (), for None."""
    if dim is None:
        return reduce.norm(v, 2)
    return reduce.norm(v, 2, [i for i in range(v.ndim) if i != dim % v.ndim], keepdim=True)


class _WeightNorm(Module):
    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        return weight_v * (weight_g / length(weight_v, self.dim))

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        return length(weight, self.dim), weight


def weight_norm(module: _M, name: str = "weight", dim: int | None = 0) -> _M:
    """weight = g · v / ‖v‖, where g and v are learned: `parametrizations.weight.original0` and `original1`.

    Norms are those of the slices along the axis `dim`, or with None of the whole. Salimans & Kingma, Weight
    normalization, 2016.
    """
    return register_parametrization(module, name, _WeightNorm(None if dim == -1 else dim), unsafe=True)


def power_iteration(matrix: Tensor, u: Tensor, v: Tensor, steps: int, eps: float) -> None:
    """Move u and v, in place, towards the first singular vectors of a matrix."""
    with no_grad():
        for _ in range(steps):
            u.copy_(F.normalize(mv(matrix, v), dim=0, eps=eps))
            v.copy_(F.normalize(mv(matrix.T, u), dim=0, eps=eps))


def as_matrix(weight: Tensor, dim: int) -> Tensor:
    """The weight with the axis `dim` first and all others flattened."""
    if dim % weight.ndim:
        weight = weight.movedim(dim, 0)
    return weight.reshape(weight.shape[0], -1)


class _SpectralNorm(Module):
    _u: Tensor
    _v: Tensor

    def __init__(self, weight: Tensor, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12) -> None:
        super().__init__()
        if not -weight.ndim <= dim < weight.ndim:
            raise UsageError(f"spectral_norm: there is no axis {dim} in a weight of shape {weight.shape}")
        if n_power_iterations <= 0:
            raise UsageError(f"spectral_norm: n_power_iterations is positive, got {n_power_iterations}")
        self.dim, self.eps, self.n_power_iterations = dim, eps, n_power_iterations
        if weight.ndim > 1:
            with no_grad():
                matrix = as_matrix(weight.detach(), dim)
                u, v = (F.normalize(matrix.new_empty(n).normal_(), dim=0, eps=eps) for n in matrix.shape)
                power_iteration(matrix, u, v, 15, eps)
            self.register_buffer("_u", u)
            self.register_buffer("_v", v)

    def forward(self, weight: Tensor) -> Tensor:
        if weight.ndim == 1:
            return F.normalize(weight, dim=0, eps=self.eps)
        matrix = as_matrix(weight, self.dim)
        if self.training:
            power_iteration(matrix.detach(), self._u, self._v, self.n_power_iterations, self.eps)
        out: Tensor = weight / (self._u.clone() * mv(matrix, self._v.clone())).sum()
        return out

    def right_inverse(self, value: Tensor) -> Tensor:
        return value  # of all weights with this direction, the one that is there


def output_axis(module: Module) -> int:
    """The axis of a layer's weight that stands for its outputs."""
    return 1 if isinstance(module, ConvTranspose1d | ConvTranspose2d | ConvTranspose3d) else 0


def spectral_norm(
    module: _M, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> _M:
    """weight = W / σ(W), where W is learned and σ, its largest singular value, follows by power iteration in training.

    dim is the axis of the outputs: 0, or 1 for transposed convolutions. Miyato et al., Spectral normalization for
    generative adversarial networks, 2018.
    """
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise UsageError(f"{type(module).__name__} has no parameter or buffer {name!r}")
    dim = output_axis(module) if dim is None else dim
    return register_parametrization(module, name, _SpectralNorm(weight, n_power_iterations, dim, eps))


class _Orthogonal(Module):
    base: Tensor | None

    def __init__(self, weight: Tensor, orthogonal_map: str, use_trivialization: bool) -> None:
        super().__init__()
        self.shape, self.orthogonal_map = weight.shape, orthogonal_map
        self.use_trivialization = use_trivialization
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, x: Tensor) -> Tensor:
        wide = x.shape[-2] < x.shape[-1]
        x = x.mT if wide else x
        n, k = x.shape[-2:]
        if self.orthogonal_map == "householder":
            q = _reflected(x)
        else:
            x = tril(x)
            if n != k:
                x = cat([x, x.new_zeros((*x.shape[:-1], n - k))], -1)
            turn = x - x.mT
            one = eye(n, dtype=x.dtype)
            q = matrix_exp(turn) if self.orthogonal_map == "matrix_exp" else solve(one - turn / 2, one + turn / 2)
            q = q[..., :k]
        if self.use_trivialization:
            q = self.base @ q
        return q.mT if wide else q

    def right_inverse(self, q: Tensor) -> Tensor:
        if q.shape != self.shape:
            raise ShapeError(f"orthogonal: expected a tensor of shape {self.shape}, got {q.shape}")
        wide = q.shape[-2] < q.shape[-1]
        tall = q.mT if wide else q
        if not self.use_trivialization:
            start = self._reflectors(tall)
            return start.mT if wide else start
        n, k = tall.shape[-2:]
        self.base = _orthonormal(cat([tall, tall.new_empty((*tall.shape[:-1], n - k)).normal_()], -1))
        return q.new_zeros(q.shape) - eye(*q.shape[-2:], dtype=q.dtype)  # of which all three maps make the identity

    def _reflectors(self, tall: Tensor) -> Tensor:
        if self.orthogonal_map != "householder":
            raise NotImplementedError(
                f"orthogonal: {self.orthogonal_map} has no inverse; to assign values, leave use_trivialization True"
            )
        packed, factors = np.linalg.qr(tall.array, mode="raw")
        packed = packed.swapaxes(-1, -2).copy()
        places = np.arange(packed.shape[-1])
        signs = np.sign(packed[..., places, places])
        packed[..., places, places] = np.where(factors == 0, -signs, signs)
        return Tensor(packed)


def _reflected(x: Tensor) -> Tensor:
    """The product of reflections I − τ v vᵀ, each v in a column below the diagonal, with the diagonal's signs."""
    n, k = x.shape[-2:]
    v = tril(x, -1) + eye(n, k, dtype=x.dtype)
    factors = 2 / (v * v).sum(-2)
    q = eye(n, k, dtype=x.dtype).expand(x.shape)
    for i in reversed(range(k)):
        column = v[..., i : i + 1]
        q = q - factors[..., i, None, None] * column @ (column.mT @ q)
    signs = x.detach().diagonal(dim1=-2, dim2=-1).sign()
    return q * signs.unsqueeze(-2)


def _orthonormal(x: Tensor) -> Tensor:
    """Orthonormal columns that span what those of x do; x itself, but for rounding, if its are."""
    q, r = qr(x)
    return q * r.diagonal(dim1=-2, dim2=-1).sign().unsqueeze(-2)


def orthogonal(
    module: _M, name: str = "weight", orthogonal_map: str | None = None, *, use_trivialization: bool = True
) -> _M:
    """Let a weight have orthonormal rows, or columns if they are fewer, whatever is learned.

    orthogonal_map      "matrix_exp" (for square weights), "cayley", or "householder" (for others)
    use_trivialization  learn the way from the present weight, so that it is what training starts from

    Lezcano-Casado, Trivializations for gradient-based optimization on manifolds, 2019.
    """
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise UsageError(f"{type(module).__name__} has no parameter or buffer {name!r}")
    if weight.ndim < 2:
        raise ShapeError(f"orthogonal: expected a matrix or a batch of matrices, {name!r} has shape {weight.shape}")
    if orthogonal_map is None:
        orthogonal_map = "matrix_exp" if weight.shape[-2] == weight.shape[-1] else "householder"
    if orthogonal_map not in ("matrix_exp", "cayley", "householder"):
        raise UsageError(
            f"orthogonal: orthogonal_map is 'matrix_exp', 'cayley' or 'householder', not {orthogonal_map!r}"
        )
    module_of = _Orthogonal(weight, orthogonal_map, use_trivialization)
    return register_parametrization(module, name, module_of, unsafe=True)

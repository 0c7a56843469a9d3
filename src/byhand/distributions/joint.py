"""Distributions over vectors, and of other distributions: normal, independent parts, mixtures. Called by users."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from byhand.core.errors import ShapeError, UsageError
from byhand.core.tape import no_grad
from byhand.creation import randn
from byhand.distributions.discrete import Categorical
from byhand.distributions.distribution import Distribution, Shape, parameters
from byhand.linalg import cholesky, inv, solve_triangular
from byhand.ops.linalg import matmul
from byhand.ops.reduce import logsumexp
from byhand.ops.shape import broadcast_shapes
from byhand.tensor import Tensor


class MultivariateNormal(Distribution):
    """Density exp(−½ (x − μ)ᵀ Σ⁻¹ (x − μ)) / √((2π)ᵏ det Σ); one of Σ, Σ⁻¹ or L with Σ = L Lᵀ is given."""

    has_rsample = True
    loc: Tensor
    scale_tril: Tensor

    def __init__(
        self, loc: Any, covariance_matrix: Tensor | None = None, precision_matrix: Tensor | None = None,
        scale_tril: Tensor | None = None, validate_args: bool | None = None,
    ) -> None:  # fmt: skip
        given = [x for x in (covariance_matrix, precision_matrix, scale_tril) if x is not None]
        if len(given) != 1:
            raise UsageError("MultivariateNormal takes one of covariance_matrix, precision_matrix and scale_tril")
        (loc,) = parameters(loc)
        size = loc.shape[-1] if loc.ndim else 0
        if given[0].shape[-2:] != (size, size):
            raise ShapeError(f"MultivariateNormal: a mean of shape {loc.shape} needs matrices (…, {size}, {size})")
        if scale_tril is not None:
            lower = scale_tril
        else:
            lower = cholesky(inv(precision_matrix) if covariance_matrix is None else covariance_matrix)
        batch = broadcast_shapes(loc.shape[:-1], lower.shape[:-2])
        self.loc, self.scale_tril = loc.expand(*batch, size), lower.expand(*batch, size, size)
        super().__init__(batch, (size,))

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def covariance_matrix(self) -> Tensor:
        """Σ."""
        return matmul(self.scale_tril, self.scale_tril.transpose(-1, -2))

    @property
    def precision_matrix(self) -> Tensor:
        """Σ⁻¹."""
        return inv(self.covariance_matrix)

    @property
    def variance(self) -> Tensor:
        return (self.scale_tril**2).sum(-1)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        noise = randn(*self._shape(sample_shape), 1, dtype=self.loc.dtype)
        return self.loc + matmul(self.scale_tril, noise)[..., 0]

    def log_prob(self, value: Any) -> Tensor:
        apart = (value - self.loc)[..., None]
        lower = self.scale_tril.expand(*apart.shape[:-2], *self.scale_tril.shape[-2:])
        squares = (solve_triangular(lower, apart, upper=False) ** 2).sum((-2, -1))
        return -0.5 * (self.event_shape[0] * math.log(2 * math.pi) + squares) - self._half_log_det()

    def entropy(self) -> Tensor:
        return self._half_log_det() + 0.5 * self.event_shape[0] * (1 + math.log(2 * math.pi))

    def _half_log_det(self) -> Tensor:
        return self.scale_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)


class Independent(Distribution):
    """A batch of distributions, the last axes of which are taken as one event: their log-probabilities are added."""

    def __init__(
        self, base_distribution: Distribution, reinterpreted_batch_ndims: int, validate_args: bool | None = None
    ) -> None:
        base, count = base_distribution, reinterpreted_batch_ndims
        if not 0 <= count <= len(base.batch_shape):
            raise UsageError(f"Independent: {count} axes of a batch of shape {base.batch_shape} cannot be taken")
        self.base_dist, self.reinterpreted_batch_ndims = base, count
        self.has_rsample = base.has_rsample
        cut = len(base.batch_shape) - count
        super().__init__(base.batch_shape[:cut], (*base.batch_shape[cut:], *base.event_shape))

    @property
    def mean(self) -> Tensor:
        return self.base_dist.mean

    @property
    def variance(self) -> Tensor:
        return self.base_dist.variance

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.base_dist.rsample(sample_shape)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.base_dist.sample(sample_shape)

    def log_prob(self, value: Any) -> Tensor:
        return added_up(self.base_dist.log_prob(value), self.reinterpreted_batch_ndims)

    def entropy(self) -> Tensor:
        return added_up(self.base_dist.entropy(), self.reinterpreted_batch_ndims)


def added_up(x: Tensor, axes: int) -> Tensor:
    """The sum over so many last axes."""
    return x.sum(tuple(range(-axes, 0))) if axes else x


class MixtureSameFamily(Distribution):
    """One of the distributions along the last axis of a batch, chosen by a categorical one."""

    def __init__(
        self, mixture_distribution: Categorical, component_distribution: Distribution, validate_args: bool | None = None
    ) -> None:
        parts = component_distribution
        self.mixture_distribution, self.component_distribution = mixture_distribution, parts
        if not parts.batch_shape or mixture_distribution.probs.shape[-1] != parts.batch_shape[-1]:
            raise ShapeError(
                f"MixtureSameFamily: {mixture_distribution.probs.shape[-1]} weights do not fit components in a batch "
                f"of shape {parts.batch_shape}"
            )
        super().__init__(parts.batch_shape[:-1], parts.event_shape)

    def _weights(self) -> tuple[Tensor, int]:
        """The weights with an axis for each of an event, and the axis of the components."""
        ones: Shape = (1,) * len(self.event_shape)
        probs = self.mixture_distribution.probs
        return probs.reshape(*probs.shape, *ones), -1 - len(ones)

    @property
    def mean(self) -> Tensor:
        weights, axis = self._weights()
        return (weights * self.component_distribution.mean).sum(axis)

    @property
    def variance(self) -> Tensor:
        weights, axis = self._weights()
        means = self.component_distribution.mean
        within = (weights * self.component_distribution.variance).sum(axis)
        return within + (weights * (means - self.mean.unsqueeze(axis)) ** 2).sum(axis)

    @no_grad()
    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        drawn = self.component_distribution.sample(sample_shape)
        chosen = self.mixture_distribution.sample(sample_shape)
        axis = -1 - len(self.event_shape)
        chosen = chosen.reshape(*chosen.shape, *(1,) * (1 + len(self.event_shape)))
        return drawn.gather(axis, chosen.expand(*chosen.shape[:axis], 1, *self.event_shape)).squeeze(axis)

    def log_prob(self, value: Any) -> Tensor:
        each = self.component_distribution.log_prob(value.unsqueeze(-1 - len(self.event_shape)))
        return logsumexp(each + self.mixture_distribution.logits, -1)

"""More distributions over numbers: Cauchy, Gumbel, log-normal, halves, Pareto, Weibull. Called by users.

Each is drawn by turning uniform or normal numbers into its own, so gradients pass its samples.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from byhand.creation import full_like
from byhand.distributions.continuous import Normal
from byhand.distributions.distribution import Distribution, open_uniform
from byhand.ops.elementwise import where
from byhand.ops.gamma import lgamma
from byhand.ops.trigonometry import atan, tan
from byhand.tensor import Tensor

EULER = 0.57721566490153286


class Cauchy(Distribution):
    """Density 1 / (π scale (1 + ((x − loc) / scale)²)), without mean or variance."""

    has_rsample = True
    loc: Tensor
    scale: Tensor

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        self._take(validate_args, "scale", loc=loc, scale=scale)

    @property
    def mean(self) -> Tensor:
        return full_like(self.loc, math.nan)

    @property
    def variance(self) -> Tensor:
        return full_like(self.loc, math.inf)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.loc + self.scale * tan(math.pi * (open_uniform(self._shape(sample_shape), self.loc) - 0.5))

    def log_prob(self, value: Any) -> Tensor:
        return -math.log(math.pi) - self.scale.log() - (((value - self.loc) / self.scale) ** 2).log1p()  # type: ignore[no-any-return]

    def cdf(self, value: Any) -> Tensor:
        return atan((value - self.loc) / self.scale) / math.pi + 0.5

    def entropy(self) -> Tensor:
        return math.log(4 * math.pi) + self.scale.log()


class Gumbel(Distribution):
    """Density exp(−z − exp(−z)) / scale with z = (x − loc) / scale: the largest of many."""

    has_rsample = True
    loc: Tensor
    scale: Tensor

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        self._take(validate_args, "scale", loc=loc, scale=scale)

    @property
    def mean(self) -> Tensor:
        return self.loc + self.scale * EULER

    @property
    def variance(self) -> Tensor:
        return (math.pi**2 / 6) * self.scale**2

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.loc - self.scale * (-open_uniform(self._shape(sample_shape), self.loc).log()).log()

    def log_prob(self, value: Any) -> Tensor:
        z = (value - self.loc) / self.scale
        return -z - (-z).exp() - self.scale.log()  # type: ignore[no-any-return]

    def cdf(self, value: Any) -> Tensor:
        return (-(-(value - self.loc) / self.scale).exp()).exp()  # type: ignore[no-any-return]

    def entropy(self) -> Tensor:
        return self.scale.log() + (1 + EULER)


class LogNormal(Distribution):
    """exp(x), x normal."""

    has_rsample = True
    loc: Tensor
    scale: Tensor

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        self._take(validate_args, "scale", loc=loc, scale=scale)
        self._normal = Normal(self.loc, self.scale, False)

    @property
    def mean(self) -> Tensor:
        return (self.loc + self.scale**2 / 2).exp()

    @property
    def variance(self) -> Tensor:
        square = self.scale**2
        return square.expm1() * (2 * self.loc + square).exp()

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self._normal.rsample(sample_shape).exp()

    def log_prob(self, value: Any) -> Tensor:
        return self._normal.log_prob(value.log()) - value.log()  # type: ignore[no-any-return]

    def cdf(self, value: Any) -> Tensor:
        return self._normal.cdf(value.log())

    def entropy(self) -> Tensor:
        return self._normal.entropy() + self.loc


class _Half(Distribution):
    """|x|, x distributed around 0."""

    has_rsample = True
    scale: Tensor

    def __init__(self, scale: Any, validate_args: bool | None = None) -> None:
        self._take(validate_args, "scale", scale=scale)
        self._whole = self._around(self.scale * 0, self.scale)

    def _around(self, loc: Tensor, scale: Tensor) -> Distribution:
        raise NotImplementedError

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self._whole.rsample(sample_shape).abs()

    def log_prob(self, value: Any) -> Tensor:
        density = self._whole.log_prob(value) + math.log(2)
        return where(value >= 0, density, full_like(density, -math.inf))

    def cdf(self, value: Any) -> Tensor:
        return 2 * self._whole.cdf(value) - 1

    def entropy(self) -> Tensor:
        return self._whole.entropy() - math.log(2)


class HalfNormal(_Half):
    """|x|, x normal with mean 0."""

    def _around(self, loc: Tensor, scale: Tensor) -> Distribution:
        return Normal(loc, scale, False)

    @property
    def mean(self) -> Tensor:
        return self.scale * math.sqrt(2 / math.pi)

    @property
    def variance(self) -> Tensor:
        return self.scale**2 * (1 - 2 / math.pi)


class HalfCauchy(_Half):
    """|x|, x of a Cauchy distribution around 0."""

    def _around(self, loc: Tensor, scale: Tensor) -> Distribution:
        return Cauchy(loc, scale, False)

    @property
    def mean(self) -> Tensor:
        return full_like(self.scale, math.inf)

    variance = mean


class Pareto(Distribution):
    """Density alpha · scale^alpha / x^(alpha + 1) for x ≥ scale."""

    has_rsample = True
    scale: Tensor
    alpha: Tensor

    def __init__(self, scale: Any, alpha: Any, validate_args: bool | None = None) -> None:
        self._take(validate_args, "scale alpha", scale=scale, alpha=alpha)

    @property
    def mean(self) -> Tensor:
        a = self.alpha.clamp(min=1)
        return a * self.scale / (a - 1)

    @property
    def variance(self) -> Tensor:
        a = self.alpha.clamp(min=2)
        return self.scale**2 * a / ((a - 1) ** 2 * (a - 2))

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.scale * open_uniform(self._shape(sample_shape), self.scale) ** (-1 / self.alpha)

    def log_prob(self, value: Any) -> Tensor:
        return self.alpha.log() + self.alpha * self.scale.log() - (self.alpha + 1) * value.log()  # type: ignore[no-any-return]

    def entropy(self) -> Tensor:
        return (self.scale / self.alpha).log() + 1 + 1 / self.alpha


class Weibull(Distribution):
    """Density (k/λ) (x/λ)^(k−1) exp(−(x/λ)^k), λ = scale, k = concentration."""

    has_rsample = True
    scale: Tensor
    concentration: Tensor

    def __init__(self, scale: Any, concentration: Any, validate_args: bool | None = None) -> None:
        self._take(validate_args, "scale concentration", scale=scale, concentration=concentration)

    def _moment(self, n: int) -> Tensor:
        return lgamma(1 + n / self.concentration).exp()

    @property
    def mean(self) -> Tensor:
        return self.scale * self._moment(1)

    @property
    def variance(self) -> Tensor:
        return self.scale**2 * (self._moment(2) - self._moment(1) ** 2)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.scale * (-open_uniform(self._shape(sample_shape), self.scale).log()) ** (1 / self.concentration)

    def log_prob(self, value: Any) -> Tensor:
        k, z = self.concentration, value / self.scale
        return (k / self.scale).log() + (k - 1) * z.log() - z**k  # type: ignore[no-any-return]

    def entropy(self) -> Tensor:
        k = self.concentration
        return EULER * (1 - 1 / k) + (self.scale / k).log() + 1

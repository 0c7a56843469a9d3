"""Distributions over numbers: normal, uniform, exponential, Laplace. Called by users."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from byhand.core.dtypes import finfo
from byhand.creation import full_like, rand, randn
from byhand.distributions.distribution import Distribution, check_positive
from byhand.ops.elementwise import where
from byhand.ops.gaussian import erfinv
from byhand.ops.special import erf
from byhand.tensor import Tensor


class Normal(Distribution):
    """Density exp(−(x − loc)² / 2 scale²) / (scale √2π).

    >>> import byhand
    >>> byhand.distributions.Normal(0.0, 1.0).log_prob(byhand.tensor(0.0)).item()
    -0.9189385175704956
    """

    has_rsample = True
    loc: Tensor
    scale: Tensor

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        self._take(validate_args, "scale", loc=loc, scale=scale)

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        return self.scale**2

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.loc + self.scale * randn(self._shape(sample_shape), dtype=self.loc.dtype)

    def log_prob(self, value: Any) -> Tensor:
        z = (value - self.loc) / self.scale
        return -0.5 * z * z - self.scale.log() - 0.5 * math.log(2 * math.pi)  # type: ignore[no-any-return]

    def cdf(self, value: Any) -> Tensor:
        return 0.5 * (1 + erf((value - self.loc) / (self.scale * math.sqrt(2))))

    def icdf(self, value: Any) -> Tensor:
        return self.loc + self.scale * math.sqrt(2) * erfinv(2 * value - 1)

    def entropy(self) -> Tensor:
        return 0.5 + 0.5 * math.log(2 * math.pi) + self.scale.log()


class Uniform(Distribution):
    """Density 1 / (high − low) between low and high."""

    has_rsample = True
    low: Tensor
    high: Tensor

    def __init__(self, low: Any, high: Any, validate_args: bool | None = None) -> None:
        self._take(validate_args, "", low=low, high=high)
        check_positive("Uniform", "high − low", self.high - self.low, validate_args)

    @property
    def mean(self) -> Tensor:
        return (self.low + self.high) / 2

    @property
    def variance(self) -> Tensor:
        return (self.high - self.low) ** 2 / 12

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.low + (self.high - self.low) * rand(self._shape(sample_shape), dtype=self.low.dtype)

    def log_prob(self, value: Any) -> Tensor:
        inside = (value >= self.low) * (value < self.high)
        density = -(self.high - self.low).log()
        return where(inside, density, full_like(density, -math.inf))

    def cdf(self, value: Any) -> Tensor:
        return ((value - self.low) / (self.high - self.low)).clamp(0, 1)  # type: ignore[no-any-return]

    def icdf(self, value: Any) -> Tensor:
        return self.low + value * (self.high - self.low)  # type: ignore[no-any-return]

    def entropy(self) -> Tensor:
        return (self.high - self.low).log()


class Exponential(Distribution):
    """Density rate · exp(−rate · x) for x ≥ 0."""

    has_rsample = True
    rate: Tensor

    def __init__(self, rate: Any, validate_args: bool | None = None) -> None:
        self._take(validate_args, "rate", rate=rate)

    @property
    def mean(self) -> Tensor:
        return 1 / self.rate

    @property
    def variance(self) -> Tensor:
        return self.rate**-2

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return -(-rand(self._shape(sample_shape), dtype=self.rate.dtype)).log1p() / self.rate

    def log_prob(self, value: Any) -> Tensor:
        return self.rate.log() - self.rate * value  # type: ignore[no-any-return]

    def cdf(self, value: Any) -> Tensor:
        return -(-self.rate * value).expm1()  # type: ignore[no-any-return]

    def icdf(self, value: Any) -> Tensor:
        return -(-value).log1p() / self.rate  # type: ignore[no-any-return]

    def entropy(self) -> Tensor:
        return 1 - self.rate.log()


class Laplace(Distribution):
    """Density exp(−|x − loc| / scale) / 2 scale."""

    has_rsample = True
    loc: Tensor
    scale: Tensor

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        self._take(validate_args, "scale", loc=loc, scale=scale)

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        return 2 * self.scale**2

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        u = rand(self._shape(sample_shape), dtype=self.loc.dtype) - 0.5
        least = finfo(self.loc.dtype).tiny
        return self.loc - self.scale * u.sign() * (1 - 2 * u.abs()).clamp(min=least).log()

    def log_prob(self, value: Any) -> Tensor:
        return -(value - self.loc).abs() / self.scale - (2 * self.scale).log()  # type: ignore[no-any-return]

    def cdf(self, value: Any) -> Tensor:
        z = (value - self.loc) / self.scale
        return 0.5 - 0.5 * z.sign() * (-z.abs()).expm1()  # type: ignore[no-any-return]

    def entropy(self) -> Tensor:
        return 1 + (2 * self.scale).log()

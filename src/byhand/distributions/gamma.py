"""Distributions made of gamma-distributed numbers: gamma, χ², beta, Dirichlet, Student's t. Called by users.

They are drawn by NumPy; how a sample changes with the concentration has no closed form, so there is no `rsample`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from byhand.core.errors import UsageError
from byhand.core.generator import default_generator
from byhand.creation import full_like, randn
from byhand.distributions.distribution import Distribution, Shape, check_positive, parameters
from byhand.ops.elementwise import where, xlogy
from byhand.ops.gamma import digamma, lgamma
from byhand.tensor import Tensor


def standard_gamma(concentration: Tensor, shape: Shape) -> Tensor:
    """Draws of the rate 1, which no gradient passes; never 0, whose logarithm would be −∞."""
    drawn = default_generator.numpy.standard_gamma(concentration.array, shape)
    return Tensor(drawn.astype(concentration.dtype)).clamp(min=1e-30)


class Gamma(Distribution):
    """Density rate^c x^(c−1) exp(−rate · x) / Γ(c), c = concentration."""

    concentration: Tensor
    rate: Tensor

    def __init__(self, concentration: Any, rate: Any, validate_args: bool | None = None) -> None:
        self._take(validate_args, "concentration rate", concentration=concentration, rate=rate)

    @property
    def mean(self) -> Tensor:
        return self.concentration / self.rate

    @property
    def variance(self) -> Tensor:
        return self.concentration / self.rate**2

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return standard_gamma(self.concentration, self._shape(sample_shape)) / self.rate.detach()

    def log_prob(self, value: Any) -> Tensor:
        c = self.concentration
        return xlogy(c, self.rate) + xlogy(c - 1, value) - self.rate * value - lgamma(c)  # type: ignore[no-any-return]

    def entropy(self) -> Tensor:
        c = self.concentration
        return c - self.rate.log() + lgamma(c) + (1 - c) * digamma(c)


class Chi2(Gamma):
    """The sum of `df` squares of standard normal numbers."""

    def __init__(self, df: Any, validate_args: bool | None = None) -> None:
        (self.df,) = parameters(df)
        super().__init__(0.5 * self.df, 0.5, validate_args)


class Dirichlet(Distribution):
    """Density ∏ xₖ^(cₖ−1) Γ(Σ c) / ∏ Γ(cₖ) over rows of K positive numbers that add up to 1."""

    def __init__(self, concentration: Any, validate_args: bool | None = None) -> None:
        (self.concentration,) = parameters(concentration)
        if self.concentration.ndim < 1:
            raise UsageError("Dirichlet: the last axis of concentration is that of the parts, and a number has none")
        check_positive("Dirichlet", "concentration", self.concentration, validate_args)
        super().__init__(self.concentration.shape[:-1], self.concentration.shape[-1:])

    @property
    def mean(self) -> Tensor:
        return self.concentration / self.concentration.sum(-1, keepdim=True)

    @property
    def variance(self) -> Tensor:
        total = self.concentration.sum(-1, keepdim=True)
        return self.concentration * (total - self.concentration) / (total**2 * (total + 1))

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        drawn = standard_gamma(self.concentration, self._shape(sample_shape))
        return drawn / drawn.sum(-1, keepdim=True)

    def log_prob(self, value: Any) -> Tensor:
        c = self.concentration
        return xlogy(c - 1, value).sum(-1) + lgamma(c.sum(-1)) - lgamma(c).sum(-1)

    def entropy(self) -> Tensor:
        c = self.concentration
        total, parts = c.sum(-1), c.shape[-1]
        ends = lgamma(c).sum(-1) - lgamma(total)
        return ends - (parts - total) * digamma(total) - ((c - 1) * digamma(c)).sum(-1)


class Beta(Distribution):
    """Density x^(a−1) (1 − x)^(b−1) Γ(a + b) / Γ(a) Γ(b), a = concentration1, b = concentration0."""

    concentration1: Tensor
    concentration0: Tensor

    def __init__(self, concentration1: Any, concentration0: Any, validate_args: bool | None = None) -> None:
        names = "concentration1 concentration0"
        self._take(validate_args, names, concentration1=concentration1, concentration0=concentration0)

    @property
    def mean(self) -> Tensor:
        return self.concentration1 / (self.concentration1 + self.concentration0)

    @property
    def variance(self) -> Tensor:
        total = self.concentration1 + self.concentration0
        return self.concentration1 * self.concentration0 / (total**2 * (total + 1))

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        first, other = (
            standard_gamma(c, self._shape(sample_shape)) for c in (self.concentration1, self.concentration0)
        )
        return first / (first + other)

    def log_prob(self, value: Any) -> Tensor:
        a, b = self.concentration1, self.concentration0
        return xlogy(a - 1, value) + xlogy(b - 1, 1 - value) - log_beta(a, b)

    def entropy(self) -> Tensor:
        a, b = self.concentration1, self.concentration0
        inner = (a + b - 2) * digamma(a + b) - (a - 1) * digamma(a) - (b - 1) * digamma(b)
        return log_beta(a, b) + inner


def log_beta(a: Tensor, b: Tensor) -> Tensor:
    """ln Γ(a) Γ(b) / Γ(a + b)."""
    return lgamma(a) + lgamma(b) - lgamma(a + b)


class StudentT(Distribution):
    """loc + scale · t, t of Student's distribution with `df` degrees of freedom."""

    df: Tensor
    loc: Tensor
    scale: Tensor

    def __init__(self, df: Any, loc: Any = 0.0, scale: Any = 1.0, validate_args: bool | None = None) -> None:
        self._take(validate_args, "df scale", df=df, loc=loc, scale=scale)

    @property
    def mean(self) -> Tensor:
        return where(self.df > 1, self.loc, full_like(self.loc, math.nan))

    @property
    def variance(self) -> Tensor:
        spread = self.scale**2 * self.df / (self.df - 2)
        infinite = where(self.df > 1, full_like(spread, math.inf), full_like(spread, math.nan))
        return where(self.df > 2, spread, infinite)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        shape, df = self._shape(sample_shape), self.df.detach()
        squares = 2 * standard_gamma(df / 2, shape)
        normal = randn(*shape, dtype=self.loc.dtype)
        return self.loc.detach() + self.scale.detach() * normal * (df / squares).sqrt()

    def log_prob(self, value: Any) -> Tensor:
        z = (value - self.loc) / self.scale
        norm = self.scale.log() + 0.5 * self.df.log() + log_beta(self.df / 2, full_like(self.df, 0.5))
        return -0.5 * (self.df + 1) * (z * z / self.df).log1p() - norm  # type: ignore[no-any-return]

    def entropy(self) -> Tensor:
        half = (self.df + 1) / 2
        slope = half * (digamma(half) - digamma(self.df / 2))
        return self.scale.log() + slope + 0.5 * self.df.log() + log_beta(self.df / 2, full_like(self.df, 0.5))

"""PyTorch's `distributions`, those that teaching code uses. Called by users."""

from __future__ import annotations

from byhand.distributions.continuous import Exponential, Laplace, Normal, Uniform
from byhand.distributions.discrete import Bernoulli, Categorical, OneHotCategorical
from byhand.distributions.distribution import Distribution
from byhand.distributions.divergence import kl_divergence

__all__ = [
    "Bernoulli", "Categorical", "Distribution", "Exponential", "Laplace", "Normal", "OneHotCategorical", "Uniform",
    "kl_divergence",
]  # fmt: skip

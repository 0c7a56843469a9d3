"""PyTorch's `distributions`, those that teaching code uses. Called by users."""

from __future__ import annotations

import sys

from byhand.core import paths
from byhand.distributions import continuous, counting, discrete, divergence, gamma, joint, tails, transforms
from byhand.distributions.continuous import Exponential, Laplace, Normal, Uniform
from byhand.distributions.counting import Binomial, Geometric, Multinomial, NegativeBinomial, Poisson
from byhand.distributions.discrete import (
    Bernoulli,
    Categorical,
    OneHotCategorical,
    OneHotCategoricalStraightThrough,
)
from byhand.distributions.distribution import Distribution
from byhand.distributions.divergence import kl_divergence, register_kl
from byhand.distributions.gamma import Beta, Chi2, Dirichlet, Gamma, StudentT
from byhand.distributions.joint import Independent, MixtureSameFamily, MultivariateNormal
from byhand.distributions.relaxation import RelaxedBernoulli, RelaxedOneHotCategorical
from byhand.distributions.tails import Cauchy, Gumbel, HalfCauchy, HalfNormal, LogNormal, Pareto, Weibull
from byhand.distributions.transforms import (
    AffineTransform,
    ComposeTransform,
    ExpTransform,
    PowerTransform,
    SigmoidTransform,
    SoftplusTransform,
    TanhTransform,
    Transform,
    TransformedDistribution,
)

__all__ = [
    "AffineTransform", "Bernoulli", "Beta", "Binomial", "Categorical", "Cauchy", "Chi2", "ComposeTransform",
    "Dirichlet", "Distribution", "ExpTransform", "Exponential", "Gamma", "Geometric", "Gumbel", "HalfCauchy",
    "HalfNormal", "Independent", "Laplace", "LogNormal", "MixtureSameFamily", "Multinomial", "MultivariateNormal",
    "NegativeBinomial", "Normal", "OneHotCategorical",
    "OneHotCategoricalStraightThrough", "Pareto", "Poisson", "PowerTransform", "RelaxedBernoulli",
    "RelaxedOneHotCategorical", "SigmoidTransform", "SoftplusTransform", "StudentT", "TanhTransform", "Transform",
    "TransformedDistribution", "Uniform", "Weibull", "kl_divergence", "register_kl",
]  # fmt: skip

paths.lead(
    sys.modules[__name__],
    {"kl": divergence, "transformed_distribution": transforms}
    | dict.fromkeys(("normal", "uniform", "exponential", "laplace"), continuous)
    | dict.fromkeys(("bernoulli", "categorical", "one_hot_categorical"), discrete)
    | dict.fromkeys(("poisson", "geometric", "binomial", "negative_binomial", "multinomial"), counting)
    | dict.fromkeys(("beta", "dirichlet", "chi2", "studentT"), gamma)
    | dict.fromkeys(("independent", "multivariate_normal", "mixture_same_family"), joint)
    | dict.fromkeys(("cauchy", "gumbel", "log_normal", "half_normal", "half_cauchy", "pareto", "weibull"), tails),
)

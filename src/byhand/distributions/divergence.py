"""The Kullback–Leibler divergence KL(p ‖ q) = E_p[log p − log q] between two distributions of one kind."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

from byhand.core.errors import UsageError
from byhand.creation import full_like
from byhand.distributions.continuous import Exponential, Laplace, Normal, Uniform
from byhand.distributions.counting import Geometric, Poisson
from byhand.distributions.discrete import Bernoulli, Categorical, OneHotCategorical
from byhand.distributions.distribution import Distribution
from byhand.distributions.gamma import Beta, Dirichlet, Gamma, log_beta
from byhand.distributions.joint import Independent, MultivariateNormal, added_up
from byhand.distributions.tails import HalfNormal, LogNormal
from byhand.linalg import solve_triangular
from byhand.ops.elementwise import where
from byhand.ops.gamma import digamma, lgamma
from byhand.tensor import Tensor

F = TypeVar("F", bound=Callable[..., Any])
_FORMULAS: dict[tuple[type, type], Callable[[Any, Any], Tensor]] = {}


def register_kl(type_p: type, type_q: type) -> Callable[[F], F]:
    """A decorator: the function computes KL(p ‖ q) for these two classes of distributions."""

    def register(function: F) -> F:
        _FORMULAS[type_p, type_q] = function
        return function

    return register


def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    """KL(p ‖ q), of shape batch_shape. Raises UsageError for a pair whose formula is not there."""
    for first in type(p).__mro__:
        for other in type(q).__mro__:
            if (first, other) in _FORMULAS:
                return _FORMULAS[first, other](p, q)
    raise UsageError(f"there is no formula for KL({type(p).__name__} ‖ {type(q).__name__})")


@register_kl(Normal, Normal)
def _normal(p: Normal, q: Normal) -> Tensor:
    ratio = (p.scale / q.scale) ** 2
    return 0.5 * (ratio + ((p.loc - q.loc) / q.scale) ** 2 - 1 - ratio.log())


@register_kl(LogNormal, LogNormal)
def _log_normal(p: LogNormal, q: LogNormal) -> Tensor:
    return _normal(p._normal, q._normal)


@register_kl(HalfNormal, HalfNormal)
def _half_normal(p: HalfNormal, q: HalfNormal) -> Tensor:
    ratio = (p.scale / q.scale) ** 2
    return 0.5 * (ratio - 1 - ratio.log())


@register_kl(Uniform, Uniform)
def _uniform(p: Uniform, q: Uniform) -> Tensor:
    found = ((q.high - q.low) / (p.high - p.low)).log()
    return where((q.low > p.low) + (q.high < p.high), full_like(found, math.inf), found)


@register_kl(Exponential, Exponential)
def _exponential(p: Exponential, q: Exponential) -> Tensor:
    ratio = q.rate / p.rate
    return ratio - ratio.log() - 1


@register_kl(Laplace, Laplace)
def _laplace(p: Laplace, q: Laplace) -> Tensor:
    apart = (p.loc - q.loc).abs()
    return (q.scale / p.scale).log() + apart / q.scale + p.scale / q.scale * (-apart / p.scale).exp() - 1


@register_kl(Categorical, Categorical)
def _categorical(p: Categorical, q: Categorical) -> Tensor:
    return (p.probs * (p.logits - q.logits)).sum(-1)


@register_kl(OneHotCategorical, OneHotCategorical)
def _one_hot(p: OneHotCategorical, q: OneHotCategorical) -> Tensor:
    return _categorical(p._categorical, q._categorical)


@register_kl(Bernoulli, Bernoulli)
def _bernoulli(p: Bernoulli, q: Bernoulli) -> Tensor:
    return p.probs * (p.logits - q.logits) + (-q.logits).sigmoid().log() * -1 + (-p.logits).sigmoid().log()


@register_kl(Geometric, Geometric)
def _geometric(p: Geometric, q: Geometric) -> Tensor:
    return -p.entropy() - (-q.probs).log1p() / p.probs - q.logits


@register_kl(Poisson, Poisson)
def _poisson(p: Poisson, q: Poisson) -> Tensor:
    return p.rate * (p.rate.log() - q.rate.log()) - (p.rate - q.rate)


@register_kl(Gamma, Gamma)
def _gamma(p: Gamma, q: Gamma) -> Tensor:
    a, b = p.concentration, q.concentration
    rates = b * (p.rate / q.rate).log() + a * (q.rate / p.rate) - a
    return rates + lgamma(b) - lgamma(a) + (a - b) * digamma(a)


@register_kl(Beta, Beta)
def _beta(p: Beta, q: Beta) -> Tensor:
    a, b, c, d = p.concentration1, p.concentration0, q.concentration1, q.concentration0
    means = (a - c) * digamma(a) + (b - d) * digamma(b) + (c + d - a - b) * digamma(a + b)
    return log_beta(c, d) - log_beta(a, b) + means


@register_kl(Dirichlet, Dirichlet)
def _dirichlet(p: Dirichlet, q: Dirichlet) -> Tensor:
    a, b = p.concentration, q.concentration
    total = a.sum(-1, keepdim=True)
    norms = lgamma(total[..., 0]) - lgamma(b.sum(-1)) - (lgamma(a) - lgamma(b)).sum(-1)
    return norms + ((a - b) * (digamma(a) - digamma(total))).sum(-1)


@register_kl(MultivariateNormal, MultivariateNormal)
def _multivariate(p: MultivariateNormal, q: MultivariateNormal) -> Tensor:
    spread = (solve_triangular(q.scale_tril, p.scale_tril, upper=False) ** 2).sum((-2, -1))
    apart = (solve_triangular(q.scale_tril, (q.loc - p.loc)[..., None], upper=False) ** 2).sum((-2, -1))
    return q._half_log_det() - p._half_log_det() + 0.5 * (spread + apart - p.event_shape[0])


@register_kl(Independent, Independent)
def _independent(p: Independent, q: Independent) -> Tensor:
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise UsageError("KL(Independent ‖ Independent): both must take the same number of axes as an event")
    return added_up(kl_divergence(p.base_dist, q.base_dist), p.reinterpreted_batch_ndims)

"""Distributions over counts: Poisson, geometric, binomial, negative binomial, multinomial. Called by users."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from byhand.core.generator import default_generator
from byhand.distributions.discrete import Bernoulli, Categorical
from byhand.distributions.distribution import Distribution, parameters
from byhand.ops.elementwise import xlogy
from byhand.ops.gamma import lgamma
from byhand.ops.loss import sigmoid_cross_entropy
from byhand.ops.shape import broadcast_tensors
from byhand.tensor import Tensor


class Poisson(Distribution):
    """k with probability rate^k exp(−rate) / k!, k = 0, 1, 2 and so on."""

    rate: Tensor

    def __init__(self, rate: Any, validate_args: bool | None = None) -> None:
        self._take(validate_args, "", rate=rate)

    @property
    def mean(self) -> Tensor:
        return self.rate

    variance = mean

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        drawn = default_generator.numpy.poisson(self.rate.array, self._shape(sample_shape))
        return Tensor(np.asarray(drawn).astype(self.rate.dtype))

    def log_prob(self, value: Any) -> Tensor:
        return xlogy(value, self.rate) - self.rate - lgamma(value + 1)


class _Chance(Distribution):
    """What is given by the probability of success, or by its logit."""

    def __init__(self, probs: Any, logits: Any, validate_args: bool | None) -> None:
        self._trial = Bernoulli(probs, logits, validate_args)
        self.probs, self.logits = self._trial.probs, self._trial.logits
        super().__init__(self.probs.shape)


class Geometric(_Chance):
    """(1 − p)^k p: how many trials fail before the first that does not."""

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        super().__init__(probs, logits, validate_args)

    @property
    def mean(self) -> Tensor:
        return 1 / self.probs - 1

    @property
    def variance(self) -> Tensor:
        return (1 / self.probs - 1) / self.probs

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        drawn = default_generator.numpy.geometric(self.probs.array, self._shape(sample_shape)) - 1
        return Tensor(np.asarray(drawn).astype(self.probs.dtype))

    def log_prob(self, value: Any) -> Tensor:
        return xlogy(value, 1 - self.probs) + self.probs.log()

    def entropy(self) -> Tensor:
        return self._trial.entropy() / self.probs


class Binomial(_Chance):
    """n! / (k! (n − k)!) p^k (1 − p)^(n−k): the successes among n = total_count trials."""

    def __init__(
        self, total_count: Any = 1, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        super().__init__(probs, logits, validate_args)
        (count,) = parameters(total_count)
        self.total_count = broadcast_tensors(count.to(self.probs.dtype), self.probs)[0]
        self.batch_shape = self.total_count.shape

    @property
    def mean(self) -> Tensor:
        return self.total_count * self.probs

    @property
    def variance(self) -> Tensor:
        return self.total_count * self.probs * (1 - self.probs)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        n, p = self.total_count.array.astype(np.int64), self.probs.array
        drawn = default_generator.numpy.binomial(n, p, self._shape(sample_shape))
        return Tensor(np.asarray(drawn).astype(self.probs.dtype))

    def log_prob(self, value: Any) -> Tensor:
        n = self.total_count
        ways = lgamma(n + 1) - lgamma(value + 1) - lgamma(n - value + 1)
        return ways + value * self.logits - n * _softplus(self.logits)  # type: ignore[no-any-return]


class NegativeBinomial(_Chance):
    """How many successes come before the n-th failure, n = total_count."""

    def __init__(
        self, total_count: Any, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        super().__init__(probs, logits, validate_args)
        (count,) = parameters(total_count)
        self.total_count = broadcast_tensors(count.to(self.probs.dtype), self.probs)[0]
        self.batch_shape = self.total_count.shape

    @property
    def mean(self) -> Tensor:
        return self.total_count * self.logits.exp()

    @property
    def variance(self) -> Tensor:
        return self.mean / (-self.logits).sigmoid()

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        shape, random = self._shape(sample_shape), default_generator.numpy
        rates = random.standard_gamma(self.total_count.array, shape) * np.exp(self.logits.array)
        return Tensor(np.asarray(random.poisson(rates)).astype(self.probs.dtype))

    def log_prob(self, value: Any) -> Tensor:
        n = self.total_count
        ways = lgamma(n + value) - lgamma(value + 1) - lgamma(n)
        return ways - n * _softplus(self.logits) - value * _softplus(-self.logits)  # type: ignore[no-any-return]


class Multinomial(Distribution):
    """n! / ∏ kⱼ! ∏ pⱼ^kⱼ: how often each class came in n = total_count draws."""

    def __init__(
        self, total_count: int = 1, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        self.total_count, self._draw = total_count, Categorical(probs, logits, validate_args)
        self.probs, self.logits = self._draw.probs, self._draw.logits
        super().__init__(self._draw.batch_shape, self.probs.shape[-1:])

    @property
    def mean(self) -> Tensor:
        return self.total_count * self.probs

    @property
    def variance(self) -> Tensor:
        return self.total_count * self.probs * (1 - self.probs)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        p = self.probs.array.astype(np.float64)
        drawn = default_generator.numpy.multinomial(
            self.total_count, p / p.sum(-1, keepdims=True), self._shape(sample_shape)[:-1] or None
        )
        return Tensor(np.asarray(drawn).astype(self.probs.dtype))

    def log_prob(self, value: Any) -> Tensor:
        return lgamma(value.sum(-1) + 1) - lgamma(value + 1).sum(-1) + (value * self.logits).sum(-1)  # type: ignore[no-any-return]


def _softplus(x: Tensor) -> Tensor:
    """ln(1 + exp x), for large x too: the cross-entropy of the logit x against 0."""
    return sigmoid_cross_entropy(x, x.detach() * 0)

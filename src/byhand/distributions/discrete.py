"""Distributions over classes: categorical, one-hot, Bernoulli. Called by users.

Each is given by probabilities or by logits, of which the other is computed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from byhand.core.errors import DomainError, UsageError
from byhand.creation import full, rand
from byhand.distributions.distribution import Distribution, parameters
from byhand.ops.activation import sigmoid
from byhand.ops.index import one_hot
from byhand.ops.loss import sigmoid_cross_entropy
from byhand.ops.random import multinomial
from byhand.ops.reduce import logsumexp
from byhand.tensor import Tensor


class Categorical(Distribution):
    """Classes 0 … K − 1 with probabilities along the last axis, which are divided by their sum.

    >>> import byhand
    >>> d = byhand.distributions.Categorical(logits=byhand.zeros(4))
    >>> d.log_prob(d.sample()).exp().item()
    0.25
    """

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        given = _one_of("Categorical", probs, logits)
        if given.ndim < 1:
            raise UsageError("Categorical: the last axis is that of the classes, and a tensor of shape () has none")
        if probs is not None:
            _check("Categorical", given, validate_args, np.inf)
            self.probs = given / given.sum(-1, keepdim=True)
            self.logits = _logarithm(self.probs)
        else:
            self.logits = given - logsumexp(given, -1, keepdim=True)
            self.probs = self.logits.exp()
        super().__init__(given.shape[:-1])

    @property
    def mean(self) -> Tensor:
        return full(self.batch_shape, math.nan, dtype=self.probs.dtype)

    variance = mean

    @property
    def mode(self) -> Tensor:
        """The likeliest class."""
        return self.probs.argmax(-1)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Classes (*sample_shape, *batch_shape) as int64."""
        count = int(np.prod(tuple(sample_shape), dtype=int))
        rows = self.probs.detach().reshape(-1, self.probs.shape[-1])
        found = multinomial(rows, count, True).T
        return found.reshape(self._shape(sample_shape))

    def log_prob(self, value: Any) -> Tensor:
        value = value.long()
        shape = np.broadcast_shapes(value.shape, self.batch_shape)
        logits = self.logits.expand(*shape, self.logits.shape[-1])
        return logits.gather(-1, value.expand(shape)[..., None])[..., 0]

    def entropy(self) -> Tensor:
        low = np.finfo(self.logits.dtype).min.item()
        return -(self.logits.clamp(min=low) * self.probs).sum(-1)


class OneHotCategorical(Distribution):
    """`Categorical` whose samples are one-hot rows."""

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        self._categorical = Categorical(probs, logits, validate_args)
        self.probs, self.logits = self._categorical.probs, self._categorical.logits
        super().__init__(self._categorical.batch_shape, self.probs.shape[-1:])

    @property
    def mean(self) -> Tensor:
        return self.probs

    @property
    def variance(self) -> Tensor:
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Rows (*sample_shape, *batch_shape, K)."""
        return one_hot(self._categorical.sample(sample_shape), self.probs.shape[-1]).to(self.probs.dtype)

    def log_prob(self, value: Any) -> Tensor:
        return self._categorical.log_prob(value.argmax(-1))

    def entropy(self) -> Tensor:
        return self._categorical.entropy()


class OneHotCategoricalStraightThrough(OneHotCategorical):
    """`OneHotCategorical` whose samples pass gradients on to the probabilities as if they were these.

    Bengio, Léonard & Courville, Estimating or propagating gradients through stochastic neurons, 2013.
    """

    has_rsample = True

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.sample(sample_shape) + (self.probs - self.probs.detach())


class Bernoulli(Distribution):
    """1 with probability `probs`, else 0."""

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        given = _one_of("Bernoulli", probs, logits)
        if probs is not None:
            _check("Bernoulli", given, validate_args, 1.0)
            self.probs, low = given, np.finfo(given.dtype).eps.item()
            inner = given.clamp(low, 1 - low)
            self.logits = inner.log() - (-inner).log1p()
        else:
            self.logits, self.probs = given, sigmoid(given)
        super().__init__(given.shape)

    @property
    def mean(self) -> Tensor:
        return self.probs

    @property
    def variance(self) -> Tensor:
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """0 and 1 (*sample_shape, *batch_shape) in the dtype of the probabilities."""
        dtype = self.probs.dtype
        return (rand(self._shape(sample_shape), dtype=dtype) < self.probs.detach()).to(dtype)

    def log_prob(self, value: Any) -> Tensor:
        return -self._cross_entropy(value)

    def entropy(self) -> Tensor:
        return self._cross_entropy(self.probs)

    def _cross_entropy(self, target: Any) -> Tensor:
        return sigmoid_cross_entropy(self.logits, target)


def _one_of(name: str, probs: Any, logits: Any) -> Tensor:
    if (probs is None) == (logits is None):
        raise UsageError(f"{name} takes either probs or logits")
    return parameters(logits if probs is None else probs)[0]


def _check(name: str, probs: Tensor, validate: bool | None, high: float) -> None:
    low, most = (probs.array.min(), probs.array.max()) if probs.numel() else (0, 0)
    if validate is not False and not (low >= 0 and most <= high):
        limit = "not negative" if high == np.inf else "between 0 and 1"
        raise DomainError(
            f"{name}: probabilities must be {limit}; they go from {low} to {most}; give logits=… instead?"
        )


def _logarithm(probs: Tensor) -> Tensor:
    """ln p with p kept off 0 and 1, as PyTorch does."""
    eps = np.finfo(probs.dtype).eps.item()
    return probs.clamp(eps, 1 - eps).log()

"""Discrete choices made smooth, so that gradients pass: Gumbel-softmax and its form for two classes. Called by users.

Jang, Gu & Poole, Categorical reparameterization with Gumbel-softmax, 2017; Maddison, Mnih & Teh, The concrete
distribution, 2017.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from byhand.distributions.discrete import Bernoulli, Categorical
from byhand.distributions.distribution import Distribution, open_uniform, parameters
from byhand.nn import functional as F
from byhand.ops.activation import softmax
from byhand.ops.gamma import lgamma
from byhand.ops.reduce import logsumexp
from byhand.tensor import Tensor


class RelaxedOneHotCategorical(Distribution):
    """softmax((logits + Gumbel noise) / temperature): rows that are one-hot as the temperature goes to 0."""

    has_rsample = True

    def __init__(
        self, temperature: Any, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        choice = Categorical(probs, logits, validate_args)
        self.probs, self.logits = choice.probs, choice.logits
        (self.temperature,) = parameters(temperature)
        super().__init__(choice.batch_shape, self.probs.shape[-1:])

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        noise = -(-open_uniform(self._shape(sample_shape), self.logits).log()).log()
        return softmax((self.logits + noise) / self.temperature, -1)

    def log_prob(self, value: Any) -> Tensor:
        size = self.event_shape[0]
        scores = self.logits - self.temperature * value.log()
        scores = (scores - logsumexp(scores, -1, keepdim=True)).sum(-1)
        scale = lgamma(self.temperature * 0 + size) + (size - 1) * self.temperature.log()
        return scores + scale - value.log().sum(-1)  # type: ignore[no-any-return]


class RelaxedBernoulli(Distribution):
    """sigmoid((logits + logistic noise) / temperature): 0 or 1 as the temperature goes to 0."""

    has_rsample = True

    def __init__(
        self, temperature: Any, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        choice = Bernoulli(probs, logits, validate_args)
        self.probs, self.logits = choice.probs, choice.logits
        (self.temperature,) = parameters(temperature)
        super().__init__(choice.batch_shape)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        u = open_uniform(self._shape(sample_shape), self.logits)
        return ((self.logits + u.log() - (-u).log1p()) / self.temperature).sigmoid()

    def log_prob(self, value: Any) -> Tensor:
        y = value.log() - (-value).log1p()
        apart = self.logits - self.temperature * y
        inner = self.temperature.log() + apart - 2 * F.softplus(apart)
        return inner + F.softplus(-y) + F.softplus(y)  # type: ignore[no-any-return]

"""The Kullback–Leibler divergence KL(p ‖ q) = E_p[log p − log q] between two distributions of one kind."""

from __future__ import annotations

from byhand.core.errors import UsageError
from byhand.distributions.continuous import Normal
from byhand.distributions.discrete import Bernoulli, Categorical
from byhand.distributions.distribution import Distribution
from byhand.tensor import Tensor


def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    """KL(p ‖ q), of shape batch_shape. Raises UsageError for a pair whose formula is not there."""
    if isinstance(p, Normal) and isinstance(q, Normal):
        ratio = (p.scale / q.scale) ** 2
        return 0.5 * (ratio + ((p.loc - q.loc) / q.scale) ** 2 - 1 - ratio.log())
    if isinstance(p, Categorical) and isinstance(q, Categorical):
        return (p.probs * (p.logits - q.logits)).sum(-1)
    if isinstance(p, Bernoulli) and isinstance(q, Bernoulli):
        return p.probs * (p.logits - q.logits) + (-q.logits).sigmoid().log() * -1 + (-p.logits).sigmoid().log()
    raise UsageError(f"there is no formula for KL({type(p).__name__} ‖ {type(q).__name__})")

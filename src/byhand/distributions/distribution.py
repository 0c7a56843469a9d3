"""The base of distributions: shapes, samples, densities. Called by `continuous` and `discrete`.

A distribution stands for a batch of independent ones (`batch_shape`), each over values of `event_shape`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from byhand.core.dtypes import finfo
from byhand.core.errors import DomainError, UsageError
from byhand.core.tape import no_grad
from byhand.creation import as_tensor, rand
from byhand.ops.shape import broadcast_tensors
from byhand.tensor import Tensor

Shape = tuple[int, ...]


class Distribution:
    """What all distributions have; `sample` passes no gradient, `rsample`, where there is one, does."""

    has_rsample = False

    def __init__(self, batch_shape: Shape = (), event_shape: Shape = ()) -> None:
        self.batch_shape, self.event_shape = tuple(batch_shape), tuple(event_shape)

    @property
    def mean(self) -> Tensor:
        """The expected value."""
        raise NotImplementedError

    @property
    def variance(self) -> Tensor:
        """The expected squared distance from the mean."""
        raise NotImplementedError

    @property
    def stddev(self) -> Tensor:
        """√variance."""
        return self.variance.sqrt()

    def cdf(self, value: Any) -> Tensor:
        """The probability of less."""
        raise UsageError(f"{self._name} has no cdf in closed form here")

    def icdf(self, value: Any) -> Tensor:
        """The value below which there is so much probability."""
        raise UsageError(f"{self._name} has no icdf in closed form here")

    def perplexity(self) -> Tensor:
        """exp(entropy)."""
        return self.entropy().exp()

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Samples (*sample_shape, *batch_shape, *event_shape) as a function of the parameters, so that gradients pass.

        Raises UsageError where the distribution has no such form.
        """
        raise UsageError(f"{self._name} has no rsample: its samples are no smooth function of parameters; use sample")

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Samples (*sample_shape, *batch_shape, *event_shape), which no gradient passes."""
        with no_grad():
            return self.rsample(sample_shape)

    def log_prob(self, value: Any) -> Tensor:
        """The logarithm of the density or the probability at `value`."""
        raise NotImplementedError

    def entropy(self) -> Tensor:
        """−E[log p], in nats."""
        raise NotImplementedError

    def _take(self, validate_args: bool | None, positive: str, **values: Any) -> None:
        """Keep the parameters, as tensors of one shape, under their names; those named in `positive` are checked."""
        shape: Shape = ()
        for name, x in zip(values, parameters(*values.values()), strict=True):
            setattr(self, name, x)
            shape = x.shape
        for name in positive.split():
            check_positive(self._name, name, getattr(self, name), validate_args)
        Distribution.__init__(self, shape)

    @property
    def _name(self) -> str:
        return type(self).__name__

    def _shape(self, sample_shape: Sequence[int]) -> Shape:
        return (*tuple(sample_shape), *self.batch_shape, *self.event_shape)

    def __repr__(self) -> str:
        return f"{self._name}(batch_shape={self.batch_shape}, event_shape={self.event_shape})"


def parameters(*values: Any) -> list[Tensor]:
    """Parameters as tensors of one shape; numbers take the dtype of the tensors beside them."""
    dtypes = [x.dtype for x in values if isinstance(x, Tensor)]
    made = [x if isinstance(x, Tensor) else as_tensor(float(x), dtype=dtypes[0] if dtypes else None) for x in values]
    return list(broadcast_tensors(*made))


def check_positive(name: str, what: str, x: Tensor, validate: bool | None) -> None:
    """Raise DomainError unless all values are positive; nothing is looked at if `validate` is False."""
    if validate is not False and not bool((x.array > 0).all()):
        raise DomainError(f"{name}: {what} must be positive, it is {x.array.min()} at the least")


def open_uniform(shape: Sequence[int], like: Tensor) -> Tensor:
    """Numbers in (0, 1) in the dtype of `like`; the ends, whose logarithms are not finite, are left out."""
    limits = finfo(like.dtype)
    return rand(*shape, dtype=like.dtype).clamp(limits.tiny, 1 - limits.eps)

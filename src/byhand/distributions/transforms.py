"""Invertible functions of random numbers, and distributions made by them, as normalising flows are. Called by users."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from byhand.core.errors import UsageError
from byhand.core.tape import no_grad
from byhand.creation import as_tensor
from byhand.distributions.distribution import Distribution
from byhand.distributions.joint import added_up
from byhand.nn import functional as F
from byhand.tensor import Tensor


class Transform:
    """y = f(x), with its inverse and ln |dy/dx|: subclasses define `_call`, `_inverse` and `log_abs_det_jacobian`.

    `event_dim` counts the last axes that f treats as one; its Jacobian's logarithm is without them.
    """

    bijective = True
    event_dim = 0

    def __init__(self, cache_size: int = 0) -> None:
        pass

    def _call(self, x: Any) -> Any:
        raise NotImplementedError

    def _inverse(self, y: Any) -> Any:
        raise NotImplementedError

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        """ln |dy/dx| at a pair y = f(x)."""
        raise NotImplementedError

    def __call__(self, x: Any) -> Any:
        return self._call(x)

    @property
    def inv(self) -> Transform:
        """The inverse, a transform as well."""
        return _Inverse(self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class _Inverse(Transform):
    def __init__(self, of: Transform) -> None:
        self._of, self.event_dim = of, of.event_dim

    def _call(self, x: Any) -> Any:
        return self._of._inverse(x)

    def _inverse(self, y: Any) -> Any:
        return self._of(y)

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        return -self._of.log_abs_det_jacobian(y, x)

    @property
    def inv(self) -> Transform:
        return self._of


class AffineTransform(Transform):
    """loc + scale · x."""

    def __init__(self, loc: Any, scale: Any, event_dim: int = 0, cache_size: int = 0) -> None:
        self.loc, self.scale, self.event_dim = loc, scale, event_dim

    def _call(self, x: Any) -> Any:
        return self.loc + self.scale * x

    def _inverse(self, y: Any) -> Any:
        return (y - self.loc) / self.scale

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        scale = self.scale if isinstance(self.scale, Tensor) else as_tensor(float(self.scale), dtype=x.dtype)
        return added_up((x * 0 + scale).abs().log(), self.event_dim)


class ExpTransform(Transform):
    """exp x."""

    def _call(self, x: Any) -> Any:
        return x.exp()

    def _inverse(self, y: Any) -> Any:
        return y.log()

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        return x


class PowerTransform(Transform):
    """x^exponent, of positive numbers."""

    def __init__(self, exponent: Any, cache_size: int = 0) -> None:
        self.exponent = exponent

    def _call(self, x: Any) -> Any:
        return x**self.exponent

    def _inverse(self, y: Any) -> Any:
        return y ** (1 / self.exponent)

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        return (self.exponent * y / x).abs().log()


class SigmoidTransform(Transform):
    """1 / (1 + exp(−x))."""

    def _call(self, x: Any) -> Any:
        return x.sigmoid()

    def _inverse(self, y: Any) -> Any:
        return y.log() - (-y).log1p()

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        return -F.softplus(-x) - F.softplus(x)


class TanhTransform(Transform):
    """tanh x, as policies over bounded actions end."""

    def _call(self, x: Any) -> Any:
        return x.tanh()

    def _inverse(self, y: Any) -> Any:
        return y.atanh()

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        return 2.0 * (math.log(2.0) - x - F.softplus(-2.0 * x))


class SoftplusTransform(Transform):
    """ln(1 + exp x)."""

    def _call(self, x: Any) -> Any:
        return F.softplus(x)

    def _inverse(self, y: Any) -> Any:
        return (-y).expm1().neg().log() + y

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        return -F.softplus(-x)


class ComposeTransform(Transform):
    """Transforms one after the other."""

    def __init__(self, parts: Sequence[Transform], cache_size: int = 0) -> None:
        self.parts = list(parts)
        self.event_dim = max((part.event_dim for part in self.parts), default=0)

    def _call(self, x: Any) -> Any:
        for part in self.parts:
            x = part(x)
        return x

    def _inverse(self, y: Any) -> Any:
        for part in reversed(self.parts):
            y = part.inv(y)
        return y

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        total: Any = 0.0
        for part in self.parts:
            after = part(x)
            total = total + added_up(part.log_abs_det_jacobian(x, after), self.event_dim - part.event_dim)
            x = after
        return total


class TransformedDistribution(Distribution):
    """f(x), x of a base distribution: log p(y) = log p(x) − ln |dy/dx|, x = f⁻¹(y)."""

    def __init__(
        self, base_distribution: Distribution, transforms: Transform | Sequence[Transform],
        validate_args: bool | None = None,
    ) -> None:  # fmt: skip
        self.transforms = [transforms] if isinstance(transforms, Transform) else list(transforms)
        self.base_dist, self.has_rsample = base_distribution, base_distribution.has_rsample
        self._whole = ComposeTransform(self.transforms)
        shape, event = base_distribution.batch_shape, base_distribution.event_shape
        more = self._whole.event_dim - len(event)
        if more > len(shape):
            raise UsageError(f"TransformedDistribution: a transform of {self._whole.event_dim} axes needs as many")
        cut = len(shape) - max(0, more)
        super().__init__(shape[:cut], (*shape[cut:], *event))

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self._whole(self.base_dist.rsample(sample_shape))  # type: ignore[no-any-return]

    @no_grad()
    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self._whole(self.base_dist.sample(sample_shape))  # type: ignore[no-any-return]

    def log_prob(self, value: Any) -> Tensor:
        x = self._whole.inv(value)
        axes = len(self.event_shape)
        change = added_up(self._whole.log_abs_det_jacobian(x, value), axes - self._whole.event_dim)
        return added_up(self.base_dist.log_prob(x), axes - len(self.base_dist.event_shape)) - change

"""Random numbers: arrays drawn from the default generator or a given one, and `bernoulli`/`multinomial` of tensors.

Called by the creation functions, by `nn.init`, dropout and samplers. Drawing is not differentiable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from byhand.core.capture import insist, slot, tracer, values
from byhand.core.errors import DomainError, ShapeError
from byhand.core.generator import Generator, numpy_generator
from byhand.core.lanes import running
from byhand.core.recorder import wrap
from byhand.core.variable import Array, Variable
from byhand.ops import elementwise as e
from byhand.ops.compare import isfinite, lt
from byhand.ops.scan import running_sum
from byhand.ops.sort import order

if TYPE_CHECKING:
    from byhand.tensor import Tensor


def _typed(dtype: Any) -> np.dtype[Any]:
    return np.dtype(np.float32 if dtype is None else dtype)


def _drawn(generator: Generator | None, method: str, **arguments: Any) -> Array:
    """What a method of NumPy's generator gives; a captured step will draw anew each time."""
    watcher = None if slot.tracer is None else tracer()
    if watcher is not None:
        return watcher.draw(generator, method, arguments)
    if running.levels:
        return running.levels[-1].drawn(numpy_generator(generator), method, arguments)
    return np.asarray(getattr(numpy_generator(generator), method)(**arguments))


def uniform(shape: tuple[int, ...], dtype: Any = None, generator: Generator | None = None) -> Array:
    """Values of [0, 1), each as likely as any other."""
    kind = _typed(dtype)
    if kind in (np.float32, np.float64):
        return _drawn(generator, "random", size=shape, dtype=kind.type)
    return e.cast(_drawn(generator, "random", size=shape), dtype=kind)  # type: ignore[return-value]


def standard_normal(shape: tuple[int, ...], dtype: Any = None, generator: Generator | None = None) -> Array:
    """Values of the normal distribution with mean 0 and variance 1."""
    kind = _typed(dtype)
    if kind in (np.float32, np.float64):
        return _drawn(generator, "standard_normal", size=shape, dtype=kind.type)
    return e.cast(_drawn(generator, "standard_normal", size=shape), dtype=kind)  # type: ignore[return-value]


def integers(
    low: int, high: int, shape: tuple[int, ...], dtype: Any = None, generator: Generator | None = None
) -> Array:
    """Integers from low to high − 1."""
    if high <= low:
        raise DomainError(f"randint: there is no integer from {low} to {high} − 1")
    drawn = _drawn(generator, "integers", low=low, high=high, size=shape)
    wanted = np.dtype(np.int64 if dtype is None else dtype)
    return drawn if drawn.dtype == wanted else e.cast(drawn, dtype=wanted)  # type: ignore[return-value]


def permutation(n: int, generator: Generator | None = None) -> Array:
    """0 … n − 1 in random order."""
    return _drawn(generator, "permutation", x=n)


def coins(p: float, shape: tuple[int, ...], generator: Generator | None = None) -> Array:
    """Booleans that are true with probability p."""
    # float32 draws: half the memory traffic, and 24 bits decide a coin well enough
    return lt(_drawn(generator, "random", size=shape, dtype=np.float32), p)  # type: ignore[return-value]


def bernoulli(x: Any, p: float | None = None, *, generator: Generator | None = None) -> Tensor:
    """1 with the probability that x (or p) names, else 0, in the dtype of x."""
    probability = values(x) if p is None else p
    inside = (probability >= 0) & (probability <= 1)  # NaN is not
    insist(not inside if isinstance(inside, bool) else ~inside.all(), _improbable)
    drawn = lt(values(_drawn(generator, "random", size=x.shape)), probability)
    return _tensor(e.cast(drawn, dtype=x.dtype))


def _improbable() -> DomainError:
    return DomainError("bernoulli: probabilities lie within 0 and 1")


def _tensor(x: Any) -> Tensor:
    return x if isinstance(x, Variable) else wrap(x)  # type: ignore[return-value]


def poisson(x: Any, generator: Generator | None = None) -> Tensor:
    """Numbers drawn from Poisson distributions with these rates, in the dtype of x."""
    rates = values(x)
    insist((rates < 0).any(), lambda: DomainError("poisson: rates must not be negative"))
    return _tensor(e.cast(_drawn(generator, "poisson", lam=rates), dtype=x.dtype))


def multinomial(x: Any, num_samples: int, replacement: bool = False, *, generator: Generator | None = None) -> Tensor:
    """Indices drawn with probabilities proportional to the rows of x: (…, C) → (…, num_samples) int64."""
    if x.ndim not in (1, 2):
        raise ShapeError(f"multinomial takes a vector or a matrix of weights, not shape {x.shape}")
    weights, last = e.cast(values(x), dtype=np.float64), x.ndim - 1
    wrong = (weights < 0).any() | ~isfinite(weights).all() | (weights.sum(-1) <= 0).any()
    insist(wrong, lambda: DomainError("multinomial: weights must be finite, not negative, and not all 0"))
    if replacement:
        ends = running_sum(weights, axis=last)
        draws = values(_drawn(generator, "random", size=(*x.shape[:-1], num_samples))) * ends[..., -1:]
        found = (draws[..., None] >= ends[..., None, :]).sum(-1)
        return _tensor(e.cast(e.minimum(found, x.shape[-1] - 1), dtype=np.dtype(np.int64)))
    possible = (weights > 0).sum(-1).min()
    insist(num_samples > possible, lambda possible: _too_few(num_samples, possible), possible)
    # the exponential race: the smallest of E/w wins with probability proportional to w (Efraimidis & Spirakis 2006)
    runners = values(_drawn(generator, "standard_exponential", size=x.shape))
    race = e.select(weights > 0, runners / e.select(weights > 0, weights, 1), np.inf)
    return _tensor(e.cast(order(race, axis=last, descending=False)[..., :num_samples], dtype=np.dtype(np.int64)))


def _too_few(num_samples: int, possible: Any) -> DomainError:
    return DomainError(f"multinomial: {num_samples} draws without replacement from {possible} non-zero weights")

"""How well samples that were made up are like real ones: `Precision` and `Recall`. Called for generative networks.

T. Kynkäänniemi et al., Improved precision and recall metric for assessing generative models, 2019.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from byhand.core.variable import Array
from byhand.train.metrics import Metric

MOST = 500  # samples that are compared, each with each
NEIGHBOURS = 3


class _Likeness(Metric):
    """Gathers the first real and made-up samples; `update(output, x)` takes what was made up from `output[-1]`."""

    gathered: ClassVar[tuple[str, ...]] = ("real", "made")

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.real: list[Array] = []
        self.made: list[Array] = []

    def update(self, logits: Any, target: Any) -> None:
        if sum(map(len, self.real)) < MOST:
            self.real.append(target.array.reshape(len(target.array), -1).copy())
            self.made.append(logits[-1].array.reshape(len(target.array), -1).copy())

    def _share(self, samples: list[Array], among: list[Array]) -> float:
        if not samples:
            return float("nan")
        first, second = (np.concatenate(parts)[:MOST].astype(np.float64) for parts in (samples, among))
        return share_among(first, second)


class Precision(_Likeness):
    """The share of samples made up that lie among the real ones."""

    name = "precision"

    def compute(self) -> float:
        return self._share(self.made, self.real)


class Recall(_Likeness):
    """The share of real samples that lie among those made up: low if some kinds are never made."""

    name = "recall"

    def compute(self) -> float:
        return self._share(self.real, self.made)


def share_among(samples: Array, others: Array, neighbours: int = NEIGHBOURS) -> float:
    """The share of `samples` (N, D) in one of the balls around `others` (M, D) that reach to their k-th neighbour."""
    within = _distances(others, others)
    k = min(neighbours, len(others) - 1)  # the 0-th neighbour is the sample itself
    radii = np.partition(within, k, axis=1)[:, k]
    return float((_distances(samples, others) <= radii).any(1).mean())


def _distances(x: Array, y: Array) -> Array:
    squares = (x * x).sum(1)[:, None] + (y * y).sum(1) - 2 * x @ y.T
    distances: Array = np.sqrt(np.maximum(squares, 0))
    return distances

"""Made series: what a recurrent network learns to forecast. Called by the registry and users."""

from __future__ import annotations

import numpy as np

from byhand.data.dataset import TensorDataset
from byhand.data.datasets.points import check_counts, random_state
from byhand.tensor import Tensor


def sine_waves(
    n_samples: int = 1000, *, length: int = 60, noise: float = 0.05, seed: int | None = None
) -> TensorDataset:
    """Noisy sine waves of random period and phase, and the same waves one step later: what comes next at each time.

    Both float32 (N, length, 1): sin(2π t / period + phase) + noise · ε, period uniform in [10, 20).

    >>> import byhand
    >>> x, y = byhand.data.datasets.sine_waves(4, seed=0).tensors
    >>> x.shape, byhand.equal(x[:, 1:], y[:, :-1])
    ((4, 60, 1), True)
    """
    check_counts("sine_waves", n_samples=n_samples, length=length, least=1)
    random = random_state(seed)
    period, phase = 10 + 10 * random.rand(n_samples, 1), 2 * np.pi * random.rand(n_samples, 1)
    waves = np.sin(2 * np.pi * np.arange(length + 1) / period + phase) + noise * random.randn(n_samples, length + 1)
    values = waves.astype(np.float32)[..., None]
    return TensorDataset(Tensor(values[:, :-1].copy()), Tensor(values[:, 1:].copy()))

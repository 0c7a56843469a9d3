"""A small problem that every test of training uses."""

from __future__ import annotations

from typing import Any

import numpy as np

import byhand
from byhand import nn

rng = np.random.default_rng(5)
X = rng.normal(size=(70, 4)).astype(np.float32)
Y = (X[:, 0] + X[:, 1] ** 2 > 0.7).astype(np.int64)
TRAIN, VALID = (X[:50], Y[:50]), (X[50:], Y[50:])


def network(seed: int = 0, dropout: float = 0.2, hidden: int = 8) -> nn.Sequential:
    byhand.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, hidden), nn.Tanh(), nn.Dropout(dropout), nn.Linear(hidden, 2))


def bits(model: nn.Module) -> dict[str, bytes]:
    return {name: x.array.tobytes() for name, x in model.state_dict().items()}


def timeless(history: Any) -> list[dict[str, Any]]:
    return [{key: value for key, value in record.items() if key != "seconds"} for record in history]

"""A recurrent network that says how a series goes on. Called by `byhand train gru sine_waves` and users."""

from __future__ import annotations

from typing import Any

from byhand import nn
from byhand.core.tape import no_grad
from byhand.models.characters import recurrent
from byhand.ops.shape import cat
from byhand.tensor import Tensor


class Forecast(nn.Module):
    """Series (N, T, features) → at each time what comes next, (N, T, features). Recurrent layers, linear."""

    def __init__(self, features: int = 1, kind: str = "gru", hidden: int = 32, layers: int = 1) -> None:
        super().__init__()
        self.recurrent = recurrent(kind)(features, hidden, layers, batch_first=True)
        self.head = nn.Linear(hidden, features)

    def forward(self, x: Tensor) -> Tensor:
        return self.following(x, None)[0]

    def following(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        """What comes next at each time, and the state after the last one."""
        out, state = self.recurrent(x, state)
        return self.head(out), state

    @no_grad()
    def ahead(self, x: Tensor, count: int) -> Tensor:
        """The next `count` values (N, count, features) after the series x: each prediction is the next input."""
        found: list[Tensor] = []
        out, state = self.following(x, None)
        for _ in range(count):
            found.append(out[:, -1:])
            out, state = self.following(found[-1], state)
        return cat(found, 1)

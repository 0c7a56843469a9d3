"""A GRU that has seen the beginning of noisy sine waves and says how they go on.

Run it: python examples/sine.py
"""

from __future__ import annotations

import math

import byhand
from byhand import nn, optim


class Forecast(nn.Module):
    """From the values so far (N, T, 1) to the next one at each time (N, T, 1)."""

    def __init__(self, hidden=32):
        super().__init__()
        self.gru = nn.GRU(1, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 1)

    def forward(self, x, state=None):
        out, state = self.gru(x, state)
        return self.head(out), state


def waves(count, length=60):
    """Sine waves (count, length, 1) of random phase and period."""
    period, phase = 10 + 10 * byhand.rand(count, 1), 2 * math.pi * byhand.rand(count, 1)
    return (2 * math.pi * byhand.arange(length) / period + phase).sin().unsqueeze(2)


byhand.manual_seed(0)
model = Forecast()
optimizer = optim.Adam(model.parameters(), lr=5e-3)


@byhand.compile
def step(x):
    optimizer.zero_grad()
    predicted, _ = model(x[:, :-1])
    loss = nn.functional.mse_loss(predicted, x[:, 1:])
    loss.backward()
    optimizer.step()
    return loss


for number in range(1, 601):
    clean = waves(32)
    loss = step(clean + 0.05 * byhand.randn(32, 60, 1))
    if number % 100 == 0:
        print(f"step {number}: mean squared error {loss.item():.5f}")

with byhand.no_grad():  # go on alone: each prediction is the next input
    wave = waves(1, 90)
    value, state = model(wave[:, :60])
    value, found = value[:, -1:], []
    for _ in range(30):
        found.append(value)
        value, state = model(value, state)
    ahead = byhand.cat(found, 1)
error = (ahead - wave[:, 60:]).abs().max().item()
print(f"30 values ahead, the largest error is {error:.3f}")

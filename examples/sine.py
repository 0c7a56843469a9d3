"""A GRU that has seen the beginning of noisy sine waves and says how they go on.

Run it: python examples/sine.py         (the same as: byhand train sine_waves)
"""

from __future__ import annotations

import byhand
from byhand import nn, optim
from byhand.data import DataLoader, datasets
from byhand.models import Forecast  # the whole network: byhand/models/forecast.py

byhand.manual_seed(0)
loader = DataLoader(datasets.sine_waves(1000), batch_size=32, shuffle=True)
model = Forecast(hidden=32)
optimizer = optim.Adam(model.parameters(), lr=5e-3)


@byhand.compile
def step(x, following):
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(model(x), following)
    loss.backward()
    optimizer.step()
    return loss


for epoch in range(1, 41):
    losses = [step(x, following).item() for x, following in loader]
    if epoch % 8 == 0:
        print(f"epoch {epoch}: mean squared error {sum(losses) / len(losses):.5f}")

wave = datasets.sine_waves(1, length=90, noise=0.0).tensors[0]
error = (model.ahead(wave[:, :60], 30) - wave[:, 60:]).abs().max().item()
print(f"30 values ahead, the largest error is {error:.3f}")

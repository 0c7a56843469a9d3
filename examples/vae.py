"""A variational autoencoder on MNIST, which then makes digits up; four of them are printed.

Run it: python examples/vae.py          (the same as: byhand train vae mnist; byhand sample RUN)
"""

from __future__ import annotations

import byhand
from byhand import optim
from byhand.data import DataLoader, datasets
from byhand.models import VAE  # the whole network: byhand/models/vae.py

byhand.manual_seed(0)
train, _ = datasets.mnist()
model = VAE(latent=10)
optimizer = optim.Adam(model.parameters(), lr=1e-3)


@byhand.compile
def step(images):
    optimizer.zero_grad()
    loss = model.loss(*model(images), images)
    loss.backward()
    optimizer.step()
    return loss


for epoch in range(1, 4):
    losses = [step(images).item() for images, _ in DataLoader(train, batch_size=128, shuffle=True)]
    print(f"epoch {epoch}: negative evidence bound {sum(losses) / len(losses):.2f} nats an image")

digits = model.generate(4)[:, 0]
for row in range(0, 28, 2):  # two rows of pixels make one of characters
    print("  ".join("".join(" .:*#"[int(4.99 * x)] for x in digit[row : row + 2].mean(0).tolist()) for digit in digits))

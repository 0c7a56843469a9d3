"""A generative adversarial network that learns a ring of eight Gaussians in the plane.

Here the two networks learn by turns; `byhand train gan ring` has both learn in one step, by the loss of `GAN`.

Run it: python examples/gan.py
"""

from __future__ import annotations

import math

import byhand
from byhand import nn, optim
from byhand.data import datasets
from byhand.models import GAN  # the whole network: byhand/models/gan.py

byhand.manual_seed(0)
corners = byhand.arange(8) * (2 * math.pi / 8)
CENTRES = 2 * byhand.stack([corners.cos(), corners.sin()], 1)
points = datasets.ring().tensors[0]  # near the eight centres

model = GAN(latent=8)
generator, critic = model.generator, model.critic
makes = optim.Adam(generator.parameters(), lr=1e-3, betas=(0.5, 0.999))
judges = optim.Adam(critic.parameters(), lr=1e-3, betas=(0.5, 0.999))
criterion = nn.BCEWithLogitsLoss()
REAL, FAKE = byhand.ones(256, 1), byhand.zeros(256, 1)


@byhand.compile
def judge(real, noise):
    """The critic learns to tell real points from made-up ones."""
    judges.zero_grad()
    loss = criterion(critic(real), REAL) + criterion(critic(generator(noise).detach()), FAKE)
    loss.backward()
    judges.step()
    return loss


@byhand.compile
def make(noise):
    """The generator learns to be taken for real."""
    makes.zero_grad()
    loss = criterion(critic(generator(noise)), REAL)
    loss.backward()
    makes.step()
    return loss


for number in range(1, 4001):
    judged = judge(points[byhand.randint(0, len(points), (256,))], byhand.randn(256, 8))
    made = make(byhand.randn(256, 8))
    if number % 500 == 0:
        distance, nearest = byhand.cdist(model.generate(2000), CENTRES).min(1)
        hit = len(nearest[distance < 0.3].unique())
        near = (distance < 0.3).float().mean().item()
        print(f"step {number}: critic {judged.item():.3f}, generator {made.item():.3f}", end=", ")
        print(f"{hit} of 8 found, {near:.0%} of the points near one")

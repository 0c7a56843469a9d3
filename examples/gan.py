"""A generative adversarial network that learns a ring of eight Gaussians in the plane.

Run it: python examples/gan.py
"""

from __future__ import annotations

import math

import byhand
from byhand import nn, optim

byhand.manual_seed(0)
corners = byhand.arange(8) * (2 * math.pi / 8)
CENTRES = 2 * byhand.stack([corners.cos(), corners.sin()], 1)


def ring(count):
    """Points (count, 2) near the eight centres."""
    return CENTRES[byhand.randint(0, 8, (count,))] + 0.05 * byhand.randn(count, 2)


def network(inputs, outputs, width=128):
    return nn.Sequential(
        nn.Linear(inputs, width),
        nn.LeakyReLU(0.2),
        nn.Linear(width, width),
        nn.LeakyReLU(0.2),
        nn.Linear(width, outputs),
    )


generator, critic = network(8, 2), network(2, 1)
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
    judged = judge(ring(256), byhand.randn(256, 8))
    made = make(byhand.randn(256, 8))
    if number % 500 == 0:
        with byhand.no_grad():
            points = generator(byhand.randn(2000, 8))
            distance, nearest = byhand.cdist(points, CENTRES).min(1)
        hit = len(nearest[distance < 0.3].unique())
        near = (distance < 0.3).float().mean().item()
        print(f"step {number}: critic {judged.item():.3f}, generator {made.item():.3f}", end=", ")
        print(f"{hit} of 8 found, {near:.0%} of the points near one")

"""Policy gradient (REINFORCE) on a small world: a cart that must stay near the middle of a windy line.

Run it: python examples/policy_gradient.py
"""

from __future__ import annotations

import random

import byhand
from byhand import nn, optim
from byhand.distributions import Categorical


class WindyLine:
    """A cart on a line is pushed left or right and blown about; each step that it stays within ±1 gives 1."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def reset(self):
        self.place, self.speed, self.steps = self.random.uniform(-0.3, 0.3), 0.0, 0
        return [self.place, self.speed]

    def step(self, action):
        wind = self.random.gauss(0, 0.02)
        self.speed = 0.95 * self.speed + (0.04 if action == 1 else -0.04) + wind
        self.place += self.speed
        self.steps += 1
        return [self.place, self.speed], 1.0, abs(self.place) > 1 or self.steps >= 200


byhand.manual_seed(0)
world = WindyLine(0)
policy = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 2))
optimizer = optim.Adam(policy.parameters(), lr=0.01)
usual = 0.0

for episode in range(1, 301):
    state, done, chances, rewards = world.reset(), False, [], []
    while not done:
        choice = Categorical(logits=policy(byhand.tensor(state)))
        action = choice.sample()
        chances.append(choice.log_prob(action))
        state, reward, done = world.step(action.item())
        rewards.append(reward)

    returns, total = [], 0.0
    for reward in reversed(rewards):  # what came after each action, later rewards counting less
        total = reward + 0.97 * total
        returns.append(total)
    returns = byhand.tensor(returns[::-1])
    returns = (returns - returns.mean()) / (returns.std() + 1e-6)

    optimizer.zero_grad()
    loss = -(byhand.stack(chances) * returns).sum()  # ∇ E[R] = E[R ∇ log p]
    loss.backward()
    optimizer.step()
    usual = len(rewards) if episode == 1 else 0.95 * usual + 0.05 * len(rewards)
    if episode % 50 == 0:
        print(f"episode {episode}: stays {usual:.0f} of 200 steps")

"""Policy gradient (REINFORCE) on a small world: a cart that must stay near the middle of a windy line.

Here one episode after another; `byhand train mlp:32 windy_line` plays many side by side.

Run it: python examples/policy_gradient.py
"""

from __future__ import annotations

import byhand
from byhand import nn, optim
from byhand.data.datasets import WindyLine  # the whole world: byhand/data/datasets/worlds.py
from byhand.distributions import Categorical

byhand.manual_seed(0)
world = WindyLine()
policy = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 2))
optimizer = optim.Adam(policy.parameters(), lr=0.01)
usual = 0.0

for episode in range(1, 301):
    state, done, chances, rewards = world.begin(1), False, [], []
    while not done and len(rewards) < world.steps:
        choice = Categorical(logits=policy(byhand.from_numpy(state)))
        action = choice.sample()
        chances.append(choice.log_prob(action))
        state, reward, over = world.move(state, action.numpy())
        rewards.append(reward.item())
        done = over.item()

    returns, total = [], 0.0
    for reward in reversed(rewards):  # what came after each action, later rewards counting less
        total = reward + 0.97 * total
        returns.append(total)
    returns = byhand.tensor(returns[::-1])
    returns = (returns - returns.mean()) / (returns.std() + 1e-6)

    optimizer.zero_grad()
    loss = -(byhand.cat(chances) * returns).sum()  # ∇ E[R] = E[R ∇ log p]
    loss.backward()
    optimizer.step()
    usual = len(rewards) if episode == 1 else 0.95 * usual + 0.05 * len(rewards)
    if episode % 50 == 0:
        print(f"episode {episode}: stays {usual:.0f} of {world.steps} steps")

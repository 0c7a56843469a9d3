"""Rewards: the task whose data is what the network does in a world."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

import numpy as np

from byhand.core.errors import UsageError
from byhand.core.generator import default_generator
from byhand.core.tape import no_grad
from byhand.core.variable import Array
from byhand.data.datasets import Splits, WindyLine
from byhand.nn import functional as F
from byhand.nn.module import Module
from byhand.tensor import Tensor
from byhand.train.metrics import Mean, Metric
from byhand.train.tasks.task import Task
from byhand.train.training import Loss

DISCOUNT = 0.97  # what a reward one step later counts


class Acting(Task):
    """To act so that much reward follows, by the policy gradient.

    ∇ E[R] = E[Σ R_t ∇ log p(action_t)], R_t the discounted rewards after t, less their mean and over their deviation.
    Williams, Simple statistical gradient-following algorithms for connectionist reinforcement learning, 1992.
    """

    judged_by_loss: ClassVar[bool] = False
    said: ClassVar[dict[str, str]] = {"reward": "an episode"}

    def prepared(self, split: Splits) -> Splits:
        self.refuse_loss()
        if self.recipe.standardize:
            raise UsageError(f"{split.name} has no data to standardize by; leave the option out")
        return split

    def batches(self, data: Any, model: Module) -> Iterable[Any]:
        return Episodes(data, model, self.recipe.batch_size)

    def judged(self, data: Any, model: Module) -> Iterable[Any]:
        return Episodes(data, model, len(data))

    def loss(self) -> Loss:
        return policy_loss

    def metrics(self) -> list[Metric]:
        return [Reward()]

    def aim(self, split: Splits) -> str:
        return f"{split.classes} actions"


def policy_loss(scores: Any, acted: Any) -> Any:
    """−Σ weight · log softmax(scores)[action] over all steps: `scores` (N, actions), `acted` as `played` gives it."""
    actions, weights, _ = acted
    return (F.cross_entropy(scores, actions, reduction="none") * weights).sum()


class Reward(Mean):
    """The mean of the rewards of an episode."""

    def __init__(self) -> None:
        super().__init__("reward")

    def update(self, logits: object, target: Any = 1) -> None:
        rewards = target[2].array
        super().update(float(rewards.mean()), len(rewards))


class Episodes:
    """Batches of episodes, played when they are asked for by what the network is then: `len` of them are an epoch."""

    def __init__(self, world: WindyLine, model: Module, batch_size: int) -> None:
        self.world, self.model, self.batch_size = world, model, batch_size
        self._begin = self._given = 0

    def __len__(self) -> int:
        return (len(self.world) + self.batch_size - 1) // self.batch_size

    def __iter__(self) -> Iterator[tuple[Tensor, tuple[Tensor, Tensor, Tensor]]]:
        self._given, self._begin = self._begin, 0
        while self._given < len(self):
            left = len(self.world) - self._given * self.batch_size
            self._given += 1
            yield played(self.world, self.model, min(left, self.batch_size))

    def state_dict(self) -> dict[str, Any]:
        """How many batches of the epoch were given."""
        return {"batches": self._given}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state_dict`."""
        self._begin = state["batches"]


@no_grad()
def played(world: WindyLine, model: Module, count: int) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
    """`count` episodes side by side: all states (N, …); the actions (N), their weights (N), the rewards (count).

    N = steps · count; what would come after an episode's end has the weight 0, so that all batches have one shape.
    """
    states, alive = world.begin(count), np.ones(count, bool)
    seen: list[Array] = []
    chosen: list[Array] = []
    rewards, counted = np.zeros((2, world.steps, count), np.float32)
    for t in range(world.steps):
        scores = model(Tensor(states)).array
        # the largest of log p + Gumbel noise is drawn with the probability p
        actions = (scores + default_generator.numpy.gumbel(size=scores.shape)).argmax(1)
        seen.append(states)
        chosen.append(actions)
        states, gained, over = world.move(states, actions)
        rewards[t], counted[t] = gained * alive, alive
        alive = alive & ~over
    weights = advantages(rewards, counted == 1)
    acted = Tensor(np.concatenate(chosen)), Tensor(weights.ravel()), Tensor(rewards.sum(0))
    return Tensor(np.concatenate(seen)), acted


def advantages(rewards: Array, counted: Array) -> Array:
    """(R − mean) / std of the discounted rewards R that follow on each step, (T, N), over as many steps as count."""
    following = np.zeros_like(rewards)
    total = np.zeros_like(rewards[0])
    for t in range(len(rewards) - 1, -1, -1):
        total = following[t] = rewards[t] + DISCOUNT * total
    real = following[counted]
    scaled: Array = (following - real.mean()) / (real.std() + 1e-6) * counted / len(real)
    return scaled

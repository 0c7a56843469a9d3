"""`WindyLine`: a small world to act in, for networks that learn from rewards. Called by the registry and users."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from byhand.core.generator import default_generator
from byhand.core.variable import Array
from byhand.data.datasets.points import check_counts


class WindyLine:
    """A cart on a line is pushed left or right and blown about; each step that it stays within ±1 gives 1.

    A state is (place, speed), an episode ends outside or after `steps`; `len(world)` is the episodes of an epoch. Many
    carts run side by side. The wind is drawn from the default generator, which `byhand.manual_seed` sets.

    >>> import byhand
    >>> world = byhand.data.datasets.WindyLine()
    >>> states = world.begin(3)
    >>> states, rewards, over = world.move(states, np.array([0, 1, 1]))
    >>> states.shape, rewards.tolist(), over.tolist()
    ((3, 2), [1.0, 1.0, 1.0], [False, False, False])
    """

    actions: ClassVar[tuple[str, ...]] = ("left", "right")
    shape: ClassVar[tuple[int, ...]] = (2,)
    steps: ClassVar[int] = 200

    def __init__(self, episodes: int = 160) -> None:
        check_counts("windy_line", episodes=episodes, least=1)
        self.episodes = episodes

    def __len__(self) -> int:
        return self.episodes

    def begin(self, count: int) -> Array:
        """The states (count, 2) in which as many carts begin: at rest, near the middle."""
        states: Array = np.zeros((count, 2), np.float32)
        states[:, 0] = default_generator.numpy.uniform(-0.3, 0.3, count)
        return states

    def move(self, states: Array, actions: Array) -> tuple[Array, Array, Array]:
        """The states after `actions` (count) of 0 and 1, the rewards, and which carts are outside."""
        push = np.where(actions == 1, 0.04, -0.04) + 0.02 * default_generator.numpy.standard_normal(len(states))
        speed = 0.95 * states[:, 1] + push
        place = states[:, 0] + speed
        return np.column_stack([place, speed]).astype(np.float32), np.ones(len(states), np.float32), abs(place) > 1

"""`Task`: what `Job` asks of a task. One subclass each, in the modules beside this one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from byhand.core.errors import UsageError
from byhand.data.datasets import Splits
from byhand.data.loader import DataLoader
from byhand.data.sampler import RandomSampler
from byhand.nn.module import Module
from byhand.train.metrics import Metric
from byhand.train.recipe import Recipe
from byhand.train.training import Loss


class Task:
    """Which batches a network learns from, by which loss, what is measured, and what is said in the end.

    judged_by_loss   whether the loss on held-out data says how good the network is: its best epoch is then kept
    said             what of the measures on the test data is said in the end, each with its unit
    """

    judged_by_loss: ClassVar[bool] = True
    said: ClassVar[dict[str, str]] = {}

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe

    def prepared(self, split: Splits) -> Splits:
        """The data in the form that the task learns from. Raises UsageError or DataError for data of no use to it."""
        return split

    def batches(self, data: Any, model: Module) -> Iterable[Any]:
        """What an epoch learns from, as batches (x, y)."""
        return DataLoader(data, self.recipe.batch_size, sampler=RandomSampler(data))

    def judged(self, data: Any, model: Module) -> Iterable[Any]:
        """What a network is judged by, as batches (x, y)."""
        return DataLoader(data, 1024)

    def loss(self) -> Loss:
        """The loss of (output, y)."""
        raise NotImplementedError

    def metrics(self) -> list[Metric]:
        """What is measured in each epoch."""
        return []

    def details(self, outputs: int) -> list[Metric]:
        """What is measured besides, of a trained network with as many outputs."""
        return []

    def aim(self, split: Splits) -> str:
        """What there is to be learnt, in two words."""
        raise NotImplementedError

    def report(self, measured: dict[str, Any]) -> list[str]:
        """What was measured on the test data, a line each."""
        return [f"test {name} {measured[name]:.4f}{' ' * bool(unit)}{unit}" for name, unit in self.said.items()]

    def refuse_loss(self) -> None:
        """Raise UsageError if a loss was chosen where the task has its own, or patience that would go by it."""
        if not self.judged_by_loss and self.recipe.patience is not None:
            raise UsageError(f"patience goes by the loss, which says little of {self.recipe.model} here; leave it out")
        if self.recipe.loss is not None or self.recipe.label_smoothing:
            raise UsageError(f"{self.recipe.model} has a loss of its own here; leave loss and label smoothing out")

"""Samples rebuilt from a code, and samples made up: the tasks whose target is the input itself."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from byhand.core.errors import UsageError
from byhand.data.dataset import TensorDataset
from byhand.data.datasets import Splits
from byhand.models import GAN, VAE
from byhand.train.likeness import Precision, Recall
from byhand.train.metrics import Metric
from byhand.train.tasks.task import Task
from byhand.train.training import Loss


class _Generating(Task):
    """Labels are left out, and the target is the input."""

    kinds: ClassVar[tuple[str, ...]] = ("images",)

    def prepared(self, split: Splits) -> Splits:
        self.refuse_loss()
        if split.kind not in self.kinds:
            what = " or ".join(self.kinds)
            raise UsageError(f"{self.recipe.model} learns to make up {what}, and {split.name} is {split.kind}")
        parts = {name: _own_target(getattr(split, name)) for name in ("train", "valid", "test")}
        return dataclasses.replace(split, classes=None, class_names=(), **parts)


def _own_target(data: Any) -> Any:
    return None if data is None else TensorDataset(data.tensors[0], data.tensors[0])


class Rebuilding(_Generating):
    """To put an image into a few numbers from which it can be rebuilt: the evidence bound of a VAE."""

    said: ClassVar[dict[str, str]] = {"loss": "nats an image (the negative evidence bound)"}

    def loss(self) -> Loss:
        return lambda output, x: VAE.loss(output[0], output[1], output[2], x)

    def aim(self, split: Splits) -> str:
        return "to be rebuilt"


class Imitating(_Generating):
    """To make up samples that a critic takes for real; measured by how they lie among real ones."""

    kinds: ClassVar[tuple[str, ...]] = ("images", "points")
    judged_by_loss: ClassVar[bool] = False
    said: ClassVar[dict[str, str]] = {
        "precision": "of what is made up lies among the data",
        "recall": "of the data lies among what is made up",
    }

    def loss(self) -> Loss:
        return lambda output, x: GAN.loss(output[0], output[1], output[2])

    def metrics(self) -> list[Metric]:
        return [Precision(), Recall()]

    def aim(self, split: Splits) -> str:
        return "to be imitated"

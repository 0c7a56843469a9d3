"""Labels, numbers and text: the tasks whose data says what is right."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any, ClassVar

from byhand.core.errors import DataError, UsageError
from byhand.data.dataset import Subset, TensorDataset
from byhand.data.datasets import Splits, Table
from byhand.data.loader import DataLoader
from byhand.data.sampler import RandomSampler
from byhand.nn.module import Module
from byhand.tensor import Tensor
from byhand.train import architecture
from byhand.train.metrics import R2, Accuracy, ConfusionMatrix, MacroF1, Metric
from byhand.train.tasks.task import Task
from byhand.train.training import Loss


class Classifying(Task):
    """To say which class a sample is of."""

    said: ClassVar[dict[str, str]] = {"accuracy": ""}

    def prepared(self, split: Splits) -> Splits:
        _require_targets(split)
        return split

    def loss(self) -> Loss:
        return self.recipe.make_loss(True)

    def metrics(self) -> list[Metric]:
        return [Accuracy()]

    def details(self, outputs: int) -> list[Metric]:
        return [MacroF1(), ConfusionMatrix(outputs)]

    def aim(self, split: Splits) -> str:
        return f"{split.classes} classes"


class Writing(Classifying):
    """To say which character follows on a text; read by windows, of which an epoch sees as many as lie side by side."""

    said: ClassVar[dict[str, str]] = {"loss": "nats a character", "accuracy": ""}

    def prepared(self, split: Splits) -> Splits:
        model = self.recipe.model
        if not (architecture.is_file_spec(model) or architecture.is_text_model(model)):
            raise UsageError(
                f"{split.name} is text: {model} cannot read it. Choose rnn, lstm, gru or gpt, or give a model of your "
                "own, --model FILE.py:function, from characters (N, T) as int64 to scores (N, C, T)"
            )
        return split

    def batches(self, data: Any, model: Module) -> Iterable[Any]:
        count = max(1, len(data) // data.block_size)
        return DataLoader(data, self.recipe.batch_size, sampler=RandomSampler(data, num_samples=count))

    def judged(self, data: Any, model: Module) -> Iterable[Any]:
        return DataLoader(Subset(data, range(0, len(data), data.block_size)), 128)


class Estimating(Task):
    """To say numbers, as near as can be."""

    said: ClassVar[dict[str, str]] = {"r2": ""}

    def prepared(self, split: Splits) -> Splits:
        """Targets that are numbers as (N, D): a network's output is never (N,)."""
        _require_targets(split)
        if split.kind == "series" and architecture.is_plain(self.recipe.model):
            raise UsageError(f"{split.name} is series: choose rnn, lstm or gru, not {self.recipe.model}")
        if split.train.fetch(slice(0, 1))[1].array.dtype.kind in "iu":
            raise DataError(
                f"{split.name}: the target's whole numbers are no labels from 0 up (or more than 10,000); "
                "write them as 1.0, 2.0, ... to predict them as numbers"
            )
        parts = {name: _column(getattr(split, name)) for name in ("train", "valid", "test")}
        return dataclasses.replace(split, **parts)

    def loss(self) -> Loss:
        return self.recipe.make_loss(False)

    def metrics(self) -> list[Metric]:
        return [R2()]

    def aim(self, split: Splits) -> str:
        return "numbers to predict"


def _require_targets(split: Splits) -> None:
    if len(split.train.fetch(slice(0, 1))) != 2:
        raise DataError(f"{split.name} has inputs but no target to learn from; see --target")


def _column(data: Any) -> Any:
    if not isinstance(data, TensorDataset) or data.tensors[1].array.ndim > 1:
        return data
    x, y = data.tensors
    reshaped = x, Tensor(y.array[:, None])
    if isinstance(data, Table):
        return Table(*reshaped, columns=data.columns, target=data.target, classes=data.classes)
    return TensorDataset(*reshaped)

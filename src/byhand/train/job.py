"""`Job`: a whole training run as the command line does it: data, model, recipe, folder, result.

Called by `byhand train` and `byhand evaluate`. Everything a job decides stands in the run's `config.json`, so that
`Job.load(path).train()` goes on with it.
"""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from byhand.core.errors import DataError, UsageError
from byhand.core.generator import default_generator
from byhand.core.threads import limit_blas_threads
from byhand.data.dataset import Subset, TensorDataset
from byhand.data.datasets import Splits, Table, TextDataset, load
from byhand.data.loader import DataLoader
from byhand.data.sampler import RandomSampler
from byhand.interop.file import write_atomically
from byhand.nn.module import Module
from byhand.tensor import Tensor
from byhand.train import architecture, model_file
from byhand.train.callbacks import BestWeights, Callback, EarlyStopping
from byhand.train.fit import fit
from byhand.train.metrics import R2, Accuracy, ConfusionMatrix, MacroF1, Metric, named
from byhand.train.recipe import Recipe
from byhand.train.run import CONFIG, Run, library_version
from byhand.train.step import resolved
from byhand.train.training import evaluate

RESULT = "result.json"
_PLANNED = ("cosine", "onecycle")  # schedules that are laid out for a number of epochs


@dataclass
class Job:
    """A run to be trained, or trained already: its folder and what `config.json` says."""

    run: Run
    recipe: Recipe
    loaded: Splits | None = None

    @classmethod
    def new(cls, path: Path, dataset: str, recipe: Recipe, target: str | None = None) -> Job:
        """Load the data and build the model once, to find every mistake before a folder is made.

        Raises UsageError if `path` holds a run, and whatever is wrong with data, model or recipe.
        """
        if (path / CONFIG).exists():
            raise UsageError(f"{path} already holds a run; go on with: byhand train --resume {path}, or choose another")
        split = _load(dataset, recipe, target)
        if recipe.standardize is None:
            standardize = split.kind == "table" and not architecture.is_file_spec(recipe.model)
            recipe = dataclasses.replace(recipe, standardize=standardize)
        file = Path(dataset)
        data: dict[str, Any] = {"name": dataset, "target": target}
        if file.is_file():
            data = {"file": _relative(file, path), "sha256": model_file.digest(file), "target": target}
        if isinstance(split.train, Table):
            data |= {"columns": list(split.train.columns), "target_name": split.train.target}
        config = {"byhand": library_version(), "data": data, "model": _model_config(split, recipe, path)}
        config["compile"] = resolved(recipe.dialect or True)
        job = cls(Run(path, config), recipe, loaded=split)
        recipe.make_scheduling(recipe.make_optimizer(job.build()), 1)
        recipe.make_loss(job.classification)
        job.run = Run.open(path, job._config_with_recipe())
        if "file" in config["model"]:
            job.run.keep_model_file(model_file.split_file_spec(recipe.model)[0])
        return job

    @classmethod
    def load(cls, path: Path, epochs: int | None = None) -> Job:
        """The job of a run folder, with another number of `epochs` if given.

        Raises DataError if the folder is none of a job, UsageError if its schedule was laid out for its epochs.
        """
        run = Run.load(path)
        try:
            recipe = Recipe(**run.config["recipe"])
        except (KeyError, TypeError):
            raise DataError(f"{path} was not made by byhand train, which alone can go on with it from here") from None
        job = cls(run, recipe)
        if epochs is not None and epochs != recipe.epochs:
            if recipe.schedule in _PLANNED:
                raise UsageError(
                    f"the schedule {recipe.schedule} was laid out for {recipe.epochs} epochs; "
                    "for another number of epochs begin a new run"
                )
            job.recipe = dataclasses.replace(recipe, epochs=epochs)
            job.run = Run(path, job._config_with_recipe())
            write_atomically(path / CONFIG, (json.dumps(job.run.config, indent=2) + "\n").encode())
        return job

    def _config_with_recipe(self) -> dict[str, Any]:
        return self.run.config | {"recipe": dataclasses.asdict(self.recipe)}

    @property
    def split(self) -> Splits:
        """The data of the job, cut as it was at the first time."""
        if self.loaded is None:
            data = self.run.config["data"]
            name = data["name"] if "name" in data else os.path.relpath(self.run.path / data["file"])
            if "sha256" in data and Path(name).is_file() and model_file.digest(Path(name)) != data["sha256"]:
                raise DataError(f"{name} is no longer the file this run was trained on: its checksum has changed")
            self.loaded = _load(name, self.recipe, data["target"])
        return self.loaded

    def build(self) -> Module:
        """The model before training; the same one each time, by the recipe's seed."""
        default_generator.manual_seed(self.recipe.seed)
        if not self.run.config["model"].get("standardize"):
            return self.run.build()
        x, y = (tensor.array for tensor in self.split.train.fetch(slice(None)))
        return self.run.build((x, y))

    @property
    def classes(self) -> list[str]:
        """The names of the classes; empty if the targets are numbers."""
        return list(self.run.config["model"]["classes"])

    @property
    def classification(self) -> bool:
        """Whether the targets are classes."""
        return bool(self.classes)

    def train(self, *, progress: bool = True, save_every_seconds: float | None = 30.0) -> dict[str, Any]:
        """Train to the end, or go on to it; returns and keeps the result on the test data."""
        recipe, split = self.recipe, self.split
        limit_blas_threads(recipe.threads)
        model = self.build()
        optimizer = recipe.make_optimizer(model)
        loader = DataLoader(split.train, recipe.batch_size, sampler=self._sampler())
        callbacks: list[Callback] = []
        if split.valid is not None:
            callbacks.append(BestWeights())
            if recipe.patience is not None:
                callbacks.append(EarlyStopping(recipe.patience))
        with self.run.blamed():
            fit(
                model,
                loader,
                None if split.valid is None else _judged(split.valid),
                recipe.make_loss(self.classification),
                optimizer,
                epochs=recipe.epochs,
                metrics=self.metrics(),
                scheduler=recipe.make_scheduling(optimizer, len(loader)),
                clip_norm=recipe.clip_norm,
                callbacks=callbacks,
                out=self.run.path,
                resume=True,
                save_every_seconds=save_every_seconds,
                compile=recipe.dialect or True,
                config=self.run.config,
                progress=progress,
            )
        result: dict[str, Any] = {"samples": {name: len(part) for name, part in self.parts.items()}}
        if "test" in self.parts:
            result["test"] = self.evaluate(self.parts["test"], model)
        write_atomically(self.run.path / RESULT, (json.dumps(result, indent=2) + "\n").encode())
        return result

    def _sampler(self) -> RandomSampler:
        """All samples in random order; of a text, whose windows overlap, as many windows as lie side by side."""
        train = self.split.train
        count = max(1, len(train) // train.block_size) if isinstance(train, TextDataset) else None
        return RandomSampler(train, num_samples=count)

    def metrics(self) -> dict[str, Metric]:
        """What is measured in each epoch."""
        return named([Accuracy() if self.classification else R2()])

    @property
    def parts(self) -> dict[str, Any]:
        """The parts of the data that are there, by name: train, valid, test."""
        parts = {"train": self.split.train, "valid": self.split.valid, "test": self.split.test}
        return {name: part for name, part in parts.items() if part is not None and len(part)}

    def part(self, name: str) -> Any:
        """One part of the data. Raises UsageError if there is none of that name."""
        if name not in self.parts:
            raise UsageError(f"the run has no part {name!r} of its data; there is {', '.join(self.parts)}")
        return self.parts[name]

    def other(self, dataset: str) -> Any:
        """Another dataset, whole, for the trained model. Raises DataError if its samples have another shape."""
        split = load(dataset, valid=0.0, test=0.0, **_target_option(self.run.config["data"]["target"]))
        if split.shape != tuple(self.run.config["model"]["input_shape"]):
            raise DataError(f"{dataset} has inputs of {split.shape}, the run takes {self.split.shape}")
        return _column(split.train) if not self.classes else split.train

    def evaluate(self, data: Any, model: Module | None = None) -> dict[str, Any]:
        """Loss, accuracy, macro F1 and the confusion matrix (or R²) of the trained model on `data`."""
        limit_blas_threads(self.recipe.threads)
        metrics = self.metrics()
        if self.classification:
            metrics |= named([MacroF1(), ConfusionMatrix(self.run.config["model"]["outputs"])])
        loss = self.recipe.make_loss(self.classification)
        found = evaluate(model or self.run.model(), _judged(data), loss, metrics)
        return {name: value.tolist() if hasattr(value, "tolist") else value for name, value in found.items()}


def _judged(data: Any) -> DataLoader[Any]:
    """The samples in the batches that a network is judged by; of a text, windows that do not overlap."""
    if isinstance(data, TextDataset):
        return DataLoader(Subset(data, range(0, len(data), data.block_size)), 128)
    return DataLoader(data, 1024)


def _target_option(target: str | None) -> dict[str, Any]:
    if target is None:
        return {}
    return {"target": int(target) if target.lstrip("-").isdigit() else target}


def _load(dataset: str, recipe: Recipe, target: str | None) -> Splits:
    """The dataset in its three parts. Raises UsageError or DataError for what cannot be trained on."""
    split = load(dataset, valid=recipe.valid_fraction, test=recipe.test_fraction, **_target_option(target))
    if split.kind == "text" and not (
        architecture.is_file_spec(recipe.model) or architecture.is_text_model(recipe.model)
    ):
        raise UsageError(
            f"{dataset} is text: {recipe.model} cannot read it. Choose rnn, lstm, gru or gpt, or give a model of your "
            "own, --model FILE.py:function, from characters (N, T) as int64 to scores (N, C, T)"
        )
    if len(split.train.fetch(slice(0, 1))) != 2:
        raise DataError(f"{dataset} has inputs but no target to learn from; see --target")
    if split.classes is None and split.train.fetch(slice(0, 1))[1].array.dtype.kind in "iu":
        raise DataError(
            f"{dataset}: the target's whole numbers are no labels from 0 up (or more than 10,000); "
            "write them as 1.0, 2.0, ... to predict them as numbers"
        )
    return split if split.classes is not None else _with_columns(split)


def _with_columns(split: Splits) -> Splits:
    """Targets that are numbers as (N, D): a network's output is never (N,)."""
    parts = {name: _column(getattr(split, name)) for name in ("train", "valid", "test")}
    return dataclasses.replace(split, **parts)


def _column(data: Any) -> Any:
    if not isinstance(data, TensorDataset) or data.tensors[1].array.ndim > 1:
        return data
    x, y = data.tensors
    reshaped = x, Tensor(y.array[:, None])
    if isinstance(data, Table):
        return Table(*reshaped, columns=data.columns, target=data.target, classes=data.classes)
    return TensorDataset(*reshaped)


def _outputs(split: Splits) -> int:
    if split.classes is not None:
        return split.classes
    return int(np.prod(split.train.fetch(slice(0, 1))[1].array.shape[1:]))


def _model_config(split: Splits, recipe: Recipe, path: Path) -> dict[str, Any]:
    config: dict[str, Any] = {
        "spec": recipe.model,
        "kind": split.kind,
        "input_shape": list(split.shape),
        "outputs": _outputs(split),
        "classes": list(split.class_names),
    }
    if architecture.is_file_spec(recipe.model):
        file, function = model_file.split_file_spec(recipe.model)
        del config["spec"]
        return config | {"file": _relative(file, path), "function": function, "sha256": model_file.digest(file)}
    options = {"activation": recipe.activation, "dropout": recipe.dropout, "init": recipe.init}
    return config | options | {"standardize": bool(recipe.standardize)}


def _relative(file: Path, folder: Path) -> str:
    """`file` as seen from `folder`, so that both can move together and no path of this machine is kept."""
    return Path(os.path.relpath(file.resolve(), folder.resolve())).as_posix()

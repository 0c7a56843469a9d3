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
from byhand.data.datasets import Splits, Table, load
from byhand.interop.file import write_atomically
from byhand.nn.module import Module
from byhand.train import architecture, model_file
from byhand.train.callbacks import BestWeights, Callback, EarlyStopping
from byhand.train.fit import fit
from byhand.train.metrics import named
from byhand.train.recipe import PLANNED, Recipe
from byhand.train.run import CONFIG, Run, library_version
from byhand.train.step import resolved
from byhand.train.tasks import Task, task_for
from byhand.train.training import evaluate

RESULT = "result.json"


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
        split, task = _load(dataset, recipe, target)
        if recipe.standardize is None:
            standardize = split.kind == "table" and architecture.is_plain(recipe.model)
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
        task.loss()
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
            if recipe.schedule in PLANNED:
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
            self.loaded, _ = _load(name, self.recipe, data["target"])
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
    def task(self) -> Task:
        """What the network is trained for."""
        model = self.run.config["model"]
        return task_for(self.recipe, model["kind"], bool(model["classes"]))

    def train(self, *, progress: bool = True, save_every_seconds: float | None = 30.0) -> dict[str, Any]:
        """Train to the end, or go on to it; returns and keeps the result on the test data."""
        recipe, split, task = self.recipe, self.split, self.task
        limit_blas_threads(recipe.threads)
        model = self.build()
        optimizer = recipe.make_optimizer(model)
        loader = task.batches(split.train, model)
        callbacks: list[Callback] = []
        if split.valid is not None and task.judged_by_loss:
            callbacks.append(BestWeights())
            if recipe.patience is not None:
                callbacks.append(EarlyStopping(recipe.patience))
        with self.run.blamed():
            fit(
                model,
                loader,
                None if split.valid is None else task.judged(split.valid, model),
                task.loss(),
                optimizer,
                epochs=recipe.epochs,
                metrics=task.metrics(),
                scheduler=recipe.make_scheduling(optimizer, len(loader)),  # type: ignore[arg-type]  # both kinds have it
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
        return self.task.prepared(split).train

    def evaluate(self, data: Any, model: Module | None = None) -> dict[str, Any]:
        """The loss and the measures of the task (accuracy, macro F1, confusion matrix, R², …) on `data`.

        What a network draws to be measured, a code or an action, it draws by the recipe's seed.
        """
        limit_blas_threads(self.recipe.threads)
        task, model = self.task, model or self.run.model()
        metrics = named([*task.metrics(), *task.details(self.run.config["model"]["outputs"])])
        default_generator.manual_seed(self.recipe.seed)
        found = evaluate(model, task.judged(data, model), task.loss(), metrics)
        return {name: value.tolist() if hasattr(value, "tolist") else value for name, value in found.items()}


def _target_option(target: str | None) -> dict[str, Any]:
    if target is None:
        return {}
    return {"target": int(target) if target.lstrip("-").isdigit() else target}


def _load(dataset: str, recipe: Recipe, target: str | None) -> tuple[Splits, Task]:
    """The dataset in its three parts, in the form that its task learns from; and that task."""
    split = load(dataset, valid=recipe.valid_fraction, test=recipe.test_fraction, **_target_option(target))
    task = task_for(recipe, split.kind, split.classes is not None)
    return task.prepared(split), task


def _outputs(split: Splits) -> int:
    if split.classes is not None:
        return split.classes
    shape = split.train.fetch(slice(0, 1))[1].array.shape
    return int(shape[-1] if split.kind == "series" else np.prod(shape[1:]))


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

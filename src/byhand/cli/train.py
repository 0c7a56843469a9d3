"""`byhand train`: from a dataset and a recipe to a trained network, its test accuracy, and a folder worth keeping."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from byhand.cli import options
from byhand.cli.guard import guarded

if TYPE_CHECKING:
    from byhand.train.job import Job

_NOT_RECIPE = {"names", "target", "out", "resume", "save_every", "quiet", "debug"}


def train(
    names: options.Trained = None,
    model: options.Model = None,
    activation: options.Activation = None,
    dropout: options.Dropout = None,
    init: options.Init = None,
    standardize: options.Standardize = None,
    epochs: options.Epochs = None,
    batch_size: options.BatchSize = None,
    optimizer: options.Optimizer = None,
    lr: options.LearningRate = None,
    momentum: options.Momentum = None,
    weight_decay: options.WeightDecay = None,
    schedule: options.Schedule = None,
    loss: options.Loss = None,
    label_smoothing: options.LabelSmoothing = None,
    clip_norm: options.ClipNorm = None,
    patience: options.Patience = None,
    seed: options.Seed = None,
    threads: options.Threads = None,
    dialect: options.TrainDialect = None,
    valid_fraction: options.ValidFraction = None,
    test_fraction: options.TestFraction = None,
    target: options.Target = None,
    out: options.Out = None,
    resume: options.Resume = None,
    save_every: options.SaveEvery = 30.0,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Train a network; alone, on real handwritten digits.

    The run's folder keeps the weights, the curves and all that is needed to go on after an interruption.
    """
    given = {name: value for name, value in locals().items() if name not in _NOT_RECIPE and value is not None}
    with guarded(debug):
        if resume is None:
            job = _begin(names or [], given, target, out)
        else:
            others = given | {"dataset": names or None, "target": target, "out": out}
            job = _go_on(resume, {name: value for name, value in others.items() if value is not None})
    with guarded(debug, interrupted=f"saved; go on with: byhand train --resume {job.run.path}"):
        if not quiet:
            typer.echo("\n".join(announcement(job)))
        result = job.train(progress=not quiet, save_every_seconds=save_every)
        if not quiet:
            typer.echo(f"kept in {job.run.path}")
        if "test" in result:
            typer.echo("\n".join(job.task.report(result["test"])))


def _begin(names: list[str], given: dict[str, Any], target: str | None, out: Path | None) -> Job:
    from byhand.core.errors import UsageError
    from byhand.train.architecture import is_file_spec, model_and_dataset
    from byhand.train.job import Job
    from byhand.train.recipe import recipe_for

    model, dataset = model_and_dataset(names)
    if model is not None and "model" in given:
        raise UsageError(f"two models are given: {model} and --model {given['model']}; leave one out")
    given |= {} if model is None else {"model": model}
    recipe = recipe_for(dataset, given.get("model"))
    if "optimizer" in given and given["optimizer"] != recipe.optimizer:
        recipe = recipe.without_optimizer()  # a learning rate that is right for one optimiser is wrong for another
    if "model" in given:
        own = [name for name in ("activation", "dropout", "init", "standardize") if name in given]
        if own and is_file_spec(given["model"]):
            raise UsageError(f"a model of your own decides itself about {', '.join(own)}; leave the option out")
    return Job.new(out or free_folder(dataset), dataset, recipe.replace(**given), target)


def _go_on(path: Path, given: dict[str, Any]) -> Job:
    from byhand.core.errors import UsageError
    from byhand.train.job import Job

    if others := [f"--{name.replace('_', '-')}" for name in given if name != "epochs"]:
        raise UsageError(f"--resume goes on with the run as it was begun; it does not take {', '.join(others)}")
    return Job.load(path, given.get("epochs"))


def free_folder(dataset: str) -> Path:
    """The first of runs/NAME-1, runs/NAME-2, ... that is not there yet."""
    name = Path(dataset).stem
    number = 1
    while (path := Path("runs") / f"{name}-{number}").exists():
        number += 1
    return path


def announcement(job: Job) -> list[str]:
    """What is about to be done, in a few lines."""
    recipe, split = job.recipe, job.split
    model = job.build()
    count = sum(p.numel() for p in model.parameters())
    shape = "×".join(map(str, split.shape))
    parts = ", ".join(f"{len(part):,} {name}" for name, part in job.parts.items())
    lr = job.recipe.make_optimizer(model).param_groups[0]["lr"]
    how = [f"{recipe.optimizer}, lr {lr:g}", f"batch {recipe.batch_size}", f"{recipe.epochs} epochs"]
    how += [recipe.schedule] if recipe.schedule != "constant" else []
    extras = {name: getattr(recipe, name) for name in ("dropout", "label_smoothing", "weight_decay", "clip_norm")}
    how += [f"{name.replace('_', ' ')} {value:g}" for name, value in extras.items() if value]
    return [
        f"data   {split.name}: {shape}, {job.task.aim(split)}; {parts}",
        f"model  {recipe.model}: {count:,} parameters",
        f"how    {', '.join(how)}, seed {recipe.seed}",
    ]

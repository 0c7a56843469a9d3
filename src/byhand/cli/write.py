"""`byhand write MODEL`: a network and its training written out, as a NumPy file that stands alone."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from byhand.cli import options
from byhand.cli.guard import guarded

if TYPE_CHECKING:
    from byhand.data.datasets import Splits
    from byhand.train.recipe import Recipe

_NOT_RECIPE = {"dataset", "target", "explain", "dialect", "out", "debug"}
_LOSSES = {"cross_entropy": "its cross-entropy", "hinge": "the hinge loss", "mse": "the mean squared error"}
_DIALECTS = ("longhand", "planned", "loops")

# for each dataset its loader, with arguments; the shape of a sample; the number of classes
_NAMED: dict[str, tuple[str, tuple[Any, ...], tuple[int, ...], int]] = {
    "digits": ("load_digits", (), (1, 8, 8), 10),
    "mnist": ("load_idx", ("mnist",), (1, 28, 28), 10),
    "fashion_mnist": ("load_idx", ("fashion_mnist",), (1, 28, 28), 10),
    "cifar10": ("load_cifar10", (), (3, 32, 32), 10),
    "planar_flower": ("load_planar_flower", (), (2,), 2),
    "spirals": ("load_spirals", (), (2,), 3),
    "moons": ("load_moons", (), (2,), 2),
    "circles": ("load_circles", (), (2,), 2),
    "gaussian_quantiles": ("load_gaussian_quantiles", (), (2,), 2),
}


def write(
    model: options.WrittenModel,
    dataset: options.TrainDataset = None,
    explain: options.Explain = False,
    dialect: options.WrittenDialect = "longhand",
    out: options.OutFile = None,
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
    loss: options.Loss = None,
    label_smoothing: options.LabelSmoothing = None,
    seed: options.Seed = None,
    target: options.Target = None,
    debug: options.Debug = False,
) -> None:
    """Write a network and its training out by hand: forward, backward and update, formula by formula.

    The file needs NumPy alone: byhand write mlp:30 mnist > net.py && python net.py. The optimiser is plain SGD, which
    reads best, unless --optimizer says more.
    """
    given = {name: value for name, value in locals().items() if name not in _NOT_RECIPE and value is not None}
    with guarded(debug):
        from byhand.core.errors import UsageError
        from byhand.program.longhand import show

        if dialect not in _DIALECTS:
            raise UsageError(f"--dialect is one of {', '.join(_DIALECTS)}, not {dialect!r}")
        if explain and dialect != "longhand":
            raise UsageError("--explain goes with the dialect longhand, whose lines are formulas")
        job = _Job.begin(dataset or "digits", given, target)
        code = job.file(explain) if dialect == "longhand" else job.source(dialect)
        if out is None:
            show(code)
        else:
            out.write_text(code, "utf-8")
            typer.echo(f"written to {out}")


@dataclass(frozen=True)
class _Job:
    """What is to be written."""

    recipe: Recipe
    dataset: str
    loader: tuple[str, tuple[Any, ...]]
    shape: tuple[int, ...]
    outputs: int
    kind: str
    classification: bool
    given: Mapping[str, Any]

    @classmethod
    def begin(cls, dataset: str, given: dict[str, Any], target: str | None) -> _Job:
        """The recipe of the dataset with plain SGD in the place of its own optimiser, and with what is given."""
        from byhand.core.errors import UsageError
        from byhand.train import architecture
        from byhand.train.recipe import recipe_for

        plain: dict[str, Any] = {"optimizer": "sgd", "schedule": "constant", "dropout": 0.0, "label_smoothing": 0.0}
        recipe = dataclasses.replace(recipe_for(dataset).without_optimizer(), **plain).replace(**given)
        if not architecture.is_plain(recipe.model) and not architecture.is_file_spec(recipe.model):
            raise UsageError(
                f"{recipe.model} cannot be written out as a whole file; in Python, `step.source` of a compiled step is "
                "its training step written out"
            )
        loader, shape, outputs, kind, classification = _facts(dataset, recipe, target)
        own = architecture.is_file_spec(recipe.model)
        if not own:
            shape = (math.prod(shape),)
        if kind != "table" and loader[0] in ("load_idx", "load_cifar10", "load_digits"):
            loader = loader[0], (*loader[1], shape)
        if recipe.standardize is None:
            recipe = dataclasses.replace(recipe, standardize=kind == "table" and not own)
        return cls(recipe, dataset, loader, shape, outputs, kind, classification, given)

    def model(self) -> Any:
        """The network, before training."""
        import numpy as np

        from byhand.core.generator import default_generator
        from byhand.train import architecture, model_file

        recipe = self.recipe
        default_generator.manual_seed(recipe.seed)
        if architecture.is_file_spec(recipe.model):
            path, function = model_file.split_file_spec(recipe.model)
            return model_file.from_file(path, function, self.shape, self.outputs)
        chosen: dict[str, Any] = {name: getattr(recipe, name) for name in ("activation", "dropout", "init")}
        if recipe.standardize:
            like = self.shape if self.kind in ("table", "points") else ()
            chosen["standardize"] = architecture.Standardize(np.zeros(like), np.ones(like))
            if not self.classification:
                size = (self.outputs,)
                chosen["destandardize"] = architecture.Destandardize(np.zeros(size), np.ones(size))
        return architecture.build(recipe.model, self.shape, self.outputs, **chosen)

    def batch(self, size: int) -> tuple[Any, Any]:
        """Samples and targets of the right shape, to capture a step with."""
        from byhand.creation import rand, randint, randn

        x = rand(size, *self.shape)
        return x, randint(0, self.outputs, (size,)) if self.classification else randn(size, self.outputs)

    def programs(self, sizes: tuple[int, ...], model: Any, optimizer: Any) -> tuple[list[Any], list[Any]]:
        """The programs of a step and of a prediction, for batches of these sizes."""
        from byhand.program import compile

        # partial functions: what is captured finds the model among their arguments
        measure = self.recipe.make_loss(self.classification)
        compiled = compile(functools.partial(_learn, model, measure, optimizer), dialect="longhand")
        compiled_prediction = compile(functools.partial(_predict, model), dialect="longhand")
        steps, predictions = [], []
        for size in sizes:
            compiled(*self.batch(size))
            steps.append(compiled.program)
        model.eval()
        for size in sizes:
            compiled_prediction(self.batch(size)[0])
            predictions.append(compiled_prediction.program)
        return steps, predictions

    def source(self, dialect: str) -> str:
        """The step in one of the dialects that run."""
        from importlib.util import find_spec

        from byhand.core.errors import UsageError
        from byhand.program.dialects import executable

        if dialect == "loops" and find_spec("llvmlite") is None:
            raise UsageError("the dialect loops needs llvmlite: pip install 'byhand[fast]'")
        model = self.model()
        (program,), _ = self.programs((self.recipe.batch_size,), model, self.recipe.make_optimizer(model))
        return executable(program, dialect).source

    def file(self, explain: bool) -> str:
        """The file in longhand."""
        from byhand.program.longhand.initial import initial_values, kept
        from byhand.program.longhand.rules import explained
        from byhand.program.longhand.script import Plan, script

        recipe, model = self.recipe, self.model()
        optimizer = recipe.make_optimizer(model)
        initial = initial_values(model, recipe.init)
        group = optimizer.param_groups[0]
        numbers = kept(group) | kept(optimizer.initial_state(group["params"][0], group))
        size = recipe.batch_size
        plan = Plan(
            prose=self.prose(model, explain),
            load=self.loader,
            initial=initial,
            numbers=numbers,
            sizes=(size, 3 * size),
            epochs=recipe.epochs,
            seed=recipe.seed,
            classification=self.classification,
        )
        steps, predictions = self.programs(plan.sizes, model, optimizer)
        return script(steps, predictions, plan, explained if explain else None)

    def prose(self, model: Any, explain: bool) -> list[str]:
        """What the file says of itself."""
        from byhand.train.architecture import is_file_spec

        recipe = self.recipe
        sizes = [layer.in_features for layer in model.modules() if hasattr(layer, "in_features")]
        what = f"A {'-'.join(map(str, [*sizes, self.outputs]))} network"
        if is_file_spec(recipe.model):
            what = f"The network of {recipe.model}"
        elif recipe.model.startswith("mlp"):
            what += f" with {recipe.activation}"
        loss = _LOSSES[recipe.loss or ("cross_entropy" if self.classification else "mse")]
        words = [f"--{key.replace('_', '-')} {value}" for key, value in self.given.items() if key != "model"]
        words += ["--explain"] if explain else []
        written = " ".join(["byhand write", recipe.model, self.dataset, *words])
        return [
            f"{what}, trained on {self.dataset} by {recipe.optimizer} on {loss}.",
            f"Written out by: {written}\nIt needs NumPy and nothing else.",
        ]


def _learn(model: Any, measure: Any, optimizer: Any, x: Any, y: Any) -> Any:
    """A training step."""
    optimizer.zero_grad()
    loss = measure(model(x), y)
    loss.backward()
    optimizer.step()
    return loss


def _predict(model: Any, x: Any) -> Any:
    """What the model says."""
    from byhand.core.tape import no_grad

    with no_grad():
        return model(x)


def _facts(
    dataset: str, recipe: Recipe, target: str | None
) -> tuple[tuple[str, tuple[Any, ...]], tuple[int, ...], int, str, bool]:
    """The loader of a dataset, the shape of its samples, the outputs of a network for it, its kind, whether classes."""
    from byhand.core.errors import UsageError
    from byhand.data.datasets import load

    if dataset in _NAMED:
        function, arguments, shape, classes = _NAMED[dataset]
        return (function, arguments), shape, classes, "images" if len(shape) > 1 else "points", True
    chosen: dict[str, Any] = (
        {} if target is None else {"target": int(target) if target.lstrip("-").isdigit() else target}
    )
    split = load(dataset, valid=0.0, **chosen)
    if split.kind != "table" or not dataset.endswith((".csv", ".tsv")):
        raise UsageError(f"{dataset} cannot be written out; take a CSV file, or one of {', '.join(_NAMED)}")
    outputs = split.classes or math.prod(split.train.fetch(slice(0, 1))[1].array.shape[1:]) or 1
    return _table(dataset, split, chosen.get("target", -1)), split.shape, outputs, "table", split.classes is not None


def _table(file: str, split: Splits, target: Any) -> tuple[str, tuple[Any, ...]]:
    """How a CSV file is read: its delimiter, whether it has a header, where the target is and of what kind."""
    from byhand.core.errors import UsageError
    from byhand.data.datasets import Table

    assert isinstance(split.train, Table)
    columns, title = split.train.columns, split.train.target
    first = Path(file).read_text("utf-8-sig").splitlines()[0]
    delimiter = next((d for d in ",;\t" if len(first.split(d)) == len(columns) + 1), None)
    if delimiter is None:
        raise UsageError(f"{file}: its columns are not parted by one of , ; and tab, which is all that is written out")
    cells = [cell.strip().strip('"') for cell in first.split(delimiter)]
    place = target if isinstance(target, int) else cells.index(target)
    others = [cell for i, cell in enumerate(cells) if i != place % len(cells)]
    header = cells[place] == title and others == list(columns)
    words = split.class_names and not all(name.isdigit() for name in split.class_names)
    kind = "words" if words else "labels" if split.classes else "numbers"
    return "load_csv", (file, delimiter, header, place, kind)

"""`Run`: the folder in which a training run lives, and the model back from it.

Made by `fit(..., out=FOLDER)` and `byhand train`; read by `byhand evaluate` and `byhand predict`. It holds

    config.json         what was asked for: data, split, model, recipe
    history.jsonl       one record an epoch
    checkpoint.json     with its tensors, to go on from; see `checkpoint`
    model.safetensors   the final weights (the best epoch's, where that was asked for)
    model.py            a copy of the user's model file, if the model came from one
    plot.png            the curves, if matplotlib is there
"""

from __future__ import annotations

import contextlib
import json
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from byhand.core.errors import CheckpointError, DataError, UsageError
from byhand.core.tape import no_grad
from byhand.core.variable import Array
from byhand.interop.file import write_atomically
from byhand.interop.named_tensors import pack_tensors, unpack_tensors
from byhand.tensor import Tensor
from byhand.train import architecture, checkpoint, model_file
from byhand.train.history import History
from byhand.train.metrics import Metric
from byhand.train.training import Loss, evaluate

if TYPE_CHECKING:
    from byhand.nn.module import Module

CONFIG, WEIGHTS, HISTORY, PLOT, MODEL_FILE = "config.json", "model.safetensors", "history.jsonl", "plot.png", "model.py"


def library_version() -> str:
    """The version of byhand that is running, "unknown" where it is not installed but only on the path."""
    try:
        return metadata.version("byhand")
    except metadata.PackageNotFoundError:
        return "unknown"


@dataclass(frozen=True)
class Run:
    """A run folder and its configuration."""

    path: Path
    config: dict[str, Any]

    @classmethod
    def open(cls, path: str | os.PathLike[str], config: Mapping[str, Any], *, resume: bool = False) -> Run:
        """Make the folder of a new run, or with `resume` go on in an old one, whose configuration then stays.

        Raises UsageError if there is a run already and `resume` is False, CheckpointError if it cannot be written.
        """
        path = Path(path)
        if (path / CONFIG).exists() or checkpoint.exists(path):
            if not resume:
                raise UsageError(
                    f"{path} already holds a run: go on with resume=True (byhand train --resume {path}), "
                    "or choose another folder"
                )
            if (path / CONFIG).exists():
                return cls.load(path)
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CheckpointError(f"could not make the folder {path}: {error.strerror}") from error
        write_atomically(path / CONFIG, (json.dumps(dict(config), indent=2) + "\n").encode())
        return cls(path, dict(config))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Run:
        """Open a run folder. Raises DataError if `path` is none."""
        path = Path(path)
        if not path.exists():
            raise DataError(f"there is no run {path}")
        try:
            config = json.loads((path / CONFIG).read_text("utf-8"))
        except FileNotFoundError:
            raise DataError(f"{path} is not the folder of a run: it has no {CONFIG}") from None
        except (OSError, ValueError) as error:
            raise DataError(f"{path / CONFIG} cannot be read: {error}") from error
        if not isinstance(config, dict):
            raise DataError(f"{path / CONFIG} is not the configuration of a run")
        return cls(path, config)

    @property
    def history(self) -> History:
        """The records of the epochs so far."""
        return History.load(self.path / HISTORY)

    @property
    def is_finished(self) -> bool:
        """Whether training came to its end."""
        return (self.path / WEIGHTS).exists()

    @property
    def spec(self) -> dict[str, Any]:
        """What is known of the model. Raises UsageError if the run was made from Python with a model of its own."""
        spec = self.config.get("model")
        if not isinstance(spec, dict):
            raise UsageError(
                f"{self.path} was trained from Python and does not know how to build its model; "
                "build it yourself: Run.load(PATH).model(YourNet())"
            )
        return spec

    @property
    def classes(self) -> list[str]:
        """The names of the classes; empty if the targets are numbers."""
        return list(self.spec["classes"])

    def finish(self, model: Module, history: History) -> None:
        """Write the final weights, and the plot if matplotlib is installed."""
        tensors = {name: x.array for name, x in model.state_dict().items()}
        write_atomically(self.path / WEIGHTS, pack_tensors(tensors, {"format": "pt", "library": "byhand"}))
        if len(history):
            # a picture is a bonus: a run must not fail at its last step for want of a library or a font
            with contextlib.suppress(Exception), warnings.catch_warnings(action="ignore"):
                history.plot(self.path / PLOT)

    def weights(self) -> dict[str, Array]:
        """The final weights, or the last checkpoint's if the run is not finished. Raises CheckpointError if damaged."""
        path = self.path / WEIGHTS
        if not path.exists():
            state = checkpoint.load(self.path)["model"]
            return {name: x.array if isinstance(x, Tensor) else np.asarray(x) for name, x in state.items()}
        try:
            return unpack_tensors(path.read_bytes())
        except Exception as error:  # safetensors' own error, or the disk's
            raise CheckpointError(f"{path} is damaged or not a safetensors file: {error}") from error

    def keep_model_file(self, file: Path) -> None:
        """Copy a user's model file into the run, so that the weights can be used when the file has changed."""
        write_atomically(self.path / MODEL_FILE, file.read_bytes())

    def build(self, example: tuple[Array, Array] | None = None) -> Module:
        """The model with new weights. `example` is the training data (x, y), for a model that standardizes by it.

        Raises UsageError if the run was made from Python with a model of its own.
        """
        spec = self.spec
        shape, outputs = spec["input_shape"], spec["outputs"]
        if "file" in spec:
            file, function = self._model_file(spec)
            home = self._original(spec).parent
            return model_file.from_file(file, function, shape, outputs, home=home)
        options: dict[str, Any] = {name: spec[name] for name in ("activation", "dropout", "init") if name in spec}
        if spec.get("standardize"):
            first, last = architecture.Standardize, architecture.Destandardize
            options["standardize"] = first.blank(shape) if example is None else first.like(example[0])
            if not spec["classes"]:
                options["destandardize"] = last.blank([outputs]) if example is None else last.like(example[1])
        return architecture.build(spec["spec"], shape, outputs, **options)

    def _original(self, spec: Mapping[str, Any]) -> Path:
        # relpath also folds the "..": through a run folder that is yet to be made they would lead nowhere
        return Path(os.path.relpath(self.path / spec["file"]))

    def _model_file(self, spec: Mapping[str, Any]) -> tuple[Path, str]:
        """The user's model file if it is still what it was, else the copy of it in the run."""
        original, kept = self._original(spec), self.path / MODEL_FILE
        if original.is_file() and model_file.digest(original) == spec["sha256"]:
            return original, spec["function"]
        if kept.is_file():
            what = "has changed since the training" if original.is_file() else "is gone"
            warnings.warn(f"{original} {what}; using the copy of it, {kept}", stacklevel=2)
            return kept, spec["function"]
        raise DataError(f"the model file {original} is missing, and so is its copy {kept}")

    @contextlib.contextmanager
    def blamed(self) -> Iterator[None]:
        """Add the line of the user's model file to an error that came through it."""
        try:
            yield
        except Exception as error:
            spec = self.config.get("model")
            if isinstance(spec, dict) and "file" in spec:
                line = model_file.own_line(error, self._model_file(spec)[0])
                if line is not None:
                    error.add_note(f"in {line}")
            raise

    def model(self, model: Module | None = None) -> Module:
        """The trained model in eval mode; `model` is one to load the weights into, if the run cannot build its own."""
        weights = self.weights()
        model = self.build() if model is None else model
        saved = checkpoint.fingerprint(weights)
        checkpoint.check_fingerprint(saved, checkpoint.fingerprint(model.state_dict()), str(self.path))
        model.load_state_dict({name: Tensor(array) for name, array in weights.items()})
        return model.eval()

    def evaluate(self, data: Iterable[Any], loss: Loss | None = None, metrics: Any = None) -> dict[str, Any]:
        """Loss and metrics of the trained model over batches (x, y). See `byhand.train.evaluate`."""
        found: Mapping[str, Metric] | None = metrics
        return evaluate(self.model(), data, loss, found)

    def predict(self, x: Array | Tensor, batch_size: int = 256) -> Array:
        """The outputs of the trained model for `x` (N, ...): (N, C) scores, in eval mode."""
        return predict(self.model(), x, batch_size)


def predict(model: Module, x: Array | Tensor, batch_size: int = 256) -> Array:
    """The outputs of `model` for `x` (N, ...), in eval mode and in batches, as one array."""
    array = x.array if isinstance(x, Tensor) else np.asarray(x)
    if len(array) == 0:
        raise DataError("there is nothing to predict: the input holds no sample")
    training = model.training
    model.eval()
    try:
        with no_grad():
            parts = [model(Tensor(array[i : i + batch_size])) for i in range(0, len(array), batch_size)]
    finally:
        model.train(training)
    if not isinstance(parts[0], Tensor):
        raise UsageError(f"a {type(model).__name__} predicts nothing: it gives several things at once, and no scores")
    return np.concatenate([part.array for part in parts])


def softmax(scores: Array) -> Array:
    """Probabilities of the classes from scores (N, C): exp(s) / Σ exp(s), in float64."""
    z = scores.astype(np.float64)
    z = np.exp(z - z.max(1, keepdims=True))
    probabilities: Array = z / z.sum(1, keepdims=True)
    return probabilities

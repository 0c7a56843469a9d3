"""Models by a short text: `softmax`, `mlp:30`, `mlp:256,128`, or `FILE.py:function` for a network of one's own.

Called by the command line and by `Run`, which must be able to build a saved model again.
"""

from __future__ import annotations

import hashlib
import inspect
import sys
import traceback
import types
from collections import OrderedDict
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import numpy as np

from byhand import nn
from byhand.core.errors import ByhandError, UsageError
from byhand.core.variable import Array
from byhand.tensor import Tensor

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
}
INITS = ("default", "normal", "xavier", "he", "zeros")
FORMS = "linear, softmax, mlp:30, mlp:256,128 or FILE.py:function"


class Standardize(nn.Module):
    """(x - mean) / std with the statistics of the training data, kept as buffers so that they are saved with the model.

    `mean`, `std`: (D,) for tables, one a feature; () for images, one for all pixels.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Array, std: Array) -> None:
        super().__init__()
        self.register_buffer("mean", Tensor(np.asarray(mean, np.float32)))
        self.register_buffer("std", Tensor(np.asarray(std, np.float32)))

    @classmethod
    def like(cls, x: Array) -> Self:
        """The statistics of `x` (N, ...): per feature for tables (N, D), over everything for images."""
        axis = 0 if x.ndim == 2 else None
        mean, std = x.mean(axis, dtype=np.float64), x.std(axis, dtype=np.float64)
        return cls(mean, np.where(std > 0, std, 1.0))

    @classmethod
    def blank(cls, of: Sequence[int]) -> Self:
        """One to load a saved state into, for samples of the shape `of`."""
        shape = tuple(of) if len(of) == 1 else ()
        return cls(np.zeros(shape), np.ones(shape))

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.std


class Destandardize(Standardize):
    """x · std + mean: from numbers around 0, which networks give easily, to the scale of the targets."""

    def forward(self, x: Tensor) -> Tensor:
        return x * self.std + self.mean


def is_file_spec(spec: str) -> bool:
    """Whether a model's text names a function of a file."""
    return spec.partition(":")[0].endswith(".py") or spec.rpartition(":")[0].endswith(".py")


def build(
    spec: str,
    input_shape: Sequence[int],
    outputs: int,
    *,
    activation: str = "relu",
    dropout: float = 0.0,
    init: str = "default",
    standardize: Standardize | None = None,
    destandardize: Destandardize | None = None,
) -> nn.Module:
    """The model that `spec` describes, for inputs (N, *input_shape) and `outputs` scores a sample.

    Raises UsageError for a text that is none of `linear`, `softmax`, `mlp:SIZES`, or for an unknown option.
    """
    if activation not in ACTIVATIONS:
        raise UsageError(f"there is no activation {activation!r}; choose from {', '.join(ACTIVATIONS)}")
    if init not in INITS:
        raise UsageError(f"there is no init {init!r}; choose from {', '.join(INITS)}")
    sizes = [int(np.prod(input_shape)), *_hidden(spec), outputs]
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    if standardize is not None:
        layers["standardize"] = standardize
    if len(input_shape) > 1:
        layers["flatten"] = nn.Flatten()
    for i, (n, m) in enumerate(pairwise(sizes), 1):
        if i > 1:
            layers[f"{activation}{i - 1}"] = ACTIVATIONS[activation]()
            if dropout:
                layers[f"dropout{i - 1}"] = nn.Dropout(dropout)
        layers[f"fc{i}"] = nn.Linear(n, m)
    if destandardize is not None:
        layers["destandardize"] = destandardize
    model = nn.Sequential(layers)
    initialise(model, init)
    return model


def _hidden(spec: str) -> list[int]:
    kind, _, sizes = spec.partition(":")
    if kind in ("linear", "softmax") and not sizes:
        return []
    if kind != "mlp":
        raise UsageError(f"cannot read the model {spec!r}; expected {FORMS}")
    try:
        hidden = [int(size) for size in sizes.split(",")]
    except ValueError:
        hidden = []
    if not hidden or min(hidden) < 1:
        raise UsageError(f"cannot read the sizes of {spec!r}; write the hidden layers as mlp:30 or mlp:256,128")
    return hidden


def initialise(model: nn.Module, init: str) -> None:
    """Draw the weights of all linear layers anew.

    "normal" is the textbooks' plain recipe, weights and biases from N(0, 1); "xavier" and "he" are the uniform and the
    normal scheme of those names with zero biases; "zeros" shows what symmetry does; "default" changes nothing.
    """
    if init == "default":
        return
    weight: dict[str, Callable[[Any], Any]] = {
        "normal": nn.init.normal_,
        "xavier": nn.init.xavier_uniform_,
        "he": lambda w: nn.init.kaiming_normal_(w, nonlinearity="relu"),
        "zeros": nn.init.zeros_,
    }
    for layer in model.modules():
        if isinstance(layer, nn.Linear):
            weight[init](layer.weight)
            if layer.bias is not None:
                (nn.init.normal_ if init == "normal" else nn.init.zeros_)(layer.bias)


class ModelFileError(ByhandError):
    """A user's model file that fails: shows the user's own line."""


def digest(path: Path) -> str:
    """The SHA-256 of a file, by which a run notices that its model file was changed."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def split_file_spec(spec: str) -> tuple[Path, str]:
    """`FILE.py:function` as its two parts. Raises UsageError if the file is missing or no function is named."""
    file, _, function = spec.rpartition(":")
    if not file:
        raise UsageError(f"{spec}: say which function makes the model, as in {spec}:build")
    path = Path(file)
    if not path.is_file():
        raise UsageError(f"there is no file {file}; --model takes {FORMS}")
    return path, function


def from_file(
    path: Path, function: str, input_shape: Sequence[int], outputs: int, home: Path | None = None
) -> nn.Module:
    """Run a Python file and call its `function` for a model.

    The function may take `input_shape`, `outputs` or `classes` by name. `home` is the folder whose modules the file
    may import, its own by default. Raises ModelFileError with the user's own line for any error in the file.
    """
    module = types.ModuleType(path.stem)
    module.__file__ = str(path)
    offered = {"input_shape": tuple(input_shape), "outputs": outputs, "classes": outputs}
    folder = str((home or path.parent).resolve())
    sys.path.insert(0, folder)
    sys.modules[f"_byhand_model_{path.stem}"] = module  # dataclasses and pickle look their module up by name
    module.__name__ = f"_byhand_model_{path.stem}"
    try:
        exec(compile(path.read_text("utf-8"), str(path), "exec"), module.__dict__)
        make = getattr(module, function, None)
        if not callable(make):
            names = [n for n, v in vars(module).items() if inspect.isfunction(v) and v.__module__ == module.__name__]
            raise UsageError(f"{path} has no function {function!r}; it has {', '.join(names) or 'none'}")
        known = inspect.signature(make).parameters
        model = make(**{name: value for name, value in offered.items() if name in known})
    except UsageError:
        raise
    except Exception as error:
        raise ModelFileError(f"{own_line(error, path) or path}: {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(folder)
    if not isinstance(model, nn.Module):
        raise UsageError(f"{path}:{function} should return an nn.Module, it returned {type(model).__name__}")
    return model


def own_line(error: BaseException, path: Path) -> str | None:
    """Where in the user's file an error came from, as `FILE, line 7, in forward: x @ w`; None if from nowhere in it."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f"{path}, line {error.lineno}: {(error.text or '').strip()}"
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
    if not frames:
        return None
    line = path.read_text("utf-8").splitlines()[(frames[-1].lineno or 1) - 1].strip()
    return f"{path}, line {frames[-1].lineno}, in {frames[-1].name}: {line}"

"""Models by a short text: `softmax`, `mlp:256,128`, `lenet`, `resnet:16,32`, `lstm:256`, `gpt:128,4,4`.

Called by the command line and by `Run`, which must be able to build a saved model again. `model_file` has the networks
of one's own.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, Self

import numpy as np

from byhand import models, nn
from byhand.core.errors import UsageError
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
NAMED = {"lenet": 0, "resnet": 8, "rnn": 2, "lstm": 2, "gru": 2, "gpt": 3, "vae": 2, "gan": 2}  # sizes each takes
RECURRENT = ("rnn", "lstm", "gru")
TEXT = (*RECURRENT, "gpt")
INITS = ("default", "normal", "xavier", "he", "zeros")
FORMS = (
    "linear, softmax, mlp:30, mlp:256,128, lenet, resnet, rnn, lstm:256, gru:256, gpt:128,4,4, vae:400,20, gan:128,8 "
    "or FILE.py:function"
)


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

    `linear`, `softmax` and `mlp:SIZES` are built here of linear layers, all others are those of `byhand.models`:
    `lenet`, `resnet:WIDTHS`, `vae:HIDDEN,LATENT` for images; `gan:WIDTH,LATENT` for images and points;
    `rnn:HIDDEN,LAYERS`, `lstm:…`, `gru:…` for text and series, `gpt:WIDTH,LAYERS,HEADS` for text.

    Raises UsageError for a text that is none of these, or for an option that the model has not.
    """
    if spec.partition(":")[0] in NAMED:
        if activation != "relu" or init != "default" or standardize is not None or destandardize is not None:
            raise UsageError(f"{spec} decides itself about activation, init and standardize; leave those options out")
        return _named(spec, tuple(input_shape), outputs, dropout)
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


HOMES = {
    "lenet": "mnist",
    "resnet": "cifar10",
    "vae": "mnist",
    "gan": "ring",
    **dict.fromkeys(TEXT, "tiny_shakespeare"),
}
"""The dataset that a model is trained on if none is named."""


def model_and_dataset(names: Sequence[str]) -> tuple[str | None, str]:
    """What `[MODEL] [DATASET]` on the command line means; a model alone is trained on the dataset that suits it.

    Raises UsageError for more than two names, or two of which none is a model.
    """
    if len(names) > 2:
        raise UsageError(f"expected a model and a dataset, got {', '.join(names)}")
    if len(names) == 2:
        if not is_model(names[0]):
            raise UsageError(f"{names[0]!r} is no model; expected {FORMS}, then a dataset")
        return names[0], names[1]
    if names and is_model(names[0]):
        return names[0], HOMES.get(names[0].partition(":")[0], "digits")
    return None, names[0] if names else "digits"


def is_file_spec(spec: str) -> bool:
    """Whether a model's text names a function of a file."""
    return spec.partition(":")[0].endswith(".py") or spec.rpartition(":")[0].endswith(".py")


def is_model(text: str) -> bool:
    """Whether a text is meant as a model: by its first word."""
    return text.partition(":")[0] in ("linear", "softmax", "mlp", *NAMED) or is_file_spec(text)


def is_plain(spec: str) -> bool:
    """Whether a model is one of linear layers, made here."""
    return spec.partition(":")[0] not in NAMED and not is_file_spec(spec)


def is_text_model(spec: str) -> bool:
    """Whether a model reads text by characters."""
    return spec.partition(":")[0] in TEXT


def _named(spec: str, shape: tuple[int, ...], outputs: int, dropout: float) -> nn.Module:
    """A model of `byhand.models` for such inputs."""
    name, _, text = spec.partition(":")
    sizes = _sizes(spec, text) if text else []
    if len(sizes) > NAMED[name]:
        raise UsageError(f"{spec} has more sizes than the {NAMED[name]} that {name} takes")
    if name in TEXT:
        return _reading(name, sizes, shape, outputs, dropout)
    if name == "lenet":
        _need_images(name, shape)
        return models.LeNet((shape[0], shape[1], shape[2]), outputs, dropout)
    _refuse_dropout(name, dropout)
    if name == "gan":
        return models.GAN(shape, **dict(zip(("width", "latent"), sizes, strict=False)))
    _need_images(name, shape)
    if name == "vae":
        return models.VAE(shape, **dict(zip(("hidden", "latent"), sizes, strict=False)))
    return models.ResNet(shape[0], outputs, *([sizes] if sizes else []))


def _reading(name: str, sizes: list[int], shape: tuple[int, ...], outputs: int, dropout: float) -> nn.Module:
    """A model that reads text (T,), or a series (T, D) if it is recurrent."""
    if len(shape) == 2 and name in RECURRENT:
        _refuse_dropout(f"{name} of a series", dropout)
        return models.Forecast(shape[1], name, **dict(zip(("hidden", "layers"), sizes, strict=False)))
    if len(shape) != 1:
        raise UsageError(f"{name} reads text, and the inputs have the shape {shape}; choose lenet, resnet or mlp:…")
    if name == "gpt":
        options = dict(zip(("width", "layers", "heads"), sizes, strict=False))
        return models.GPT(outputs, shape[0], dropout=dropout, **options)
    options = dict(zip(("hidden", "layers"), sizes, strict=False))
    return models.CharacterRNN(outputs, name, dropout=dropout, **options)


def _need_images(name: str, shape: tuple[int, ...]) -> None:
    if len(shape) != 3:
        raise UsageError(f"{name} looks at images (C, H, W), and the inputs have the shape {shape}; choose mlp:…")


def _refuse_dropout(name: str, dropout: float) -> None:
    if dropout:
        raise UsageError(f"{name} has no dropout; leave the option out")


def _sizes(spec: str, text: str) -> list[int]:
    try:
        sizes = [int(size) for size in text.split(",")]
    except ValueError:
        sizes = []
    if not sizes or min(sizes) < 1:
        raise UsageError(f"cannot read the sizes of {spec!r}; write them as mlp:30 or mlp:256,128")
    return sizes


def _hidden(spec: str) -> list[int]:
    kind, _, sizes = spec.partition(":")
    if kind in ("linear", "softmax") and not sizes:
        return []
    if kind != "mlp":
        raise UsageError(f"cannot read the model {spec!r}; expected {FORMS}")
    return _sizes(spec, sizes)


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

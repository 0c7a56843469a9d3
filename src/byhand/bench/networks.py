"""The networks of the benchmark, and their training steps by hand, in byhand and in PyTorch.

`steps` and `compiled` time them and `memory` weighs them. byhand is used here from outside, by its public name, just as
PyTorch is: one definition, parametrised by the package, serves both, and neither gets a favour.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from byhand.bench.by_hand import Floats, Labels, ThreeLayerReLUAdam, TwoLayerReLU, TwoLayerTanh
from byhand.core.errors import UsageError

Step = Callable[[], Any]


@dataclass(frozen=True, kw_only=True)
class Network:
    """What every contender builds the same step from: a model, first weights, a batch and an optimiser.

    A kind of network is a subclass that says how; `by_hand` makes the plain NumPy contender, where there is one.
    """

    name: str
    optimizer: str
    lr: float
    weight_decay: float = 0.0
    by_hand: Callable[..., Any] | None = None

    @property
    def title(self) -> str:
        """What the tables call it."""
        raise NotImplementedError

    def model(self, package: Any) -> Any:
        """The module in `package`, which is byhand or torch."""
        raise NotImplementedError

    def weights(self, random: np.random.Generator) -> list[Floats]:
        """First weights in the order and the layout of the model's state_dict, in float64."""
        raise NotImplementedError

    def examples(self, random: np.random.Generator) -> tuple[Floats, Labels]:
        """One batch of made-up inputs, in float64, and labels that can be learned from them."""
        raise NotImplementedError

    def scores(self, jax: Any, parameters: Sequence[Any], x: Any) -> Any:
        """The model as a function of its parameters, in JAX."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Perceptron(Network):
    """A fully connected network with one activation between its layers."""

    sizes: tuple[int, ...]
    activation: str
    batch: int

    @property
    def title(self) -> str:
        sizes = "-".join(map(str, self.sizes))
        decay = " with L2" if self.weight_decay else ""
        return f"{sizes} {self.activation}, batch {self.batch}, {self.optimizer}{decay}"

    def model(self, package: Any) -> Any:
        nn, layers = package.nn, []
        for inputs, outputs in pairwise(self.sizes):
            layers += [nn.Linear(inputs, outputs), getattr(nn, self.activation)()]
        return nn.Sequential(*layers[:-1])

    def weights(self, random: np.random.Generator) -> list[Floats]:
        """Weights (outputs, inputs) and biases (outputs,) from U(-1/sqrt(inputs), 1/sqrt(inputs)), layer by layer."""
        weights: list[Floats] = []
        for inputs, outputs in pairwise(self.sizes):
            bound = inputs**-0.5
            weights += [random.uniform(-bound, bound, (outputs, inputs)), random.uniform(-bound, bound, outputs)]
        return weights

    def examples(self, random: np.random.Generator) -> tuple[Floats, Labels]:
        """Standard-normal inputs (N, D) and the labels (N,) that a random linear map gives them."""
        x = random.standard_normal((self.batch, self.sizes[0]))
        labels = (x @ random.standard_normal((self.sizes[0], self.sizes[-1]))).argmax(axis=1)
        return x, labels.astype(np.int64)

    def scores(self, jax: Any, parameters: Sequence[Any], x: Any) -> Any:
        activate = getattr(jax.nn, self.activation.lower())
        for i in range(0, len(parameters), 2):
            x = (activate(x) if i else x) @ parameters[i].T + parameters[i + 1]
        return x


NETWORKS = (
    Perceptron(
        name="mnist", sizes=(784, 30, 10), activation="ReLU", batch=50, optimizer="SGD", lr=0.1, by_hand=TwoLayerReLU
    ),
    Perceptron(
        name="mnist-adam", sizes=(784, 256, 128, 10), activation="ReLU", batch=128, optimizer="Adam", lr=1e-3,
        by_hand=ThreeLayerReLUAdam,
    ),
    Perceptron(
        name="cifar", sizes=(3072, 50, 10), activation="ReLU", batch=200, optimizer="SGD", lr=1e-2, weight_decay=1e-3,
        by_hand=TwoLayerReLU,
    ),
    Perceptron(
        name="planar", sizes=(2, 4, 2), activation="Tanh", batch=400, optimizer="SGD", lr=0.5, by_hand=TwoLayerTanh
    ),
)  # fmt: skip


def has_pytorch() -> bool:
    """Whether PyTorch can be imported here."""
    return is_installed("torch")


def is_installed(package: str) -> bool:
    """Whether a package can be imported here (it is not imported to find out)."""
    return find_spec(package) is not None


def initial_weights(network: Network, dtype: DTypeLike = np.float32) -> list[Floats]:
    """The weights that every contender starts from."""
    return [w.astype(dtype) for w in network.weights(np.random.default_rng(0))]


def made_up_batch(network: Network, dtype: DTypeLike = np.float32) -> tuple[Floats, Labels]:
    """The batch that every contender trains on."""
    x, labels = network.examples(np.random.default_rng(1))
    return x.astype(dtype) if x.dtype.kind == "f" else x, labels


def by_hand_step(network: Network, dtype: DTypeLike = np.float32) -> Step:
    """The training step in plain NumPy; each call updates the weights and returns the loss before the update."""
    if network.by_hand is None:
        raise UsageError(f"nobody has written {network.name} by hand")
    options = {"decay": network.weight_decay} if network.weight_decay else {}
    model = network.by_hand(initial_weights(network, dtype), network.lr, **options)
    x, labels = made_up_batch(network, dtype)
    return lambda: model.step(x, labels)


def train_step(model: Any, loss_function: Any, optimizer: Any, x: Any, labels: Any) -> Any:
    """Forward, loss, backward, update, in byhand or PyTorch; returns the loss before the update."""
    optimizer.zero_grad()
    loss = loss_function(model(x), labels)
    loss.backward()
    optimizer.step()
    return loss


def training(name: str, network: Network, dtype: DTypeLike = np.float32) -> tuple[tuple[Any, Any, Any], list[Any]]:
    """What `train_step` takes, in the package called `name`, "byhand" or "torch": the first three, and the batch."""
    package = whole_package(name)
    model, loss_function, optimizer = build(package, network)
    if np.dtype(dtype) == np.float64:
        model.double()
    _load(package, model, initial_weights(network, dtype))
    return (model, loss_function, optimizer), [package.from_numpy(array) for array in made_up_batch(network, dtype)]


def build(package: Any, network: Network) -> tuple[Any, Any, Any]:
    """Model, loss function and optimiser in `package`."""
    model = network.model(package)
    make = getattr(package.optim, network.optimizer)
    optimizer = make(model.parameters(), lr=network.lr, weight_decay=network.weight_decay)
    return model, package.nn.CrossEntropyLoss(), optimizer


def library_step(name: str, network: Network, dtype: DTypeLike = np.float32) -> Step:
    """The training step in eager mode; the same code for "byhand" and "torch"."""
    parts, batch = training(name, network, dtype)
    return partial(train_step, *parts, *batch)


def compiled_step(network: Network, dialect: str, dtype: DTypeLike = np.float32) -> Step:
    """The same step, compiled by byhand."""
    parts, batch = training("byhand", network, dtype)
    step = whole_package("byhand").compile(partial(train_step, *parts), dialect=dialect)
    return partial(step, *batch)


def whole_package(name: str) -> Any:
    """The package called `name`, "byhand" or "torch", with the submodules that a training script uses."""
    for part in ("nn", "optim", "utils.data"):
        import_module(f"{name}.{part}")
    return import_module(name)


def _load(package: Any, model: Any, weights: Sequence[Floats]) -> None:
    """Give `model` these weights, in the order of its state_dict."""
    names = list(model.state_dict())
    arrays = zip(names, weights, strict=True)
    model.load_state_dict({name: package.from_numpy(array) for name, array in arrays})

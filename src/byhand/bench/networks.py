"""The four networks of the benchmark, each as three contenders: by hand, byhand and PyTorch.

`steps` times them and `memory` weighs them. byhand is used here from outside, by its public name, just as PyTorch is:
one definition, parametrised by the package, serves both, and neither gets a favour.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from byhand.bench.by_hand import Floats, Labels, ThreeLayerReLUAdam, TwoLayerReLU, TwoLayerTanh

Step = Callable[[], Any]


@dataclass(frozen=True)
class Network:
    """A fully connected network, its batch and its optimiser; `by_hand` makes the plain NumPy contender."""

    name: str
    sizes: tuple[int, ...]
    activation: str
    batch: int
    optimizer: str
    lr: float
    by_hand: Callable[..., TwoLayerReLU | TwoLayerTanh | ThreeLayerReLUAdam]
    weight_decay: float = 0.0

    @property
    def title(self) -> str:
        """What the tables call it: sizes, activation, batch, optimiser."""
        sizes = "-".join(map(str, self.sizes))
        decay = " with L2" if self.weight_decay else ""
        return f"{sizes} {self.activation}, batch {self.batch}, {self.optimizer}{decay}"


NETWORKS = (
    Network("mnist", (784, 30, 10), "ReLU", 50, "SGD", 0.1, TwoLayerReLU),
    Network("mnist-adam", (784, 256, 128, 10), "ReLU", 128, "Adam", 1e-3, ThreeLayerReLUAdam),
    Network("cifar", (3072, 50, 10), "ReLU", 200, "SGD", 1e-2, TwoLayerReLU, weight_decay=1e-3),
    Network("planar", (2, 4, 2), "Tanh", 400, "SGD", 0.5, TwoLayerTanh),
)


def has_pytorch() -> bool:
    """Whether PyTorch can be imported here (it is not imported to find out)."""
    return find_spec("torch") is not None


def initial_weights(network: Network, dtype: DTypeLike = np.float32) -> list[Floats]:
    """Weights (outputs, inputs) and biases (outputs,) from U(-1/sqrt(inputs), 1/sqrt(inputs)), layer by layer."""
    random = np.random.default_rng(0)
    weights = []
    for inputs, outputs in zip(network.sizes[:-1], network.sizes[1:], strict=True):
        bound = inputs**-0.5
        weights += [random.uniform(-bound, bound, (outputs, inputs)), random.uniform(-bound, bound, outputs)]
    return [w.astype(dtype) for w in weights]


def made_up_batch(network: Network, dtype: DTypeLike = np.float32) -> tuple[Floats, Labels]:
    """One batch: standard-normal inputs (N, D) and the labels (N,) that a random linear map gives them."""
    random = np.random.default_rng(1)
    x = random.standard_normal((network.batch, network.sizes[0]))
    labels = (x @ random.standard_normal((network.sizes[0], network.sizes[-1]))).argmax(axis=1)
    return x.astype(dtype), labels.astype(np.int64)


def by_hand_step(network: Network, dtype: DTypeLike = np.float32) -> Step:
    """The training step in plain NumPy; each call updates the weights and returns the loss before the update."""
    options = {"decay": network.weight_decay} if network.weight_decay else {}
    model = network.by_hand(initial_weights(network, dtype), network.lr, **options)
    x, labels = made_up_batch(network, dtype)
    return lambda: model.step(x, labels)


def build(package: Any, network: Network) -> tuple[Any, Any, Any]:
    """Model, loss function and optimiser in `package`, which is byhand or torch: the code is the same."""
    nn, layers = package.nn, []
    for inputs, outputs in zip(network.sizes[:-1], network.sizes[1:], strict=True):
        layers += [nn.Linear(inputs, outputs), getattr(nn, network.activation)()]
    model = nn.Sequential(*layers[:-1])
    make = getattr(package.optim, network.optimizer)
    optimizer = make(model.parameters(), lr=network.lr, weight_decay=network.weight_decay)
    return model, nn.CrossEntropyLoss(), optimizer


def library_step(name: str, network: Network, dtype: DTypeLike = np.float32) -> Step:
    """The training step in the package called `name` ("byhand" or "torch"), in eager mode, from the same weights."""
    package = whole_package(name)
    model, loss_function, optimizer = build(package, network)
    if np.dtype(dtype) == np.float64:
        model.double()
    _load(package, model, initial_weights(network, dtype))
    x, labels = (package.from_numpy(array) for array in made_up_batch(network, dtype))

    def step() -> Any:
        optimizer.zero_grad()
        loss = loss_function(model(x), labels)
        loss.backward()
        optimizer.step()
        return loss

    return step


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

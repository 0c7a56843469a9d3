"""The compilers that a compiled step is measured against: `torch.compile` and `jax.jit`. Both are optional.

`compiled` times what is made here; a test holds each to the losses of byhand's own step.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from typing import Any

from byhand.bench.networks import Network, Step, initial_weights, made_up_batch, training


def compiled_by_pytorch(network: Network, **options: Any) -> Step:
    """The step under `torch.compile`: the forward pass with its loss, and the optimiser's update.

    `torch.compile` of the whole step breaks it at `backward` into the same two, and was measured 1 to 8 % slower.
    Compiled code is made for the number of threads that PyTorch has been given when it first runs.
    """
    torch: Any = import_module("torch")
    logging.getLogger("torch").setLevel(logging.ERROR)  # a compiled optimiser warns that its profiler's marks are lost
    (model, loss_function, optimizer), (x, labels) = training("torch", network)

    def forward(x: Any, labels: Any) -> Any:
        return loss_function(model(x), labels)

    loss_of, update = torch.compile(forward, **options), torch.compile(optimizer.step, **options)

    def step() -> Any:
        optimizer.zero_grad()
        loss = loss_of(x, labels)
        loss.backward()
        update()
        return loss

    return step


def forget_pytorchs_code() -> None:
    """Drop what `torch.compile` has made so far: it keeps only a few versions of a function."""
    compiler: Any = import_module("torch.compiler")
    compiler.reset()


def jitted_by_jax(network: Network) -> Step:
    """The step as one pure function under `jax.jit`, whose parameters and optimiser state are donated.

    Weights are stored (outputs, inputs): with (inputs, outputs) the network on CIFAR's shape takes twice the time.
    """
    numpy: Any = import_module("jax.numpy")
    step = _jitted(network)
    # copies: asarray would look at NumPy's own memory, which is not to be given away
    parameters = [numpy.array(w) for w in initial_weights(network)]
    zeros = [[numpy.zeros_like(p) for p in parameters] for _ in range(2 * network.optimizer.startswith("Adam"))]
    state = (numpy.float32(0), *zeros)
    x, labels = (numpy.array(array) for array in made_up_batch(network))

    def run() -> Any:
        nonlocal parameters, state
        parameters, state, loss = step(parameters, state, x, labels)
        return loss.block_until_ready()

    return run


@cache
def _jitted(network: Network) -> Callable[..., Any]:
    """Compiled once for each network."""
    jax: Any = import_module("jax")
    update = {"SGD": _descent, "Adam": _adam, "AdamW": _adam}[network.optimizer]
    decoupled = network.weight_decay if network.optimizer == "AdamW" else 0.0

    def loss_of(parameters: Sequence[Any], x: Any, labels: Any) -> Any:
        scores = jax.nn.log_softmax(network.scores(jax, parameters, x))
        # a product with one-hot labels is as fast as a gather or faster, since its gradient needs no scatter
        return -(jax.nn.one_hot(labels, scores.shape[-1]) * scores).sum(-1).mean()

    def step(parameters: Any, state: Any, x: Any, labels: Any) -> tuple[Any, Any, Any]:
        loss, gradients = jax.value_and_grad(loss_of)(parameters, x, labels)
        if decoupled:
            parameters = [p * (1 - network.lr * decoupled) for p in parameters]
        elif network.weight_decay:
            gradients = [g + network.weight_decay * p for p, g in zip(parameters, gradients, strict=True)]
        parameters, state = update(network.lr, parameters, gradients, state)
        return parameters, state, loss

    jitted: Callable[..., Any] = jax.jit(step, donate_argnums=(0, 1))
    return jitted


def _descent(lr: float, parameters: Any, gradients: Any, state: Any) -> tuple[Any, Any]:
    return [p - lr * g for p, g in zip(parameters, gradients, strict=True)], state


def _adam(lr: float, parameters: Any, gradients: Any, state: Any) -> tuple[Any, Any]:
    """PyTorch's Adam: `p -= lr / (1 - beta1^t) · m / (sqrt(v) / sqrt(1 - beta2^t) + eps)`."""
    beta1, beta2, eps = 0.9, 0.999, 1e-8
    t, m, v = state
    t = t + 1
    m = [beta1 * mean + (1 - beta1) * g for mean, g in zip(m, gradients, strict=True)]
    v = [beta2 * mean + (1 - beta2) * g * g for mean, g in zip(v, gradients, strict=True)]
    rate, root = lr / (1 - beta1**t), (1 - beta2**t) ** 0.5
    moved = [p - rate * a / (b**0.5 / root + eps) for p, a, b in zip(parameters, m, v, strict=True)]
    return moved, (t, m, v)

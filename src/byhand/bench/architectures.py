"""The larger networks of the benchmark: a CNN, an LSTM and a GPT, each written once for byhand, PyTorch and JAX.

The section `breadth` times and weighs them. Their JAX forms are functions of the parameters in the order of the
model's state_dict.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from byhand.bench.by_hand import Floats, Labels
from byhand.bench.networks import Network


@dataclass(frozen=True, kw_only=True)
class ConvNet(Network):
    """Convolution 1 → 16, pool, convolution 16 → 32, pool, linear: images of 28 × 28, kernels of 3 × 3."""

    batch: int

    @property
    def title(self) -> str:
        return f"conv 1→16, pool, conv 16→32, pool, linear; 28×28, batch {self.batch}, {self.optimizer}"

    def model(self, package: Any) -> Any:
        nn = package.nn
        return nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(32 * 7 * 7, 10),
        )  # fmt: skip

    def weights(self, random: np.random.Generator) -> list[Floats]:
        return uniform(random, (16, 1, 3, 3), (16,), (32, 16, 3, 3), (32,), (10, 32 * 7 * 7), (10,))

    def examples(self, random: np.random.Generator) -> tuple[Floats, Labels]:
        """Standard-normal images (N, 1, 28, 28), and labels (N,)."""
        return random.standard_normal((self.batch, 1, 28, 28)), random.integers(0, 10, self.batch)

    def scores(self, jax: Any, parameters: Sequence[Any], x: Any) -> Any:
        lax: Any = import_module("jax.lax")
        *convolutions, weight, bias = parameters
        for kernel, shift in zip(convolutions[::2], convolutions[1::2], strict=True):
            x = lax.conv_general_dilated(x, kernel, (1, 1), "SAME") + shift[:, None, None]
            x = jax.nn.relu(x)
            x = lax.reduce_window(x, -np.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")
        return x.reshape(len(x), -1) @ weight.T + bias


@dataclass(frozen=True, kw_only=True)
class CharacterModel(Network):
    """A network that predicts each next character: x (N, T) integers, scores (N · T, vocabulary)."""

    vocabulary: int
    length: int
    batch: int
    width: int

    def examples(self, random: np.random.Generator) -> tuple[Any, Labels]:
        """Characters (N, T), and the ones that follow (N · T,)."""
        text = random.integers(0, self.vocabulary, (self.batch, self.length + 1))
        return text[:, :-1].copy(), text[:, 1:].reshape(-1)


@dataclass(frozen=True, kw_only=True)
class LSTMModel(CharacterModel):
    """Embedding, one LSTM, linear."""

    hidden: int

    @property
    def title(self) -> str:
        return (
            f"embedding {self.width}, LSTM {self.hidden}, linear to {self.vocabulary}; T = {self.length}, "
            f"batch {self.batch}, {self.optimizer}"
        )

    def model(self, package: Any) -> Any:
        nn = package.nn

        class Model(nn.Module):  # type: ignore[misc, name-defined]
            def __init__(self, vocabulary: int, width: int, hidden: int) -> None:
                super().__init__()
                self.embedding = nn.Embedding(vocabulary, width)
                self.lstm = nn.LSTM(width, hidden, batch_first=True)
                self.head = nn.Linear(hidden, vocabulary)

            def forward(self, x: Any) -> Any:
                out, _ = self.lstm(self.embedding(x))
                return self.head(out).flatten(0, 1)

        return Model(self.vocabulary, self.width, self.hidden)

    def weights(self, random: np.random.Generator) -> list[Floats]:
        v, e, h = self.vocabulary, self.width, self.hidden
        return uniform(random, (v, e), (4 * h, e), (4 * h, h), (4 * h,), (4 * h,), (v, h), (v,))

    def scores(self, jax: Any, parameters: Sequence[Any], x: Any) -> Any:
        lax: Any = import_module("jax.lax")
        numpy: Any = import_module("jax.numpy")
        table, w_ih, w_hh, b_ih, b_hh, weight, bias = parameters
        inputs = numpy.swapaxes(table[x] @ w_ih.T + (b_ih + b_hh), 0, 1)
        start = numpy.zeros((x.shape[0], self.hidden), inputs.dtype)

        def step(state: Any, z: Any) -> Any:
            h, c = state
            i, f, g, o = numpy.split(z + h @ w_hh.T, 4, axis=1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * numpy.tanh(g)
            h = jax.nn.sigmoid(o) * numpy.tanh(c)
            return (h, c), h

        _, hidden = lax.scan(step, (start, start), inputs)
        return numpy.swapaxes(hidden, 0, 1).reshape(-1, self.hidden) @ weight.T + bias


@dataclass(frozen=True, kw_only=True)
class GPTModel(CharacterModel):
    """A small GPT: pre-norm blocks of causal attention and a network of four times the width."""

    layers: int
    heads: int

    @property
    def title(self) -> str:
        return (
            f"GPT: {self.layers} layers, d = {self.width}, {self.heads} heads, T = {self.length}, vocabulary "
            f"{self.vocabulary}; batch {self.batch}, {self.optimizer}"
        )

    def model(self, package: Any) -> Any:
        nn, functional = package.nn, package.nn.functional

        class Block(nn.Module):  # type: ignore[misc, name-defined]
            def __init__(self, width: int, heads: int) -> None:
                super().__init__()
                self.heads = heads
                self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
                self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
                self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

            def forward(self, x: Any) -> Any:
                n, t, d = x.shape
                q, k, v = self.qkv(self.norm1(x)).split(d, dim=2)
                q, k, v = (y.view(n, t, self.heads, d // self.heads).transpose(1, 2) for y in (q, k, v))
                y = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
                x = x + self.proj(y.transpose(1, 2).contiguous().view(n, t, d))
                return x + self.down(functional.gelu(self.up(self.norm2(x))))

        class Model(nn.Module):  # type: ignore[misc, name-defined]
            def __init__(self, vocabulary: int, length: int, width: int, layers: int, heads: int) -> None:
                super().__init__()
                self.tokens, self.places = nn.Embedding(vocabulary, width), nn.Embedding(length, width)
                self.blocks = nn.Sequential(*[Block(width, heads) for _ in range(layers)])
                self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, vocabulary)

            def forward(self, x: Any) -> Any:
                h = self.tokens(x) + self.places(package.arange(x.shape[1]))
                return self.head(self.norm(self.blocks(h))).flatten(0, 1)

        return Model(self.vocabulary, self.length, self.width, self.layers, self.heads)

    def weights(self, random: np.random.Generator) -> list[Floats]:
        """Norms with weight 1 and bias 0; all else uniform."""
        v, d = self.vocabulary, self.width
        norm: list[Floats] = [np.ones(d), np.zeros(d)]
        weights = uniform(random, (v, d), (self.length, d))
        for _ in range(self.layers):
            products = uniform(random, (3 * d, d), (3 * d,), (d, d), (d,), (4 * d, d), (4 * d,), (d, 4 * d), (d,))
            weights += [*norm, *norm, *products]
        return [*weights, *norm, *uniform(random, (v, d), (v,))]

    def scores(self, jax: Any, parameters: Sequence[Any], x: Any) -> Any:
        numpy: Any = import_module("jax.numpy")

        def normed(x: Any, weight: Any, bias: Any) -> Any:
            away = x - x.mean(-1, keepdims=True)
            return away / numpy.sqrt((away * away).mean(-1, keepdims=True) + 1e-5) * weight + bias

        def attended(x: Any, w_qkv: Any, b_qkv: Any, w_out: Any, b_out: Any) -> Any:
            n, t, d = x.shape
            q, k, v = numpy.split(x @ w_qkv.T + b_qkv, 3, axis=2)
            q, k, v = (y.reshape(n, t, self.heads, -1).swapaxes(1, 2) for y in (q, k, v))
            s = q @ k.swapaxes(2, 3) * (d // self.heads) ** -0.5
            p = jax.nn.softmax(numpy.where(numpy.tril(numpy.ones((t, t), bool)), s, -numpy.inf))
            return (p @ v).swapaxes(1, 2).reshape(n, t, d) @ w_out.T + b_out

        h = parameters[0][x] + parameters[1][: x.shape[1]]
        for i in range(self.layers):
            n1, c1, n2, c2, qkv, b_qkv, out, b_out, up, b_up, down, b_down = parameters[2 + 12 * i : 14 + 12 * i]
            h = h + attended(normed(h, n1, c1), qkv, b_qkv, out, b_out)
            h = h + jax.nn.gelu(normed(h, n2, c2) @ up.T + b_up, approximate=False) @ down.T + b_down
        h = normed(h, *parameters[-4:-2])
        return h.reshape(-1, self.width) @ parameters[-2].T + parameters[-1]


def uniform(random: np.random.Generator, *shapes: tuple[int, ...]) -> list[Floats]:
    """Arrays of numbers from U(−b, b), b = 1 / sqrt(numbers behind the first axis), or 0.1 for vectors."""
    found: list[Floats] = []
    for shape in shapes:
        bound = float(np.prod(shape[1:])) ** -0.5 if len(shape) > 1 else 0.1
        found.append(random.uniform(-bound, bound, shape))
    return found


ARCHITECTURES: tuple[Network, ...] = (
    ConvNet(name="cnn", batch=64, optimizer="Adam", lr=1e-3),
    LSTMModel(name="lstm", vocabulary=80, width=64, hidden=128, length=64, batch=32, optimizer="Adam", lr=1e-3),
    GPTModel(
        name="gpt", vocabulary=65, width=128, layers=4, heads=4, length=64, batch=16, optimizer="AdamW", lr=1e-3,
        weight_decay=0.01,
    ),
)  # fmt: skip

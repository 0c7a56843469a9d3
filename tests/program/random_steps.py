"""Random training steps: a list of small integers is read as a program on tensors, so that hypothesis can shrink it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

import byhand
from byhand.nn import functional as F

Code = Sequence[tuple[int, int, int]]

UNARY: list[Callable[[Any], Any]] = [
    byhand.tanh, byhand.sigmoid, byhand.relu, byhand.abs, byhand.square, byhand.neg, byhand.sin, byhand.erf,
    lambda x: byhand.exp(x.clamp(-3, 3)), lambda x: byhand.log(x * x + 1), lambda x: byhand.sqrt(x * x + 0.5),
    F.gelu, F.silu, F.softplus, F.elu, lambda x: x.clamp(-0.5, 0.7), lambda x: x**3, lambda x: 1 / (1 + x * x),
    lambda x: x.detach() * x, lambda x: byhand.where(x > 0.1, x, 0.3 * x), lambda x: x + 0.5, lambda x: 2 - x,
]  # fmt: skip

BINARY: list[Callable[[Any, Any], Any]] = [
    byhand.add, byhand.sub, byhand.mul, lambda x, y: x / (1 + y * y), byhand.maximum, byhand.minimum,
    lambda x, y: byhand.where(x > y, x, y * y), byhand.logaddexp, byhand.atan2, byhand.hypot,
]  # fmt: skip


def _axis(x: Any, k: int) -> int:
    return k % x.ndim


def _moved(x: Any, k: int) -> Any:
    """x, written to in place in a clone."""
    y = x.clone()
    if k % 3 == 0:
        y.mul_(0.5).add_(x)
    elif k % 3 == 1 and y.ndim:
        y[k % y.shape[0]] = 0.25
    elif y.ndim:
        y.narrow(0, 0, 1).add_(1.5)
    return y * x


SHAPED: list[Callable[[Any, int], Any]] = [
    lambda x, k: x.sum(_axis(x, k)) if x.ndim else x,
    lambda x, k: x.mean(_axis(x, k), keepdim=True) if x.ndim else x,
    lambda x, k: x.amax(_axis(x, k), keepdim=bool(k % 2)) if x.ndim else x,
    lambda x, k: x.softmax(_axis(x, k)) if x.ndim else x,
    lambda x, k: x.log_softmax(_axis(x, k)) if x.ndim else x,
    lambda x, k: x.logsumexp(_axis(x, k)) if x.ndim else x,
    lambda x, k: x.cumsum(_axis(x, k)) if x.ndim else x,
    lambda x, k: x.var(_axis(x, k), keepdim=True) if x.ndim and x.shape[_axis(x, k)] > 1 else x,
    lambda x, k: x.norm(2, _axis(x, k)) if x.ndim else x,
    lambda x, k: x.T if x.ndim == 2 else x.flatten(),
    lambda x, k: x.reshape(-1),
    lambda x, k: x.reshape(*x.shape[::-1]),
    lambda x, k: x.unsqueeze(k % (x.ndim + 1)),
    lambda x, k: x.unsqueeze(0).expand(2, *x.shape) if x.ndim < 3 else x,
    lambda x, k: x[k % x.shape[0]] if x.ndim > 1 else x,
    lambda x, k: x[..., ::-1] if False else x.flip(_axis(x, k)) if x.ndim else x,
    lambda x, k: x.narrow(_axis(x, k), 0, (x.shape[_axis(x, k)] + 1) // 2) if x.ndim else x,
    lambda x, k: x[byhand.tensor([0, x.shape[0] - 1, 0])] if x.ndim else x,
    lambda x, k: byhand.cat([x, x * 2], _axis(x, k)) if x.ndim and x.numel() < 100 else x,
    lambda x, k: x @ x.mT if x.ndim > 1 else x,
    _moved,
]


def codes(longest: int = 12) -> Any:
    """Programs of up to this many instructions."""
    return st.lists(st.tuples(st.integers(0, 59), st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=longest)


def run(code: Code, leaves: Sequence[Any]) -> list[Any]:
    """The tensors that the code computes from the leaves, one an instruction."""
    pool = list(leaves)
    for kind, a, b in code:
        x = pool[-1 - a % len(pool)]
        if kind < 22:
            made = UNARY[kind % len(UNARY)](x)
        elif kind < 38:
            made = BINARY[b % len(BINARY)](x, _matching(x, pool, kind))
        else:
            made = SHAPED[kind % len(SHAPED)](x, b)
        pool.append(made if made.numel() < 400 else x)
    return pool[len(leaves) :]


def _matching(x: Any, pool: Sequence[Any], k: int) -> Any:
    """A tensor that broadcasts with x."""
    fitting = [y for y in pool if _broadcast(x, y)]
    return fitting[k % len(fitting)]


def _broadcast(x: Any, y: Any) -> bool:
    try:
        np.broadcast_shapes(x.shape, y.shape)
    except ValueError:
        return False
    return True


class Example:
    """A step that trains three leaves by a random program, and its state."""

    def __init__(self, code: Code, dtype: Any = np.float64) -> None:
        random = np.random.default_rng(3)
        self.code = code
        self.leaves = [
            byhand.tensor(random.uniform(-1, 1, shape).astype(dtype), requires_grad=True)
            for shape in ((3, 4), (4,), (3, 1))
        ]
        self.x = byhand.tensor(random.uniform(-1, 1, (3, 4)).astype(dtype))

    def step(self, x: Any) -> Any:
        """One step of gradient descent; returns the loss and all that was computed."""
        for leaf in self.leaves:
            leaf.grad = None
        made = run(self.code, [x, *self.leaves])
        loss = sum([(value * value).mean() for value in made]) + sum([(leaf * leaf).sum() for leaf in self.leaves])
        loss.backward()
        with byhand.no_grad():
            for leaf in self.leaves:
                leaf -= 0.01 * leaf.grad.clamp(-1, 1)
        return loss, made[-1]

    def values(self, result: Any) -> list[np.ndarray]:
        """What a step left behind, as arrays."""
        return [t.array.copy() for t in (*result, *self.leaves)]

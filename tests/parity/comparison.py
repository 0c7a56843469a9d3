"""Our function beside PyTorch's in float64: the same values, the same gradients. Called by the parity tests of nn."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import byhand  # noqa: E402
from byhand.tensor import Tensor  # noqa: E402

RNG = np.random.default_rng(0)


def values(*shape, low=-3.0, high=3.0):
    return np.asarray(RNG.uniform(low, high, shape))


def ours(x):
    if not isinstance(x, np.ndarray):
        return x
    return Tensor(x.copy()).requires_grad_() if x.dtype.kind == "f" else Tensor(x)


def theirs(x):
    if not isinstance(x, np.ndarray):
        return x
    return torch.tensor(x, requires_grad=x.dtype.kind == "f")


def close(a, b, what, tolerance=1e-9):
    b = b.detach().numpy()
    assert a.shape == b.shape, f"{what}: shape {a.shape}, PyTorch's {b.shape}"
    np.testing.assert_allclose(a.array, b, rtol=tolerance, atol=tolerance, err_msg=what)


def compare(mine, other, args, kwargs=None, constant=(), slack=1e-9):
    """Values and the gradients of all float arguments but `constant`, for a random gradient of the result."""
    kwargs = kwargs or {}
    a = [ours(x) for x in args]
    b = [theirs(x) for x in args]
    ka = {k: ours(x) for k, x in kwargs.items()}
    kb = {k: theirs(x) for k, x in kwargs.items()}
    for name in constant:
        ka[name], kb[name] = ka[name].detach(), kb[name].detach()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        y, z = mine(*a, **ka), other(*b, **kb)
    close(y, z, "the value")
    g = RNG.standard_normal(y.shape)
    y.backward(Tensor(np.asarray(g)))
    z.backward(torch.tensor(g))
    named = [*zip(map(str, range(len(a))), a, b, strict=True), *[(k, ka[k], kb[k]) for k in ka]]
    for name, x, t in named:
        if isinstance(x, Tensor) and x.requires_grad:
            grad = byhand.zeros_like(x) if x.grad is None else x.grad
            close(grad, torch.zeros_like(t) if t.grad is None else t.grad, f"the gradient of argument {name}", slack)

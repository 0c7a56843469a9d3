"""Distributions beside PyTorch's: densities, entropies, divergences and their gradients; samples by their moments."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import byhand  # noqa: E402
from byhand import distributions as ours  # noqa: E402
from byhand.core.errors import DomainError, UsageError  # noqa: E402

theirs = torch.distributions
A, B = np.array([0.5, -1.2, 2.0]), np.array([0.3, 1.5, 0.8])
P = np.array([[0.2, 0.5, 0.3], [0.7, 0.2, 0.1]])

CASES = {
    "Normal": ((A, B), {}, np.array([0.1, 2.0, -1.0])),
    "Uniform": ((A, A + B), {}, A + 0.1),
    "Exponential": ((B,), {}, np.array([0.1, 2.0, 1.0])),
    "Laplace": ((A, B), {}, np.array([0.1, 2.0, -1.0])),
    "Categorical": ((), {"logits": np.log(P) + 1}, np.array([2, 0])),
    "Categorical probs": ((), {"probs": P * 2}, np.array([2, 0])),
    "Categorical broadcast": ((), {"probs": P}, np.array([[2, 0], [1, 1]])),
    "OneHotCategorical": ((), {"probs": P}, np.eye(3)[[2, 0]]),
    "Bernoulli": ((), {"logits": A}, np.array([0.0, 1.0, 1.0])),
    "Bernoulli probs": ((), {"probs": P}, np.round(P)),
}


def made(package, module, name):
    args, kwargs, value = CASES[name]
    leaves = [package.tensor(x, requires_grad=True) for x in (*args, *kwargs.values())]
    options = dict(zip(kwargs, leaves[len(args) :], strict=True))
    return getattr(module, name.split()[0])(*leaves[: len(args)], **options), leaves, package.tensor(value)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("quantity", ["log_prob", "entropy", "mean", "variance", "stddev"])
def test_quantities_and_gradients(name, quantity):
    found = []
    for package, module in ((byhand, ours), (torch, theirs)):
        d, leaves, value = made(package, module, name)
        assert tuple(d.batch_shape) == d.batch_shape and tuple(d.event_shape) == d.event_shape
        y = getattr(d, quantity)
        y = y(value) if quantity == "log_prob" else y() if quantity == "entropy" else y
        if y.requires_grad:
            y.sum().backward()
        grads = [np.zeros(x.shape) if x.grad is None else x.grad.numpy() for x in leaves]
        found.append([y.detach().numpy(), *grads])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_samples_have_the_shape_and_the_moments(name):
    byhand.manual_seed(0)
    d, _, _ = made(byhand, ours, name)
    x = d.sample((4000,))
    assert x.shape == (4000, *d.batch_shape, *d.event_shape) and not x.requires_grad
    if name.startswith("Categorical"):
        share = (x == 0).double().mean(0)
        np.testing.assert_allclose(share.numpy(), d.probs[..., 0].detach().numpy(), atol=0.04)
    else:
        spread = d.stddev.detach().numpy()
        np.testing.assert_allclose(x.mean(0).numpy(), d.mean.detach().numpy(), atol=0.1 * spread.max())
        np.testing.assert_allclose(x.std(0).numpy(), spread, atol=0.12 * spread.max())


@pytest.mark.parametrize("name", ["Normal", "Uniform", "Exponential", "Laplace"])
def test_gradients_pass_samples(name):
    d, leaves, _ = made(byhand, ours, name)
    d.rsample((5,)).sum().backward()
    assert all(bool((x.grad != 0).any()) for x in leaves)


@pytest.mark.parametrize("name", ["Normal", "Categorical", "Bernoulli"])
def test_divergence(name):
    found = []
    for package, module in ((byhand, ours), (torch, theirs)):
        p, leaves, _ = made(package, module, name)
        args, kwargs, _ = CASES[name]
        others = {key: package.tensor(x * 0.5) for key, x in kwargs.items()}
        q = getattr(module, name)(*(package.tensor(x + 0.7) for x in args), **others)
        y = module.kl_divergence(p, q)
        y.sum().backward()
        found.append([y.detach().numpy(), *(x.grad.numpy() for x in leaves)])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-12)


def test_numbers_and_wrong_parameters():
    assert ours.Normal(0, 1).sample((2, 3)).shape == (2, 3)
    assert ours.Normal(0.0, 1.0).sample().dtype == byhand.float32
    with pytest.raises(DomainError, match=r"scale must be positive"):
        ours.Normal(0.0, -1.0)
    with pytest.raises(DomainError, match=r"logits"):
        ours.Categorical(byhand.tensor([0.5, -0.5]))
    with pytest.raises(UsageError, match=r"either probs or logits"):
        ours.Bernoulli()
    with pytest.raises(UsageError, match=r"has no rsample"):
        ours.Categorical(byhand.ones(3)).rsample()
    with pytest.raises(UsageError, match=r"no formula for KL\(Normal ‖ Bernoulli\)"):
        ours.kl_divergence(ours.Normal(0, 1), ours.Bernoulli(0.5))

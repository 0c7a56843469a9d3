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

C, X = np.array([0.7, 2.5, 4.0]), np.array([0.4, 2.0, 1.1])
M = np.array([[2.0, 0.3], [0.3, 0.5]])

CASES = {
    "Normal": ((A, B), {}, np.array([0.1, 2.0, -1.0])),
    "Uniform": ((A, A + B), {}, A + 0.1),
    "Exponential": ((B,), {}, np.array([0.1, 2.0, 1.0])),
    "Laplace": ((A, B), {}, np.array([0.1, 2.0, -1.0])),
    "Categorical": ((), {"logits": np.log(P) + 1}, np.array([2, 0])),
    "Categorical probs": ((), {"probs": P * 2}, np.array([2, 0])),
    "Categorical broadcast": ((), {"probs": P}, np.array([[2, 0], [1, 1]])),
    "OneHotCategoricalStraightThrough": ((), {"probs": P}, np.eye(3)[[2, 0]]),
    "OneHotCategorical": ((), {"probs": P}, np.eye(3)[[2, 0]]),
    "Bernoulli": ((), {"logits": A}, np.array([0.0, 1.0, 1.0])),
    "Bernoulli probs": ((), {"probs": P}, np.round(P)),
    "Cauchy": ((A, B), {}, X),
    "Gumbel": ((A, B), {}, X),
    "LogNormal": ((A * 0.2, B * 0.5), {}, X),
    "HalfNormal": ((B,), {}, X),
    "HalfCauchy": ((B,), {}, X),
    "Pareto": ((B, C + 2), {}, B + X),
    "Weibull": ((B, C), {}, X),
    "Gamma": ((C, B), {}, X),
    "Chi2": ((C,), {}, X),
    "Beta": ((C, B), {}, X / 3),
    "Dirichlet": ((C,), {}, P),
    "Dirichlet batch": ((P * 4,), {}, P[::-1].copy()),
    "StudentT": ((C + 2, A, B), {}, X),
    "StudentT of few": ((np.array([0.5, 1.5]), A[:2], B[:2]), {}, X[:2]),
    "Poisson": ((B,), {}, np.array([0.0, 2.0, 1.0])),
    "Geometric": ((), {"probs": P}, np.round(P * 4)),
    "Geometric logits": ((), {"logits": A}, np.array([0.0, 2.0, 1.0])),
    "Binomial": ((np.array([5.0, 6.0, 7.0]),), {"probs": P}, np.round(P * 5)),
    "Binomial logits": ((np.array(8.0),), {"logits": A}, np.array([0.0, 2.0, 8.0])),
    "NegativeBinomial": ((np.array([5.0, 6.5, 1.0]),), {"probs": P}, np.round(P * 5)),
    "NegativeBinomial logits": ((np.array(4.0),), {"logits": A}, np.array([0.0, 2.0, 8.0])),
    "MultivariateNormal": ((A[:2],), {"covariance_matrix": M}, np.stack([A[:2], B[:2]])),
    "MultivariateNormal tril": ((A[:2],), {"scale_tril": np.tril(M) * [[[1.0]], [[2.0]], [[0.5]]]}, A[:2]),
    "MultivariateNormal precision": ((np.stack([A[:2]] * 2),), {"precision_matrix": M}, A[1:]),
    "RelaxedOneHotCategorical": ((np.array(0.7),), {"logits": np.log(P)}, P),
    "RelaxedBernoulli": ((np.array(0.7),), {"logits": A}, P[0]),
    "RelaxedBernoulli probs": ((np.array(1.7),), {"probs": P}, P * 0.5 + 0.2),
}


MISSING = {("Binomial", "entropy")}
ROUGH = {"Beta", "Dirichlet", "StudentT"}  # PyTorch's trigamma has nine digits
BOUNDLESS = {"Cauchy", "HalfCauchy", "StudentT of few"}


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
        try:
            y = getattr(d, quantity)
            y = y(value) if quantity in ("log_prob", "cdf", "icdf") else y() if quantity == "entropy" else y
        except (NotImplementedError, UsageError):
            found.append(None)
            continue
        if y.requires_grad:
            y.sum().backward()
        grads = [np.zeros(x.shape) if x.grad is None else x.grad.numpy() for x in leaves]
        found.append([y.detach().numpy(), *grads])
    if found[0] is None and (found[1] is None or (name.split()[0], quantity) in MISSING):
        return
    slack = 1e-8 if name.split()[0] in ROUGH else 1e-9
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=slack, atol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_samples_have_the_shape_and_the_moments(name):
    byhand.manual_seed(0)
    d, _, _ = made(byhand, ours, name)
    x = d.sample((4000,))
    assert x.shape == (4000, *d.batch_shape, *d.event_shape) and not x.requires_grad
    if name.startswith("Categorical"):
        share = (x == 0).double().mean(0)
        np.testing.assert_allclose(share.numpy(), d.probs[..., 0].detach().numpy(), atol=0.04)
    elif name not in BOUNDLESS and not name.startswith("Relaxed"):
        spread = d.stddev.detach().numpy()
        np.testing.assert_allclose(x.mean(0).numpy(), d.mean.detach().numpy(), atol=0.1 * spread.max())
        np.testing.assert_allclose(x.std(0).numpy(), spread, atol=0.12 * spread.max())


CDFS = ["Normal", "Uniform", "Exponential", "Laplace", "Cauchy", "Gumbel", "LogNormal", "HalfNormal", "HalfCauchy"]


@pytest.mark.parametrize("name", CDFS)
def test_probabilities_of_less(name):
    d, _, value = made(byhand, ours, name)
    e, _, other = made(torch, theirs, name)
    share = d.cdf(value).detach().numpy()
    np.testing.assert_allclose(share, e.cdf(other).detach().numpy(), rtol=1e-9)
    byhand.manual_seed(0)
    np.testing.assert_allclose((d.sample((4000,)) < value).double().mean(0).numpy(), share, atol=0.03)
    if name in ("Normal", "Uniform", "Exponential"):
        np.testing.assert_allclose(d.icdf(d.cdf(value)).detach().numpy(), value.numpy(), rtol=1e-7)


@pytest.mark.parametrize("name", [name for name in CASES if getattr(ours, name.split()[0]).has_rsample])
def test_gradients_pass_samples(name):
    d, leaves, _ = made(byhand, ours, name)
    (d.rsample((5,)) ** 2).sum().backward()
    assert all(bool((x.grad != 0).any()) for x in leaves)


DIVERGING = (
    "Normal Categorical Bernoulli LogNormal HalfNormal Exponential Laplace OneHotCategorical Poisson Geometric Gamma "
    "Chi2 Beta Dirichlet MultivariateNormal"
)


@pytest.mark.parametrize("name", DIVERGING.split())
def test_divergence(name):
    found = []
    for package, module in ((byhand, ours), (torch, theirs)):
        p, leaves, _ = made(package, module, name)
        args, kwargs, _ = CASES[name]
        others = {key: package.tensor(x * 0.5) for key, x in kwargs.items()}
        q = getattr(module, name)(*(package.tensor(x + 0.7) for x in args), **others)
        y = module.kl_divergence(p, q)
        if name == "Normal":  # a batch of three, taken as one event
            both = module.kl_divergence(module.Independent(p, 1), module.Independent(q, 1))
            assert both.shape == () and both.item() == pytest.approx(y.sum().item())
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


def test_divergence_between_boxes():
    a, b = ours.Uniform(0.0, 1.0), ours.Uniform(-1.0, 2.0)
    assert ours.kl_divergence(a, b).item() == pytest.approx(np.log(3)) and ours.kl_divergence(b, a).item() == np.inf


FLOWS = {
    "affine": lambda D, c: [D.AffineTransform(1.0, c[:3])],
    "exp of affine": lambda D, c: [D.AffineTransform(c[:3], 2.0), D.ExpTransform()],
    "tanh": lambda D, c: D.TanhTransform(),
    "sigmoid, then its inverse": lambda D, c: [D.SigmoidTransform(), D.SigmoidTransform().inv, D.SoftplusTransform()],
    "power": lambda D, c: [D.ExpTransform(), D.PowerTransform(c[3])],
    "composed": lambda D, c: D.ComposeTransform([D.AffineTransform(0.0, 0.5), D.TanhTransform()]).inv.inv,
    "of rows": lambda D, c: [D.AffineTransform(c[:3], 3.0, event_dim=1), D.SigmoidTransform()],
}


@pytest.mark.parametrize("name", FLOWS)
@pytest.mark.parametrize("rows", [False, True])
def test_flows(name, rows):
    found = []
    for package, module in ((byhand, ours), (torch, theirs)):
        base, leaves, _ = made(package, module, "Normal")
        numbers = package.tensor(np.array([0.5, 1.5, -0.7, 1.3]), requires_grad=True)
        d = module.TransformedDistribution(module.Independent(base, 1) if rows else base, FLOWS[name](module, numbers))
        value = package.tensor(np.array([[0.3, 0.9, 0.2], [0.6, 0.1, 0.5]]))
        y = d.log_prob(value)
        y.sum().backward()
        shapes = np.array([len(d.batch_shape), len(d.event_shape), *d.batch_shape, *d.event_shape])
        grads = [np.zeros(x.shape) if x.grad is None else x.grad.numpy() for x in (*leaves, numbers)]
        found.append([shapes, y.detach().numpy(), *grads])
        assert d.rsample((5,)).requires_grad and d.sample((5,)).shape == (5, 3)
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("rows", [False, True])
def test_mixtures(rows):
    found = []
    for package, module in ((byhand, ours), (torch, theirs)):
        means, weights = (package.tensor(x, requires_grad=True) for x in (np.stack([A, B, X]), np.log(P[0])))
        parts = module.Normal(means, package.tensor(C))
        parts = module.Independent(parts, 1) if rows else parts
        mixture = module.Categorical(logits=weights if rows else weights.expand(3, 3))
        d = module.MixtureSameFamily(mixture, parts)
        y = d.log_prob(package.tensor(np.stack([A, X])))
        total = y.sum() + d.mean.sum() + d.variance.sum()
        total.backward()
        found.append([y.detach().numpy(), total.item(), means.grad.numpy(), weights.grad.numpy()])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)
    byhand.manual_seed(0)
    x = ours.MixtureSameFamily(ours.Categorical(byhand.tensor(P[0])), ours.Normal(byhand.tensor(A), 0.01)).sample(
        (4000,)
    )
    near = (x[:, None] - byhand.tensor(A)).abs() < 0.1
    np.testing.assert_allclose(near.double().mean(0).numpy(), P[0], atol=0.03)


def test_rules_of_a_users_own():
    class Mine(ours.Normal):
        pass

    p, q = Mine(0.0, 1.0), ours.Normal(1.0, 1.0)
    assert ours.kl_divergence(p, q).item() == 0.5

    @ours.register_kl(Mine, ours.Normal)
    def formula(p, q):
        return byhand.tensor(7.0)

    assert ours.kl_divergence(p, q).item() == 7.0 and ours.kl_divergence(q, q).item() == 0.0


def test_what_does_not_go_together():
    one = byhand.ones(3)
    for make, message in (
        (lambda: ours.MultivariateNormal(one), "takes one of covariance_matrix"),
        (lambda: ours.MultivariateNormal(one, byhand.eye(2)), r"needs matrices \(…, 3, 3\)"),
        (lambda: ours.Independent(ours.Normal(one, 1.0), 2), "cannot be taken"),
        (lambda: ours.MixtureSameFamily(ours.Categorical(byhand.ones(2)), ours.Normal(one, 1.0)), "do not fit"),
        (lambda: ours.Dirichlet(1.0), "a number has none"),
        (lambda: ours.Gamma(one, 0.0), "rate must be positive"),
        (lambda: ours.Gamma(one, 1.0).rsample(), "has no rsample"),
        (lambda: ours.Gamma(one, 1.0).cdf(one), "no cdf in closed form"),
        (lambda: ours.Cauchy(one, 1.0).icdf(one), "no icdf in closed form"),
        (
            lambda: ours.TransformedDistribution(ours.Normal(0.0, 1.0), ours.AffineTransform(0.0, 1.0, event_dim=1)),
            "needs as many",
        ),
        (
            lambda: ours.kl_divergence(
                ours.Independent(ours.Normal(one, 1.0), 1), ours.Independent(ours.Normal(one, 1.0), 0)
            ),
            "the same number of axes",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            make()

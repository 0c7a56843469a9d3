"""Functions of functions beside PyTorch's `torch.func`: the same calls in both libraries."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import byhand  # noqa: E402
from byhand.program.tree import flatten  # noqa: E402

RNG = np.random.default_rng(0)
X, W, V = RNG.standard_normal((5, 3)), RNG.standard_normal((3, 4)), RNG.standard_normal(3)
CUBE = RNG.standard_normal((2, 5, 3))
LABELS = np.array([0, 1, 1, 0, 1])


pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # PyTorch's own forward mode raises one


def loss(L, x, w):
    return L.tanh(x @ w).sum()


def curved(L):
    return lambda x: L.sin(x) * x.sum()


def number(L):
    return lambda x: (L.sin(x) * x.sum()).prod()


def pulled_rows(F, value, pull, rows):
    return F.vmap(lambda g: pull(g)[0])(rows)


CALLS = {
    "grad": lambda L, F, t: F.grad(number(L))(t(V)),
    "grad of grad": lambda L, F, t: F.grad(F.grad(lambda x: L.sin(x) ** 3))(t(V[0])),
    "grad by argnums": lambda L, F, t: F.grad(lambda x, w: loss(L, x, w), argnums=(0, 1))(t(X), t(W)),
    "grad by a dict": lambda L, F, t: F.grad(lambda p: loss(L, p["x"], p["w"]))({"x": t(X), "w": t(W)}),
    "grad with aux": lambda L, F, t: F.grad(lambda x: (L.exp(x).sum(), {"y": x * 2}), has_aux=True)(t(V)),
    "grad and value": lambda L, F, t: F.grad_and_value(number(L))(t(V)),
    "vjp": lambda L, F, t: F.vjp(curved(L), t(V))[1](t(V)),
    "vjp of several": lambda L, F, t: F.vjp(lambda x, y: (x * y, x.sum()), t(V), t(V + 1))[1]((t(V), t(V[0]))),
    "jvp": lambda L, F, t: F.jvp(lambda x: (curved(L)(x), x.sum()), (t(V),), (t(2 * V),)),
    "jacrev": lambda L, F, t: F.jacrev(curved(L))(t(V)),
    "jacrev by argnums": lambda L, F, t: F.jacrev(lambda x, w: x @ w, argnums=(0, 1))(t(X), t(W)),
    "jacrev of a dict": lambda L, F, t: F.jacrev(lambda x: {"a": x * x, "b": x.sum()})(t(V)),
    "jacfwd": lambda L, F, t: F.jacfwd(curved(L))(t(V)),
    "jacfwd of jacrev": lambda L, F, t: F.jacfwd(F.jacrev(curved(L)))(t(V)),
    "hessian": lambda L, F, t: F.hessian(number(L))(t(V)),
    "vmap": lambda L, F, t: F.vmap(lambda x: loss(L, x, t(W)))(t(X)),
    "vmap in_dims": lambda L, F, t: F.vmap(lambda x, w: x @ w, in_dims=(1, None))(t(X), t(X)),
    "vmap negative dims": lambda L, F, t: F.vmap(lambda x: x * 2 + x.sum(), in_dims=-1, out_dims=-1)(t(CUBE)),
    "vmap trees": lambda L, F, t: F.vmap(lambda p: {"s": p["a"].sum() + p["b"]}, in_dims=({"a": 1, "b": None},))(
        {"a": t(X), "b": t(V[0])}
    ),
    "vmap keywords": lambda L, F, t: F.vmap(lambda x, y: x + y)(t(X), y=t(2 * X)),
    "vmap two results": lambda L, F, t: F.vmap(lambda x: (x.sum(), x * x), out_dims=(0, 1))(t(X)),
    "vmap of a constant": lambda L, F, t: F.vmap(lambda x: t(V))(t(X)),
    "vmap in chunks": lambda L, F, t: F.vmap(lambda x: L.softmax(x, 0), chunk_size=2)(t(X)),
    "vmap of vmap": lambda L, F, t: F.vmap(F.vmap(lambda a, c: a * c.sum(), (None, 0)), (0, None))(t(X), t(X + 1)),
    "vmap of grad": lambda L, F, t: F.vmap(F.grad(lambda x, w: loss(L, x, w), argnums=1), (0, None))(t(X), t(W)),
    "grad of vmap": lambda L, F, t: F.grad(lambda w: F.vmap(lambda x: loss(L, x, w))(t(X)).sum())(t(W)),
    "vmap of hessian": lambda L, F, t: F.vmap(F.hessian(number(L)))(t(X)),
    "vmap of jvp": lambda L, F, t: F.vmap(lambda r: F.jvp(curved(L), (r,), (2 * r,))[1])(t(X)),
    "vmap of the pull of vjp": lambda L, F, t: pulled_rows(F, *F.vjp(curved(L), t(V)), t(X)),
    "jacrev of vmap": lambda L, F, t: F.jacrev(lambda x: F.vmap(lambda r: L.exp(r).sum() * r)(x))(t(X)),
    "vmap of jacrev of vmap": lambda L, F, t: F.vmap(F.jacrev(F.vmap(lambda r: L.exp(r).sum() * r)))(t(CUBE)),
    "grad of a norm of grads": lambda L, F, t: F.grad(lambda x: (F.grad(number(L))(x) ** 2).sum())(t(V)),
    "vmap of indexing": lambda L, F, t: F.vmap(lambda x, i: x[i] * x[0])(t(X), t(LABELS)),
    "vmap of linalg": lambda L, F, t: F.vmap(lambda x: L.linalg.inv(x.T @ x + L.linalg.norm(x)))(t(CUBE)),
    "grad through a solve": lambda L, F, t: F.vmap(F.grad(lambda x: L.linalg.det(x.T @ x)))(t(CUBE)),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_like_pytorch(name):
    found = flatten(CALLS[name](byhand, byhand.func, byhand.tensor))
    expected = flatten(CALLS[name](torch, torch.func, torch.tensor))
    assert found[1] == expected[1]
    for a, b in zip(found[0], expected[0], strict=True):
        np.testing.assert_allclose(a.array, b.numpy(), rtol=1e-9, atol=1e-10)
        assert not a.requires_grad


def networks():
    mine = byhand.nn.Sequential(byhand.nn.Linear(3, 8), byhand.nn.ReLU(), byhand.nn.Linear(8, 2)).double()
    other = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2)).double()
    other.load_state_dict({name: torch.tensor(p.detach().numpy()) for name, p in mine.state_dict().items()})
    return mine, other


def test_gradients_of_each_example():
    def per_sample(library, model, tensor):
        def one(parameters, x, label):
            logits = library.func.functional_call(model, parameters, (x.unsqueeze(0),))
            return library.nn.functional.cross_entropy(logits, label.unsqueeze(0))

        parameters = {name: p.detach() for name, p in model.named_parameters()}
        found = library.vmap(library.func.grad(one), in_dims=(None, 0, 0))(parameters, tensor(X), tensor(LABELS))
        return [g.detach().numpy() for g in found.values()]

    mine, other = networks()
    for a, b in zip(per_sample(byhand, mine, byhand.tensor), per_sample(torch, other, torch.tensor), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_ensemble():
    pairs = [networks() for _ in range(3)]

    def outputs(library, models, tensor):
        parameters, buffers = library.func.stack_module_state(models)
        base = models[0]
        run = library.vmap(lambda p, b, x: library.func.functional_call(base, (p, b), (x,)), in_dims=(0, 0, None))
        out = run(parameters, buffers, tensor(X))
        (out**2).sum().backward()
        return [out.detach().numpy(), *[p.grad.numpy() for p in parameters.values()]]

    found = outputs(byhand, [a for a, _ in pairs], byhand.tensor)
    expected = outputs(torch, [b for _, b in pairs], torch.tensor)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_model_agnostic_meta_learning():
    """A gradient through a step of gradient descent, by parameters that ask for gradients outside."""

    def outer(library, tensor):
        w = tensor(W[:, :1].copy()).requires_grad_()
        inner = library.func.grad(lambda w: ((tensor(X) @ w) ** 2).mean())(w)
        ((tensor(X) @ (w - 0.1 * inner)) ** 3).sum().backward()
        return w.grad.numpy()

    np.testing.assert_allclose(outer(byhand, byhand.tensor), outer(torch, torch.tensor), rtol=1e-9)

"""`grad`, `vjp`, `jvp` and `jacrev`: what they connect, and what they refuse. Values are in parity."""

from __future__ import annotations

import numpy as np
import pytest

import byhand
from byhand.core.errors import ShapeError, UsageError
from byhand.func import grad, grad_and_value, hessian, jacrev, jvp, value_and_grad, vjp

X = byhand.tensor([0.5, 1.5])


def test_results_are_cut_off_unless_asked_for() -> None:
    gradient, value = grad_and_value(lambda x: (x**3).sum())(X)
    assert not gradient.requires_grad
    assert not value.requires_grad
    x = X.clone().requires_grad_()
    gradient, value = grad_and_value(lambda x: (x**3).sum())(x)
    assert gradient.requires_grad
    gradient.sum().backward()
    assert x.grad is not None
    np.testing.assert_allclose(x.grad.array, 6 * X.array, rtol=1e-6)
    with byhand.no_grad():
        assert not grad(lambda x: (x**3).sum())(x).requires_grad


def test_what_is_not_used_has_gradient_zero() -> None:
    assert grad(lambda x: byhand.tensor(1.0))(X).tolist() == [0.0, 0.0]
    assert grad(lambda x, y: y.sum())(X, X).tolist() == [0.0, 0.0]
    assert jacrev(lambda x: byhand.ones(3))(X).shape == (3, 2)
    assert hessian(lambda x: x.sum())(X).tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_gradients_of_the_caller_stay_as_they_are() -> None:
    x = X.clone().requires_grad_()
    grad(lambda x: x.sum())(x)
    assert x.grad is None


def test_value_first() -> None:
    value, gradient = value_and_grad(lambda x: x.prod())(X)
    assert (value.item(), gradient.tolist()) == (0.75, [1.5, 0.5])


def test_an_empty_result() -> None:
    assert jacrev(lambda x: x[:0])(X).shape == (0, 2)


def test_wrong_use() -> None:
    with pytest.raises(ShapeError, match=r"grad: the function must return one number, it returned \(2,\)"):
        grad(lambda x: x)(X)
    with pytest.raises(UsageError, match="argnums=1, but 1 positional"):
        grad(lambda x: x.sum(), argnums=1)(X)
    with pytest.raises(UsageError, match="grad differentiates by float tensors, not by a tensor of int64"):
        grad(lambda x: x.sum())(byhand.tensor([1]))
    with pytest.raises(UsageError, match="not by float; see argnums"):
        grad(lambda x: x)(1.0)
    with pytest.raises(UsageError, match="returns a pair"):
        grad(lambda x: x.sum(), has_aux=True)(X)
    with pytest.raises(UsageError, match="jacrev: the function must return tensors"):
        jacrev(lambda x: 1.0)(X)
    with pytest.raises(ShapeError, match="do not have the shapes"):
        vjp(lambda x: x, X)[1](byhand.ones(3))
    with pytest.raises(ShapeError, match="jvp: the tangents"):
        jvp(lambda x: x, (X,), (byhand.ones(3),))


def test_aux_is_handed_through() -> None:
    value, pull, aux = vjp(lambda x: (x.sum(), {"twice": 2 * x}), X, has_aux=True)
    assert value.item() == 2.0
    assert aux["twice"].tolist() == [1.0, 3.0]
    assert pull(byhand.tensor(1.0))[0].tolist() == [1.0, 1.0]
    jacobian, aux = jacrev(lambda x: (x * x, x.sum()), has_aux=True)(X)
    assert jacobian.tolist() == [[1.0, 0.0], [0.0, 3.0]]
    assert aux.item() == 2.0
    assert jvp(lambda x: (x * x, x), (X,), (X,), has_aux=True)[2].tolist() == X.tolist()


def test_jacobians_in_chunks() -> None:
    whole = jacrev(lambda x: x * x.sum())(X)
    assert jacrev(lambda x: x * x.sum(), chunk_size=1)(X).tolist() == whole.tolist()

"""Jacobians, Hessians and products, against PyTorch's values written out by hand."""

from __future__ import annotations

import numpy as np
import pytest

import byhand
from byhand.autograd import functional, grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp
from byhand.core.errors import ShapeError, UsageError

A = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])


def vector(*values: float) -> byhand.Tensor:
    return byhand.tensor(list(values), dtype=byhand.float64)


def test_jacobian_of_a_linear_map() -> None:
    j = jacobian(lambda x: byhand.tensor(A) @ x, vector(1, 2, 3))
    np.testing.assert_allclose(j, A)


def test_jacobian_has_shape_out_then_in() -> None:
    x = byhand.randn(2, 3, dtype=byhand.float64)
    j = jacobian(lambda v: v.T @ v, x)
    assert j.shape == (3, 3, 2, 3)
    (j,) = jacobian(lambda v: (v.sum(),), x)
    assert j.shape == (2, 3)


def test_jacobian_of_several_inputs_and_outputs() -> None:
    x, y = vector(1, 2), vector(3, 4)
    table = jacobian(lambda a, b: (a * b, a + 2 * b), (x, y))
    np.testing.assert_allclose(table[0][0], np.diag([3.0, 4.0]))
    np.testing.assert_allclose(table[0][1], np.diag([1.0, 2.0]))
    np.testing.assert_allclose(table[1][1], 2 * np.eye(2))
    first, second = jacobian(lambda a, b: a * b, (x, y))
    np.testing.assert_allclose(first, np.diag([3.0, 4.0]))
    np.testing.assert_allclose(second, np.diag([1.0, 2.0]))


def test_jacobian_of_what_does_not_depend() -> None:
    np.testing.assert_array_equal(jacobian(lambda x: vector(5, 6), vector(1, 2, 3)), np.zeros((2, 3)))
    a, b = jacobian(lambda x, y: x * 2, (vector(1), vector(1, 2)))
    assert a.tolist() == [[2]] and b.tolist() == [[0, 0]]


def test_hessian() -> None:
    h = hessian(lambda x: (x[0] ** 2 * x[1]).sum() + x[1] ** 3, vector(2, 3))
    np.testing.assert_allclose(h, [[6, 4], [4, 18]])
    (aa, ab), (ba, bb) = hessian(lambda a, b: (a * a * b).sum(), (vector(2), vector(3)))
    assert aa.item() == 6 and ab.item() == ba.item() == 4 and bb.item() == 0


def test_hessian_is_for_one_number() -> None:
    with pytest.raises(ShapeError, match="one number"):
        hessian(lambda x: x * 2, vector(1, 2))


def test_hessian_of_a_linear_function_is_zero() -> None:
    np.testing.assert_array_equal(hessian(lambda x: (3 * x).sum(), vector(1, 2)), np.zeros((2, 2)))


def f(x: byhand.Tensor) -> byhand.Tensor:
    return byhand.stack([x[0] * x[1], x[1].sin(), x[0] ** 3])


def test_products_agree_with_the_jacobian() -> None:
    x, u, v = vector(0.5, 1.5), vector(1, -1, 2), vector(0.3, 0.7)
    j = jacobian(f, x).numpy()
    value, product = vjp(f, x, u)
    np.testing.assert_allclose(value, f(x))
    np.testing.assert_allclose(product, u.numpy() @ j)
    value, product = jvp(f, x, v)
    np.testing.assert_allclose(value, f(x))
    np.testing.assert_allclose(product, j @ v.numpy())


def test_hessian_products() -> None:
    x, v = vector(0.5, 1.5), vector(0.3, 0.7)
    h = hessian(lambda t: f(t).sum(), x).numpy()
    for product in (hvp, functional.vhp):
        value, found = product(lambda t: f(t).sum(), x, v)
        np.testing.assert_allclose(found, h @ v.numpy())
        assert not value.requires_grad


def test_products_of_what_does_not_depend() -> None:
    x, v = vector(1, 2), vector(1, 1)
    for product in (lambda: vjp(lambda t: vector(3), x, vector(1)), lambda: hvp(lambda t: t.sum(), x, v)):
        assert product()[1].tolist() == [0, 0]
    assert jvp(lambda t: vector(3), x, v)[1].tolist() == [0]


def test_vjp_of_one_number_needs_no_vector() -> None:
    value, g = vjp(lambda x: (x * x).sum(), vector(1, 2))
    assert value.item() == 5 and g.tolist() == [2, 4]
    with pytest.raises(ShapeError):
        vjp(lambda x: x * 2, vector(1, 2))


def test_create_graph_differentiates_further() -> None:
    x = vector(1.5).requires_grad_()
    j = jacobian(lambda t: t**3, x, create_graph=True)
    j.sum().backward()
    assert x.grad.item() == pytest.approx(9)


def test_callers_tensors_are_not_touched() -> None:
    x = vector(1, 2).requires_grad_()
    jacobian(f, x)
    hessian(lambda t: f(t).sum(), x)
    vjp(f, x, vector(1, 1, 1))
    assert x.grad is None


def test_value_and_grad_is_the_value_and_grad() -> None:
    w = vector(2, 3).requires_grad_()

    def loss(x, power, *, weight):  # type: ignore[no-untyped-def]
        return ((w * x) ** power * weight).sum()

    x, weight = vector(0.5, -1).requires_grad_(), vector(1, 4)
    value, grads = value_and_grad(loss)(x, 2, weight=weight)
    leaves = x.detach().requires_grad_(), weight.detach().requires_grad_()
    expected = loss(leaves[0], 2, weight=leaves[1])
    assert value.item() == expected.item() and not value.requires_grad
    for found, wanted in zip(grads, grad(expected, leaves), strict=True):
        np.testing.assert_array_equal(found, wanted)
    assert x.grad is None and w.grad is None and not weight.requires_grad


def test_value_and_grad_by_one_argument_is_no_tuple() -> None:
    value, slope = value_and_grad(lambda x, labels: (x * labels).sum())(vector(1, 2), byhand.tensor([3, 4]))
    assert value.item() == 11 and slope.tolist() == [3, 4]
    value, slopes = value_and_grad(lambda x, y: (x * x).sum())(vector(1, 2), vector(5))
    assert slopes[0].tolist() == [2, 4] and slopes[1].tolist() == [0]
    with byhand.no_grad():
        assert value_and_grad(lambda x: x.sum())(vector(1, 2))[1].tolist() == [1, 1]


def test_value_and_grad_refuses() -> None:
    with pytest.raises(ShapeError, match="value_and_grad is for functions with one number"):
        value_and_grad(lambda x: x * 2)(vector(1, 2))
    with pytest.raises(UsageError, match="none of the arguments is a float tensor"):
        value_and_grad(lambda x, n: x * n)(byhand.tensor([1, 2]), 2)


def test_inside_of_no_grad() -> None:
    with byhand.no_grad():
        j = jacobian(lambda t: t * t, vector(1, 2))
    np.testing.assert_allclose(j, np.diag([2.0, 4.0]))
    assert not j.requires_grad


def test_against_torch() -> None:
    torch = pytest.importorskip("torch")

    def g(x):  # type: ignore[no-untyped-def]
        return (x[0] * x[1]).exp() + (x * x).sum() * x[0]

    x, v = np.array([0.3, 0.7]), np.array([1.0, -2.0])
    a, b = byhand.tensor(x), torch.tensor(x)
    np.testing.assert_allclose(hessian(g, a), torch.autograd.functional.hessian(g, b), rtol=1e-9)
    mine, theirs = hvp(g, a, byhand.tensor(v)), torch.autograd.functional.hvp(g, b, torch.tensor(v))
    np.testing.assert_allclose(mine[1], theirs[1], rtol=1e-9)

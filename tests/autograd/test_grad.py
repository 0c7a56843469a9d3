"""`autograd.grad` and `autograd.backward`: which gradients, in which form, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

import byhand
from byhand.autograd import backward, grad
from byhand.core.errors import GraphError, ShapeError, UsageError


def leaf(*values: float) -> byhand.Tensor:
    return byhand.tensor(list(values), dtype=byhand.float64, requires_grad=True)


def test_grad_leaves_dot_grad_alone() -> None:
    x = leaf(1.0, 2.0)
    (g,) = grad((x * x).sum(), x)
    np.testing.assert_array_equal(g, [2, 4])
    assert x.grad is None and not g.requires_grad


def test_several_outputs_and_inputs() -> None:
    x, w = leaf(1.0, 2.0), leaf(3.0, 4.0)
    y, z = (x * w).sum(), (x + w).sum()
    gx, gw = grad([y, z], [x, w])
    np.testing.assert_array_equal(gx, [4, 5])
    np.testing.assert_array_equal(gw, [2, 3])
    gx, gw = grad((x * w, x + w), (x, w), (byhand.ones(2), 2 * byhand.ones(2)))
    np.testing.assert_array_equal(gx, [5, 6])


def test_one_output_of_another_output() -> None:
    x = leaf(2.0)
    y = x * x
    z = y * x
    gx, gy = grad([z, y], [x, y])
    assert gx.item() == pytest.approx(3 * 4 + 2 * 2)
    assert gy.item() == pytest.approx(2 + 1)


def test_gradients_by_inner_tensors() -> None:
    x = leaf(2.0)
    y = x.exp()
    (g,) = grad((y * y).sum(), y)
    np.testing.assert_allclose(g, 2 * np.exp([2.0]))
    (g,) = grad(y, y)
    assert g.item() == 1


def test_the_same_input_twice() -> None:
    x = leaf(2.0)
    a, b = grad((x * 3).sum(), [x, x])
    assert a.item() == b.item() == 3
    a.zero_()
    assert b.item() == 3


def test_only_the_way_to_the_inputs_is_walked() -> None:
    x, w = leaf(1.0), leaf(2.0)
    seen: list[int] = []
    u = w * 2
    u.register_hook(lambda g: seen.append(1))
    grad((x * u).sum(), x)
    assert seen == []


def test_unused_inputs() -> None:
    x, w = leaf(1.0), leaf(2.0, 3.0)
    y = (x * 2).sum()
    with pytest.raises(GraphError, match=r"input 1 of grad, of shape \(2,\).*allow_unused=True"):
        grad(y, [x, w], retain_graph=True)
    assert grad(y, [x, w], allow_unused=True, retain_graph=True)[1] is None
    np.testing.assert_array_equal(grad(y, [x, w], materialize_grads=True)[1], [0, 0])


def test_misuse() -> None:
    x = leaf(1.0, 2.0)
    with pytest.raises(GraphError, match="does not require a gradient"):
        grad(byhand.ones(()), x)
    with pytest.raises(GraphError, match="does not require a gradient"):
        grad((x * 2).sum(), byhand.ones(2))
    with pytest.raises(GraphError, match="only a single number"):
        grad(x * 2, x)
    with pytest.raises(ShapeError):
        grad(x * 2, x, byhand.ones(3))
    with pytest.raises(UsageError, match="1 tensors, but 2 gradients"):
        grad(x * 2, x, [byhand.ones(2), byhand.ones(2)])
    with pytest.raises(UsageError, match="takes tensors"):
        grad(x.sum(), 3)
    with pytest.raises(UsageError, match="jacobian"):
        grad(x.sum(), x, is_grads_batched=True)


def test_a_differentiable_cotangent() -> None:
    x, v = leaf(1.0, 2.0), leaf(3.0, 4.0)
    (g,) = grad(x * x, x, v, create_graph=True)
    (gv,) = grad(g.sum(), v)
    np.testing.assert_array_equal(gv, [2, 4])


def test_create_graph_without_retaining() -> None:
    x = leaf(2.0)
    y = (x * x).sum()
    (g,) = grad(y, x, create_graph=True, retain_graph=False)
    assert grad(g.sum(), x)[0].item() == 2
    with pytest.raises(GraphError):
        grad(y, x)


def test_nothing_is_recorded_during_a_plain_walk() -> None:
    x = leaf(2.0)
    recorded: list[bool] = []
    y = x * x
    y.register_hook(lambda g: recorded.append(byhand.is_grad_enabled()))
    grad(y.sum(), x, retain_graph=True)
    grad(y.sum(), x, create_graph=True)
    assert recorded == [False, True]
    assert byhand.is_grad_enabled()


def test_walks_inside_of_no_grad() -> None:
    x = leaf(2.0)
    y = (x * x).sum()
    with byhand.no_grad():
        y.backward(retain_graph=True)
        (g,) = grad(y, x)
        assert not byhand.is_grad_enabled()
    assert x.grad.item() == g.item() == 4


def test_an_error_in_a_hook_leaves_recording_as_it_was() -> None:
    x = leaf(2.0)
    y = x * x

    def broken(g: byhand.Tensor) -> None:
        raise KeyError

    y.register_hook(broken)
    with pytest.raises(KeyError):
        y.sum().backward()
    assert byhand.is_grad_enabled()


def test_backward_of_several_tensors() -> None:
    x = leaf(1.0, 2.0)
    backward([(x * 2).sum(), x * 3], [None, byhand.ones(2)])
    np.testing.assert_array_equal(x.grad, [5, 5])


def test_higher_derivatives_of_a_polynomial() -> None:
    x = leaf(1.5)
    y = x**5
    for factor, power in ((5, 4), (20, 3), (60, 2), (120, 1), (120, 0)):
        (y,) = grad(y.sum(), x, create_graph=True)
        assert y.item() == pytest.approx(factor * 1.5**power)


def test_gradient_of_what_does_not_depend_any_more() -> None:
    x = leaf(1.0)
    (g,) = grad((x * 2).sum(), x, create_graph=True)
    assert not g.requires_grad  # a constant
    (zero,) = grad((x * 2).sum() + g.sum() * 0, x)
    assert zero.item() == 2

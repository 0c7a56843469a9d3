"""The walk back: order, accumulation, retained and freed graphs, hooks, deep chains, higher derivatives."""

from __future__ import annotations

import gc
import time
import weakref
from typing import Any

import numpy as np
import pytest

import byhand
from byhand.autograd import grad
from byhand.core.op import OPS


def leaf(*values: float) -> byhand.Tensor:
    return byhand.tensor(list(values), dtype=byhand.float64, requires_grad=True)


def test_a_value_used_twice_gets_both_gradients() -> None:
    x = leaf(2.0, 3.0)
    y = x * x
    (y * x + y).sum().backward()  # x³ + x²
    np.testing.assert_allclose(x.grad, 3 * np.array([4.0, 9.0]) + 2 * np.array([2.0, 3.0]))


def test_each_node_is_walked_once() -> None:
    """30 doublings in a row: walked path by path, that would be 2³⁰ visits."""
    x = leaf(1.0)
    y = x
    for _ in range(30):
        y = y + y
    y.sum().backward()
    assert x.grad.item() == 2.0**30


def test_gradients_of_parts_are_added_where_they_belong(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only for the first part an array of the whole is made: for T rows read one by one not T of them."""
    made = []
    for name in ("narrow", "getitem", "diagonal"):
        derivative = OPS[name].rules[0]
        rule = derivative.rule
        monkeypatch.setattr(derivative, "rule", lambda *args, rule=rule: made.append(1) or rule(*args))
    weights = [leaf(*row) for row in np.arange(12.0).reshape(3, 4)]
    for track in (False, True):
        for x in (leaf(*[0.0] * 12).reshape(3, 4), byhand.zeros(3, 4, dtype=byhand.float64).requires_grad_()):
            made.clear()
            y = x[0] * weights[0] + x[1] * weights[1] + x[0] * weights[2]
            loss = y.sum() + 2 * x[:, 1:3].sum() + 3 * x.diagonal().sum() + 5 * x[2, 3] + 7 * x.narrow(0, 1, 2).sum()
            [g] = grad(loss, x, create_graph=track)
            expected = np.array([[8 + 3, 10 + 2, 12 + 2, 14], [4, 5 + 2 + 3, 6 + 2, 7], [0, 2, 2 + 3, 5]])
            expected[1:] += 7
            np.testing.assert_array_equal(g.array, expected)
            assert len(made) == (7 if track else 1)


def test_gradients_accumulate_until_they_are_cleared() -> None:
    x = leaf(1.0, 2.0)
    for _ in range(3):
        (x * 2).sum().backward()
    np.testing.assert_array_equal(x.grad, [6, 6])
    x.grad = None
    (x * 2).sum().backward()
    np.testing.assert_array_equal(x.grad, [2, 2])


def test_gradients_of_two_leaves_share_no_memory() -> None:
    x, y = leaf(1.0, 2.0), leaf(3.0, 4.0)
    (x + y).backward(byhand.ones(2, dtype=byhand.float64))
    x.grad.zero_()
    np.testing.assert_array_equal(y.grad, [1, 1])
    assert not np.may_share_memory(x.grad.array, y.grad.array)


def test_a_gradient_does_not_share_memory_with_what_was_passed_in() -> None:
    x, g = leaf(1.0, 2.0), byhand.tensor([5.0, 6.0], dtype=byhand.float64)
    for y in (x.clone(), x + 0, x.view(2), x.reshape(1, 2).squeeze(0), x.expand(2)):
        x.grad = None
        y.backward(g)
        x.grad.zero_()
        np.testing.assert_array_equal(g, [5, 6])
    (found,) = grad(x.clone(), x, g)
    found.zero_()
    np.testing.assert_array_equal(g, [5, 6])


def test_a_kept_gradient_does_not_change_under_the_user() -> None:
    x = leaf(1.0, 2.0)
    w = leaf(1.0, 1.0)
    y = x.view(2, 1).expand(2, 3).sum(1) + w
    y.retain_grad()
    y.backward(byhand.ones(2, dtype=byhand.float64))
    kept = y.grad.numpy().copy()
    x.grad.mul_(10)
    w.grad.mul_(10)
    np.testing.assert_array_equal(y.grad, kept)


def test_second_backward_through_a_freed_graph_says_what_to_do() -> None:
    x = leaf(1.0)
    y = x.exp().sum()
    y.backward()
    with pytest.raises(byhand.errors.GraphError, match=r"saved by exp are gone.*retain_graph=True"):
        y.backward()


def test_a_graph_without_saved_values_can_be_walked_twice() -> None:
    x = leaf(1.0)
    y = (x + 1).sum()
    y.backward()
    y.backward()
    assert x.grad.item() == 2


def test_retain_graph() -> None:
    x = leaf(2.0)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.item() == 12
    with pytest.raises(byhand.errors.GraphError):
        y.backward()


def test_create_graph_retains_it() -> None:
    x = leaf(2.0)
    y = (x * x).sum()
    grad(y, x, create_graph=True)
    y.backward()
    assert x.grad.item() == 4


def test_saved_values_are_freed_during_the_walk() -> None:
    x = leaf(*np.linspace(0, 1, 5))
    y = x.exp()
    watched = weakref.ref(y.array)
    loss = y.sum()
    del y
    loss.backward()
    assert watched() is None  # although the loss is still there


def test_third_order() -> None:
    x = leaf(0.3, 0.7)
    y = (x.sin() * x.exp()).sum()
    (first,) = grad(y, x, create_graph=True)
    (second,) = grad(first.sum(), x, create_graph=True)
    (third,) = grad(second.sum(), x)
    v = np.array([0.3, 0.7])
    s, c, e = np.sin(v), np.cos(v), np.exp(v)
    np.testing.assert_allclose(first.detach(), e * (s + c))
    np.testing.assert_allclose(second.detach(), 2 * e * c)
    np.testing.assert_allclose(third, 2 * e * (c - s))


def test_backward_with_create_graph_keeps_the_graph_in_grad() -> None:
    x = leaf(2.0)
    (x**3).sum().backward(create_graph=True)
    first = x.grad
    assert first.requires_grad
    x.grad = None
    first.sum().backward()
    assert x.grad.item() == pytest.approx(12.0)


def test_gradient_penalty_flows_into_parameters() -> None:
    w, x = leaf(0.5, -0.2), leaf(1.0, 2.0)
    (gx,) = grad(((w * x).tanh()).sum(), x, create_graph=True)
    (gx * gx).sum().backward()
    t = np.tanh(np.array([0.5, -0.4]))
    slope, wv, xv = 1 - t * t, np.array([0.5, -0.2]), np.array([1.0, 2.0])
    expected = 2 * (wv * slope) * (slope + wv * (-2 * t * slope) * xv)
    np.testing.assert_allclose(w.grad, expected)


@pytest.mark.parametrize("step", [lambda y: y * 1.0, lambda y: y + 1.0, lambda y: y.view(1), lambda y: y.mul_(1.0)])
def test_a_chain_of_100000_nodes(step: Any) -> None:
    """Forward, backward and deallocation without recursion."""
    x = leaf(1.0)
    y = x.clone()
    for _ in range(100_000):
        y = step(y)
    loss = y.sum()
    loss.backward()
    assert x.grad.item() == 1.0
    del y, loss
    gc.collect()


def test_a_chain_that_was_never_walked_is_freed_without_recursion() -> None:
    x = leaf(1.0)
    y = x
    for _ in range(100_000):
        y = y.exp().log()
    watched = weakref.ref(y.array)
    del y
    gc.collect()
    assert watched() is None


def test_a_long_chain_has_gradients_by_inner_targets() -> None:
    x = leaf(1.0)
    middle = x * 2
    y = middle
    for _ in range(20_000):
        y = y * 1.0
    (found,) = grad(y.sum(), middle)
    assert found.item() == 1


def test_second_derivative_through_a_chain_of_10000() -> None:
    x = leaf(1.0)
    y = x * x
    for _ in range(10_000):
        y = y * 1.0
    (first,) = grad(y.sum(), x, create_graph=True)
    (second,) = grad(first.sum(), x)
    assert second.item() == pytest.approx(2)
    del first, y
    gc.collect()


def test_wide_sums_do_not_slow_down() -> None:
    """1000 uses of one leaf: each addition of a gradient happens in place."""
    x = byhand.ones(1000, requires_grad=True)
    total = sum((x * k for k in range(1000)), byhand.zeros(1000))
    start = time.perf_counter()
    total.sum().backward()
    assert time.perf_counter() - start < 5
    assert x.grad[0].item() == sum(range(1000))


# broadcasting


@pytest.mark.parametrize(
    ("a", "b"),
    [((3,), (2, 3)), ((2, 1), (3,)), ((), (2, 3)), ((1, 1), (4, 5)), ((2, 1, 4), (3, 1)), ((0, 1), (1, 3)), ((1,), ())],
)
def test_broadcast_gradients_are_summed_back(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    x, y = byhand.randn(a, requires_grad=True), byhand.randn(b, requires_grad=True)
    z = x * y
    z.sum().backward()
    full = np.broadcast_shapes(a, b)
    assert x.grad.shape == a and y.grad.shape == b
    axes_x = tuple(
        i for i in range(len(full)) if i < len(full) - len(a) or (a[i - len(full) + len(a)] == 1 and full[i] != 1)
    )
    expected = np.broadcast_to(y.detach().numpy(), full).sum(axes_x).reshape(a)
    np.testing.assert_allclose(x.grad, expected, rtol=1e-6)


def test_mixed_dtypes_bring_gradients_of_their_own_dtype() -> None:
    x, y = byhand.ones(2, requires_grad=True), byhand.ones(2, dtype=byhand.float64, requires_grad=True)
    z = x * y
    assert z.dtype == byhand.float64
    z.sum().backward()
    assert x.grad.dtype == byhand.float32 and y.grad.dtype == byhand.float64


# hooks


def test_hook_sees_and_replaces_the_gradient_of_a_leaf() -> None:
    x = leaf(1.0, 2.0)
    seen = []
    x.register_hook(lambda g: seen.append(g.numpy().copy()))
    x.register_hook(lambda g: g * 10)
    (x * 3).sum().backward()
    np.testing.assert_array_equal(seen, [[3, 3]])
    np.testing.assert_array_equal(x.grad, [30, 30])


def test_hook_of_a_computed_tensor_sees_the_whole_gradient() -> None:
    x = leaf(1.0)
    y = x * 2
    seen = []
    y.register_hook(lambda g: seen.append(g.item()))
    (y * 3 + y * 4).sum().backward()
    assert seen == [7.0]


def test_hook_of_a_computed_tensor_replaces_what_flows_on() -> None:
    x = leaf(1.0)
    y = x * 2
    y.register_hook(lambda g: -g)
    (y * 3).sum().backward()
    assert x.grad.item() == -6


def test_removed_hook_is_silent() -> None:
    x = leaf(1.0)
    seen: list[int] = []
    handle = x.register_hook(lambda g: seen.append(1))
    (x * 2).sum().backward()
    handle.remove()
    handle.remove()
    (x * 2).sum().backward()
    assert seen == [1]


def test_hooks_work_with_grad_and_create_graph() -> None:
    x = leaf(2.0)
    y = x * x
    y.register_hook(lambda g: g * 5)
    (first,) = grad(y.sum(), x, create_graph=True)
    (second,) = grad(first.sum(), x)
    assert first.item() == 20 and second.item() == 10


def test_hook_needs_a_gradient() -> None:
    with pytest.raises(byhand.errors.GraphError, match="requires a gradient"):
        byhand.ones(1).register_hook(print)


def test_retain_grad() -> None:
    x = leaf(1.0, 2.0)
    y = x * 2
    y.retain_grad()
    y.retain_grad()
    (y * y).sum().backward()
    np.testing.assert_array_equal(y.grad, [4, 8])
    assert x.retain_grad() is None  # a leaf keeps it anyway
    with pytest.raises(byhand.errors.GraphError):
        byhand.ones(1).retain_grad()


def test_without_retain_grad_a_computed_tensor_has_none() -> None:
    x = leaf(1.0)
    y = x * 2
    y.sum().backward()
    assert y.grad is None


# misuse


def test_backward_of_a_constant() -> None:
    with pytest.raises(byhand.errors.GraphError, match="does not require a gradient"):
        byhand.ones(()).backward()


def test_backward_of_many_values_needs_a_gradient() -> None:
    x = leaf(1.0, 2.0)
    with pytest.raises(byhand.errors.GraphError, match=r"shape \(2,\).*\.sum\(\)"):
        (x * 2).backward()


def test_backward_with_a_gradient_of_wrong_shape() -> None:
    x = leaf(1.0, 2.0)
    with pytest.raises(byhand.errors.ShapeError, match=r"\(3,\).*\(2,\)"):
        (x * 2).backward(byhand.ones(3))


def test_backward_by_inputs_leaves_others_alone() -> None:
    x, w = leaf(1.0), leaf(2.0)
    (x * w).sum().backward(inputs=[w])
    assert x.grad is None and w.grad.item() == 1
    y = x * 2
    (y * w).sum().backward(inputs=y)
    assert y.grad.item() == 2 and x.grad is None

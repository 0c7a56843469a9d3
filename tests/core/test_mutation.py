"""In-place changes: a lost value is an error that names both ops, never a wrong gradient."""

from __future__ import annotations

import gc
import re
from typing import Any

import numpy as np
import pytest

import byhand
from byhand.core import mutation
from byhand.core.errors import DtypeError, GraphError, ShapeError, UsageError


def leaf(*values: float) -> byhand.Tensor:
    return byhand.tensor(list(values), dtype=byhand.float64, requires_grad=True)


def test_error_names_both_ops_and_what_to_do() -> None:
    x = leaf(1.0, 2.0)
    y = x * 2
    z = y.exp()
    z.mul_(3)
    with pytest.raises(GraphError) as caught:
        z.sum().backward()
    said = str(caught.value)
    assert "exp saved its result, of shape (2,)" in said
    assert "mul_ overwrote it in place" in said
    assert "clone()" in said


def test_operand_that_was_overwritten() -> None:
    x = leaf(1.0, 2.0)
    y = x + 0
    z = y.sin()
    y.add_(1)
    with pytest.raises(GraphError, match=r"sin saved its operand x.*add_ overwrote"):
        z.sum().backward()


def test_variadic_operand_that_was_overwritten() -> None:
    x, y = byhand.randn(2, 3, requires_grad=True), byhand.randn(3, 4)
    z = byhand.einsum("ij,jk->ik", x, y)
    y.zero_()
    with pytest.raises(GraphError, match="einsum saved its operand xs"):
        z.sum().backward()


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda y: y.mul_(2), "mul_"), (lambda y: y.__setitem__(0, 5.0), "setitem"), (lambda y: y.zero_(), "copied_"),
        (lambda y: y.data.add_(1), "add_"), (lambda y: y.detach().sub_(1), "sub_"), (lambda y: y[1:].exp_(), "exp_"),
        (lambda y: y.view(2, 1).add_(1), "add_"), (lambda y: y.T.copy_(byhand.zeros(2)), "copied_"),
        (lambda y: y.normal_(), "copied_"),
    ],
)  # fmt: skip
def test_whoever_overwrites_is_named(change: Any, name: str) -> None:
    x = leaf(1.0, 2.0)
    y = x + 0
    z = y * y
    change(y)
    with pytest.raises(GraphError, match=rf"mul saved its operand x.* but {re.escape(name)} overwrote"):
        z.sum().backward()


def test_a_change_elsewhere_in_the_same_memory_is_harmless() -> None:
    x = leaf(1.0, 2.0)
    base = byhand.zeros(4, dtype=byhand.float64)
    base[:2] = byhand.tensor([3.0, 4.0], dtype=byhand.float64)
    z = x * base[:2]
    base[2:].fill_(7.0)
    z.sum().backward()
    np.testing.assert_array_equal(x.grad, [3, 4])


def test_many_changes_of_one_memory_are_summed_up_safely() -> None:
    x = leaf(1.0)
    base = byhand.ones(200, dtype=byhand.float64)
    z = x * base[:1]
    for i in range(100, 100 + mutation.MAX_INTERVALS // 2):
        base[i : i + 1].fill_(2.0)
    z.sum().backward(retain_graph=True)
    assert x.grad.item() == 1
    base[:1].fill_(2.0)
    for i in range(10, 180):
        base[i : i + 1].fill_(3.0)
    with pytest.raises(GraphError):  # the early change must not be forgotten
        z.sum().backward()


def test_what_no_rule_needs_may_be_overwritten() -> None:
    x = leaf(1.0, -2.0)
    y = x * 3
    z = y + 1
    y.zero_()
    w = z.relu()
    z.add_(100)
    w.sum().backward()
    np.testing.assert_array_equal(x.grad, [3, 0])


def test_a_value_overwritten_before_it_was_saved() -> None:
    x, w = leaf(1.0, 2.0), byhand.ones(2, dtype=byhand.float64)
    for k in range(1, 4):
        w.fill_(float(k))
        x.grad = None
        (x * w).sum().backward()
        np.testing.assert_array_equal(x.grad, [k, k])


def test_an_update_between_forward_and_backward_is_noticed() -> None:
    w, x = leaf(1.0, 2.0), byhand.ones(2, dtype=byhand.float64)
    loss = (w * w * x).sum()
    with byhand.no_grad():
        w -= 0.1
    with pytest.raises(GraphError, match=r"sub_|add"):
        loss.backward()


def test_the_usual_loop_of_updates() -> None:
    w = leaf(1.0, 2.0)
    for _ in range(3):
        loss = (w * w).sum()
        w.grad = None
        loss.backward()
        with byhand.no_grad():
            w -= 0.25 * w.grad
    np.testing.assert_allclose(w.detach(), np.array([1.0, 2.0]) / 8)
    assert w.requires_grad and w.is_leaf


def test_an_accumulated_gradient_that_a_graph_saved_is_guarded() -> None:
    x, w = leaf(2.0), leaf(1.0)
    (x * 3).sum().backward()
    z = (w * x.grad).sum()
    (x * 3).sum().backward()  # adds into x.grad
    with pytest.raises(GraphError, match="backward overwrote"):
        z.backward()


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x.mul_(2), lambda x: x.__setitem__(0, 1.0), lambda x: x.zero_(), lambda x: x[0].add_(1),
        lambda x: x.view(1, 2).copy_(byhand.zeros(1, 2)), lambda x: x.__iadd__(1), lambda x: x.normal_(),
    ],
)  # fmt: skip
def test_leaves_and_their_views_refuse(change: Any) -> None:
    x = leaf(1.0, 2.0)
    with pytest.raises(GraphError, match=r"leaf tensor that requires a gradient.*no_grad\(\)"):
        change(x)
    np.testing.assert_array_equal(x.detach(), [1, 2])
    with byhand.no_grad():
        change(x)
    assert x.requires_grad and x.is_leaf


def test_value_and_gradient_after_an_in_place_change() -> None:
    x = leaf(1.0, 2.0)
    y = x.clone()
    y *= 3
    y += x
    y[0] = 10.0
    y.sum().backward()
    np.testing.assert_array_equal(y.detach(), [10, 8])
    np.testing.assert_array_equal(x.grad, [0, 4])


def test_augmented_assignment_changes_the_same_object() -> None:
    x = byhand.ones(2)
    same = x
    x += 1
    x *= 2
    x -= 1
    x /= 3
    assert x is same
    np.testing.assert_array_equal(same, [1, 1])


def test_a_changed_view_changes_its_base_and_their_gradients() -> None:
    x = leaf(1.0, 2.0, 3.0)
    y = x.clone()
    head, other = y[:2], y[1:]
    head.mul_(10)
    np.testing.assert_array_equal(y.detach(), [10, 20, 3])
    np.testing.assert_array_equal(other.detach(), [20, 3])
    (other * byhand.tensor([1.0, 2.0], dtype=byhand.float64)).sum().backward()
    np.testing.assert_array_equal(x.grad, [0, 10, 2])


def test_an_assigned_tensor_gets_its_gradient() -> None:
    x, v = leaf(1.0, 2.0, 3.0), leaf(5.0)
    y = byhand.zeros(3, dtype=byhand.float64)
    y[:2] = x[1:]
    y[2] = v[0]
    assert y.requires_grad
    (y * y).sum().backward()
    np.testing.assert_array_equal(x.grad, [0, 4, 6])
    np.testing.assert_array_equal(v.grad, [10])


def test_errors_of_in_place_ops_say_what_was_expected() -> None:
    with pytest.raises(DtypeError, match="int64"):
        byhand.tensor([1, 2]).mul_(1.5)
    with pytest.raises(ShapeError, match=r"\(2,\).*\(3, 2\)"):
        byhand.ones(2).add_(byhand.ones(3, 2))
    with pytest.raises(UsageError, match=r"expanded view.*clone\(\)"):
        byhand.ones(2, 1).expand(2, 3).add_(1)
    with pytest.raises(DtypeError, match=r"float64.*int64|int64.*float64"):
        byhand.tensor([1, 2])[0:1] = byhand.ones(1, dtype=byhand.float64)
    with pytest.raises(byhand.ByhandError):
        byhand.ones(2)[5] = 1.0


def test_stamps_of_freed_memory_are_dropped() -> None:
    gc.collect()
    before = len(mutation._changes)
    for _ in range(50):
        byhand.ones(3).mul_(2)
    assert len(mutation._changes) <= before + 1


def test_a_new_array_at_an_old_address_is_not_blamed() -> None:
    for _ in range(50):
        byhand.ones(1000).mul_(2)
        x = byhand.ones(1000, requires_grad=True)
        (x * byhand.ones(1000)).sum().backward()

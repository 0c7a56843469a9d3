from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import byhand
from byhand.core.errors import DomainError, UsageError
from byhand.nn.parameter import Parameter
from byhand.nn.utils import clip_grad_norm_, clip_grad_value_, get_total_norm


def parameters(*grads, dtype=np.float32) -> list[Parameter]:
    found = []
    for grad in grads:
        p = Parameter(np.zeros(np.shape(grad), dtype))
        p.grad = byhand.tensor(np.array(grad, dtype))
        found.append(p)
    return found


def test_a_long_gradient_is_scaled_a_short_one_is_not():
    ps = [*parameters([3.0, 0.0], [[4.0]]), Parameter(byhand.ones(2))]
    memory = ps[0].grad.array
    norm = clip_grad_norm_(ps, 1.0)
    assert norm.item() == 5.0
    assert norm.shape == ()
    assert norm.dtype == np.float32
    np.testing.assert_allclose(ps[0].grad.array, [0.6, 0.0], rtol=1e-6)
    np.testing.assert_allclose(ps[1].grad.array, [[0.8]], rtol=1e-6)
    assert ps[0].grad.array is memory
    before = ps[0].grad.array.copy()
    clip_grad_norm_(iter(ps), 2.0)
    np.testing.assert_array_equal(ps[0].grad.array, before)


@pytest.mark.parametrize(("p", "norm"), [(1, 7.0), (2, 5.0), (math.inf, 4.0), ("inf", 4.0), (3, 91 ** (1 / 3)), (0, 2)])
def test_norms(p, norm):
    tensors = [byhand.tensor([3.0, 0.0]), byhand.tensor(-4.0), byhand.zeros(2)]
    assert get_total_norm(tensors, p).item() == pytest.approx(norm)


def test_one_tensor_and_none():
    (p,) = parameters([3.0, 4.0])
    assert clip_grad_norm_(p, 10.0).item() == 5.0
    assert clip_grad_norm_([], 1.0).item() == 0.0
    assert clip_grad_norm_(Parameter(byhand.ones(1)), 1.0).item() == 0.0


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=8), st.floats(0.1, 10))
def test_afterwards_no_longer_than_allowed_and_in_the_same_direction(grad, limit):
    (p,) = parameters(grad, dtype=np.float64)
    before = p.grad.array.copy()
    clip_grad_norm_(p, limit)
    after = p.grad.array
    assert np.linalg.norm(after) <= limit * (1 + 1e-9)
    np.testing.assert_allclose(after * np.linalg.norm(before), before * np.linalg.norm(after), rtol=1e-9, atol=1e-9)


def test_float32_whose_square_overflows():
    (p,) = parameters([3e30, 4e30])
    assert clip_grad_norm_(p, 1.0).item() == pytest.approx(5e30)
    np.testing.assert_allclose(p.grad.array, [0.6, 0.8], rtol=1e-6)


@pytest.mark.parametrize("bad", [math.inf, math.nan])
@pytest.mark.parametrize("p", [1, 2, math.inf])
def test_what_is_not_finite(bad, p):
    ps = parameters([1.0], [bad, 2.0])
    with pytest.raises(DomainError, match=r"some gradient is not finite"):
        clip_grad_norm_(ps, 1.0, p, error_if_nonfinite=True)
    assert ps[0].grad.tolist() == [1.0]
    norm = clip_grad_norm_(ps, 1.0, p)
    assert not math.isfinite(norm.item())
    assert math.isnan(ps[1].grad.array[0])


def test_orders_that_are_none():
    with pytest.raises(UsageError, match="norm_type"):
        clip_grad_norm_(parameters([1.0]), 1.0, -1)


def test_clip_value():
    ps = parameters([-5.0, 0.5], [2.0])
    memory = ps[0].grad.array
    clip_grad_value_(ps, 1.0)
    assert ps[0].grad.tolist() == [-1.0, 0.5]
    assert ps[1].grad.tolist() == [1.0]
    assert ps[0].grad.array is memory
    clip_grad_value_(Parameter(byhand.ones(1)), 1.0)

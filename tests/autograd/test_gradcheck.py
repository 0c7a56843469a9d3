"""The checker must find wrong derivatives: else all other tests prove nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import byhand
from byhand.autograd import GradcheckError, gradcheck, gradgradcheck
from byhand.core.errors import DtypeError
from byhand.core.op import ELEMENTWISE, OPS, derive, op


@pytest.fixture
def x() -> byhand.Tensor:
    return byhand.tensor([[0.3, -0.7], [1.1, 0.2]], dtype=byhand.float64, requires_grad=True)


@pytest.fixture(scope="module")
def wrong() -> Any:
    """An op whose rule is off by a factor, and one whose second derivative is."""

    @op(ELEMENTWISE, name="test_wrong_first")
    def first(v: Any) -> Any:
        """v³"""
        return v * v * v

    @op(ELEMENTWISE, name="test_wrong_second")
    def second(v: Any) -> Any:
        """v³"""
        return v * v * v

    def cut(g: Any, v: Any) -> Any:
        value = getattr(v, "array", v)
        return g * (3 * value * value)

    derive(first, v=lambda g, v: g * (2 * v * v))
    derive(second, v=cut)  # right in value, but the tape sees a constant
    yield first, second
    del OPS["test_wrong_first"], OPS["test_wrong_second"]


def test_right_derivatives_pass(x: byhand.Tensor) -> None:
    assert gradcheck(lambda v: (v.sin() * v).sum(0), x)
    assert gradgradcheck(lambda v: v.exp() * v, x)
    assert gradcheck(lambda a, b: (a @ b, a + b), (x, x.detach().clone().requires_grad_()))


def test_a_wrong_rule_is_found(x: byhand.Tensor, wrong: Any) -> None:
    first, _ = wrong
    with pytest.raises(
        GradcheckError, match=r"output 0\[1, 0\] by input 0\[1, 0\] is computed as 2\.42, but differences show 3\.63"
    ):
        gradcheck(first, x)
    assert gradcheck(first, x, raise_exception=False) is False


def test_a_wrong_second_derivative_is_found(x: byhand.Tensor, wrong: Any) -> None:
    _, second = wrong
    assert gradcheck(second, x)
    with pytest.raises(GradcheckError):
        gradgradcheck(second, x)


def test_a_missing_gradient_is_found(x: byhand.Tensor) -> None:
    assert not gradcheck(lambda v: v * v.detach(), x, raise_exception=False)


def test_float32_is_too_coarse() -> None:
    with pytest.raises(DtypeError, match=r"differences need float64, use \.double\(\)"):
        gradcheck(byhand.sin, byhand.ones(2, requires_grad=True))


def test_something_must_be_tracked() -> None:
    with pytest.raises(DtypeError, match="none of the inputs"):
        gradcheck(byhand.sin, byhand.ones(2, dtype=byhand.float64))


def test_inputs_that_are_not_tracked_or_no_tensors_pass_through(x: byhand.Tensor) -> None:
    index = byhand.tensor([[0], [1]])
    assert gradcheck(lambda v, i, k: v.gather(1, i) * k, (x, index, 3.0))


def test_inputs_are_left_as_they_were(x: byhand.Tensor) -> None:
    before = x.tolist()
    gradgradcheck(lambda v: v**3, x)
    assert x.tolist() == before and x.grad is None


def test_scalars_and_empty_tensors() -> None:
    assert gradcheck(byhand.exp, byhand.tensor(0.5, dtype=byhand.float64, requires_grad=True))
    assert gradcheck(lambda v: v.sum(), byhand.zeros(0, 2, dtype=byhand.float64, requires_grad=True))


def test_nan_is_an_error(x: byhand.Tensor) -> None:
    with np.errstate(invalid="ignore"):
        assert not gradcheck(lambda v: (v - 5).sqrt(), x, raise_exception=False)

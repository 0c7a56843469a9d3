from __future__ import annotations

import byhand


def test_operands_have_pytorchs_names() -> None:
    x = byhand.tensor([1.0, 2.0])
    assert byhand.sum(input=x, dim=0) == 3
    assert byhand.exp(input=x * 0).tolist() == [1, 1]
    assert byhand.maximum(input=x, other=x * 2).tolist() == byhand.mul(input=x, other=2).tolist() == [2, 4]
    assert byhand.pow(input=x, exponent=2).tolist() == [1, 4]
    assert byhand.isin(elements=x, test_elements=byhand.tensor([2.0])).tolist() == [False, True]
    assert byhand.dot(input=x, tensor=x) == 5
    assert byhand.lerp(input=x, end=x, weight=0.5).tolist() == [1, 2]
    assert byhand.trapezoid(y=x, x=x) == 1.5


def test_positions_and_gradients_are_as_before() -> None:
    x = byhand.tensor([1.0, 2.0], requires_grad=True)
    byhand.where(x > 1, input=byhand.square(input=x), other=0.0).sum().backward()
    assert x.grad is not None and x.grad.tolist() == [0, 4]
    assert byhand.quantile(input=x, q=0.5, dim=0) == 1.5  # x is read by an inner function there


def test_functions_of_one_arity_share_their_code() -> None:
    assert byhand.exp.__code__ is byhand.log.__code__

"""Functions of one's own; `parity/test_function.py` compares them with PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

import byhand
from byhand.autograd import Function, grad, gradcheck, gradgradcheck
from byhand.core.errors import GraphError


class Cube(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 3 * x * x * g


class Both(Function):
    """Two results that gradients pass, one that they do not, and an argument that is no tensor."""

    @staticmethod
    def forward(ctx, x, factor, y):
        ctx.save_for_backward(x, y)
        ctx.factor = factor
        return x * factor + y, x * y * y, x > 0

    @staticmethod
    def backward(ctx, a, b, none):
        assert none is None
        x, y = ctx.saved_tensors
        return ctx.factor * a + b * y * y, None, a + 2 * b * x * y


class Modern(Function):
    """`forward` without ctx."""

    @staticmethod
    def forward(x):
        return x.exp()

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(output)

    @staticmethod
    def backward(ctx, g):
        return g * ctx.saved_tensors[0]


class StraightThrough(Function):
    @staticmethod
    def forward(ctx, x):
        return (x > 0).float()

    @staticmethod
    def backward(ctx, g):
        return g


def leaf(*values):
    return byhand.tensor(values, dtype=byhand.float64, requires_grad=True)


def test_first_and_second_derivatives():
    assert gradcheck(Cube.apply, leaf(1.0, -2.0))
    assert gradgradcheck(Cube.apply, leaf(1.0, -2.0))


def test_several_results():
    x, y = leaf(1.0, 2.0, -3.0), leaf(0.5, 2.0, 1.0)
    assert gradcheck(lambda x, y: Both.apply(x, 3.0, y)[:2], (x, y))
    positive = Both.apply(x, 3.0, y)[2]
    assert positive.tolist() == [True, True, False] and not positive.requires_grad


def test_a_result_that_nothing_was_made_of_has_gradient_zero():
    x, y = leaf(1.0, 2.0), leaf(3.0, 4.0)
    Both.apply(x, 3.0, y)[0].sum().backward()
    assert x.grad.tolist() == [3, 3] and y.grad.tolist() == [1, 1]


def test_set_up_apart():
    x = leaf(0.0, 1.0)
    Modern.apply(x).sum().backward()
    np.testing.assert_allclose(x.grad, np.exp([0.0, 1.0]))


def test_the_rule_is_the_users_even_where_the_truth_is_another():
    x = leaf(-1.0, 2.0)
    StraightThrough.apply(x).sum().backward()
    assert x.grad.tolist() == [1, 1]


def test_without_gradients_nothing_is_recorded():
    assert Cube.apply(byhand.ones(2)).node is None
    with byhand.no_grad():
        assert not Cube.apply(leaf(1.0)).requires_grad


def test_backward_runs_once_for_all_arguments():
    calls = []

    class Product(Function):
        @staticmethod
        def forward(ctx, x, y):
            ctx.save_for_backward(x, y)
            return x * y

        @staticmethod
        def backward(ctx, g):
            calls.append(ctx.needs_input_grad)
            x, y = ctx.saved_tensors
            return g * y, g * x

    Product.apply(leaf(2.0), leaf(3.0)).sum().backward()
    assert calls == [(True, True)]


def test_a_wrong_number_of_gradients_is_named():
    class Wrong(Function):
        @staticmethod
        def forward(ctx, x, y):
            return x * y

        @staticmethod
        def backward(ctx, g):
            return g

    with pytest.raises(GraphError, match=r"Wrong\.backward returned 1 gradients; expected 2"):
        Wrong.apply(leaf(1.0), leaf(2.0)).sum().backward()


@pytest.mark.parametrize("dialect", ["planned", "loops", "longhand"])
def test_it_can_be_compiled(dialect):
    def slopes(x, y):
        a, b, _ = Both.apply(x, 3.0, y)
        return grad((a * a).sum() + b.sum() + Cube.apply(x).sum(), [x, y])

    x, y = leaf(1.0, 2.0, -3.0), leaf(0.5, 2.0, 1.0)
    step = byhand.compile(slopes, dialect=dialect)
    for _ in range(2):
        for found, expected in zip(step(x, y), slopes(x, y), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-12)

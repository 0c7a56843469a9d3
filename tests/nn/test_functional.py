"""Activations, dropout, normalisation, maxout as functions: second derivatives, randomness, bad input."""

from __future__ import annotations

import numpy as np
import pytest

import byhand
from byhand.autograd import grad, gradcheck, gradgradcheck
from byhand.core.errors import DomainError, DtypeError, GraphError, ShapeError, UsageError
from byhand.nn import functional as F
from byhand.tensor import Tensor

RNG = np.random.default_rng(7)


def leaf(*shape, low=-2.0, high=2.0):
    """Values of which none is near a kink: all thresholds here are multiples of 0.1."""
    values = RNG.uniform(low, high, shape)
    return Tensor(np.round(values, 1) + np.where(values > 0, 0.03, -0.03)).requires_grad_()


def steps(result):
    """The names of the ops that computed it, last first, along the first operand."""
    names, node = [], result.node
    while node is not None and node.op is not None:
        names.append(node.op.name)
        node = next((n for n in node.inputs if n is not None), None)
    return names


ACTIVATIONS = {
    "sigmoid": F.sigmoid, "tanh": F.tanh, "relu": F.relu, "relu6": F.relu6, "leaky_relu": F.leaky_relu, "elu": F.elu,
    "celu": lambda x: F.celu(x, 0.7), "selu": F.selu, "gelu": F.gelu, "gelu_tanh": lambda x: F.gelu(x, "tanh"),
    "silu": F.silu, "mish": F.mish, "softplus": lambda x: F.softplus(x, 2.0, 3.0), "softsign": F.softsign,
    "softmax": lambda x: F.softmax(x, 1), "softmin": lambda x: F.softmin(x, 0),
    "log_softmax": lambda x: F.log_softmax(x, 1), "logsigmoid": F.logsigmoid,
    "hardtanh": F.hardtanh, "hardsigmoid": F.hardsigmoid, "hardswish": F.hardswish,
    "hardshrink": F.hardshrink, "softshrink": F.softshrink, "tanhshrink": F.tanhshrink, "glu": F.glu,
    "threshold": lambda x: F.threshold(x, 0.1, 3.0), "rrelu": F.rrelu, "maxout": lambda x: F.maxout(x, 2),
    "normalize": F.normalize,
}  # fmt: skip


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_derivatives_of_activations(name):
    assert gradcheck(ACTIVATIONS[name], leaf(3, 4), rtol=1e-6, atol=1e-7)
    assert gradgradcheck(ACTIVATIONS[name], leaf(3, 4), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("name", "inputs"), [
    ("linear", [(2, 3), (4, 3), (4,)]), ("bilinear", [(2, 3), (2, 2), (4, 3, 2), (4,)]), ("prelu", [(2, 3, 2), (3,)]),
    ("cosine_similarity", [(3, 4), (3, 4)]),
])  # fmt: skip
def test_derivatives_of_functions_of_several_tensors(name, inputs):
    leaves = [leaf(*shape) for shape in inputs]
    assert gradcheck(getattr(F, name), leaves, rtol=1e-6, atol=1e-7)
    assert gradgradcheck(getattr(F, name), leaves, rtol=1e-5, atol=1e-6)


def batch_norm(x, weight, bias):
    return F.batch_norm(x, None, None, weight, bias, training=True)


@pytest.mark.parametrize("shape", [(5, 3), (3, 3, 2)])
def test_derivatives_of_batch_norm(shape):
    inputs = leaf(*shape), leaf(3), leaf(3)
    assert gradcheck(batch_norm, inputs, rtol=1e-6, atol=1e-7)
    assert gradgradcheck(batch_norm, inputs, rtol=1e-5, atol=1e-6)


def test_third_derivative_of_batch_norm():
    def first(x):
        y = F.batch_norm(x, None, None, None, None, training=True)
        return grad((y * y * y).sum(), x, create_graph=True)[0]

    assert gradgradcheck(first, leaf(4, 2), rtol=1e-4, atol=1e-5)


def test_derivatives_of_batch_norm_in_evaluation():
    mean, var = Tensor(np.array([0.1, -0.2, 0.3])), Tensor(np.array([0.5, 1.0, 2.0]))

    def function(x, weight, bias):
        return F.batch_norm(x, mean, var, weight, bias)

    assert gradgradcheck(function, (leaf(4, 3), leaf(3), leaf(3)))


def test_derivatives_of_layer_norm():
    assert gradgradcheck(lambda x, w, b: F.layer_norm(x, (3, 2), w, b), (leaf(2, 3, 2), leaf(3, 2), leaf(3, 2)))


# how much is recorded


def test_activations_are_one_op():
    several = {"tanhshrink", "glu", "softmin", "maxout", "normalize"}
    for name in ACTIVATIONS.keys() - several:
        assert len(steps(ACTIVATIONS[name](leaf(3, 4)))) == 1, name


def test_linear_is_one_op():
    x, w, b = leaf(2, 3), leaf(4, 3), leaf(4)
    assert steps(F.linear(x, w, b)) == ["linear"]
    assert steps(F.linear(x, w)) == ["matmul"]


def test_batch_norm_is_one_op():
    assert steps(batch_norm(leaf(5, 3), leaf(3), leaf(3))) == ["normalize"]


# dropout


def test_dropout_keeps_the_mean_and_scales_what_stays():
    byhand.manual_seed(0)
    x = byhand.ones(200, 200, requires_grad=True)
    y = F.dropout(x, 0.2)
    assert set(np.unique(y.array)) == {np.float32(0), np.float32(1.25)}
    assert abs(float((y.array == 0).mean()) - 0.2) < 0.01
    assert y.dtype == np.float32
    assert steps(y) == ["mul"]
    y.sum().backward()
    assert np.array_equal(x.grad.array, y.array)


def test_dropout_draws_from_the_seeded_generator():
    x = byhand.ones(30)
    draws = []
    for seed in (1, 1, 2):
        byhand.manual_seed(seed)
        draws.append(F.dropout(x).array)
    assert np.array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[0], draws[2])


@pytest.mark.parametrize("function", [F.dropout, F.alpha_dropout])
def test_dropout_at_its_limits(function):
    x = byhand.randn(5)
    assert function(x, 0.5, training=False) is x
    assert function(x, 0.0, training=True) is x
    assert np.array_equal(function(x, 1.0, training=True).array, np.zeros(5))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dropout_keeps_the_dtype(dtype):
    x = Tensor(np.ones(5, dtype))
    assert F.dropout(x).dtype == dtype
    assert F.alpha_dropout(x, training=True).dtype == dtype


@pytest.mark.parametrize("function", [F.dropout, F.alpha_dropout])
def test_dropout_in_place(function):
    byhand.manual_seed(3)
    expected = function(byhand.ones(50), 0.5, True)
    byhand.manual_seed(3)
    x = byhand.ones(50)
    assert function(x, 0.5, True, True) is x
    assert np.allclose(x.array, expected.array)


def test_alpha_dropout_keeps_mean_and_variance():
    byhand.manual_seed(0)
    y = F.alpha_dropout(byhand.randn(400, 500), 0.3, training=True)
    assert abs(y.mean().item()) < 0.02
    assert abs(y.var().item() - 1) < 0.02


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_dropout_refuses_what_is_no_probability(p):
    with pytest.raises(DomainError, match="p is the probability that a value is dropped, from 0 to 1"):
        F.dropout(byhand.ones(2), p)


# others


def test_rrelu_draws_slopes_between_its_bounds():
    byhand.manual_seed(0)
    x = Tensor(np.full(1000, -1.0)).requires_grad_()
    y = F.rrelu(x, 0.2, 0.5, training=True)
    assert -0.5 < y.array.min() < -0.49
    assert -0.21 < y.array.max() < -0.2
    y.sum().backward()
    assert np.allclose(x.grad.array, -y.array)


def test_maxout_takes_the_largest_of_neighbours():
    x = Tensor(np.array([[1.0, 5.0, 2.0, 3.0, 0.0, -1.0]]))
    assert F.maxout(x, 3).tolist() == [[5.0, 3.0]]
    assert F.maxout(x, 2).tolist() == [[5.0, 3.0, 0.0]]
    assert F.maxout(x.T, 2, dim=0).tolist() == [[5.0], [3.0], [0.0]]


def test_inplace_overwrites_and_its_gradient_is_right():
    x = leaf(3, 4)
    y = x * 2
    assert F.elu(y, 1.0, True) is y
    y.sum().backward()
    expected = leaf(3, 4)
    expected.data = x.array
    F.elu(expected * 2).sum().backward()
    assert np.allclose(x.grad.array, expected.grad.array)


def test_inplace_on_a_leaf_is_refused():
    with pytest.raises(GraphError, match="would change a leaf tensor"):
        F.relu(leaf(3), inplace=True)


def test_batch_norm_moves_the_running_statistics():
    mean, var = byhand.zeros(2), byhand.ones(2)
    x = Tensor(np.array([[1.0, 10.0], [3.0, 30.0]], np.float32))
    F.batch_norm(x, mean, var, training=True, momentum=0.5)
    assert np.allclose(mean.array, [1.0, 10.0])
    assert np.allclose(var.array, [1.5, 100.5])  # variances of the sample: 2 and 200
    F.batch_norm(x, mean, var)
    assert np.allclose(mean.array, [1.0, 10.0])


def test_running_statistics_that_change_before_backward_do_no_harm():
    mean, var = byhand.zeros(3).double(), byhand.ones(3).double()
    x, weight = leaf(4, 3), leaf(3)
    y = F.batch_norm(x, mean, var, weight)
    expected = grad(y.sum(), (x, weight), retain_graph=True)
    F.batch_norm(x, mean, var, weight, training=True)
    found = grad(y.sum(), (x, weight))
    assert all(np.array_equal(a.array, b.array) for a, b in zip(found, expected, strict=True))


def test_batch_norm_of_far_values_is_exact_enough():
    x = Tensor(np.arange(64, dtype=np.float32).reshape(32, 2) + 10_000)
    y = F.batch_norm(x, None, None, training=True)
    assert abs(y.array.std() - 1) < 1e-3


# bad input


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: F.linear(byhand.ones(2, 3).long(), byhand.ones(4, 3)),
            DtypeError,
            r"linear takes floats, input is int64 .* use input.float\(\)",
        ),
        (
            lambda: F.linear(byhand.ones(2, 5), byhand.ones(4, 3), byhand.ones(4)),
            ShapeError,
            r"linear got \(2, 5\) and \(4, 3\)",
        ),
        (
            lambda: F.bilinear(byhand.ones(2, 3), byhand.ones(2, 3), byhand.ones(4, 3, 2)),
            ShapeError,
            r"expected \(…, in1\)",
        ),
        (lambda: F.softmax(byhand.ones(2, 3)), UsageError, "say along which axis"),
        (lambda: F.softmax(byhand.ones(2, 3), 2), DomainError, "there is no axis 2"),
        (lambda: F.gelu(byhand.ones(2), "sigmoid"), UsageError, "'none' or 'tanh', not 'sigmoid'"),
        (lambda: F.glu(byhand.ones(2, 3)), ShapeError, r"odd in shape \(2, 3\)"),
        (lambda: F.maxout(byhand.ones(2, 3), 2), ShapeError, "cannot be divided into groups of 2"),
        (lambda: F.prelu(byhand.ones(2, 3), byhand.ones(2)), ShapeError, r"2 slopes for an input of shape \(2, 3\)"),
        (lambda: F.rrelu(byhand.ones(2), 0.5, 0.1), UsageError, "lower=0.5 > upper=0.1"),
        (lambda: F.hardtanh(byhand.ones(2), 1, -1), UsageError, "min_val=1 is greater than max_val=-1"),
        (lambda: F.softshrink(byhand.ones(2), -1), UsageError, "lambd is not negative"),
        (lambda: F.celu(byhand.ones(2), 0), DomainError, "alpha divides x"),
        (lambda: F.batch_norm(byhand.ones(1, 3), None, None, training=True), ShapeError, "1 value.s. per channel"),
        (lambda: F.batch_norm(byhand.ones(3), None, None, training=True), ShapeError, r"expected \(N, C, …\)"),
        (
            lambda: F.batch_norm(byhand.ones(2, 3), None, None, byhand.ones(4), training=True),
            ShapeError,
            r"parameters \(4,\)",
        ),
        (lambda: F.batch_norm(byhand.ones(2, 3), None, None), UsageError, "running_mean and running_var are needed"),
        (lambda: F.layer_norm(byhand.ones(2, 3), (4,)), ShapeError, r"expected its last axes to be \(4,\)"),
        (
            lambda: F.layer_norm(byhand.ones(2, 3), (3,), byhand.ones(2)),
            ShapeError,
            r"weight has shape \(2,\); expected \(3,\)",
        ),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()

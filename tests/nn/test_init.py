from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import byhand
from byhand.core.errors import DomainError, ShapeError, UsageError
from byhand.core.generator import Generator, manual_seed
from byhand.nn import init
from byhand.nn.parameter import Parameter

RANDOM = [
    init.uniform_,
    init.normal_,
    init.trunc_normal_,
    init.xavier_uniform_,
    init.xavier_normal_,
    init.kaiming_uniform_,
    init.kaiming_normal_,
    init.orthogonal_,
    lambda t, generator=None: init.sparse_(t, 0.5, generator=generator),
]


def filled(function, shape, *args, dtype=np.float64, **kwargs):
    return function(byhand.Tensor(np.full(shape, np.nan, dtype)), *args, generator=seeded(), **kwargs).array


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


@pytest.mark.parametrize("function", RANDOM)
def test_random_values_come_from_the_seed(function):
    a, b, c = (byhand.zeros(6, 4) for _ in range(3))
    function(a, generator=seeded(1))
    function(b, generator=seeded(1))
    function(c, generator=seeded(2))
    np.testing.assert_array_equal(a.array, b.array)
    assert not np.array_equal(a.array, c.array)
    manual_seed(1)
    function(c)
    np.testing.assert_array_equal(a.array, c.array)


@pytest.mark.parametrize("function", RANDOM)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_parameters_are_filled_in_place_off_the_tape(function, dtype):
    p = Parameter(byhand.Tensor(np.full((6, 4), np.nan, dtype)))
    memory = p.array
    assert function(p) is p
    assert p.array is memory
    assert p.dtype == dtype
    assert p.requires_grad
    assert p.is_leaf
    assert np.isfinite(memory).all()
    assert memory.any()


def test_constants():
    t = byhand.Tensor(np.full((2, 3), np.nan))
    assert init.zeros_(t).tolist() == [[0.0] * 3] * 2
    assert init.ones_(t).tolist() == [[1.0] * 3] * 2
    assert init.constant_(t, 2.5).tolist() == [[2.5] * 3] * 2
    assert init.eye_(t).tolist() == [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]


def test_uniform_and_normal_have_their_moments():
    u = filled(init.uniform_, (200, 200), -1.0, 3.0)
    assert u.min() >= -1
    assert u.max() < 3
    assert abs(u.mean() - 1) < 0.03
    z = filled(init.normal_, (200, 200), 5.0, 0.5)
    assert abs(z.mean() - 5) < 0.02
    assert abs(z.std() - 0.5) < 0.01


@pytest.mark.parametrize(
    ("function", "args", "std"),
    [
        (init.xavier_uniform_, (), math.sqrt(2 / 300)),
        (init.xavier_normal_, (2.0,), 2 * math.sqrt(2 / 300)),
        (init.kaiming_uniform_, (0, "fan_in", "relu"), math.sqrt(2 / 200)),
        (init.kaiming_normal_, (0, "fan_out", "relu"), math.sqrt(2 / 100)),
        (init.kaiming_uniform_, (math.sqrt(5),), math.sqrt(1 / 3 / 200)),
        (init.kaiming_normal_, (0, "fan_in", "linear"), math.sqrt(1 / 200)),
        (init.kaiming_normal_, (0.2,), math.sqrt(2 / 1.04 / 200)),
    ],
)
@pytest.mark.parametrize("kernel", [(), (3, 3)])
def test_deviations_follow_the_fans(function, args, std, kernel):
    values = filled(function, (100, 200, *kernel), *args)
    std /= math.sqrt(math.prod(kernel))
    assert abs(values.std() / std - 1) < 0.02
    assert abs(values.mean()) < 0.03 * std
    if "uniform" in function.__name__:
        assert np.abs(values).max() <= std * math.sqrt(3)
        assert np.abs(values).max() > std * math.sqrt(3) * 0.99


def test_he_keeps_the_variance_through_relu_layers():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((500, 200))
    for seed in range(10):
        w = init.kaiming_normal_(byhand.Tensor(np.empty((200, 200))), nonlinearity="relu", generator=seeded(seed))
        x = np.maximum(x @ w.array.T, 0)
    assert 0.3 < (x**2).mean() < 3


@pytest.mark.parametrize("bounds", [(-2.0, 2.0), (-0.1, 0.3), (0.5, 5.0), (-math.inf, 0.0), (4.0, 9.0), (-60.0, -40.0)])
def test_trunc_normal_stays_inside_with_the_right_mean(bounds):
    a, b = bounds
    values = filled(init.trunc_normal_, (30_000,), 0.0, 1.0, a, b)
    assert values.min() >= a
    assert values.max() <= b
    low, high = max(a, -50.0), min(b, 50.0)
    grid = np.linspace(low, high, 400_001)
    weight = np.exp((np.clip(0, low, high) ** 2 - grid**2) / 2)
    mean = (grid * weight).sum() / weight.sum()
    std = math.sqrt(((grid - mean) ** 2 * weight).sum() / weight.sum())
    assert abs(values.mean() - mean) < 5 * std / math.sqrt(30_000)
    assert abs(values.std() / std - 1) < 0.05


@settings(max_examples=25, deadline=None)
@given(st.floats(-5, 5), st.floats(0.01, 5), st.floats(-5, 5), st.floats(0.01, 5))
def test_trunc_normal_never_leaves_its_interval(mean, std, a, width):
    values = filled(init.trunc_normal_, (50,), mean, std, a, a + width, dtype=np.float64)
    assert ((values >= a) & (values <= a + width)).all()


@pytest.mark.parametrize("shape", [(4, 9), (9, 4), (5, 5), (6, 2, 3, 2), (3, 5, 2)])
def test_orthogonal(shape):
    q = filled(init.orthogonal_, shape, 2.0).reshape(shape[0], -1)
    gram = q @ q.T if q.shape[0] <= q.shape[1] else q.T @ q
    np.testing.assert_allclose(gram, 4 * np.eye(len(gram)), atol=1e-12)


def test_orthogonal_is_uniform():
    """The signs of the diagonal of R are divided out: without that, the first entry would not be symmetric."""
    generator = seeded()
    firsts = [init.orthogonal_(byhand.Tensor(np.empty((3, 3))), generator=generator).array[0, 0] for _ in range(400)]
    assert 0.4 < np.mean(np.array(firsts) > 0) < 0.6


@pytest.mark.parametrize("sparsity", [0.0, 0.25, 0.3, 1.0])
def test_sparse(sparsity):
    values = filled(init.sparse_, (20, 5), sparsity, 3.0)
    assert ((values == 0).sum(axis=0) == math.ceil(sparsity * 20)).all()
    assert sparsity == 1 or 1 < values[values != 0].std() < 5


def test_dirac_passes_channels_through():
    kernel = init.dirac_(byhand.zeros(4, 2, 3, 3), groups=2).array
    assert kernel.sum() == 4
    for out, channel in [(0, 0), (1, 1), (2, 0), (3, 1)]:
        assert kernel[out, channel, 1, 1] == 1


def test_calculate_gain():
    assert init.calculate_gain("relu") == math.sqrt(2)
    assert init.calculate_gain("tanh") == 5 / 3
    assert init.calculate_gain("leaky_relu", 0.2) == math.sqrt(2 / 1.04)
    with pytest.raises(UsageError, match=r"'rellu': did you mean 'relu'\?"):
        init.calculate_gain("rellu")
    with pytest.raises(UsageError, match="known are linear"):
        init.calculate_gain("xyz")
    with pytest.raises(UsageError, match="negative slope"):
        init.calculate_gain("leaky_relu", True)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda t: init.xavier_normal_(t[0]), ShapeError, r"shape \(4,\) has no fan in.*zeros_"),
        (lambda t: init.kaiming_normal_(t, mode="in"), UsageError, "'fan_in' or 'fan_out', got 'in'"),
        (lambda t: init.uniform_(t, 1.0, 0.0), UsageError, "a <= b"),
        (lambda t: init.normal_(t, 0.0, -1.0), UsageError, "not negative"),
        (lambda t: init.trunc_normal_(t, a=1.0, b=1.0), UsageError, "a < b and std > 0"),
        (lambda t: init.eye_(t[0]), ShapeError, "2 axes"),
        (lambda t: init.dirac_(t), ShapeError, "3, 4 or 5 axes"),
        (lambda t: init.dirac_(byhand.zeros(3, 2, 1), groups=2), UsageError, "into 2 groups"),
        (lambda t: init.orthogonal_(t[0]), ShapeError, "2 axes or more"),
        (lambda t: init.sparse_(t[0], 0.5), ShapeError, "2 axes"),
        (lambda t: init.sparse_(t, 1.5), DomainError, "between 0 and 1"),
    ],
)
def test_what_cannot_be_filled(call, error, message):
    with pytest.raises(error, match=message):
        call(byhand.zeros(4, 4))

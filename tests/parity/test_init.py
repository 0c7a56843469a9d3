"""Starting values beside PyTorch's: the same constants, the same moments and bounds for what is random."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from byhand.core.generator import Generator  # noqa: E402
from byhand.nn import init  # noqa: E402
from byhand.tensor import Tensor  # noqa: E402

SHAPES = [(60, 40), (20, 10, 3, 5), (8, 30, 7)]

DRAWS = [
    ("uniform_", {"a": -1.0, "b": 3.0}),
    ("normal_", {"mean": 1.0, "std": 2.0}),
    ("trunc_normal_", {}),
    ("trunc_normal_", {"mean": 1.0, "std": 0.5, "a": 0.8, "b": 1.7}),
    ("trunc_normal_", {"std": 0.02, "a": -0.04, "b": 0.04}),
    ("xavier_uniform_", {"gain": 2.0}),
    ("xavier_normal_", {}),
    ("kaiming_uniform_", {"a": math.sqrt(5)}),
    ("kaiming_uniform_", {"mode": "fan_out", "nonlinearity": "relu"}),
    ("kaiming_normal_", {"mode": "fan_out", "nonlinearity": "tanh"}),
    ("kaiming_normal_", {"nonlinearity": "selu"}),
    ("orthogonal_", {"gain": 1.5}),
]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("name", "options"), DRAWS)
def test_moments(name, options, shape):
    ours = getattr(init, name)(Tensor(np.empty(shape)), generator=Generator().manual_seed(0), **options).array
    theirs = torch.empty(shape, dtype=torch.float64)
    getattr(torch.nn.init, name)(theirs, generator=torch.Generator().manual_seed(0), **options)
    theirs = theirs.numpy()
    spread = theirs.std()
    assert abs(ours.mean() - theirs.mean()) < 6 * spread / math.sqrt(ours.size)
    assert abs(ours.std() / spread - 1) < 0.07
    quantiles = np.linspace(0.05, 0.95, 10)
    np.testing.assert_allclose(np.quantile(ours, quantiles), np.quantile(theirs, quantiles), atol=0.2 * spread)
    if "uniform" in name or "trunc" in name:
        assert abs(np.abs(ours).max() / np.abs(theirs).max() - 1) < 0.1


@pytest.mark.parametrize(
    ("name", "shape", "args"),
    [
        ("zeros_", (3, 4), ()),
        ("ones_", (3, 4), ()),
        ("constant_", (3, 4), (2.5,)),
        ("eye_", (3, 4), ()),
        ("eye_", (4, 3), ()),
        ("dirac_", (4, 3, 5), ()),
        ("dirac_", (4, 6, 3, 3), (2,)),
        ("dirac_", (6, 2, 4, 3, 2), (3,)),
    ],
)
def test_constants(name, shape, args):
    ours = getattr(init, name)(Tensor(np.full(shape, np.nan)), *args).array
    theirs = getattr(torch.nn.init, name)(torch.full(shape, torch.nan, dtype=torch.float64), *args)
    np.testing.assert_array_equal(ours, theirs.numpy())


@pytest.mark.parametrize("sparsity", [0.1, 0.33, 0.9])
def test_sparse_has_as_many_zeros(sparsity):
    ours = init.sparse_(Tensor(np.empty((30, 7))), sparsity).array
    theirs = torch.nn.init.sparse_(torch.empty(30, 7), sparsity).numpy()
    np.testing.assert_array_equal((ours == 0).sum(axis=0), (theirs == 0).sum(axis=0))


@pytest.mark.parametrize("name", [*init.GAINS, "leaky_relu"])
@pytest.mark.parametrize("param", [None, 0.3])
def test_gains(name, param):
    assert init.calculate_gain(name, param) == pytest.approx(torch.nn.init.calculate_gain(name, param), abs=1e-15)


@pytest.mark.parametrize("shape", [(5, 3), (5, 3, 2), (5, 3, 2, 4)])
def test_fans(shape):
    theirs = torch.nn.init._calculate_fan_in_and_fan_out(torch.empty(shape))
    assert init._calculate_fan_in_and_fan_out(Tensor(np.empty(shape))) == theirs

"""Activations far out: no overflow, no NaN, no warning; limits as they should be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import byhand
from byhand.ops import activation as a

FAR = [-1e4, -200.0, -50.0, 0.0, 50.0, 200.0, 1e4]
CALLS: dict[str, Any] = {
    "relu": a.relu, "prelu": lambda x: a.prelu(x, 0.01), "sigmoid": a.sigmoid, "logsigmoid": a.logsigmoid,
    "softplus": lambda x: a.softened(x, beta=1.0, threshold=20.0),
    "elu": lambda x: a.exponential_linear(x, alpha=1.0, scale=1.0, rate=1.0),
    "gelu": a.gelu, "gelu_tanh": a.gelu_tanh, "silu": a.silu, "mish": a.mish, "softsign": a.softsign,
    "hardsigmoid": a.hardsigmoid,
    "hardswish": a.hardswish, "hardtanh": lambda x: a.clipped(x, low=-1.0, high=1.0),
    "softmax": lambda x: byhand.softmax(x, 0),
    "log_softmax": lambda x: byhand.log_softmax(x, 0), "tanh": byhand.tanh, "erf": byhand.erf, "erfc": byhand.erfc,
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(CALLS))
@pytest.mark.parametrize("dtype", [byhand.float32, byhand.float64])
@pytest.mark.parametrize("create_graph", [False, True])
def test_far_out(name: str, dtype: Any, create_graph: bool) -> None:
    x = byhand.tensor(FAR, dtype=dtype, requires_grad=True)
    with np.errstate(under="ignore", over="ignore"):
        out = CALLS[name](x)
        (g,) = byhand.autograd.grad(out.sum(), x, create_graph=create_graph)
    assert out.dtype == g.dtype == dtype
    assert bool(out.isfinite().all()) and bool(g.isfinite().all())


@pytest.mark.parametrize("name", sorted(CALLS))
def test_no_warnings_where_floats_end(name: str) -> None:
    """NumPy is silent about underflow by default; overflow and invalid values would be warnings, hence errors here."""
    CALLS[name](byhand.tensor(FAR, dtype=byhand.float32))


def test_softmax_of_infinities() -> None:
    assert byhand.softmax(byhand.tensor([-np.inf, 0.0, 0.0]), 0).tolist() == [0, 0.5, 0.5]
    x = byhand.tensor([[1e4, -1e4], [0.0, 0.0]])
    np.testing.assert_allclose(byhand.softmax(x, 1).sum(1), [1, 1])
    assert byhand.log_softmax(x, 1)[0].tolist() == [0, -2e4]


def test_softmax_of_a_number_and_of_nothing() -> None:
    assert byhand.softmax(byhand.tensor(3.0), 0).item() == 1 and byhand.log_softmax(byhand.tensor(3.0), 0).item() == 0
    assert byhand.softmax(byhand.zeros(3, 0), 1).shape == (3, 0)
    assert byhand.softmax(byhand.zeros(0, 3), 1).shape == (0, 3)


def test_softmax_does_not_depend_on_shifts() -> None:
    x = byhand.randn(4, 5, dtype=byhand.float64)
    np.testing.assert_allclose(byhand.softmax(x, 1), byhand.softmax(x + 1000, 1), rtol=1e-10)


@pytest.mark.parametrize("count", [3, a.CLIPPED])
def test_relu_keeps_the_sign_of_zero_and_nan(count):
    x = np.resize(np.array([-0.0, np.nan, -np.inf], np.float32), count)
    found = a.relu(x)
    assert np.signbit(found[0])
    assert np.isnan(found[1])
    assert found[2] == 0
    assert (a.relu(np.arange(-3, 3)) == [0, 0, 0, 0, 1, 2]).all()

"""Loops over time as one compiled step: the driver uses it, it is right, and gives way where it cannot be."""

from __future__ import annotations

import numpy as np
import pytest

import byhand
from byhand.autograd import grad
from byhand.ops.recurrent import gated, long_short
from byhand.program.loops import driver
from byhand.tensor import Tensor

pytest.importorskip("llvmlite")

STEPS, N, H = 30, 3, 5
RNG = np.random.default_rng(0)


def leaves(*shapes, dtype):
    return [Tensor(RNG.standard_normal(shape).astype(dtype)).requires_grad_() for shape in shapes]


def lstm(sizes, dtype):
    return long_short, leaves((sum(sizes), 4 * H), (N, H), (N, H), (4 * H, H), dtype=dtype)


def gru(sizes, dtype):
    return gated, leaves((sum(sizes), 3 * H), (N, H), (3 * H, H), (3 * H,), dtype=dtype)


def gru_without_bias(sizes, dtype):
    function, operands = gru(sizes, dtype)
    return (lambda x, h, w, **attrs: function(x, h, w, None, **attrs)), operands[:3]


def values_and_gradients(function, operands, **attrs):
    out = function(*operands, **attrs)
    g = np.linspace(-1, 1, out.numel()).reshape(out.shape).astype(out.dtype)
    return [out.detach(), *grad(out, operands, Tensor(g))]


@pytest.fixture
def repeated(monkeypatch):
    """The steps that were compiled."""
    made = []
    program = driver.program
    monkeypatch.setattr(driver, "program", lambda found: made.append(found) or program(found))
    return made


def assert_eager(found, function, operands, attrs, tolerance):
    for mine, wanted in zip(found, values_and_gradients(function, operands, **attrs), strict=True):
        np.testing.assert_allclose(mine.array, wanted.array, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("family", [lstm, gru, gru_without_bias])
def test_steps_are_compiled_and_right(family, reverse, dtype, repeated):
    attrs = {"batch_sizes": (N,) * STEPS, "reverse": reverse}
    function, operands = family(attrs["batch_sizes"], dtype)
    step = byhand.compile(lambda: values_and_gradients(function, operands, **attrs), dialect="loops")
    step()
    assert len(repeated) == 2  # forward and backward
    tolerance = 1e-11 if dtype == np.float64 else 3e-5
    for _ in range(2):  # the table of addresses is where it was
        assert_eager(step(), function, operands, attrs, tolerance)
    with byhand.no_grad():
        operands[0].mul_(0.5)  # other values in the same memory
    assert_eager(step(), function, operands, attrs, tolerance)


def test_sequences_of_several_lengths_stay_with_numpy(repeated):
    attrs = {"batch_sizes": (N,) * 20 + (2,) * 10, "reverse": False}
    function, operands = lstm(attrs["batch_sizes"], np.float64)
    step = byhand.compile(lambda: values_and_gradients(function, operands, **attrs), dialect="loops")
    step()
    assert_eager(step(), function, operands, attrs, 1e-11)
    assert not repeated

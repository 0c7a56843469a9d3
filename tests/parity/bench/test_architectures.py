"""The larger networks are the same in PyTorch, JAX and byhand, eager and compiled; here with smaller batches."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from byhand.bench.architectures import ARCHITECTURES
from byhand.bench.networks import compiled_step, library_step
from byhand.bench.rivals import jitted_by_jax

torch = pytest.importorskip("torch")

SMALL = [
    replace(ARCHITECTURES[0], batch=8),
    replace(ARCHITECTURES[1], batch=4, length=12),
    replace(ARCHITECTURES[2], batch=4, length=12, layers=2),
]
NAMES = [network.name for network in SMALL]


def losses(step) -> list[float]:
    return [step().item() for _ in range(5)]


@pytest.mark.parametrize("network", SMALL, ids=NAMES)
def test_eager(network):
    oracle = losses(library_step("torch", network, np.float64))
    np.testing.assert_allclose(losses(library_step("byhand", network, np.float64)), oracle, rtol=1e-9)
    assert oracle[-1] < oracle[0]


@pytest.mark.parametrize("dialect", ["longhand", "planned", "loops"])
@pytest.mark.parametrize("network", SMALL, ids=NAMES)
def test_compiled(network, dialect):
    oracle = losses(library_step("torch", network))
    np.testing.assert_allclose(losses(compiled_step(network, dialect)), oracle, rtol=2e-5)


@pytest.mark.parametrize("network", SMALL, ids=NAMES)
def test_jitted_by_jax(network):
    pytest.importorskip("jax")
    oracle = losses(library_step("torch", network))
    np.testing.assert_allclose(losses(jitted_by_jax(network)), oracle, rtol=2e-5)

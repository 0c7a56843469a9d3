"""The step in JAX, as the benchmark uses it, gives the losses of byhand's own step."""

from __future__ import annotations

import numpy as np
import pytest

from byhand.bench.networks import NETWORKS, library_step
from byhand.bench.rivals import jitted_by_jax

jax = pytest.importorskip("jax")

NAMES = [network.name for network in NETWORKS]


def losses(step) -> list[float]:
    return [step().item() for _ in range(5)]


@pytest.mark.parametrize("network", NETWORKS, ids=NAMES)
def test_jitted_by_jax(network):
    np.testing.assert_allclose(losses(jitted_by_jax(network)), losses(library_step("byhand", network)), rtol=1e-5)


def test_every_contender_starts_over():
    first, second = jitted_by_jax(NETWORKS[3]), jitted_by_jax(NETWORKS[3])
    assert losses(first) == losses(second)


def test_parameters_are_donated():
    text = jitted_by_jax.__globals__["_jitted"](NETWORKS[3])
    step = jitted_by_jax(NETWORKS[3])
    step()
    cells = dict(zip(step.__code__.co_freevars, (cell.cell_contents for cell in step.__closure__), strict=True))
    before = cells["parameters"]
    step()
    assert all(array.is_deleted() for array in before), "their memory belongs to the next parameters"
    assert text is cells["step"], "and the compiled function is the same for all of a network's contenders"

"""The step in JAX, as the benchmark uses it, gives the losses of byhand's own step."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from byhand.bench.networks import NETWORKS, library_step
from byhand.bench.rivals import jitted_by_jax

jax = pytest.importorskip("jax")

# the decay of the third moves its losses by less than the tolerance: one more with a decay that no one can miss
CASES = [*NETWORKS, replace(NETWORKS[2], name="decay", weight_decay=1.0)]
NAMES = [network.name for network in CASES]


def losses(step) -> list[float]:
    return [step().item() for _ in range(5)]


@pytest.mark.parametrize("network", CASES, ids=NAMES)
def test_jitted_by_jax(network):
    np.testing.assert_allclose(losses(jitted_by_jax(network)), losses(library_step("byhand", network)), rtol=1e-5)


def test_every_contender_starts_over():
    first, second = jitted_by_jax(NETWORKS[3]), jitted_by_jax(NETWORKS[3])
    assert losses(first) == losses(second)


def test_parameters_are_donated():
    step = jitted_by_jax(NETWORKS[3])
    step()
    before = variables(step)["parameters"]
    step()
    assert all(array.is_deleted() for array in before), "their memory belongs to the next parameters"


def test_code_is_compiled_once_for_a_network():
    steps = [jitted_by_jax(NETWORKS[3]) for _ in range(2)]
    assert variables(steps[0])["step"] is variables(steps[1])["step"]


def variables(function) -> dict:
    """What a function of another one sees of its surroundings."""
    return dict(zip(function.__code__.co_freevars, (c.cell_contents for c in function.__closure__), strict=True))

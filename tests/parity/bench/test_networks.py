from __future__ import annotations

import numpy as np
import pytest

from byhand.bench.networks import NETWORKS, by_hand_step, library_step

torch = pytest.importorskip("torch")

NAMES = [network.name for network in NETWORKS]


def losses(step) -> list[float]:
    return [step().item() for _ in range(20)]


@pytest.mark.parametrize("network", NETWORKS, ids=NAMES)
@pytest.mark.parametrize("dtype, tolerance", [(np.float32, 1e-4), (np.float64, 1e-11)])
def test_all_three_contenders_run_the_same_step(network, dtype, tolerance):
    oracle = losses(library_step("torch", network, dtype))
    np.testing.assert_allclose(losses(by_hand_step(network, dtype)), oracle, rtol=tolerance)
    np.testing.assert_allclose(losses(library_step("byhand", network, dtype)), oracle, rtol=tolerance)
    assert oracle[-1] < 0.99 * oracle[0]

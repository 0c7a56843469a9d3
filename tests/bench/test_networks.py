from __future__ import annotations

import numpy as np
import pytest

from byhand.bench.networks import NETWORKS, by_hand_step, compiled_step, initial_weights, library_step, made_up_batch

NAMES = [network.name for network in NETWORKS]
STEPS = 20


def losses(step) -> list[float]:
    return [step().item() for _ in range(STEPS)]


@pytest.mark.parametrize("network", NETWORKS, ids=NAMES)
@pytest.mark.parametrize("dtype, tolerance", [(np.float32, 1e-4), (np.float64, 1e-11)])
def test_by_hand_is_the_same_step_as_byhand(network, dtype, tolerance):
    mine, hand = losses(library_step("byhand", network, dtype)), losses(by_hand_step(network, dtype))
    np.testing.assert_allclose(mine, hand, rtol=tolerance)
    assert mine[-1] < 0.99 * mine[0], "a step that does not learn proves nothing"


@pytest.mark.parametrize("network", NETWORKS, ids=NAMES)
def test_compiled_is_the_same_step_as_eager(network):
    step = compiled_step(network, "planned")
    np.testing.assert_allclose(losses(step), losses(library_step("byhand", network)), rtol=1e-5)
    assert step.func.stats().calls > 0, "it is compiled indeed"


@pytest.mark.parametrize("network", NETWORKS, ids=NAMES)
def test_by_hand_stays_in_float32(network):
    assert np.asarray(by_hand_step(network)()).dtype == np.float32
    model = network.by_hand(initial_weights(network), network.lr)
    model.step(*made_up_batch(network))
    assert {value.dtype for value in vars(model).values() if isinstance(value, np.ndarray)} == {np.dtype("float32")}


@pytest.mark.parametrize("network", NETWORKS, ids=NAMES)
def test_by_hand_does_not_touch_what_it_is_given(network):
    weights, (x, labels) = initial_weights(network), made_up_batch(network)
    network.by_hand(weights, network.lr).step(x, labels)
    for given, fresh in zip([*weights, x, labels], [*initial_weights(network), *made_up_batch(network)], strict=True):
        np.testing.assert_array_equal(given, fresh)


def test_titles_say_what_runs():
    assert [network.title for network in NETWORKS] == [
        "784-30-10 ReLU, batch 50, SGD",
        "784-256-128-10 ReLU, batch 128, Adam",
        "3072-50-10 ReLU, batch 200, SGD with L2",
        "2-4-2 Tanh, batch 400, SGD",
    ]

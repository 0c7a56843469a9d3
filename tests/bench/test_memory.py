from __future__ import annotations

import sys
import tracemalloc

import numpy as np
import pytest

from byhand.bench.memory import array_bytes, highest_sum, trace, weigh
from byhand.bench.networks import NETWORKS, initial_weights

MILLION = 1_000_000


@pytest.fixture
def tracing():
    tracemalloc.start()
    yield
    tracemalloc.stop()


def test_highest_sum():
    assert highest_sum([]) == 0
    assert highest_sum([5, 3, -8, 4, 2]) == 8


def test_array_bytes_counts_arrays_and_not_python(tracing):
    before = array_bytes()
    kept = np.zeros(MILLION, np.uint8), bytearray(MILLION)
    assert array_bytes() - before == MILLION
    assert len(kept) == 2


def test_peak_sees_a_temporary_between_two_lines(tracing):
    def step():
        first = np.zeros(3 * MILLION, np.uint8)
        second = np.zeros(MILLION, np.uint8)
        del first
        return np.zeros(MILLION, np.uint8), second

    assert trace(step) == pytest.approx(4 * MILLION, abs=2000), "the end holds only 2 MB"


def test_peak_sees_a_temporary_inside_of_one_expression(tracing):
    x = np.ones(MILLION, np.float32)
    state = array_bytes()

    def step():
        return (x * 2 + 1).sum()

    # two temporaries of 4 MB, unless NumPy reuses the first for the second
    assert trace(step) - state in (pytest.approx(4 * MILLION, abs=2000), pytest.approx(8 * MILLION, abs=2000))


def test_peak_sees_a_buffer_inside_of_one_call(tracing):
    x = np.ones(MILLION, np.float32)
    state = array_bytes()
    assert trace(lambda: np.cumsum(x) is not None) - state == pytest.approx(4 * MILLION, abs=2000)


def test_peak_leaves_python_objects_out(tracing):
    state = array_bytes()

    def step():
        return [np.ones(4, np.float32), [str(i) for i in range(500)]]

    assert trace(step) - state < 2_000, "the strings are 25 kB"


def test_tracing_is_taken_off_again(tracing):
    before = sys.gettrace()
    trace(lambda: None)
    assert sys.gettrace() is before


@pytest.mark.parametrize("contender", ["planned", "byhand", "by hand"])
def test_the_peak_of_a_step_holds_its_parameters(contender):
    network = NETWORKS[0]
    parameters = sum(array.nbytes for array in initial_weights(network))
    assert parameters < weigh(contender, network.name) < 4 * parameters

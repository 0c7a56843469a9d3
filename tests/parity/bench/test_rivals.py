"""PyTorch's compiler, as the benchmark uses it, gives the losses of byhand's own step."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest

from byhand.bench.networks import NETWORKS, library_step
from byhand.bench.rivals import compiled_by_pytorch, forget_pytorchs_code

torch = pytest.importorskip("torch")

# the decay of the third moves its losses by less than the tolerance: one more with a decay that no one can miss
CASES = [*NETWORKS, replace(NETWORKS[2], name="decay", weight_decay=1.0)]
NAMES = [network.name for network in CASES]
STEPS = 5


def losses(step) -> list[float]:
    return [step().detach().item() for _ in range(STEPS)]


@pytest.fixture(autouse=True)
def nothing_compiled_before():
    forget_pytorchs_code()


@pytest.mark.filterwarnings("ignore")  # PyTorch's compiler warns of PyTorch's own code
@pytest.mark.parametrize("network", CASES, ids=NAMES)
def test_captured_by_pytorch(network):
    """Without the generation of C++, which takes seconds for each network."""
    step = compiled_by_pytorch(network, backend="aot_eager")
    np.testing.assert_allclose(losses(step), losses(library_step("byhand", network)), rtol=1e-5)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(shutil.which("g++") is None, reason="PyTorch's compiler needs a C++ compiler")
def test_compiled_by_pytorch(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    network = NETWORKS[3]
    expected = losses(library_step("byhand", network))
    np.testing.assert_allclose(losses(compiled_by_pytorch(network)), expected, rtol=1e-5)

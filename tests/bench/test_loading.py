from __future__ import annotations

import numpy as np
import pytest

from byhand.bench import loading


def test_made_up_data_has_the_shape_of_mnist():
    images, labels = loading.made_up_mnist(120)
    assert images.shape == (120, 1, 28, 28) and images.dtype == np.float32
    assert labels.shape == (120,) and labels.dtype == np.int64


@pytest.mark.parametrize("contender", ["byhand", "by hand"])
def test_a_pass_sees_every_sample(contender):
    images, labels = loading.made_up_mnist(120)
    run = loading.pass_by_hand(images, labels) if contender == "by hand" else loading.one_pass("byhand", images, labels)
    assert run() == 120
    assert run() == 120


def test_table_without_pytorch(monkeypatch):
    monkeypatch.setattr(loading, "has_pytorch", lambda: False)
    monkeypatch.setattr(loading, "QUICK_SAMPLES", 200)
    first, second = loading.measure(1, quick=True).rows
    assert "PyTorch not installed" in first.measured and first.reached is None
    assert second.ratio is not None

from __future__ import annotations

import subprocess
from types import SimpleNamespace

import numpy as np
import pytest

import byhand
from byhand.bench import jobs
from byhand.core.errors import ByhandError, DataError
from byhand.nn import Linear


def pretend(monkeypatch, status: int, out: str, err: str = "") -> None:
    done = SimpleNamespace(returncode=status, stdout=out, stderr=err)
    monkeypatch.setattr(subprocess, "run", lambda *args, **options: done)


@pytest.mark.parametrize("accuracy, reached", [("0.9778", True), ("0.9611", False)])
def test_train_reads_the_last_line(monkeypatch, accuracy, reached):
    pretend(monkeypatch, 0, f"epoch 1\ntest accuracy 0.1\ntest accuracy {accuracy}\n")
    row = jobs.train_row()
    assert row.reached is reached
    assert f"{float(accuracy):.2%}" in row.measured


def test_train_that_fails_is_an_error_with_its_reason(monkeypatch):
    pretend(monkeypatch, 1, "", "line one\nthe disk is full")
    with pytest.raises(ByhandError, match=r"status 1 .*the disk is full"):
        jobs.train_row()


def test_without_mnist_it_says_so_and_does_not_download(monkeypatch):
    def mnist(**options):
        assert options == {"download": False}
        raise DataError("not here")

    monkeypatch.setattr(jobs.datasets, "mnist", mnist)
    (row,) = jobs.mnist_rows()
    assert "no MNIST files" in row.measured
    assert row.reached is None


def test_accuracy_is_the_share_of_right_labels():
    scores = byhand.tensor([[2.0, 1.0], [0.0, 1.0], [3.0, 1.0], [0.0, 9.0]])
    labels = byhand.tensor([0, 1, 1, 1])
    assert jobs.accuracy(lambda x: x, scores, labels) == 0.75


def test_initialisers_fill_weights_and_biases():
    byhand.manual_seed(0)
    layer = Linear(400, 100)
    jobs.standard_normal(layer)
    assert np.std(layer.weight.detach().numpy()) == pytest.approx(1, abs=0.02)
    assert np.std(layer.bias.detach().numpy()) == pytest.approx(1, abs=0.3)
    jobs.he(layer)
    assert np.std(layer.weight.detach().numpy()) == pytest.approx((2 / 400) ** 0.5, rel=0.02)
    assert not layer.bias.detach().numpy().any()

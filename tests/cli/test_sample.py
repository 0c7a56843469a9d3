from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from byhand.data.picture import read_picture


@pytest.fixture
def run(byhand: Any, tmp_path: Path) -> str:
    (tmp_path / "text.txt").write_text("to be or not to be, that is the question\n" * 60)
    answer = byhand("train", "gru:8", "text.txt", "--epochs", 1, "--batch-size", 8, "--out", "run")
    assert answer.status == 0, answer.err
    assert "nats a character" in answer.out
    return "run"


def test_a_trained_network_writes_on(byhand: Any, run: str) -> None:
    answer = byhand("sample", run, "--prompt", "to be", "--length", 30)
    assert answer.status == 0, answer.err
    assert answer.out.startswith("to be") and len(answer.out) == 5 + 30 + 1
    assert byhand("sample", run, "--prompt", "to be", "--length", 30).out == answer.out
    assert byhand("sample", run, "--prompt", "to be", "--length", 30, "--seed", 1).out != answer.out


def test_what_it_cannot_write(byhand: Any, run: str) -> None:
    answer = byhand("sample", run, "--prompt", "Zebra")
    assert answer.status != 0 and "has never seen 'Z" in answer.err
    byhand("train", "moons", "--epochs", 1, "--out", "points")
    answer = byhand("sample", "points")
    assert answer.status != 0 and "was not trained to write text" in answer.err


def test_networks_make_up_images_and_points(byhand: Any, tmp_path: Path) -> None:
    for model, data, shape in (("vae:4,2", "digits", (9, 1, 8, 8)), ("gan:4,2", "ring", (9, 2))):
        answer = byhand("train", model, data, "--epochs", 1, "--batch-size", 2000, "--dialect", "eager", "--out", data)
        assert answer.status == 0, answer.err
        answer = byhand("sample", data)
        assert answer.out == f"{'64' if data == 'digits' else '2,000'} samples in {data}/samples.png\n"
        assert read_picture(tmp_path / data / "samples.png").shape[0] == 1
        byhand("sample", data, "--count", 9, "--out", "a.npy")
        samples = np.load(tmp_path / "a.npy")
        assert samples.shape == shape
        byhand("sample", data, "--count", 9, "--out", "a.npy", "--seed", 1)
        assert not np.array_equal(np.load(tmp_path / "a.npy"), samples)
    answer = byhand("sample", "digits", "--out", "a.txt")
    assert (answer.status, "to a .png or .npy file, not to a.txt" in answer.err) == (2, True)
    answer = byhand("predict", "digits", "a.npy")
    assert answer.status == 1 and "the network takes (N, 1, 8, 8)" in answer.err
    np.save(tmp_path / "b.npy", np.zeros((1, 1, 8, 8), np.float32))
    answer = byhand("predict", "digits", "b.npy")
    assert answer.status == 2 and "a VAE predicts nothing" in answer.err

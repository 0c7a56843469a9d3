from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest


@pytest.fixture
def run(byhand: Any) -> str:
    answer = byhand("train", "moons", "--epochs", 20, "--lr", 0.01, "--out", "run")
    assert answer.status == 0, answer.err
    return str(answer.last)


def test_it_repeats_what_training_said(byhand: Any, run: str) -> None:
    answer = byhand("evaluate", "run")
    assert answer.status == 0
    assert f"accuracy   {run.split()[-1]}" in answer.out
    assert "macro f1" in answer.out and "truth ↓" in answer.out


def test_json_and_parts(byhand: Any, run: str) -> None:
    test = byhand("evaluate", "run", "--json").json
    assert test["samples"] == 40 and test["data"] == "test"
    assert np.sum(test["confusion"]) == 40 and f"test accuracy {test['accuracy']:.4f}" == run
    assert byhand("evaluate", "run", "--part", "train", "--json").json["samples"] == 140
    answer = byhand("evaluate", "run", "--part", "exam")
    assert (answer.status, "there is train, valid, test" in answer.err) == (2, True)


def test_other_data(byhand: Any, run: str, tmp_path: Path) -> None:
    assert byhand("evaluate", "run", "--data", "circles", "--json").json["samples"] == 200
    answer = byhand("evaluate", "run", "--data", "digits")
    assert (answer.status, "the run takes (2,)" in answer.err) == (1, True)
    np.savez(tmp_path / "own.npz", x=np.zeros((4, 2), np.float32), y=np.array([0, 1, 1, 5]))
    answer = byhand("evaluate", "run", "--data", "own.npz")
    assert (answer.status, "5" in answer.err) == (1, True)


def test_a_run_that_is_damaged(byhand: Any, run: str, tmp_path: Path) -> None:
    weights = tmp_path / "run" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    answer = byhand("evaluate", "run")
    assert (answer.status, "model.safetensors is damaged" in answer.err) == (1, True)
    (tmp_path / "run" / "config.json").write_text("{")
    assert "config.json cannot be read" in byhand("evaluate", "run").err

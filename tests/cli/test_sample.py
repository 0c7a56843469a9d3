from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


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

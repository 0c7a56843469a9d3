from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from byhand.data import datasets


@pytest.fixture
def run(byhand: Any) -> Path:
    answer = byhand("train", "digits", "--epochs", 8, "--out", "run")
    assert answer.status == 0, answer.err
    return Path("run")


def picture(path: Path, index: int, size: int = 1) -> int:
    x, y = datasets.digits()[index]
    pixels = np.kron(np.round(x.array[0] * 255).astype(np.uint8), np.ones((size, size), np.uint8))
    path.write_bytes(f"P5 {pixels.shape[1]} {pixels.shape[0]} 255\n".encode() + pixels.tobytes())
    return int(y.item())


def test_pictures_and_arrays(byhand: Any, run: Path, tmp_path: Path) -> None:
    labels = [picture(tmp_path / f"{i}.pgm", i) for i in range(3)]
    x, y = datasets.digits()[:20]
    np.save(tmp_path / "some.npy", x.array)
    rows = byhand("predict", run, "0.pgm", "1.pgm", "2.pgm", "some.npy", "--json").json
    assert [row["file"] for row in rows] == ["0.pgm", "1.pgm", "2.pgm", *["some.npy"] * 20]
    assert [row["class"] for row in rows[:3]] == labels
    assert np.mean([row["class"] for row in rows[3:]] == y.array) >= 0.9
    assert sum(rows[0]["probabilities"].values()) == pytest.approx(1, abs=1e-4)
    assert rows[0]["probability"] == max(rows[0]["probabilities"].values())
    table = byhand("predict", run, "0.pgm", "some.npy")
    assert table.status == 0
    assert len([line for line in table.out.splitlines() if "%" in line]) == 21


@pytest.mark.parametrize(
    "name, message",
    [("big.pgm", "is 16 × 16 grey, the network takes 8 × 8 grey"), ("gone.png", "no such file"), ("a.doc", "expected")],
)
def test_files_that_do_not_fit(byhand: Any, run: Path, tmp_path: Path, name: str, message: str) -> None:
    picture(tmp_path / "big.pgm", 0, size=2)
    (tmp_path / "a.doc").write_bytes(b"x")
    answer = byhand("predict", run, name)
    assert answer.status == 1
    assert f"{name}" in answer.err and message in answer.err
    assert answer.out == ""


def test_a_run_made_from_python_says_so(byhand: Any, tmp_path: Path) -> None:
    from byhand import nn
    from byhand.train import fit

    data = (np.zeros((4, 2), np.float32), np.zeros(4, np.int64))
    fit(nn.Linear(2, 2), data, epochs=1, out=tmp_path / "own", progress=False)
    (tmp_path / "a.csv").write_text("1,2\n")
    answer = byhand("predict", "own", "a.csv")
    assert (answer.status, "Run.load(PATH).model(YourNet())" in answer.err) == (2, True)
    assert byhand("train", "--resume", "own").status == 1

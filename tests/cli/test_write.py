from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

NET = """\
from byhand import nn

def build(input_shape, classes):
    hidden = [nn.Linear(64, 16, bias=False), nn.BatchNorm1d(16), nn.ReLU()]
    return nn.Sequential(nn.Flatten(), *hidden, nn.Linear(16, classes))
"""


def trained(file: Path) -> list[str]:
    """The lines that a written file prints when it runs by itself, with NumPy and without byhand."""
    code = (
        f"import runpy, sys; runpy.run_path({str(file)!r}, run_name='__main__')\n"
        "assert 'numpy' in sys.modules and not any(name.split('.')[0] == 'byhand' for name in sys.modules)"
    )
    environment = {key: value for key, value in os.environ.items() if key != "BYHAND_DATA"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=file.parent, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def last(lines: list[str]) -> float:
    """The number at the end."""
    return float(lines[-1].split()[-1])


def test_a_file_trains_by_itself(byhand: Any, tmp_path: Path) -> None:
    answer = byhand("write", "mlp:16", "moons", "--epochs", 40, "--lr", 0.5, "--out", "net.py")
    assert (answer.status, answer.out) == (0, "written to net.py\n")
    lines = trained(tmp_path / "net.py")
    assert len(lines) == 20 and lines[0].startswith("epoch   2  loss ")
    assert last(lines) >= 0.85


def test_the_default_is_digits_and_sgd(byhand: Any, tmp_path: Path) -> None:
    code = byhand("write", "softmax", "--epochs", 3).out
    assert "A 64-10 network, trained on digits by sgd on its cross-entropy." in code
    assert "weight -= lr * d_fc1_weight" in code and "\x1b" not in code
    (tmp_path / "net.py").write_text(code)
    assert last(trained(tmp_path / "net.py")) > 0.8


def test_options_reach_the_file(byhand: Any, tmp_path: Path) -> None:
    options = {
        "activation": "gelu", "dropout": 0.25, "init": "he", "epochs": 2, "batch_size": 37, "optimizer": "adamw",
        "lr": 0.02, "weight_decay": 0.03, "label_smoothing": 0.1, "seed": 5,
    }  # fmt: skip
    arguments = [word for key, value in options.items() for word in (f"--{key.replace('_', '-')}", str(value))]
    answer = byhand("write", "mlp:6,5", "spirals", *arguments, "--standardize")
    assert answer.status == 0, answer.err
    code = answer.out
    for part in (
        f"Written out by: byhand write mlp:6,5 spirals {' '.join(arguments[:6])}", "def erf(x):", "< 0.75",
        "(2 / 5) ** 0.5", "epochs, batch_size = 2, 37", "eps, weight_decay, t = 0.02, 0.9", ", 0.03, 0",
        "(1 - lr * weight_decay) * w", "log_p.sum(axis=1)", "default_rng(5)", "x.mean(axis=0)",
    ):  # fmt: skip
        assert part in code.replace("\n", " ").replace("  ", " ") or part in code, part
    (tmp_path / "net.py").write_text(code)
    assert len(trained(tmp_path / "net.py")) == 2


def test_a_network_of_ones_own(byhand: Any, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(NET)
    code = byhand("write", "mine.py:build", "digits", "--epochs", 5, "--optimizer", "adam", "--lr", 0.01).out
    assert "The network of mine.py:build, trained on digits" in code
    assert "flat = x.reshape(n, 64)" in code and "num_batches_tracked" not in code
    assert "range(0, len(x) - 1, batch_size):  # not a batch of one" in code
    (tmp_path / "net.py").write_text(code)
    assert last(trained(tmp_path / "net.py")) > 0.9


def test_explain(byhand: Any) -> None:
    plain, explained = (byhand("write", "mlp:3", "moons", *more).out for more in ((), ("--explain",)))
    assert "relu: dx = g · [out > 0]" in explained and "relu: dx" not in plain
    assert "moons --explain" in explained
    code, same = (
        [line.partition("  #")[0].rstrip() for line in text.splitlines()[5:] if not line.lstrip().startswith("#")]
        for text in (plain, explained)
    )
    assert code == same


@pytest.mark.parametrize("dialect", ["planned", "loops"])
def test_the_dialects_that_run(byhand: Any, dialect: str) -> None:
    if dialect == "loops":
        pytest.importorskip("llvmlite")
    answer = byhand("write", "mlp:3", "moons", "--dialect", dialect)
    assert answer.status == 0, answer.err
    assert "def " in answer.out and "fc1_weight -= lr" not in answer.out


def test_loops_need_llvmlite(byhand: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    answer = byhand("write", "mlp:3", "moons", "--dialect", "loops")
    assert answer.status == 2 and "byhand[fast]" in answer.err


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["mlp:x", "moons"], "cannot read the sizes of 'mlp:x'"),
        (["mlp:3", "moon"], "did you mean 'moons'?"),
        (["mlp:3", "moons", "--dialect", "shorthand"], "--dialect is one of longhand, planned, loops"),
        (["mlp:3", "moons", "--dialect", "planned", "--explain"], "--explain goes with the dialect longhand"),
        (["mlp:3", "moons", "--loss", "mse"], "the loss mse does not fit classes"),
        (["vae", "mnist"], "vae cannot be written out as a whole file"),
        (["mlp:3", "windy_line"], "windy_line cannot be written out"),
        (["mlp:3", "table.npz"], "table.npz cannot be written out; take a CSV file"),
        (["mlp:3", "odd.csv"], "its columns are not parted by one of"),
        (["mlp:3", "tiny_shakespeare"], "tinyshakespeare.txt"),
    ],
)
def test_mistakes(byhand: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: Any, message: str) -> None:
    monkeypatch.setattr("byhand.data.datasets.download.download", _refused, raising=False)
    monkeypatch.setattr("byhand.data.datasets.characters.download", _refused)
    np.savez(tmp_path / "table.npz", x=np.zeros((30, 2)), y=np.arange(30) % 2)
    (tmp_path / "odd.csv").write_text("\n".join(["a b c", *[f"{i} {i % 3} {i % 2}" for i in range(30)]]) + "\n")
    answer = byhand("write", *arguments)
    assert answer.status in (1, 2) and answer.out == ""
    assert message in answer.err


def _refused(mirrors: Any, path: Path, *rest: Any) -> Any:
    from byhand.core.errors import DataError

    raise DataError(f"there is no network to fetch {path.name} by")


TABLES = {
    "words": ("a,b,kind\n", ",", lambda i, a, b: f"{a},{b},{'left' if a < b else 'right'}"),
    "labels": ("", ";", lambda i, a, b: f"{int(a < b)};{a};{b}"),
    "numbers": ("a\tb\ttarget\n", "\t", lambda i, a, b: f"{a}\t{b}\t{a + 0.5 * b:.3f}"),
}


@pytest.mark.parametrize("kind", TABLES)
def test_a_table(byhand: Any, tmp_path: Path, kind: str) -> None:
    header, _, row = TABLES[kind]
    points = np.random.default_rng(0).uniform(-1, 1, (60, 2)).round(3)
    (tmp_path / "table.csv").write_text(header + "".join(f"{row(i, a, b)}\n" for i, (a, b) in enumerate(points)))
    more = ["--target", "0"] if kind == "labels" else []
    answer = byhand("write", "linear", "table.csv", "--epochs", 200, "--lr", 0.2, *more)
    assert answer.status == 0, answer.err
    (tmp_path / "net.py").write_text(answer.out)
    end = last(trained(tmp_path / "net.py"))
    assert end < 1e-3 if kind == "numbers" else end > 0.9
    x, y, x_test, y_test = runpy.run_path(str(tmp_path / "net.py"))["load_csv"](*_load_arguments(answer.out))
    data = _as_byhand_cuts(tmp_path / "table.csv", 0 if kind == "labels" else -1)
    np.testing.assert_array_equal(x_test, data[0])
    np.testing.assert_array_equal(y_test.ravel(), data[1])
    assert (x.dtype, y.dtype) == (np.float32, np.float32 if kind == "numbers" else np.int64)


def _load_arguments(code: str) -> Any:
    line = next(line for line in code.splitlines() if "= load_csv(" in line)
    return eval(line.partition("load_csv")[2])


def _as_byhand_cuts(file: Path, target: int) -> Any:
    from byhand.data.datasets import load

    return [tensor.array for tensor in load(str(file), target=target).test.tensors]

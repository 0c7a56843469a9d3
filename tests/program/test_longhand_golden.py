"""Whole files as `byhand write` makes them: read like prose in `golden/`, and run beside the eager network.

After a change that is meant: python -m program.test_longhand_golden, in the folder `tests`, writes them anew; then read
what changed.
"""

from __future__ import annotations

import ast
import itertools
import os
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import byhand
from byhand import nn, optim
from byhand.cli import app
from byhand.core.generator import default_generator
from byhand.nn import functional as F

FOLDER = Path(__file__).with_name("golden")
NET = """\
from byhand import nn


def build(classes):
    layers = [nn.Linear(64, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, classes)]
    return nn.Sequential(nn.Flatten(), *layers)
"""


@dataclass(frozen=True)
class Golden:
    """A file: the command that writes it, and what it does in byhand."""

    command: str
    model: Callable[[], nn.Module]
    optimizer: Callable[[Any], optim.Optimizer]
    shape: tuple[int, ...]
    classes: int


def _sequence(activation: type[nn.Module], *sizes: int) -> nn.Module:
    layers = [layer for n, m in itertools.pairwise(sizes) for layer in (nn.Linear(n, m), activation())]
    return nn.Sequential(*layers[:-1])


def _regularised() -> nn.Module:
    names: dict[str, Any] = {}
    exec(NET, names)
    built: nn.Module = names["build"](10)
    return built


GOLDEN = {
    "planar": Golden(
        "mlp:4 planar_flower --lr 0.5", lambda: _sequence(nn.Tanh, 2, 4, 2), lambda p: optim.SGD(p, 0.5), (2,), 2
    ),
    "mnist": Golden(
        "mlp:30 mnist --batch-size 50", lambda: _sequence(nn.ReLU, 784, 30, 10), lambda p: optim.SGD(p, 0.1), (784,), 10
    ),
    "mnist_adam": Golden(
        "mlp:256,128 mnist --optimizer adam",
        lambda: _sequence(nn.ReLU, 784, 256, 128, 10), lambda p: optim.Adam(p), (784,), 10,
    ),
    "cifar": Golden(
        "mlp:50 cifar10 --batch-size 200 --lr 0.01 --weight-decay 0.001",
        lambda: _sequence(nn.ReLU, 3072, 50, 10), lambda p: optim.SGD(p, 0.01, weight_decay=0.001), (3072,), 10,
    ),
    "regularised": Golden(
        "net.py:build digits --lr 0.05", _regularised, lambda p: optim.SGD(p, 0.05), (1, 8, 8), 10
    ),
    "explained": Golden(
        "mlp:8 moons --activation sigmoid --optimizer rmsprop --explain",
        lambda: _sequence(nn.Sigmoid, 2, 8, 2), lambda p: optim.RMSprop(p, 0.001), (2,), 2,
    ),
}  # fmt: skip


def written(golden: Golden) -> str:
    """What the command prints, in a folder that holds `net.py`."""
    home = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "net.py").write_text(NET)
        os.chdir(folder)
        try:
            result = CliRunner().invoke(app, ["write", *golden.command.split()])
        finally:
            os.chdir(home)
    assert result.exit_code == 0, result.output
    return result.stdout


def logistic() -> str:
    """Logistic regression, as `step.source` gives it."""
    byhand.manual_seed(0)
    model = nn.Linear(2, 1)
    optimizer = optim.SGD(model.parameters(), 0.1)

    @byhand.compile(dialect="longhand")
    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = F.binary_cross_entropy_with_logits(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    step(byhand.randn(50, 2), byhand.ones(50, 1))
    return str(step.source)


@pytest.mark.parametrize("name", GOLDEN)
def test_the_file_is_as_it_was_reviewed(name: str) -> None:
    assert written(GOLDEN[name]) == (FOLDER / f"{name}.txt").read_text("utf-8")


def test_logistic_regression_is_as_it_was_reviewed() -> None:
    assert logistic() == (FOLDER / "logistic.txt").read_text("utf-8")


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.txt")), ids=lambda path: path.stem)
def test_a_page_is_a_hundred_columns_wide(path: Path) -> None:
    code = path.read_text("utf-8")
    assert max(map(len, code.splitlines())) <= 100
    assert not re.search(r"[ \t]$", code, re.MULTILINE)
    modules = {a.name for part in ast.walk(ast.parse(code)) if isinstance(part, ast.Import) for a in part.names}
    assert modules <= {"numpy", "gzip", "os", "importlib.util", "pickle", "tarfile"}


@pytest.mark.parametrize("name", GOLDEN)
def test_the_file_does_what_the_network_does(name: str) -> None:
    golden = GOLDEN[name]
    file: dict[str, Any] = {"__name__": name}
    exec(compile((FOLDER / f"{name}.txt").read_text("utf-8"), name, "exec"), file)
    byhand.manual_seed(0)
    model = golden.model().double()  # Adam makes as much of the rounding of a tiny gradient as of a large one
    optimizer = golden.optimizer(model.parameters())
    tensors = [*model.parameters(), *(b for b in model.buffers() if b.ndim)]
    given = _arguments(file["step"], model, tensors)
    numbers = {k: v for group in optimizer.param_groups for k, v in group.items()}
    betas = numbers.get("betas", (0, 0))
    numbers |= {"beta1": betas[0], "beta2": betas[1], "t": 0}
    rng = np.random.default_rng(1)
    for size in (7, 5, 7):  # any size will do
        x = rng.uniform(0, 1, (size, *golden.shape))
        y = rng.integers(0, golden.classes, size)
        byhand.manual_seed(2)
        optimizer.zero_grad()
        loss = F.cross_entropy(model(byhand.tensor(x)), byhand.tensor(y))
        loss.backward()
        optimizer.step()
        byhand.manual_seed(2)
        file["rng"] = default_generator.numpy
        found = file["step"](x, y, *given, *[numbers[key] for key in _names(file["step"]) if key in numbers])
        if isinstance(found, tuple):
            found, numbers["t"] = found
        np.testing.assert_allclose(found, loss.item(), rtol=1e-10)
    for array, tensor in zip(given, tensors, strict=False):
        np.testing.assert_allclose(array, tensor.array, rtol=1e-8, atol=1e-10)
    model.eval()
    scores = file["predict"](x, *given[: len(tensors)])
    with byhand.no_grad():
        np.testing.assert_allclose(scores, model(byhand.tensor(x)).array, rtol=1e-8)


def _names(function: Any) -> list[str]:
    return list(function.__code__.co_varnames[: function.__code__.co_argcount])


def _arguments(step: Any, model: nn.Module, tensors: list[Any]) -> list[Any]:
    """The arrays that the step takes: copies of the model's, then zeros for each moment of each parameter."""
    letters = dict.fromkeys(name.partition("_")[0] for name in _names(step) if re.match(r"[a-z]_", name))
    moments = [np.zeros_like(p.array) for _ in letters for p in model.parameters()]
    return [*[np.array(t.array) for t in tensors], *moments]


if __name__ == "__main__":
    for name, golden in GOLDEN.items():
        (FOLDER / f"{name}.txt").write_text(written(golden), "utf-8")
    (FOLDER / "logistic.txt").write_text(logistic(), "utf-8")

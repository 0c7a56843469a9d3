"""Real jobs from start to end: `byhand train`, MNIST and the planar flower. The section `jobs`.

These are accuracies, so each runs once; seconds are printed for information but for `byhand train`, which has a bound.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

from byhand import nn, optim
from byhand.bench.tables import Row, Table, duration
from byhand.core.errors import ByhandError, DataError
from byhand.core.generator import manual_seed
from byhand.core.tape import no_grad
from byhand.data import DataLoader, TensorDataset, datasets
from byhand.optim.lr_scheduler import ExponentialLR

TRAIN_ACCURACY, TRAIN_SECONDS = 0.975, 20
MNIST_ACCURACY, MNIST_EPOCHS = 0.94, 10
LOGISTIC_ACCURACY, FLOWER_ACCURACY, FLOWER_STEPS = 0.47, 0.90, 10_000


def measure(rounds: int, quick: bool) -> Table:
    """The three jobs; `quick` leaves MNIST out."""
    rows = [train_row(), *([] if quick else mnist_rows()), *flower_rows()]
    notes = [
        f"MNIST: 784-30-10 ReLU, batch 50, 50,000 to train on, 10,000 to validate, best of {MNIST_EPOCHS} epochs.",
        "Plain recipe: every weight and bias standard-normal, SGD, lr 0.5.",
        "Good recipe: He weights, zero biases, SGD, lr 0.5 times 0.75 each epoch.",
        f"planar_flower(seed=1): full batches, SGD, {FLOWER_STEPS:,} steps, accuracy on the training points; lr 1.2 as",
        "in the courses, and 0.1 for the logistic regression, which does not settle with 1.2.",
    ]
    return Table("Real jobs", rows, notes)


def train_row() -> Row:
    """`byhand train` with nothing else, in a process and a folder of its own, as a newcomer types it."""
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        command = [sys.executable, "-m", "byhand", "train", "--out", f"{folder}/run"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
        seconds = time.perf_counter() - begin
    found = re.findall(r"test accuracy ([\d.]+)", done.stdout)
    if done.returncode or not found:
        reason = ((done.stderr or done.stdout).strip().splitlines() or ["no message"])[-1]
        raise ByhandError(f"byhand train ended with status {done.returncode} and no test accuracy: {reason}")
    accuracy = float(found[-1])
    reached = accuracy >= TRAIN_ACCURACY and seconds < TRAIN_SECONDS
    must = f"≥ {TRAIN_ACCURACY:.1%}, < {TRAIN_SECONDS} s"
    return Row("byhand train (digits), test accuracy", f"{accuracy:.2%} in {duration(seconds)}", must, reached=reached)


def mnist_rows() -> list[Row]:
    """The plain recipe beside a good one; one row that says so where the files are not at hand."""
    must = f"≥ {MNIST_ACCURACY:.0%}"
    try:
        train, _ = datasets.mnist(download=False)
    except DataError:
        missing = "no MNIST files in $BYHAND_DATA or the cache; `byhand datasets` says how to get them"
        return [Row("784-30-10 on MNIST", missing, must)]
    images, labels = train.tensors
    halves = (images[:50_000], labels[:50_000]), (images[50_000:], labels[50_000:])
    fit, valid = (TensorDataset(*tensors) for tensors in halves)
    plain, plain_seconds = mnist_accuracy(fit, valid, standard_normal, decay=1.0)
    good, good_seconds = mnist_accuracy(fit, valid, he, decay=0.75)
    return [
        Row("784-30-10 on MNIST, plain recipe", f"{plain:.2%} in {duration(plain_seconds)}"),
        Row(
            "784-30-10 on MNIST, good recipe",
            f"{good:.2%} in {duration(good_seconds)}",
            must,
            reached=good >= MNIST_ACCURACY,
        ),
    ]


def standard_normal(layer: Any) -> None:
    """Every weight and bias drawn from N(0, 1)."""
    nn.init.normal_(layer.weight)
    nn.init.normal_(layer.bias)


def he(layer: Any) -> None:
    """Weights from N(0, 2 / inputs) (He et al., 2015), biases zero."""
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.bias)


def mnist_accuracy(train: Any, valid: Any, initialise: Callable[[Any], None], decay: float) -> tuple[float, float]:
    """Best validation accuracy within the epochs, and the seconds they took."""
    manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 30), nn.ReLU(), nn.Linear(30, 10))
    for layer in (model[1], model[3]):
        initialise(layer)
    optimizer = optim.SGD(model.parameters(), lr=0.5)
    schedule = ExponentialLR(optimizer, gamma=decay)
    loss_function = nn.CrossEntropyLoss()
    loader = DataLoader(train, batch_size=50, shuffle=True)
    best, begin = 0.0, time.perf_counter()
    for _ in range(MNIST_EPOCHS):
        for images, labels in loader:
            optimizer.zero_grad()
            loss_function(model(images), labels).backward()
            optimizer.step()
        schedule.step()
        best = max(best, accuracy(model, *valid.tensors))
    return best, time.perf_counter() - begin


def flower_rows() -> list[Row]:
    """Logistic regression, which cannot bend, and one hidden layer of four tanh units."""
    points, labels = datasets.planar_flower(seed=1).tensors
    manual_seed(0)
    straight = flower_accuracy(nn.Linear(2, 2), points, labels, lr=0.1)
    bent = flower_accuracy(nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 2)), points, labels, lr=1.2)
    figure = f"{LOGISTIC_ACCURACY:.0%}"
    return [
        Row("planar_flower, logistic regression", f"{straight:.2%}", figure, reached=f"{straight:.0%}" == figure),
        Row("planar_flower, 2-4-2 tanh", f"{bent:.2%}", f"≥ {FLOWER_ACCURACY:.0%}", reached=bent >= FLOWER_ACCURACY),
    ]


def flower_accuracy(model: Any, points: Any, labels: Any, lr: float) -> float:
    """Accuracy on the points after gradient descent on full batches."""
    optimizer = optim.SGD(model.parameters(), lr=lr)
    loss_function = nn.CrossEntropyLoss()
    for _ in range(FLOWER_STEPS):
        optimizer.zero_grad()
        loss_function(model(points), labels).backward()
        optimizer.step()
    return accuracy(model, points, labels)


def accuracy(model: Any, x: Any, labels: Any) -> float:
    """The share of x whose largest score is the label's."""
    with no_grad():
        return float((model(x).numpy().argmax(axis=1) == labels.numpy()).mean())

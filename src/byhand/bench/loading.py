"""A shuffled pass of `DataLoader` over data of MNIST's shape, against PyTorch's: the section `loading`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from byhand.bench.networks import has_pytorch, whole_package
from byhand.bench.tables import NO_PYTORCH, Row, Table, duration
from byhand.bench.timing import take_turns

BATCH, SAMPLES, QUICK_SAMPLES, BOUND = 50, 60_000, 6_000, 0.1


def measure(rounds: int, quick: bool) -> Table:
    """One pass each, by turns; `quick` takes a tenth of the samples, for all contenders alike."""
    samples = QUICK_SAMPLES if quick else SAMPLES
    images, labels = made_up_mnist(samples)
    contenders = {"byhand": one_pass("byhand", images, labels), "by hand": pass_by_hand(images, labels)}
    if has_pytorch():
        contenders["PyTorch"] = one_pass("torch", images, labels)
    # a turn is one pass: PyTorch's takes about a second
    timings = take_turns(contenders, rounds, turn=0.0, warm_up=0.0)
    what, must = f"{samples:,} × 1 × 28 × 28 in shuffled batches of {BATCH}", f"≤ {BOUND} ×"
    mine, hand = duration(timings.median("byhand")), duration(timings.median("by hand"))
    measured = f"{mine} · by hand {hand}"
    if "PyTorch" in contenders:
        ratio, of_medians = timings.ratio("byhand", "PyTorch"), timings.ratio_of_medians("byhand", "PyTorch")
        measured += f" · PyTorch {duration(timings.median('PyTorch'))}"
        rows = [Row(f"{what}: over PyTorch", measured, must, ratio, of_medians, ratio <= BOUND)]
    else:
        rows = [Row(f"{what}: over PyTorch", f"{measured} · {NO_PYTORCH}", must)]
    ratio, of_medians = timings.ratio("byhand", "by hand"), timings.ratio_of_medians("byhand", "by hand")
    rows.append(Row("the same: over by hand", "", "", ratio, of_medians))
    notes = [
        "Made-up pixels of MNIST's shape and dtype: the values do not matter to a loader.",
        "PyTorch: DataLoader on a TensorDataset, no workers.",
        "By hand: one permutation, then `images[order[i : i + 50]]`.",
    ]
    return Table("A pass of the DataLoader", rows, notes)


def made_up_mnist(samples: int) -> tuple[Any, Any]:
    """Images float32 (samples, 1, 28, 28) in [0, 1) and labels int64 (samples,)."""
    random = np.random.default_rng(0)
    return random.random((samples, 1, 28, 28), np.float32), random.integers(0, 10, samples)


def one_pass(name: str, images: Any, labels: Any) -> Callable[[], int]:
    """A shuffled pass in the package called `name`; the same code for byhand and torch. Returns the samples seen."""
    package = whole_package(name)
    dataset = package.utils.data.TensorDataset(package.from_numpy(images), package.from_numpy(labels))
    loader = package.utils.data.DataLoader(dataset, batch_size=BATCH, shuffle=True)

    def run() -> int:
        seen = 0
        for batch, _ in loader:
            seen += len(batch)
        return seen

    return run


def pass_by_hand(images: Any, labels: Any) -> Callable[[], int]:
    """A shuffled pass as one writes it in NumPy."""
    random = np.random.default_rng(0)

    def run() -> int:
        seen = 0
        order = random.permutation(len(images))
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            batch, _ = images[chosen], labels[chosen]
            seen += len(batch)
        return seen

    return run

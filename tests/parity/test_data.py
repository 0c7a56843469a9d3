"""The data room against `torch.utils.data`, and the made points and bundled digits against scikit-learn."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

import numpy as np
import pytest

import byhand
from byhand.data import datasets
from byhand.utils import data as ours

torch = pytest.importorskip("torch")
theirs = torch.utils.data

Pair = namedtuple("Pair", "x y")


def plain(value: Any) -> Any:
    """Tensors of either library as (dtype, list), containers as they are."""
    if isinstance(value, torch.Tensor):
        return str(value.dtype).removeprefix("torch."), value.tolist()
    if isinstance(value, byhand.Tensor):
        return str(value.dtype), value.tolist()
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value).__name__, [plain(part) for part in value]
    return value


@pytest.mark.parametrize("size", [1, 7, 12])
@pytest.mark.parametrize("batch_size", [1, 4, 20])
@pytest.mark.parametrize("drop_last", [False, True])
def test_batches_in_order(size: int, batch_size: int, drop_last: bool) -> None:
    x, y = np.arange(size * 3, dtype=np.float32).reshape(size, 3), np.arange(size)
    a = ours.DataLoader(ours.TensorDataset(byhand.tensor(x), byhand.tensor(y)), batch_size, drop_last=drop_last)
    b = theirs.DataLoader(theirs.TensorDataset(torch.tensor(x), torch.tensor(y)), batch_size, drop_last=drop_last)
    assert len(a) == len(b)
    assert plain(list(a)) == plain(list(b))


@pytest.mark.parametrize(
    "batch",
    [
        [1, 2],
        [1.5, 2.5],
        [True, False],
        ["a", "b"],
        [b"a", b"b"],
        [(1, 2.0, "a"), (3, 4.0, "b")],
        [[1, 2], [3, 4]],
        [{"x": 1, "y": (2, 3)}, {"x": 4, "y": (5, 6)}],
        [Pair(1, 2.0), Pair(3, 4.0)],
        [np.zeros(2, np.float32), np.ones(2, np.float32)],
        [np.float64(1), np.float64(2)],
        [np.int64(3)],
    ],
)
def test_default_collate(batch: Any) -> None:
    assert plain(ours.default_collate(batch)) == plain(theirs.default_collate(batch))


@pytest.mark.parametrize("sample", [np.zeros(2), (1, np.ones(1)), {"x": np.int64(3)}, [np.zeros(1), "a"], "a", 3])
def test_default_convert(sample: Any) -> None:
    assert plain(ours.default_convert(sample)) == plain(theirs.default_convert(sample))


@pytest.mark.parametrize(
    ("size", "lengths"),
    [
        (10, [7, 3]),
        (10, [0.5, 0.5]),
        (10, [0.33, 0.33, 0.34]),
        (1797, [0.8, 0.2]),
        (1797, [0.25] * 4),
        (1, [1]),
        (10, [1]),
        (1, [1.0]),
        (7, [1 / 3] * 3),
    ],
)
def test_random_split_lengths(size: int, lengths: list[Any]) -> None:
    parts = [[len(p) for p in library.random_split(range(size), lengths)] for library in (ours, theirs)]
    assert parts[0] == parts[1]


@pytest.mark.parametrize("name", ["concat", "stack", "stack by name", "subset"])
def test_joined_datasets(name: str) -> None:
    def build(library: Any) -> Any:
        a, b = [1, 2, 3], ["a", "b", "c"]
        return {
            "concat": lambda: library.ConcatDataset([a, b]),
            "stack": lambda: library.StackDataset(a, b),
            "stack by name": lambda: library.StackDataset(n=a, s=b),
            "subset": lambda: library.Subset(b, [2, 0]),
        }[name]()

    mine, reference = build(ours), build(theirs)
    assert len(mine) == len(reference)
    assert [mine[i] for i in range(len(mine))] == [reference[i] for i in range(len(reference))]


@pytest.mark.parametrize("drop_last", [False, True])
def test_samplers_in_order(drop_last: bool) -> None:
    def build(library: Any) -> Any:
        return library.BatchSampler(library.SequentialSampler(range(11)), 4, drop_last)

    assert list(build(ours)) == list(build(theirs))
    assert len(build(ours)) == len(build(theirs))


@pytest.mark.parametrize(
    "arguments",
    [
        {"batch_size": 0},
        {"shuffle": True, "sampler": [0]},
        {"batch_sampler": [[0]], "batch_size": 2},
        {"batch_sampler": [[0]], "shuffle": True},
        {"batch_size": None, "drop_last": True},
        {"num_workers": -1},
        {"timeout": -1},
        {"prefetch_factor": 2},
    ],
)
def test_the_same_arguments_are_refused(arguments: dict[str, Any]) -> None:
    for library in (ours, theirs):
        with pytest.raises(ValueError):  # noqa: PT011 - the messages differ on purpose
            library.DataLoader([1, 2, 3], **arguments)


# ── scikit-learn ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_digits_are_scikit_learns() -> None:
    reference = pytest.importorskip("sklearn.datasets").load_digits()
    x, y = datasets.digits().tensors
    assert np.array_equal(x.array[:, 0], (reference.images / 16).astype(np.float32))
    assert np.array_equal(y.array, reference.target)


@pytest.mark.parametrize("seed", [0, 1, 42])
@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("name", ["moons", "circles", "gaussian_quantiles"])
def test_points_are_scikit_learns(name: str, shuffle: bool, seed: int) -> None:
    sklearn = pytest.importorskip("sklearn.datasets")
    reference, mine = {
        "moons": (
            lambda: sklearn.make_moons(101, noise=0.2, shuffle=shuffle, random_state=seed),
            lambda: datasets.moons(101, noise=0.2, shuffle=shuffle, seed=seed),
        ),
        "circles": (
            lambda: sklearn.make_circles(101, noise=0.1, factor=0.4, shuffle=shuffle, random_state=seed),
            lambda: datasets.circles(101, noise=0.1, factor=0.4, shuffle=shuffle, seed=seed),
        ),
        "gaussian_quantiles": (
            lambda: sklearn.make_gaussian_quantiles(
                mean=[1, -1], cov=0.5, n_samples=101, n_classes=3, shuffle=shuffle, random_state=seed
            ),
            lambda: datasets.gaussian_quantiles(101, mean=[1, -1], cov=0.5, n_classes=3, shuffle=shuffle, seed=seed),
        ),
    }[name]
    points, labels = reference()
    x, y = mine().tensors
    assert np.allclose(x.array, points, rtol=0, atol=1e-6)
    assert np.array_equal(y.array, labels)

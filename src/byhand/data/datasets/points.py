"""Made points in the plane: the toy problems of the courses. Each is drawn from a seed of its own.

All return a `TensorDataset` of points float32 (N, 2) and labels int64 (N,). NumPy's legacy `RandomState` is used on
purpose: with it the same seed gives the very points of the course, of scikit-learn (`random_state=seed`), of the notes.
`seed=None` takes a seed from the default generator, which `byhand.manual_seed` sets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from byhand.core.errors import UsageError
from byhand.core.generator import default_generator
from byhand.data.dataset import TensorDataset
from byhand.tensor import Tensor

Points = NDArray[np.float64]


def planar_flower(m: int = 400, seed: int | None = 1) -> TensorDataset:
    """The flower of Andrew Ng's course: m points on a rose of eight petals, red and blue by the half they lie in.

    For class j = 0, 1 with m/2 points each: t = linspace(3.12 j, 3.12 (j + 1)) + 0.2 ε, r = 4 sin(4 t) + 0.2 ε',
    point = (r sin t, r cos t), ε and ε' standard normal. With `seed=1` and `m=400` the very points of the course's
    notebook "Planar data classification with one hidden layer" (deeplearning.ai), where logistic regression gets 47 %.

    >>> import byhand
    >>> byhand.data.datasets.planar_flower().tensors[0].shape
    (400, 2)
    """
    check_counts("planar_flower", m=m, least=2)
    random, half = random_state(seed), m // 2
    points = []
    for j in range(2):
        t = np.linspace(j * 3.12, (j + 1) * 3.12, half) + random.randn(half) * 0.2
        r = 4 * np.sin(4 * t) + random.randn(half) * 0.2
        points.append(np.column_stack([r * np.sin(t), r * np.cos(t)]))
    return _dataset(np.concatenate(points), np.repeat([0, 1], half))


def spirals(points: int = 100, classes: int = 3, *, noise: float = 0.2, seed: int | None = None) -> TensorDataset:
    """Interleaved spirals, `points` of them in each of `classes` arms: no line parts them.

    For class j: r = linspace(0, 1), t = linspace(4 j, 4 (j + 1)) + noise · ε, point = (r sin t, r cos t).
    Stanford CS231n, "Putting it together: minimal neural network case study"; there `seed=0`.
    """
    check_counts("spirals", points=points, classes=classes, least=1)
    random, r = random_state(seed), np.linspace(0.0, 1.0, points)
    arms = []
    for j in range(classes):
        t = np.linspace(j * 4, (j + 1) * 4, points) + random.randn(points) * noise
        arms.append(np.column_stack([r * np.sin(t), r * np.cos(t)]))
    return _dataset(np.concatenate(arms), np.repeat(np.arange(classes), points))


def moons(
    n_samples: int = 200, *, noise: float | None = 0.2, shuffle: bool = True, seed: int | None = None
) -> TensorDataset:
    """Two half circles, one reaching into the other; as scikit-learn's `make_moons`, with its values for a seed.

    Outer: (cos t, sin t); inner: (1 − cos t, 1 − sin t − 1/2); t = linspace(0, π); plus `noise` times a normal.
    """
    check_counts("moons", n_samples=n_samples, least=2)
    random = random_state(seed)
    outer, inner = np.linspace(0, np.pi, n_samples // 2), np.linspace(0, np.pi, n_samples - n_samples // 2)
    upper = np.column_stack([np.cos(outer), np.sin(outer)])
    lower = np.column_stack([1 - np.cos(inner), 1 - np.sin(inner) - 0.5])
    return _dataset(*_mixed(random, [upper, lower], shuffle, noise))


def circles(
    n_samples: int = 200,
    *,
    noise: float | None = 0.05,
    factor: float = 0.5,
    shuffle: bool = True,
    seed: int | None = None,
) -> TensorDataset:
    """A circle of radius `factor` inside of the unit circle; as scikit-learn's `make_circles`, with its values.

    Class 0 is the outer circle. Raises UsageError unless 0 ≤ factor < 1.
    """
    check_counts("circles", n_samples=n_samples, least=2)
    if not 0 <= factor < 1:
        raise UsageError(f"circles: factor is the inner radius, from 0 up to 1, not {factor!r}")
    random = random_state(seed)
    outer, inner = (np.linspace(0, 2 * np.pi, n, endpoint=False) for n in (n_samples // 2, n_samples - n_samples // 2))
    rim = np.column_stack([np.cos(outer), np.sin(outer)])
    core = np.column_stack([np.cos(inner), np.sin(inner)]) * factor
    return _dataset(*_mixed(random, [rim, core], shuffle, noise))


def gaussian_quantiles(
    n_samples: int = 200,
    *,
    mean: Sequence[float] | None = None,
    cov: float = 1.0,
    n_classes: int = 2,
    shuffle: bool = True,
    seed: int | None = None,
) -> TensorDataset:
    """One normal cloud, cut by distance from its mean into shells of equal size, a class each.

    Points from N(mean, cov · I); as scikit-learn's `make_gaussian_quantiles` in two dimensions, with its values.
    """
    check_counts("gaussian_quantiles", n_samples=n_samples, n_classes=n_classes, least=1)
    if n_samples < n_classes:
        raise UsageError(f"gaussian_quantiles: {n_samples} samples cannot fill {n_classes} classes")
    random, centre = random_state(seed), np.zeros(2) if mean is None else np.asarray(mean, dtype=np.float64)
    cloud = random.multivariate_normal(centre, cov * np.eye(2), n_samples)
    cloud = cloud[np.argsort(np.sum((cloud - centre) ** 2, axis=1))]
    labels = np.minimum(np.arange(n_samples) // (n_samples // n_classes), n_classes - 1)
    order = _shuffled(random, n_samples) if shuffle else slice(None)
    return _dataset(cloud[order], labels[order])


def ring(n_samples: int = 20_000, *, classes: int = 8, noise: float = 0.05, seed: int | None = None) -> TensorDataset:
    """Normal clouds around `classes` points of a circle of radius 2: what a GAN finds all of, or not.

    With noise · ε, ε standard normal. Metz et al., Unrolled generative adversarial networks, 2017.
    """
    check_counts("ring", n_samples=n_samples, classes=classes, least=1)
    random = random_state(seed)
    labels = random.randint(0, classes, n_samples)
    angle = 2 * np.pi * labels / classes
    points = 2 * np.column_stack([np.cos(angle), np.sin(angle)])
    return _dataset(points + noise * random.randn(n_samples, 2), labels)


def random_state(seed: int | None) -> np.random.RandomState:
    """NumPy's stream for a seed; `None` draws one from the default generator."""
    return np.random.RandomState(int(default_generator.numpy.integers(2**32)) if seed is None else seed)


def _shuffled(random: np.random.RandomState, size: int) -> NDArray[np.int64]:
    order = np.arange(size)
    random.shuffle(order)
    return order


def _mixed(
    random: np.random.RandomState, parts: list[Points], shuffle: bool, noise: float | None
) -> tuple[Points, NDArray[Any]]:
    """Two classes in one order, then noise on all: the order of draws is scikit-learn's."""
    points, labels = np.concatenate(parts), np.repeat([0, 1], [len(part) for part in parts])
    if shuffle:
        order = _shuffled(random, len(points))
        points, labels = points[order], labels[order]
    if noise is not None:
        points = points + random.normal(scale=noise, size=points.shape)
    return points, labels


def _dataset(points: Points, labels: NDArray[Any]) -> TensorDataset:
    return TensorDataset(Tensor(points.astype(np.float32)), Tensor(labels.astype(np.int64)))


def check_counts(owner: str, *, least: int, **counts: Any) -> None:
    """Raise UsageError unless every count is an integer of at least `least`."""
    for name, count in counts.items():
        if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or count < least:
            raise UsageError(f"{owner}: {name} is an integer of at least {least}, not {count!r}")
        if name == "m" and count % 2:
            raise UsageError(f"{owner}: m={count} points are not two classes of the same size; m must be even")

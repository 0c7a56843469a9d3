"""The datasets by name. Called by the command line: `byhand train NAME`, `byhand datasets`."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from byhand.core.errors import DataError, UsageError
from byhand.data.dataset import TensorDataset
from byhand.data.datasets import cifar, idx, points
from byhand.data.datasets.bundled import digits
from byhand.data.datasets.characters import SHAKESPEARE, TextDataset, text, tiny_shakespeare
from byhand.data.datasets.folder import find, folders, home
from byhand.data.datasets.series import sine_waves
from byhand.data.datasets.tables import Table, table
from byhand.data.datasets.worlds import WindyLine
from byhand.tensor import Tensor

FILES = (".csv", ".tsv", ".data", ".npy", ".npz")
FASHION = ("T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
TEN = tuple("0123456789")


Part: TypeAlias = Any  # a TensorDataset, a TextDataset or a world: only its task knows which it is


@dataclass(frozen=True)
class Splits:
    """A dataset ready for training: its three parts, and what a network for it must know.

    `valid` is None if no part was set aside. `kind` is "images" (N, C, H, W), "points" (N, 2), "series" (N, T, D),
    "text", "table" or "world"; `shape` is that of one input; `classes` the number of classes, None if the target is no
    label; `class_names` their names (for text: its characters, for a world: its actions).
    """

    name: str
    kind: str
    train: Part
    valid: Part | None
    test: Part
    shape: tuple[int, ...]
    classes: int | None
    class_names: tuple[str, ...]


class Row(NamedTuple):
    """One line of the catalogue: a dataset, its size, where it is or would be, and whether it is there."""

    name: str
    what: str
    size: str
    where: str
    present: bool


@dataclass(frozen=True)
class _Source:
    """How a named dataset is made, and where its files live."""

    make: Callable[..., Any]
    what: str
    size: str
    kind: str
    class_names: tuple[str, ...] = ()
    folder: str | None = None
    files: tuple[tuple[str, ...], ...] = ()  # the spellings of every file that must be there
    defaults: tuple[tuple[str, Any], ...] = ()


_SEEDED = (("seed", 1),)
_IDX = tuple(tuple(idx.spellings(file)) for file in idx.FILES)
_TWO, _THREE = TEN[:2], TEN[:3]

SOURCES: dict[str, _Source] = {
    "digits": _Source(digits, "handwritten digits of UCI", "1,797 × 8×8", "images", TEN),
    "mnist": _Source(
        idx.mnist, "handwritten digits", "60,000 + 10,000 × 28×28", "images", TEN, folder="mnist", files=_IDX
    ),
    "fashion_mnist": _Source(
        idx.fashion_mnist,
        "articles of clothing",
        "60,000 + 10,000 × 28×28",
        "images",
        FASHION,
        folder="fashion_mnist",
        files=_IDX,
    ),
    "cifar10": _Source(
        cifar.cifar10,
        "small photographs of ten kinds",
        "50,000 + 10,000 × 3×32×32",
        "images",
        cifar.CLASSES,
        folder="cifar10",
        files=((*cifar.names_of(cifar.TRAIN[0]), *cifar.ARCHIVES),),
    ),
    "planar_flower": _Source(points.planar_flower, "the flower of Ng's course", "400 points", "points", _TWO),
    "spirals": _Source(points.spirals, "three spirals of CS231n", "300 points", "points", _THREE, defaults=_SEEDED),
    "moons": _Source(points.moons, "two half circles", "200 points", "points", _TWO, defaults=_SEEDED),
    "circles": _Source(points.circles, "a circle in a circle", "200 points", "points", _TWO, defaults=_SEEDED),
    "gaussian_quantiles": _Source(
        points.gaussian_quantiles, "shells of a normal cloud", "200 points", "points", _TWO, defaults=_SEEDED
    ),
    "ring": _Source(points.ring, "eight normal clouds", "20,000 points", "points", TEN[:8], defaults=_SEEDED),
    "sine_waves": _Source(sine_waves, "noisy waves to forecast", "1,000 × 60 values", "series", defaults=_SEEDED),
    "windy_line": _Source(WindyLine, "a cart in the wind, to be steered", "160 episodes", "world"),
    "tiny_shakespeare": _Source(
        tiny_shakespeare,
        "plays, by characters",
        "1,115,394 characters",
        "text",
        folder="text",
        files=(SHAKESPEARE,),
    ),
}


def names() -> list[str]:
    """The names that `load` knows, the bundled dataset first."""
    return list(SOURCES)


def catalog() -> list[Row]:
    """Every named dataset with its size, where its files are or would go, and whether they are there."""
    return [_row(name, source) for name, source in SOURCES.items()]


def _row(name: str, source: _Source) -> Row:
    if source.folder is None:
        where = "bundled" if name == "digits" else "made"
        return Row(name, source.what, source.size, where, True)
    found = [find(folders(source.folder), spellings) for spellings in source.files]
    present = all(path is not None for path in found)
    folder = found[0].parent if present and found[0] is not None else home(source.folder)
    return Row(name, source.what, source.size, str(folder), present)


def load(name: str, *, valid: float | None = None, test: float = 0.2, **options: Any) -> Splits:
    """A dataset by name, or a file of one's own (.csv, .npy, .npz, .txt, mnist.pkl.gz), cut into three parts.

    What has a test part of its own keeps it; from the rest the last `valid` (default: a sixth of it, so that MNIST is
    50,000 / 10,000 / 10,000; 0 for none) becomes the validation part. What has none is shuffled, always in the same
    way, and the fraction `test` of it set aside, then `valid` (default 0.1) of all; a text is cut without shuffling.
    `options` go to the dataset's function (`folder=`, `download=`, `seed=`, `target=`, `block_size=`, …).

    Raises UsageError for an unknown name or option, DataError for what is wrong with the files.

    >>> import byhand
    >>> digits = byhand.data.datasets.load("digits")
    >>> len(digits.train), len(digits.valid), len(digits.test), digits.shape, digits.classes
    (1258, 180, 359, (1, 8, 8), 10)
    """
    for share in (test, valid):
        if share is not None and not 0 <= share < 1:
            raise UsageError(f"the shares of test and validation are fractions from 0 up to 1, not {share!r}")
    source = SOURCES.get(name)
    if source is None:
        return _load_file(name, valid, test, options)
    made = _made(name, source.make, {**dict(source.defaults), **options})
    return _split(name, source.kind, made, source.class_names, valid, test)


def _load_file(name: str, valid: float | None, test: float, options: dict[str, Any]) -> Splits:
    path = Path(name).expanduser()
    if path.suffix in FILES:
        made = _made(name, table, {"path": path, **options})
        return _split(name, "table", made, made.classes, valid, test)
    if path.name.endswith((".pkl", ".pkl.gz")):
        train, validation, rest = _made(name, idx.mnist_pkl, {"path": path, **options})
        return Splits(name, "images", train, validation, rest, (1, 28, 28), 10, TEN)
    if path.suffix == ".txt":
        return _split(name, "text", _made(name, text, {"path": path, **options}), (), valid, test)
    near = difflib.get_close_matches(name, SOURCES, 1)
    hint = f"did you mean {near[0]!r}?" if near else "known are " + ", ".join(SOURCES)
    raise UsageError(f"no dataset is named {name!r}; {hint} Or give a .csv, .npy, .npz, .txt or mnist.pkl.gz file")


def _made(name: str, make: Callable[..., Any], options: dict[str, Any]) -> Any:
    import inspect

    known = inspect.signature(make).parameters
    for option in options:
        if option not in known:
            raise UsageError(f"{name} has no option {option!r}; it takes {', '.join(known) or 'none'}")
    return make(**options)


def _split(name: str, kind: str, made: Any, class_names: tuple[str, ...], valid: float | None, test: float) -> Splits:
    if isinstance(made, TextDataset):
        return _split_text(name, made, valid, test)
    if isinstance(made, WindyLine):
        return Splits(name, kind, made, None, made, made.shape, len(made.actions), made.actions)
    if isinstance(made, tuple):
        rest, tested = made
        size = len(rest)
        kept = size - round(size * (1 / 6 if valid is None else valid))
        parts = [_part(rest, slice(0, kept)), _part(rest, slice(kept, size)), tested]
    else:
        size = len(made)
        first, second = round(size * test), round(size * (0.1 if valid is None else valid))
        kept = size - first - second
        # a generator of its own: the test part is the same in every run, whatever the run's seed
        order = np.random.Generator(np.random.PCG64(0)).permutation(size)
        parts = [_part(made, cut) for cut in np.split(order, [kept, kept + second])]
    if kept <= 0 or not len(parts[0]) or (test and not len(parts[2])):
        raise DataError(f"{name}: {size} samples are too few to be cut into training, validation and test parts")
    shape = parts[0].tensors[0].shape[1:]
    return Splits(
        name,
        kind,
        parts[0],
        parts[1] if len(parts[1]) else None,
        parts[2],
        shape,
        len(class_names) or None,
        class_names,
    )


def _part(dataset: TensorDataset, where: Any) -> TensorDataset:
    tensors = [Tensor(t.array[where]) for t in dataset.tensors]
    if isinstance(dataset, Table):
        return Table(*tensors, columns=dataset.columns, target=dataset.target, classes=dataset.classes)
    return TensorDataset(*tensors)


def _split_text(name: str, whole: TextDataset, valid: float | None, test: float) -> Splits:
    share = 0.1 if valid is None else valid
    letters = whole.decode(whole.data)
    ends = [round(len(letters) * (1 - test - share)), round(len(letters) * (1 - test))]
    cuts = [letters[: ends[0]], letters[ends[0] : ends[1]], letters[ends[1] :]]
    train, validation, tested = (TextDataset(cut, whole.block_size, whole.vocabulary) if cut else None for cut in cuts)
    if train is None or tested is None:
        raise DataError(f"{name}: a text of {len(letters)} characters is too short to be cut in three")
    characters = tuple(whole.vocabulary)
    return Splits(name, "text", train, validation, tested, (whole.block_size,), len(characters), characters)

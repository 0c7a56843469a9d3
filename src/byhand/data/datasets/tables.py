"""Tables of one's own: CSV, NPY and NPZ files as a dataset of numbers with a target."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from byhand.core.errors import DataError
from byhand.data.dataset import TensorDataset
from byhand.data.datasets.comma import read_csv
from byhand.data.datasets.folder import Folder
from byhand.data.datasets.images import scaled
from byhand.tensor import Tensor

INPUT_NAMES = ("x", "X", "data", "inputs", "features", "images")
TARGET_NAMES = ("y", "Y", "target", "targets", "label", "labels")


class Table(TensorDataset):
    """A `TensorDataset` that remembers what its columns and classes are called.

    `columns` are the names of the input columns, `target` that of the target or None, `classes` the names behind the
    labels 0, 1, … (empty if the target is a number to be predicted).
    """

    def __init__(
        self, *tensors: Tensor, columns: tuple[str, ...], target: str | None, classes: tuple[str, ...]
    ) -> None:
        super().__init__(*tensors)
        self.columns = columns
        self.target = target
        self.classes = classes


@dataclass(frozen=True)
class _Content:
    """What a file holds before it is judged: inputs, perhaps a target, and names for error messages."""

    inputs: NDArray[Any]
    target: NDArray[Any] | None
    columns: tuple[str, ...]
    target_name: str | None


def table(path: Folder, target: str | int | None = -1, *, inputs: str | None = None) -> Table:
    """A CSV (.csv, .tsv, .txt), NPY or NPZ file of one's own as (inputs, target), or (inputs,) with `target=None`.

    `target` is the name or place of the target's column (default: the last one); in an NPZ the name of its array
    (default: y, target, labels, …), beside `inputs` (default: x, data, …). Whether a CSV has a header, and what parts
    its cells, is found out. Inputs become float32 (N, F). A target of whole numbers or of words becomes int64 labels
    (words in sorted order: see `Table.classes`), any other float32. Images as uint8 of three dimensions or more are
    scaled to [0, 1] and put in the order (N, C, H, W). Pickled objects are never read.

    Raises DataError for a missing or damaged file, and for a cell that is empty, no number, NaN or infinite, naming
    its line and column.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise DataError(f"{file}: no such file")
    ending = file.suffix.lower()
    if ending == ".npz":
        content = _from_npz(file, target, inputs)
    elif ending == ".npy":
        content = _from_npy(file, target)
    elif ending in (".csv", ".tsv", ".txt", ".data"):
        sheet = read_csv(file, target)
        content = _Content(sheet.inputs, sheet.target, sheet.columns, sheet.target_name)
    else:
        raise DataError(f"{file}: expected a file named .csv, .tsv, .txt, .data, .npy or .npz")
    return _judged(content, file)


def _judged(content: _Content, file: Path) -> Table:
    values = _inputs(content, file)
    if content.target is None:
        return Table(Tensor(values), columns=content.columns, target=None, classes=())
    if content.target.shape[:1] != values.shape[:1]:
        raise DataError(f"{file}: {len(values)} inputs, but a target of shape {content.target.shape}")
    labels, classes = _labels(content, file)
    return Table(Tensor(values), Tensor(labels), columns=content.columns, target=content.target_name, classes=classes)


def _inputs(content: _Content, file: Path) -> NDArray[np.float32]:
    values = content.inputs
    if values.dtype.kind not in "biuf" or values.ndim < 1 or not len(values):
        raise DataError(f"{file}: inputs of shape {values.shape} and dtype {values.dtype} are no table of numbers")
    if values.dtype == np.uint8 and values.ndim >= 3:
        if values.ndim == 3:
            values = values[:, None]
        elif values.ndim == 4 and values.shape[3] in (1, 3, 4) and values.shape[1] not in (1, 3, 4):
            values = np.ascontiguousarray(values.transpose(0, 3, 1, 2))
        return scaled(values)
    if values.ndim == 1:
        values = values[:, None]
    _check_finite(values, content.columns, file)
    with np.errstate(over="ignore"):
        single = np.ascontiguousarray(values, dtype=np.float32)
    _check_finite(single, content.columns, file)
    return single


def _check_finite(values: NDArray[Any], columns: tuple[str, ...], file: Path) -> None:
    if np.isfinite(values).all():
        return
    row, *rest = (int(i) for i in np.argwhere(~np.isfinite(values))[0])
    value = values[(row, *rest)]
    column = f"column {columns[rest[0]]!r}" if columns and len(rest) == 1 else f"place {rest}"
    raise DataError(f"{file}: sample {row}, {column} is {value}, as float32; remove or replace such samples first")


def _labels(content: _Content, file: Path) -> tuple[NDArray[Any], tuple[str, ...]]:
    """The target as int64 labels with the names of the classes, or as float32 with none."""
    values = content.target
    assert values is not None
    if values.dtype.kind in "US":
        names, labels = np.unique(values.astype(str), return_inverse=True)
        return labels.reshape(values.shape).astype(np.int64), tuple(names.tolist())
    if values.dtype.kind not in "biuf":
        raise DataError(f"{file}: a target of dtype {values.dtype} is neither numbers nor words")
    if not np.isfinite(values).all():
        row = int(np.argwhere(~np.isfinite(values))[0][0])
        raise DataError(f"{file}: sample {row}, target {content.target_name!r} is {values[row]}")
    if values.dtype.kind == "f":
        return values.astype(np.float32), ()
    low, high = int(values.min()), int(values.max())
    return values.astype(np.int64), tuple(map(str, range(high + 1))) if low >= 0 and high < 10_000 else ()


def _loaded(stream: BinaryIO, file: Path) -> Any:
    try:
        return np.load(stream, allow_pickle=False)
    except (ValueError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise DataError(f"{file} is damaged, or holds Python objects, which are never read: {error}") from error


def _from_npy(file: Path, target: str | int | None) -> _Content:
    with open(file, "rb") as stream:
        values = _loaded(stream, file)
    if not isinstance(values, np.ndarray) or values.dtype.names or values.ndim == 0:
        raise DataError(f"{file}: expected one array of plain numbers")
    if target is None or values.ndim != 2:
        if target not in (None, -1):
            raise DataError(f"{file}: an array of shape {values.shape} has no column {target!r}; use target=None")
        return _Content(values, None, (), None)
    names = tuple(str(i) for i in range(values.shape[1]))
    if not isinstance(target, int) or not -len(names) <= target < len(names) or len(names) < 2:
        raise DataError(f"{file}: no column {target!r} in an array of shape {values.shape}; use its number or None")
    at = target % len(names)
    column = values[:, at]
    whole = column.dtype.kind == "f" and np.isfinite(column).all() and (column == np.rint(column)).all()
    rest = names[:at] + names[at + 1 :]
    return _Content(np.delete(values, at, axis=1), column.astype(np.int64) if whole else column, rest, names[at])


def _from_npz(file: Path, target: str | int | None, inputs: str | None) -> _Content:
    with open(file, "rb") as stream, _loaded(stream, file) as archive:
        names = list(archive.files)
        target_name = target if isinstance(target, str) else next((n for n in TARGET_NAMES if n in names), None)
        if target is None:
            target_name = None
        inputs_name = inputs or next((n for n in INPUT_NAMES if n in names and n != target_name), None)
        others = [n for n in names if n != target_name]
        if inputs_name is None and len(others) == 1:
            inputs_name = others[0]
        for name, what in ((inputs_name, "inputs"), (target_name, "target")):
            if (name is None and (what == "inputs" or target is not None)) or (name is not None and name not in names):
                raise DataError(
                    f"{file} holds the arrays {', '.join(names) or '(none)'}; say which is the {what}: "
                    f'table(path, inputs="…", target="…"), or target=None'
                )
        try:
            values = archive[inputs_name]
            labels = None if target_name is None else archive[target_name]
        except (ValueError, EOFError, OSError, zipfile.BadZipFile) as error:
            raise DataError(f"{file} is damaged, or holds Python objects, which are never read: {error}") from error
    return _Content(values, labels, (), target_name)

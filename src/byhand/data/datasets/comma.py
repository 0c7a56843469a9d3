"""CSV files as arrays. Called by `table`.

NumPy's reader in C does the work; only when it stumbles are the cells walked one by one, to say which is wrong.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from byhand.core.errors import DataError
from byhand.data.datasets.folder import read

DELIMITERS = ",;\t|"


@dataclass(frozen=True)
class Sheet:
    """A CSV file's numbers: inputs (N, F), the target's column or None, and what the columns are called."""

    inputs: NDArray[np.float64]
    target: NDArray[Any] | None
    columns: tuple[str, ...]
    target_name: str | None


def read_csv(file: Path, target: str | int | None) -> Sheet:
    """The numbers in a CSV file; see `table`. Raises DataError naming the line and column of a wrong cell."""
    try:
        text = read(file).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{file} is not UTF-8 text (byte {error.start:,}); save it as UTF-8") from error
    lines = text.splitlines()
    first = next((i for i, line in enumerate(lines) if line.strip()), None)
    if first is None:
        raise DataError(f"{file} is empty")
    delimiter = max(DELIMITERS, key=lines[first].count)
    if delimiter not in lines[first] and len(lines[first].split()) > 1:
        delimiter = " "
        lines = [" ".join(line.split()) for line in lines]
    cells = [cell.strip() for cell in next(csv.reader([lines[first]], delimiter=delimiter))]
    named = _is_header(cells, lines[first + 1 :], delimiter, target)
    names = tuple(cells) if named else tuple(str(i) for i in range(len(cells)))
    at = _place(file, names, target)
    body = first + 1 if named else first
    if not any(line.strip() for line in lines[body:]):
        raise DataError(f"{file} has a header but no rows")
    keep = [i for i in range(len(names)) if i != at]
    if not keep:
        raise DataError(f"{file} has one column only, {names[0]!r}; with it as the target no input is left")
    inputs, words = _parsed(file, lines, body, delimiter, names, keep, at)
    columns = tuple(names[i] for i in keep)
    if at is None or words is None:
        return Sheet(inputs, None, columns, None)
    return Sheet(inputs, _typed(words), columns, names[at])


def _is_header(cells: list[str], rest: list[str], delimiter: str, target: str | int | None) -> bool:
    """Whether the first line names the columns: the target among them, or words where the next line has numbers."""
    if isinstance(target, str) and target in cells:
        return True
    if all(_is_number(cell) for cell in cells):
        return False
    following = next((line for line in rest if line.strip()), None)
    if following is None:
        return not any(_is_number(cell) for cell in cells)
    below = [cell.strip() for cell in next(csv.reader([following], delimiter=delimiter))]
    return any(_is_number(b) and not _is_number(a) for a, b in zip(cells, below, strict=False))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _place(file: Path, names: tuple[str, ...], target: str | int | None) -> int | None:
    """The number of the target's column."""
    if target is None:
        return None
    if isinstance(target, str):
        if target in names:
            return names.index(target)
        raise DataError(f"{file} has no column {target!r}; its columns are {', '.join(names)}")
    if -len(names) <= target < len(names):
        return target % len(names)
    raise DataError(f"{file} has {len(names)} columns; there is no column {target}")


def _parsed(
    file: Path, lines: list[str], body: int, delimiter: str, names: tuple[str, ...], keep: list[int], at: int | None
) -> tuple[NDArray[np.float64], list[str] | None]:
    """The inputs, and the target's cells as words."""
    rows = lines[body:]
    widths = {line.count(delimiter) for line in rows if line.strip()}
    if '"' not in "".join(rows) and widths == {len(names) - 1}:
        try:
            inputs = np.loadtxt(rows, delimiter=delimiter, usecols=keep, comments=None, ndmin=2)
            words = None if at is None else [r.split(delimiter)[at].strip() for r in rows if r.strip()]
            if np.isfinite(inputs).all() and (words is None or all(words)):
                return inputs, words
        except ValueError:
            pass  # the walk below says which cell it was
    return _walked(file, lines, body, delimiter, names, keep, at)


def _walked(
    file: Path, lines: list[str], body: int, delimiter: str, names: tuple[str, ...], keep: list[int], at: int | None
) -> tuple[NDArray[np.float64], list[str] | None]:
    """As `_parsed`, cell by cell: for quoted cells, and to say which one is wrong."""
    reader = csv.reader(io.StringIO("\n".join(lines[body:])), delimiter=delimiter)
    inputs: list[list[float]] = []
    words: list[str] = []
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        line = body + reader.line_num
        if len(cells) != len(names):
            raise DataError(f"{file}, line {line}: {len(cells)} cells, expected {len(names)} ({', '.join(names)})")
        inputs.append([_number(file, line, names[i], cells[i].strip()) for i in keep])
        if at is not None:
            words.append(cells[at].strip())
            if not words[-1]:
                raise DataError(f"{file}, line {line}, column {names[at]!r}: the cell is empty")
    return np.array(inputs), None if at is None else words


def _number(file: Path, line: int, column: str, cell: str) -> float:
    where = f"{file}, line {line}, column {column!r}"
    if not cell:
        raise DataError(f"{where}: the cell is empty; fill it or remove the line")
    try:
        value = float(cell)
    except ValueError:
        raise DataError(f"{where}: {cell!r} is not a number; encode words as numbers or remove the column") from None
    if not np.isfinite(value):
        raise DataError(f"{where}: {cell!r} is not finite; replace it or remove the line")
    return value


def _typed(words: list[str]) -> NDArray[Any]:
    """Whole numbers as int64, other numbers as float64, anything else as words."""
    for kind in (np.int64, np.float64):
        try:
            return np.array(words, dtype=kind)
        except (ValueError, OverflowError):
            continue
    return np.array(words)

"""`History`: one record an epoch, which can be indexed, saved as JSON lines, and plotted.

Made by `fit`, read by people, callbacks and `Run`. A file of JSON lines is only ever appended to, so a kill can tear
at most its last line; that line is dropped when the file is read.
"""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from byhand.core.errors import CheckpointError, DataError, UsageError
from byhand.interop.file import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Record = dict[str, Any]
_UNPLOTTED = {"epoch", "lr", "seconds"}


class History:
    """Records of epochs in order, each a dict such as {"epoch": 1, "loss": 0.7, "valid_loss": 0.6}.

    >>> history = History([{"epoch": 1, "loss": 0.7}, {"epoch": 2, "loss": 0.4}])
    >>> history["loss"]
    [0.7, 0.4]
    >>> history[-1, "loss"], history[1:, "loss"], len(history[:1])
    (0.4, [0.4], 1)
    """

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self.records: list[Record] = [dict(record) for record in records]

    def append(self, record: Record) -> None:
        """Add an epoch's record."""
        self.records.append(dict(record))

    @property
    def keys(self) -> list[str]:
        """Every name that some record has, in the order of appearance."""
        return list(dict.fromkeys(key for record in self.records for key in record))

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, History) and self.records == other.records

    __hash__ = None  # type: ignore[assignment]  # it grows

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: str) -> list[Any]: ...
    @overload
    def __getitem__(self, index: slice) -> History: ...
    @overload
    def __getitem__(self, index: tuple[int | slice, str]) -> Any: ...
    def __getitem__(self, index: int | str | slice | tuple[int | slice, str]) -> Any:
        """`history["loss"]` a column, `history[-1]` a record, `history[-1, "loss"]` a value, `history[5:]` a part.

        A record without the asked column counts as None. Raises KeyError for a column that no record has.
        """
        if isinstance(index, tuple):
            rows, key = index
            part = self[rows] if isinstance(rows, slice) else History([self[rows]])
            column = part[self._known(key)]
            return column if isinstance(rows, slice) else column[0]
        if isinstance(index, str):
            self._known(index)
            return [record.get(index) for record in self.records]
        if isinstance(index, slice):
            part = History()
            part.records = self.records[index]
            return part
        return self.records[index]

    def _known(self, key: str) -> str:
        if self.records and key not in self.keys:
            near = difflib.get_close_matches(key, self.keys, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise KeyError(f"the history has no {key!r}, only {', '.join(map(repr, self.keys))}{hint}")
        return key

    def best(self, key: str = "valid_loss", mode: str | None = None) -> Record:
        """The record with the smallest `key`, or the largest with mode "max" (the default for all but losses)."""
        mode = mode or ("min" if "loss" in key else "max")
        candidates = [record for record in self.records if record.get(key) is not None]
        if not candidates:
            self._known(key)
            raise UsageError("the history is empty: there is no best epoch yet")
        choose = min if mode == "min" else max
        return choose(candidates, key=lambda record: float(record[key]))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write all records as JSON lines, in one atomic step."""
        write_atomically(Path(path), "".join(map(_line, self.records)).encode())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> History:
        """Read JSON lines; a last line torn by a kill is dropped. Raises DataError for anything else that is broken."""
        path = Path(path)
        try:
            text = path.read_text("utf-8", errors="replace")
        except OSError as error:
            raise DataError(f"could not read the history {path}: {error.strerror}") from error
        lines, records = text.splitlines(keepends=True), []
        for number, line in enumerate(lines, 1):
            try:
                record = json.loads(line)
                if not isinstance(record, dict):
                    raise ValueError(f"expected an object, got {line[:40]!r}")
            except ValueError as error:
                if number == len(lines) and not line.endswith("\n"):
                    break
                raise DataError(f"{path}, line {number} is not a record of an epoch: {error}") from error
            records.append(record)
        return cls(records)

    def append_to(self, path: str | os.PathLike[str]) -> None:
        """Add the last record to a file of JSON lines. Raises CheckpointError if the disk is full."""
        path = Path(path)
        try:
            with open(path, "ab") as file:
                file.write(_line(self.records[-1]).encode())
        except OSError as error:
            raise CheckpointError(f"could not add epoch {len(self)} to {path}: {error.strerror}") from error

    def plot(self, path: str | os.PathLike[str] | None = None, keys: Iterable[str] | None = None) -> Figure:
        """Draw the curves: losses on the left, everything else on the right; training thin, validation thick.

        `path` saves the picture too (PNG, SVG or PDF by its ending). Needs matplotlib: `pip install byhand[plot]`.
        """
        try:
            from matplotlib.figure import Figure
        except ImportError as error:
            raise UsageError("plotting needs matplotlib: pip install 'byhand[plot]'") from error
        if not self.records:
            raise UsageError("there is nothing to plot: the history is empty")
        chosen = [self._known(k) for k in keys] if keys is not None else [k for k in self.keys if self._is_curve(k)]
        losses = [key for key in chosen if "loss" in key]
        panels = [group for group in (losses, [key for key in chosen if key not in losses]) if group]
        if not panels:
            raise UsageError(f"none of {', '.join(self.keys)} is a curve that could be plotted")
        figure = Figure(figsize=(5.2 * len(panels), 3.6), layout="constrained")
        epochs = [record.get("epoch", i) for i, record in enumerate(self.records, 1)]
        for place, group in enumerate(panels, 1):
            axes = figure.add_subplot(1, len(panels), place)
            for key in group:
                values = [float("nan") if value is None else float(value) for value in self[key]]
                axes.plot(epochs, values, label=key, linewidth=2.2 if key.startswith("valid") else 1.0)
            axes.set_xlabel("epoch")
            axes.locator_params(axis="x", integer=True)
            axes.grid(alpha=0.3)
            axes.legend()
        if path is not None:
            figure.savefig(path, dpi=120)
        return figure

    def _is_curve(self, key: str) -> bool:
        return key not in _UNPLOTTED and all(isinstance(v, int | float | None) for v in self[key])

    def __repr__(self) -> str:
        if not self.records:
            return "History(no epochs yet)"
        last = ", ".join(f"{key} {value:.4g}" for key, value in self[-1].items() if isinstance(value, float))
        return f"History({len(self)} epochs; last: {last})"


def _line(record: Record) -> str:
    return json.dumps(record) + "\n"

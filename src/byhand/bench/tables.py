"""What the sections of the benchmark report, and how it is printed: rows of what, measured, must and reached.

Every section module returns a `Table`; `byhand.bench.main` prints it with rich and writes it as JSON.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as Grid

NO_PYTORCH = "PyTorch not installed"


@dataclass(frozen=True)
class Row:
    """One number: what it is, what was measured, what it must be, and whether it is (None: no verdict).

    `ratio` is the median of the per-round ratios, `of_medians` the ratio of the two medians in `measured`.
    """

    what: str
    measured: str
    must: str = ""
    ratio: float | None = None
    of_medians: float | None = None
    reached: bool | None = None


@dataclass
class Table:
    """A section of the benchmark: a title, rows, and the footnotes that say exactly what was measured.

    `times` is an overview printed above the rows, cells by line and column; `details` is for the JSON file alone.
    """

    title: str
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    times: dict[str, dict[str, str]] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The table as JSON can hold it."""
        return asdict(self)


def duration(seconds: float) -> str:
    """Seconds in the unit that leaves two to four digits before a short fraction.

    >>> from byhand.bench.tables import duration
    >>> duration(0.0000423), duration(0.0123), duration(3.21)
    ('42.3 µs', '12.3 ms', '3.2 s')
    """
    for factor, unit in ((1, "s"), (1e-3, "ms")):
        if abs(seconds) >= factor:
            return f"{seconds / factor:.1f} {unit}"
    micro = seconds * 1e6
    return f"{micro:.1f} µs" if abs(micro) >= 10 else f"{micro:.2f} µs"


def size(count: float) -> str:
    """Bytes as kB or MB, in powers of ten."""
    return f"{count / 1e6:.2f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"


def verdict(reached: bool | None) -> str:
    """The last column."""
    return {True: "[green]yes[/]", False: "[red]no[/]", None: ""}[reached]


def show(table: Table, console: Console) -> None:
    """Print the table and its footnotes."""
    title = table.title
    if table.times:
        console.print(overview(table))
        title = ""
    # soft: a narrow terminal folds words rather than cutting a number off
    grid = Grid(title=title or None, box=SIMPLE_HEAD, title_justify="left", title_style="bold")
    grid.add_column("what", overflow="fold")
    grid.add_column("measured", overflow="fold")
    grid.add_column("must", no_wrap=True)
    for name in ("ratio", "of medians"):
        grid.add_column(name, justify="right", no_wrap=True)
    grid.add_column("reached", no_wrap=True)
    for row in table.rows:
        ratios = ["" if r is None else f"{r:.3f}" for r in (row.ratio, row.of_medians)]
        grid.add_row(row.what, row.measured, row.must, *ratios, verdict(row.reached))
    console.print(grid)
    for note in table.notes:
        console.print(f"  {note}", style="dim", highlight=False, markup=False)
    if table.notes:
        console.print()


def overview(table: Table) -> Grid:
    """The times of everybody: a line for each key of `times`, a column for each that occurs in one of them."""
    grid = Grid(title=table.title, box=SIMPLE_HEAD, title_justify="left", title_style="bold")
    columns = list(dict.fromkeys(column for cells in table.times.values() for column in cells))
    grid.add_column("")
    for column in columns:
        grid.add_column(column, justify="right", overflow="fold")
    for line, cells in table.times.items():
        grid.add_row(line, *[cells.get(column, "–") for column in columns])
    return grid

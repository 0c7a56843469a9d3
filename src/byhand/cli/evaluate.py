"""`byhand evaluate RUN`: how good the network of a run is, class by class."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from byhand.cli import options
from byhand.cli.guard import guarded

if TYPE_CHECKING:
    from byhand.train.job import Job

WIDEST = 20  # classes up to which the confusion matrix is shown


def evaluate(
    run: options.RunFolder,
    part: Annotated[str, typer.Option(help="train, valid or test.")] = "test",
    data: Annotated[
        str | None, typer.Option(help="Another dataset or file, taken whole, instead.", metavar="DATASET")
    ] = None,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Measure the network of a run on its test data, or on other data."""
    with guarded(debug):
        from byhand.train.job import Job

        job = Job.load(run)
        chosen = job.part(part) if data is None else job.other(data)
        result = {"run": str(run), "data": data or part, "samples": len(chosen)} | job.evaluate(chosen)
        if as_json:
            typer.echo(json.dumps(result, indent=2))
        else:
            _show(result, job)


def _show(result: dict[str, Any], job: Job) -> None:
    matrix = result.pop("confusion", None)
    if matrix is not None and len(matrix) <= WIDEST:
        from rich.console import Console

        Console().print(_table(matrix, job.classes))
    title = f"{result.pop('data')} of {result.pop('run')}, {result.pop('samples'):,} samples"
    typer.echo(title)
    for name, value in result.items():
        typer.echo(f"  {name.replace('_', ' '):10s} {value:.4f}")


def _table(matrix: list[list[int]], classes: list[str]) -> Any:
    """Rows are the truth, columns the predictions, the last column is the share of each class that was found."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE, title="truth ↓  predicted →", title_style="dim", title_justify="left")
    table.add_column("", style="bold", justify="right")
    for name in classes:
        table.add_column(name, justify="right")
    table.add_column("found", justify="right", style="dim")
    for i, (name, row) in enumerate(zip(classes, matrix, strict=True)):
        cells = [f"[bold]{n}[/]" if i == j else (f"[red]{n}[/]" if n else "[dim]·[/]") for j, n in enumerate(row)]
        table.add_row(name, *cells, f"{row[i] / sum(row):.1%}" if sum(row) else "–")
    return table

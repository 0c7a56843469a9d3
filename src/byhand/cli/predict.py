"""`byhand predict RUN FILE...`: what the network of a run says about pictures, tables and arrays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from byhand.cli import options
from byhand.cli.guard import guarded

if TYPE_CHECKING:
    from byhand.core.variable import Array
    from byhand.train.run import Run


def predict(
    run: options.RunFolder,
    files: Annotated[
        list[Path], typer.Argument(help="PNG, PGM or PPM pictures; CSV, NPY or NPZ files.", metavar="FILE...")
    ],
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Apply the network of a run to files.

    A picture is one sample, of just the size the network was trained on; a row of a CSV, NPY or NPZ file is one each.
    """
    with guarded(debug):
        from byhand.train.run import Run
        from byhand.train.samples import read_samples

        loaded = Run.load(run)
        shape = loaded.spec["input_shape"]
        samples = [read_samples(file, shape, loaded.config.get("data", {})) for file in files]
        rows = [row for file, x in zip(files, samples, strict=True) for row in _rows(str(file), x, loaded)]
        if as_json:
            typer.echo(json.dumps(rows, indent=2))
        else:
            _show(rows)


def _rows(file: str, x: Array, run: Run) -> list[dict[str, Any]]:
    from byhand.train.run import softmax

    scores = run.predict(x)
    classes = run.classes
    if not classes:
        values = scores.reshape(len(scores), -1).tolist()
        return [{"file": file, "row": i, "prediction": v[0] if len(v) == 1 else v} for i, v in enumerate(values)]
    rows = []
    for i, chances in enumerate(softmax(scores)):
        best = int(chances.argmax())
        named = dict(zip(classes, (round(float(p), 6) for p in chances), strict=True))
        row = {"file": file, "row": i, "prediction": classes[best], "class": best}
        rows.append(row | {"probability": named[classes[best]], "probabilities": named})
    return rows


def _show(rows: list[dict[str, Any]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE)
    for name in ("file", "row", "prediction", "probability", "next"):
        table.add_column(name, justify="left" if name in ("file", "prediction", "next") else "right")
    for row in rows:
        cells = [row["file"], str(row["row"])]
        if "probabilities" in row:
            ranked = sorted(row["probabilities"].items(), key=lambda item: -item[1])
            following = f"{ranked[1][0]} {ranked[1][1]:.1%}" if len(ranked) > 1 else ""
            cells += [row["prediction"], f"{row['probability']:.1%}", following]
        else:
            values = row["prediction"] if isinstance(row["prediction"], list) else [row["prediction"]]
            cells += [", ".join(f"{value:.6g}" for value in values), "", ""]
        table.add_row(*cells)
    Console().print(table)

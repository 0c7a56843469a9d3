"""`byhand bench`: the table of measured ratios. The measuring itself lives in `byhand.bench`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from byhand.cli import options
from byhand.cli.guard import guarded


def bench(
    names: Annotated[
        list[str] | None, typer.Argument(help="Which to run; all by default.", metavar="[NAME]...")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Turns of each contender; the median counts.")] = 9,
    json: Annotated[Path | None, typer.Option(help="Also write the numbers to this file.", metavar="FILE")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A short run: a smoke test, not a measurement.")] = False,
    debug: options.Debug = False,
) -> None:
    """Measure byhand against NumPy written by hand and, where it is installed, PyTorch."""
    with guarded(debug):
        from byhand.bench import main

        raise typer.Exit(main(list(names or []), rounds, json, quick))

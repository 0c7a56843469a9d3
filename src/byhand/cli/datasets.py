"""`byhand datasets`: what there is to train on."""

from __future__ import annotations

import json
import os
from pathlib import Path

import typer

from byhand.cli import options
from byhand.cli.guard import guarded


def datasets(as_json: options.Json = False, debug: options.Debug = False) -> None:
    """List the datasets, and where their files are looked for."""
    with guarded(debug):
        from byhand.data.datasets import cache_folder, catalog

        rows = catalog()
        if as_json:
            typer.echo(json.dumps([row._asdict() for row in rows], indent=2))
            return
        from rich import box
        from rich.console import Console
        from rich.table import Table

        table = Table(box=box.SIMPLE)
        for name in ("name", "what", "size", "where"):
            table.add_column(name, no_wrap=name in ("name", "size"), overflow="fold")
        for row in rows:
            where = _short(row.where) if row.present else "[dim]fetched when first used[/]"
            table.add_row(f"[bold]{row.name}[/]", row.what, row.size, where)
        Console().print(table)
        own = os.environ.get("BYHAND_DATA")
        places = f"BYHAND_DATA={own}" if own else "the folder that BYHAND_DATA names (it is not set)"
        typer.echo(f"Files are looked for in {places}, then in {_short(str(cache_folder()))}.")
        typer.echo("A CSV or NPZ file of your own will do, too: byhand train FILE.csv --target COLUMN")


def _short(path: str) -> str:
    home = str(Path.home())
    return "~" + path[len(home) :] if path.startswith(home) else path

"""The command line: `byhand train`, `evaluate`, `predict`, `sample`, `write`, `datasets`, `bench`.

One module a command. Each command's function imports what it needs when it runs, so that `byhand --help` is quick.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from byhand.cli import guard
from byhand.cli.bench import bench
from byhand.cli.datasets import datasets
from byhand.cli.evaluate import evaluate
from byhand.cli.predict import predict
from byhand.cli.sample import sample
from byhand.cli.train import train
from byhand.cli.write import write

app = typer.Typer(
    name="byhand",
    help="Neural networks that show their work: PyTorch's interface on NumPy.",
    epilog="Begin with `byhand train`: it learns real handwritten digits in seconds.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (train, evaluate, predict, sample, write, datasets, bench):
    app.command()(command)


def _print_version(wanted: bool) -> None:
    if wanted:
        from byhand.train.run import library_version

        typer.echo(f"byhand {library_version()}")
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Neural networks that show their work: PyTorch's interface on NumPy."""
    guard.state.debug = debug


def main() -> None:
    """The entry point of `byhand` and of `python -m byhand`."""
    try:
        app()
    except KeyboardInterrupt:  # before a command could take care of it
        sys.exit(guard.INTERRUPTED)


__all__ = ["app", "main"]

"""From an error to a message and an exit status: 0 fine, 1 failed, 2 wrong usage, 130 interrupted.

Every command runs inside `guarded`. Nobody at a command line should meet a traceback for a wrong file; `--debug`
shows it all the same.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

import typer

FAILED, USAGE, INTERRUPTED = 1, 2, 130


class _State:
    debug: bool = False


state = _State()


def complain(message: str, kind: str = "error") -> None:
    """Write `byhand: error: message` to standard error, in colour on a terminal."""
    colour = {"error": typer.colors.RED, "warning": typer.colors.YELLOW}.get(kind)
    prefix = typer.style(f"{kind}:", fg=colour, bold=True) if sys.stderr.isatty() else f"{kind}:"
    typer.echo(f"{prefix} {message}", err=True)


def _show_warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, *rest: Any, file: TextIO | None = None
) -> None:
    complain(str(message), "warning")


@contextmanager
def guarded(debug: bool = False, interrupted: str = "interrupted") -> Iterator[None]:
    """Turn what is raised in the block into a message and an exit status; warnings into one line each."""
    from byhand.core.errors import UsageError

    debug = debug or state.debug
    with warnings.catch_warnings():
        if not debug:
            warnings.simplefilter("default", UserWarning)
            warnings.showwarning = _show_warning  # type: ignore[assignment]  # its line is of no use to a person here
        try:
            yield
        except (typer.Exit, typer.Abort):
            raise
        except KeyboardInterrupt:
            complain(interrupted, "interrupted")
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:  # `byhand ... | head`: nobody is listening any more
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(FAILED) from None
        except Exception as error:
            if debug:
                raise
            complain(explain(error))
            raise typer.Exit(USAGE if isinstance(error, UsageError) else FAILED) from None


def explain(error: Exception) -> str:
    """What to tell a person about `error`."""
    from byhand.core.errors import ByhandError

    notes = "".join(f"\n  {note}" for note in getattr(error, "__notes__", ()))
    if isinstance(error, ByhandError):
        return f"{error}{notes}"
    if isinstance(error, MemoryError):
        return f"out of memory: {error}. Take a smaller batch (--batch-size) or model"
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return f"{type(error).__name__}: {error}{notes}\n  (the command with --debug shows where)"

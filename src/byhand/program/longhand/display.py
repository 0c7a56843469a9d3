"""Programs as people see them: plain text, in colour on a terminal, as HTML in a notebook.

Called by `Compiled` (`step.source`, `step.show()`, `_repr_html_`) and by `byhand write`.
"""

from __future__ import annotations

import io
from typing import Any

from byhand.program.ir import Program, identifier
from byhand.program.longhand.function import module
from byhand.program.longhand.longhand import listed
from byhand.program.longhand.rules import explained

FORMAT = '<pre style="line-height: 1.4; font-size: 0.9em; overflow-x: auto">{code}</pre>'
THEMES = {"terminal": "ansi_dark", "notebook": "friendly"}


def source(program: Program, explain: bool = False) -> str:
    """A program (of ops, not lowered) as NumPy code; with `explain` the rule that each line comes from beside it."""
    return module(listed(program), identifier(program.name) or "step", explained if explain else None)


def show(code: str, console: Any = None) -> None:
    """Print code: in colour on a terminal, as it is elsewhere. `console` is a rich Console to print to."""
    from rich.console import Console

    console = console or Console()
    if not console.is_terminal:
        console.file.write(code)  # a console would fold long lines
        return
    console.print(_syntax(code, "terminal"), soft_wrap=True)


def html(code: str) -> str:
    """Code as an HTML fragment in colour, which needs nothing from elsewhere."""
    from rich.console import Console

    width = max(map(len, code.splitlines()), default=1)
    console = Console(record=True, file=io.StringIO(), width=width, color_system="truecolor", force_terminal=True)
    console.print(_syntax(code, "notebook"))
    return console.export_html(inline_styles=True, code_format=FORMAT)


def _syntax(code: str, place: str) -> Any:
    from rich.syntax import Syntax

    return Syntax(code.rstrip("\n"), "python", theme=THEMES[place], background_color="default")

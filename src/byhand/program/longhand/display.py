"""Programs as people see them: plain text, in colour on a terminal, as HTML in a notebook.

Called by `Compiled` (`step.source`, `step.show()`, `_repr_html_`) and by `byhand write`.
"""

from __future__ import annotations

import io
import re
from typing import Any

from byhand.program.ir import Program, identifier
from byhand.program.longhand.function import module
from byhand.program.longhand.longhand import listed
from byhand.program.longhand.rules import explained

FORMAT = '<pre style="line-height: 1.4; overflow-x: auto">{code}</pre>'
NOISE = re.compile(r"(text-decoration|background)-color: #[0-9a-f]{6};? ?")


def source(program: Program, explain: bool = False) -> str:
    """A program (of ops, not lowered) as NumPy code; with `explain` the rule that each line comes from beside it."""
    return module(listed(program), identifier(program.name) or "step", explained if explain else None)


def show(code: str, console: Any = None) -> None:
    """Print code: in colour on a terminal, as it is elsewhere. `console` is a rich Console to print to."""
    from rich.console import Console

    console = console or Console()
    if console.is_terminal:
        console.print(_coloured(code, "ansi_dark"), soft_wrap=True)
    else:
        console.file.write(code)  # which a console would fold


def html(code: str) -> str:
    """Code as an HTML fragment in colour, which needs nothing from elsewhere."""
    from rich.console import Console

    console = Console(record=True, file=io.StringIO(), color_system="truecolor", force_terminal=True)
    console.print(_coloured(code, "friendly"), soft_wrap=True)
    return NOISE.sub("", console.export_html(inline_styles=True, code_format=FORMAT))


def _coloured(code: str, theme: str) -> Any:
    from rich.syntax import Syntax

    coloured = Syntax("", "python", theme=theme, background_color="default").highlight(code)
    coloured.rstrip()
    return coloured

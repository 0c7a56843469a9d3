"""The dialect for reading: a program as the NumPy code that one would write by hand.

`reading` says how an op reads, `listing` which values have lines, `effects` where states are written, `textbook` and
`repeats` what an update looks like; `function` and `script` make text of it, `display` shows that.
"""

from __future__ import annotations

from byhand.program.longhand.display import html, show, source
from byhand.program.longhand.longhand import Longhand

__all__ = ["Longhand", "html", "show", "source"]

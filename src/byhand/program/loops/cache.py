"""Where compiled kernels are kept between processes: `$BYHAND_CACHE`, else the platform's cache folder.

A file appears under its name only when it is complete. A folder that cannot be written only costs time, so nobody is
told about it.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from pathlib import Path


def folder() -> Path:
    """The folder for compiled kernels."""
    chosen = os.environ.get("BYHAND_CACHE")
    if chosen:
        return Path(chosen).expanduser() / "loops"
    if os.environ.get("XDG_CACHE_HOME"):
        return Path(os.environ["XDG_CACHE_HOME"]) / "byhand" / "loops"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "byhand" / "loops"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "byhand" / "loops"
    return Path.home() / ".cache" / "byhand" / "loops"


def read(key: str) -> bytes | None:
    """What was written under this key; None if there is nothing."""
    try:
        return (folder() / f"{key}.o").read_bytes()
    except OSError:
        return None


def write(key: str, data: bytes) -> bool:
    """Keep data under a key, and say whether that was possible."""
    temporary = None
    try:
        where = folder()
        where.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=f".{key}.", dir=where)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        os.replace(temporary, where / f"{key}.o")
        return True
    except OSError:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        return False

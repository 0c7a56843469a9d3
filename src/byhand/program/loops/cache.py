"""Where compiled kernels are kept between processes: `$BYHAND_CACHE`, else the platform's cache folder.

A file appears under its name only when it is complete, and begins with a digest of the rest: damaged machine code would
be run otherwise. A folder that cannot be written only costs time, so nobody is told about it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import tempfile
from pathlib import Path

DIGEST = hashlib.sha256().digest_size


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
    """What was written under this key; None if there is nothing, or it is damaged."""
    try:
        whole = (folder() / f"{key}.o").read_bytes()
    except OSError:
        return None
    digest, data = whole[:DIGEST], whole[DIGEST:]
    return data if hashlib.sha256(data).digest() == digest else None


def write(key: str, data: bytes) -> bool:
    """Keep data under a key, and say whether that was possible."""
    temporary = None
    try:
        where = folder()
        where.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=f".{key}.", dir=where)
        with os.fdopen(descriptor, "wb") as file:
            file.write(hashlib.sha256(data).digest() + data)
        os.replace(temporary, where / f"{key}.o")
        return True
    except OSError:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        return False

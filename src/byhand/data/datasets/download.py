"""Downloads that survive: several mirrors, resumed where they broke off, checked, and put in place in one step.

Called by the datasets whose files are not on this machine yet. Nothing is ever visible under the final name that
has not the right SHA-256.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from byhand.core.errors import DataError

if TYPE_CHECKING:
    from http.client import HTTPResponse

CHUNK = 1 << 18
PATIENCE = 30.0  # seconds without a byte

Progress = Callable[[int, int | None], None]


class _MirrorError(Exception):
    """A mirror that failed, and why."""


def download(mirrors: Sequence[str], path: Path, sha256: str, progress: Progress | None = None) -> Path:
    """Fetch a file from the first mirror that has it whole, into `path`.

    Bytes are collected in `path` + ".part", from which a later call goes on (HTTP Range); only a file with the right
    SHA-256 is moved to `path`. `progress(bytes_so_far, bytes_in_all)` is called along the way; without it one line
    on standard error says what is fetched. Raises DataError with every mirror's reason if none works.
    """
    part = path.with_name(path.name + ".part")
    reasons = []
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for url in mirrors:
            try:
                _fetch_whole(url, part, sha256, progress or _announce(url, path))
                os.replace(part, path)
                return path
            except _MirrorError as reason:
                reasons.append(f"  {url}: {reason}")
    except OSError as error:
        raise DataError(f"{error.filename or part} cannot be written: {error.strerror or error}") from error
    kept = f"What came is kept in {part.name}; the next try goes on from there. " if part.exists() else ""
    raise DataError(
        f"{path.name} could not be downloaded:\n" + "\n".join(reasons) + f"\n{kept}"
        f"Check the connection and try again, or put the file at {path} yourself."
    )


def _fetch_whole(url: str, part: Path, sha256: str, progress: Progress) -> None:
    """Complete `part` from `url` and check it; begin anew once if what was there before spoils it."""
    resumed = part.exists() and part.stat().st_size > 0
    if not (resumed and _digest(part) == sha256):
        _fetch_rest(url, part, progress)
        if _digest(part) != sha256 and resumed:
            part.unlink()
            _fetch_rest(url, part, progress)
    found = _digest(part)
    if found != sha256:
        part.unlink()
        raise _MirrorError(f"the file there is not the right one (SHA-256 {found[:12]}…, expected {sha256[:12]}…)")


def _fetch_rest(url: str, part: Path, progress: Progress) -> None:
    """Append to `part` what `url` has beyond it; from the start if the server does not know ranges."""
    have = part.stat().st_size if part.exists() else 0
    response = _opened(url, have)
    if response is None:
        return
    with response:
        have = have if response.status == 206 else 0
        announced = response.headers.get("Content-Length")
        total = have + int(announced) if announced and announced.isdigit() else None
        with open(part, "r+b" if have else "wb") as file:
            file.seek(have)
            progress(have, total)
            while chunk := _received(response):
                file.write(chunk)
                have += len(chunk)
                progress(have, total)
    if total is not None and have < total:
        raise _MirrorError(f"the connection ended after {have:,} of {total:,} bytes")


def _opened(url: str, have: int) -> HTTPResponse | None:
    """The response to a request for all but the first `have` bytes; None if there are no more."""
    from http.client import HTTPException  # these cost 25 ms, which `import byhand` need not pay
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    headers = {"User-Agent": "byhand"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        response: HTTPResponse = urlopen(Request(url, headers=headers), timeout=PATIENCE)
    except HTTPError as error:
        error.close()
        if error.code == 416:
            return None
        raise _MirrorError(f"HTTP {error.code} {error.reason}") from error
    except (HTTPException, OSError) as error:
        raise _MirrorError(_reason(error)) from error
    return response


def _received(response: HTTPResponse) -> bytes:
    from http.client import HTTPException

    try:
        return response.read(CHUNK)
    except (HTTPException, OSError) as error:
        raise _MirrorError(_reason(error)) from error


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", "")) or str(error) or type(error).__name__


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _announce(url: str, path: Path) -> Progress:
    """One line on standard error at the start of a download."""
    said: list[Any] = []

    def progress(have: int, total: int | None) -> None:
        if not said:
            size = f" ({total / 1e6:,.1f} MB)" if total else ""
            print(f"downloading {url}{size} to {path}", file=sys.stderr)
            said.append(True)

    return progress

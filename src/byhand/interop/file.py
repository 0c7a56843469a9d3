"""Files that are either the old one or the new one, never half of one.

Called by whatever saves: `interop.torch`, checkpoints, histories, runs. A file is written beside its target, flushed to
the disk and then moved over it in one step, so that neither a kill nor a full disk can damage what was there before.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from byhand.core.errors import CheckpointError

TEMPORARY = ".partial"


def write_atomically(path: Path, data: bytes) -> None:
    """Replace the file at `path` by `data`: afterwards it holds all of it, or is what it was before.

    Raises CheckpointError if the disk is full or the folder cannot be written.
    """
    temporary: str | None = None
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=TEMPORARY, dir=path.parent)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())  # mkstemp gives 0600, which a colleague could not read
        os.replace(temporary, path)
        flush_folder(path.parent)
    except OSError as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        reason = error.strerror or str(error)
        raise CheckpointError(
            f"could not save {path}: {reason}. What was saved there before is untouched; "
            "make room (or choose another folder) and resume from it."
        ) from error
    except BaseException:  # an interrupt: leave no stray file behind
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        raise


def flush_file(path: Path) -> None:
    """Wait until what was written to a file is on the disk. Raises CheckpointError if it is full."""
    try:
        with open(path, "rb+") as file:
            os.fsync(file.fileno())
    except OSError as error:
        raise CheckpointError(f"could not save {path}: {error.strerror or error}") from error


def flush_folder(folder: Path) -> None:
    """Make a rename in `folder` survive a power cut, where the platform can open folders."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def leftovers(folder: Path, stem: str) -> Iterator[Path]:
    """Temporary files of `write_atomically` that a kill left behind."""
    yield from folder.glob(f".{stem}*{TEMPORARY}")

"""Where data files are looked for, and where downloads go. Called by every dataset that is read from files.

First `$BYHAND_DATA`, then the platform's cache folder; in each of them a folder per dataset (`mnist/`, `cifar10/`,
`fashion_mnist/`, `text/`).
"""

from __future__ import annotations

import gzip
import os
import sys
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

from byhand.core.errors import DataError

Folder: TypeAlias = str | os.PathLike[str]

# inside of a dataset's folder: flat, as torchvision lays it out, as the official archives unpack
ROOMS = ("", "raw", "MNIST/raw", "FashionMNIST/raw", "cifar-10-batches-bin", "cifar-10-batches-py")


def cache_folder() -> Path:
    """The platform's folder for what can be fetched again: `~/.cache/byhand` and its kin."""
    if os.environ.get("XDG_CACHE_HOME"):
        return Path(os.environ["XDG_CACHE_HOME"]) / "byhand"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "byhand"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "byhand"
    return Path.home() / ".cache" / "byhand"


def folders(name: str, given: Folder | None = None) -> list[Path]:
    """The folders that may hold the dataset `name`, in order; only the given one and its rooms if one is given.

    The last of them that is not inside of another is where a download goes: see `home`.
    """
    if given is not None:
        return [Path(given).expanduser(), Path(given).expanduser() / name]
    chosen = os.environ.get("BYHAND_DATA")
    return [*([Path(chosen).expanduser() / name] if chosen else []), home(name)]


def home(name: str, given: Folder | None = None) -> Path:
    """The folder that a download of the dataset `name` goes to."""
    return cache_folder() / name if given is None else Path(given).expanduser()


def find(places: Iterable[Path], names: Iterable[str]) -> Path | None:
    """The first file of these names in these folders and their rooms, or None."""
    spellings = list(names)
    for place in places:
        for room in ROOMS:
            for name in spellings:
                path = place / room / name
                if path.is_file():
                    return path
    return None


def missing(what: str, name: str, places: Iterable[Path], more: str = "") -> DataError:
    """The error for a file that is nowhere: where it was looked for, and what to do."""
    looked = "\n".join(f"  {place}" for place in places)
    return DataError(
        f"{what} was not found in\n{looked}\n{more}Put the file into one of these folders, or set BYHAND_DATA to the "
        f"folder that has {name}/ in it."
    )


def read(path: Path) -> bytes:
    """The content of a file, unpacked if it is gzipped. Raises DataError if it is truncated or corrupt."""
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path} is truncated or corrupt ({error}); delete it and get it again") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error

"""Files that are either the old one or the new one, never half of one; and trees of arrays as JSON plus tensors.

Called by `checkpoint`, `history` and `run`. A file is written beside its target, flushed to the disk and then moved
over it in one step, so that neither a kill nor a full disk can damage what was there before.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from byhand.core.errors import CheckpointError
from byhand.core.variable import Array, Variable
from byhand.tensor import Tensor

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


def pack_tensors(tensors: dict[str, Array], metadata: dict[str, str] | None = None) -> bytes:
    """Arrays by name as the bytes of a safetensors file."""
    from safetensors.numpy import save  # here: `import byhand` should not pay for what only checkpoints need

    return save({name: np.array(array, order="C") for name, array in tensors.items()}, metadata)


def unpack_tensors(data: bytes) -> dict[str, Array]:
    """The reverse of `pack_tensors`: bit for bit the same arrays."""
    from safetensors.numpy import load

    return load(data)


def encode(tree: Any, tensors: dict[str, Array], path: str = "") -> Any:
    """A tree of dicts, lists, tuples, numbers, strings and arrays as JSON; the arrays go to `tensors` by their path.

    Exact: floats survive by their shortest representation, tuples and non-string keys are marked.
    Raises CheckpointError for anything else, with its path.
    """
    match tree:
        case None | bool() | int() | str():
            return tree
        case float():
            return float(tree)
        case Variable():
            tensors[path] = tree.array
            return {"$tensor": path}
        case np.ndarray():
            tensors[path] = tree
            return {"$array": path}
        case np.dtype():
            return {"$dtype": tree.str}
        case np.bool_() | np.integer():
            return tree.item()
        case np.generic():
            return {"$scalar": [tree.dtype.str, float(tree)]}
        case dict() if all(isinstance(key, str) and not key.startswith("$") for key in tree):
            return {key: encode(value, tensors, f"{path}/{key}" if path else key) for key, value in tree.items()}
        case dict():
            pairs = [[encode(key, tensors), encode(value, tensors, f"{path}/{key}")] for key, value in tree.items()]
            return {"$dict": pairs}
        case tuple() | list() | set():
            items = [encode(value, tensors, f"{path}/{i}") for i, value in enumerate(tree)]
            return items if isinstance(tree, list) else {"$tuple" if isinstance(tree, tuple) else "$set": items}
    raise CheckpointError(
        f"{path}: a {type(tree).__name__} cannot be saved in a checkpoint; "
        "`state_dict` should give numbers, strings, tensors and lists or dicts of them"
    )


def decode(tree: Any, tensors: dict[str, Array]) -> Any:
    """The reverse of `encode`."""
    if isinstance(tree, list):
        return [decode(value, tensors) for value in tree]
    if not isinstance(tree, dict):
        return tree
    match tree:
        case {"$tensor": str(path)}:
            return Tensor(tensors[path])
        case {"$array": str(path)}:
            return tensors[path]
        case {"$dtype": str(name)}:
            return np.dtype(name)
        case {"$scalar": [str(name), value]}:
            return np.dtype(name).type(value)
        case {"$dict": list(pairs)}:
            return {decode(key, tensors): decode(value, tensors) for key, value in pairs}
        case {"$tuple": list(items)}:
            return tuple(decode(value, tensors) for value in items)
        case {"$set": list(items)}:
            return {decode(value, tensors) for value in items}
    return {key: decode(value, tensors) for key, value in tree.items()}


def leftovers(folder: Path, stem: str) -> Iterator[Path]:
    """Temporary files of `write_atomically` that a kill left behind."""
    yield from folder.glob(f".{stem}*{TEMPORARY}")

"""Checkpoints: everything needed to go on bit for bit, as safetensors plus JSON with a single moment of commitment.

Called by `fit` (through `callbacks.Checkpointing`) and by `Run`. A folder holds

    checkpoint-00000012.safetensors   arrays: weights, optimiser moments, best weights
    checkpoint.json                   the rest: random state, schedule, position in the epoch; names the other file

The tensors are written first, under a new name; then `checkpoint.json` is replaced in one step, which commits the
pair; then the former tensors are deleted. A kill between any two of these steps leaves a whole checkpoint behind.
"""

from __future__ import annotations

import contextlib
import json
import re
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from byhand.core.errors import CheckpointError
from byhand.core.variable import Array, Variable
from byhand.interop.file import leftovers, write_atomically
from byhand.interop.named_tensors import pack_tensors, unpack_tensors
from byhand.train.storage import decode, encode

FORMAT = 1
COMMIT = "checkpoint.json"
_TENSORS = re.compile(r"checkpoint-(\d+)\.safetensors")


def exists(folder: Path) -> bool:
    """Whether `folder` holds a committed checkpoint."""
    return (folder / COMMIT).is_file()


def save(folder: Path, state: Mapping[str, Any]) -> None:
    """Save a tree of numbers, strings and arrays under `folder`; the former checkpoint is there until this one is.

    Raises CheckpointError if the disk is full or `state` holds something that cannot be saved.
    """
    tensors: dict[str, Array] = {}
    tree = encode(dict(state), tensors)
    data = pack_tensors(tensors)
    serial = 1 + max((int(found[1]) for p in folder.iterdir() if (found := _TENSORS.fullmatch(p.name))), default=0)
    name = f"checkpoint-{serial:08d}.safetensors"
    commit = {"format": FORMAT, "tensors": name, "bytes": len(data), "crc32": zlib.crc32(data), "state": tree}
    try:
        write_atomically(folder / name, data)
        write_atomically(folder / COMMIT, json.dumps(commit, indent=1).encode())
    except BaseException:
        if _committed_name(folder) != name:
            with contextlib.suppress(OSError):
                (folder / name).unlink(missing_ok=True)
        raise
    _sweep(folder, name)


def _committed_name(folder: Path) -> str | None:
    try:
        return str(json.loads((folder / COMMIT).read_text("utf-8"))["tensors"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _sweep(folder: Path, keep: str) -> None:
    """Delete tensors that no commit names, and what a kill left half written."""
    stale = [path for path in folder.iterdir() if _TENSORS.fullmatch(path.name) and path.name != keep]
    for path in [*stale, *leftovers(folder, "checkpoint")]:
        with contextlib.suppress(OSError):
            path.unlink()


def load(folder: Path) -> dict[str, Any]:
    """The tree that `save` was given, exactly. Raises CheckpointError naming the file if one is missing or damaged."""
    commit = _read_commit(folder / COMMIT)
    path = folder / str(commit["tensors"])
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{folder / COMMIT} names {path.name}, which cannot be read: {error.strerror}") from error
    if len(data) != commit["bytes"] or zlib.crc32(data) != commit["crc32"]:
        raise CheckpointError(
            f"{path} is damaged: {len(data):,} bytes, expected {commit['bytes']:,} with the checksum in {COMMIT}. "
            "Restore the file from a copy, or start a new run."
        )
    try:
        state: dict[str, Any] = decode(commit["state"], unpack_tensors(data))
    except Exception as error:  # whatever safetensors raises for bytes that pass the checksum yet are none of ours
        raise CheckpointError(f"{path} cannot be read as a checkpoint: {error}") from error
    return state


def _read_commit(path: Path) -> dict[str, Any]:
    try:
        commit = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise CheckpointError(f"there is no checkpoint in {path.parent}: {path.name} is missing") from None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} is not a checkpoint: {error}") from error
    if not isinstance(commit, dict) or not {"format", "tensors", "bytes", "crc32", "state"} <= commit.keys():
        raise CheckpointError(f"{path} is not a checkpoint of byhand")
    if commit["format"] != FORMAT:
        raise CheckpointError(f"{path} has format {commit['format']}; this version of byhand reads format {FORMAT}")
    if not _TENSORS.fullmatch(str(commit["tensors"])):  # also keeps a hostile file from naming one elsewhere
        raise CheckpointError(f"{path} names {commit['tensors']!r}, which is no file of tensors beside it")
    return commit


def fingerprint(state: Mapping[str, Any]) -> dict[str, list[Any]]:
    """What makes two models interchangeable: each parameter's and buffer's name, shape and dtype."""
    arrays = {name: x.array if isinstance(x, Variable) else x for name, x in state.items()}
    return {
        name: [list(array.shape), array.dtype.name] for name, array in arrays.items() if isinstance(array, np.ndarray)
    }


def check_fingerprint(saved: Mapping[str, Any], model: Mapping[str, Any], where: str) -> None:
    """Raise CheckpointError naming the parameters in which a checkpoint's model differs from this one."""
    if dict(saved) == dict(model):
        return
    lines = []
    for name in [*model, *(name for name in saved if name not in model)]:
        here, there = model.get(name), saved.get(name)
        if here != there:
            lines.append(f"{name}: {_described(there)} in the checkpoint, {_described(here)} in the model")
    shown = lines[:6] + ([f"... and {len(lines) - 6} more"] if len(lines) > 6 else [])
    raise CheckpointError(f"{where} is a checkpoint of another model:\n  " + "\n  ".join(shown))


def _described(entry: Any) -> str:
    return "absent" if entry is None else f"{entry[1]} {tuple(entry[0])}"

"""Samples to predict, from files: pictures, CSV tables, NPY and NPZ arrays. Called by `byhand predict`.

What does not fit the network is an error that says how it should be; nothing is resized or converted silently.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from byhand.core.errors import DataError
from byhand.core.variable import Array
from byhand.data.datasets.comma import Sheet, read_csv
from byhand.data.datasets.tables import INPUT_NAMES
from byhand.data.picture import SUFFIXES, read_picture

TABLES = (".csv", ".tsv", ".txt", ".data")


def read_samples(file: Path, shape: Sequence[int], data: Mapping[str, Any]) -> Array:
    """The samples in `file` as float32 (N, *shape).

    `shape` is that of one input of the network, `data` what the run knows of its data ("columns", "target"). Pictures
    and uint8 arrays are divided by 255, as the images of the datasets are. Raises DataError for what does not fit.
    """
    shape = tuple(shape)
    if not file.is_file():
        raise DataError(f"{file}: no such file")
    suffix = file.suffix.lower()
    if suffix in SUFFIXES:
        x = _from_picture(file, shape)
    elif suffix in (".npy", ".npz"):
        x = _from_array(file, shape)
    elif suffix in TABLES:
        x = _from_table(file, shape, data)
    else:
        known = ", ".join((*SUFFIXES, ".npy", ".npz", *TABLES))
        raise DataError(f"{file}: cannot predict from a file of this kind; expected {known}")
    if len(x) == 0:
        raise DataError(f"{file} holds no sample")
    bad = ~np.isfinite(x.reshape(len(x), -1)).all(1)
    if bad.any():
        raise DataError(f"{file}: sample {int(bad.argmax())} holds NaN or infinity")
    return x


def _from_picture(file: Path, shape: tuple[int, ...]) -> Array:
    pixels = read_picture(file)
    if len(shape) != 3:
        raise DataError(f"{file} is a picture, but the network takes rows of {shape[0]} numbers")
    if len(pixels) in (2, 4):  # an alpha channel that hides nothing is no loss
        if pixels[-1].min() < 255:
            raise DataError(f"{file} is partly transparent: what is behind it? Save it without an alpha channel")
        pixels = pixels[:-1]
    if len(pixels) == 3 and shape[0] == 1 and (pixels == pixels[0]).all():
        pixels = pixels[:1]
    if pixels.shape != shape:
        raise DataError(
            f"{file} is {_size(pixels.shape)}, the network takes {_size(shape)}; convert it first. "
            "(It is not done silently: how to crop and scale changes what is seen)"
        )
    return pixels[None].astype(np.float32) / np.float32(255)


def _size(shape: tuple[int, ...]) -> str:
    kind = {1: "grey", 3: "colour"}.get(shape[0], f"{shape[0]} channels")
    return f"{shape[2]} × {shape[1]} {kind}"


def _from_array(file: Path, shape: tuple[int, ...]) -> Array:
    try:
        loaded = np.load(file, allow_pickle=False)
        if isinstance(loaded, np.lib.npyio.NpzFile):
            with loaded as archive:
                names = list(archive.files)
                name = next((n for n in INPUT_NAMES if n in names), names[0] if len(names) == 1 else None)
                if name is None:
                    raise DataError(f"{file} holds the arrays {', '.join(names)}; call the one to predict from x")
                loaded = archive[name]
    except (ValueError, EOFError, OSError, zipfile.BadZipFile) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{file} is damaged, or holds Python objects, which are never read: {error}") from error
    if loaded.dtype.kind not in "biuf":
        raise DataError(f"{file} holds {loaded.dtype}, expected numbers")
    x = loaded.astype(np.float32)
    if loaded.dtype == np.uint8 and len(shape) == 3:
        x /= np.float32(255)
    return _shaped(x, shape, file)


def _shaped(x: Array, shape: tuple[int, ...], file: Path) -> Array:
    """(N, *shape), from that, from one sample, from rows of as many numbers, or from grey images without a channel."""
    if x.shape[1:] == shape:
        return x
    if x.shape == shape or (len(shape) == 3 and shape[0] == 1 and x.shape == shape[1:]):
        return x.reshape(1, *shape)
    if x.ndim == 2 and x.shape[1] == int(np.prod(shape)):
        return x.reshape(-1, *shape)
    if len(shape) == 3 and shape[0] == 1 and x.shape[1:] == shape[1:]:
        return x.reshape(-1, *shape)
    wanted = ", ".join(map(str, shape))
    raise DataError(f"{file} has the shape {x.shape}, the network takes (N, {wanted})")


def _from_table(file: Path, shape: tuple[int, ...], data: Mapping[str, Any]) -> Array:
    sheet = _sheet(file, data.get("target_name"))
    columns = data.get("columns") or ()
    x = sheet.inputs
    if columns and set(columns) <= set(sheet.columns):
        x = x[:, [sheet.columns.index(name) for name in columns]]
    elif columns and x.shape[1] != len(columns):
        missing = [name for name in columns if name not in sheet.columns]
        raise DataError(f"{file} has {x.shape[1]} columns, the network takes {len(columns)}; missing: {missing[:8]}")
    return _shaped(x.astype(np.float32), shape, file)


def _sheet(file: Path, target: str | None) -> Sheet:
    """The table, without the target's column if it has one: to predict it is the point."""
    if target is not None:
        try:
            return read_csv(file, target)
        except DataError as error:
            if "has no column" not in str(error):
                raise
    return read_csv(file, None)

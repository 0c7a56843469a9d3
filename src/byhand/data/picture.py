"""Small pictures from files: PNG, PGM and PPM with 8 bits a value, without an image library.

Called by `byhand predict`. Nothing is resized or converted behind one's back: what is not supported is an error.
"""

from __future__ import annotations

import os
import re
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from byhand.core.errors import DataError
from byhand.interop.png import SIGNATURE

Pixels = NDArray[np.uint8]
SUFFIXES = (".png", ".pgm", ".ppm")
LARGEST = 1 << 26  # bytes of pixels: a header that asks for more is a mistake or an attack
_CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}  # by PNG's colour type: grey, RGB, grey with alpha, RGB with alpha
_ADVICE = "save it as an 8-bit PNG (grey or RGB, not interlaced), PGM or PPM"


def read_picture(path: str | os.PathLike[str]) -> Pixels:
    """The pixels of a PNG, PGM or PPM file: uint8 (C, H, W) with C = 1 for grey, 3 for RGB; an alpha channel is last.

    Raises DataError for a file that is missing, truncated, corrupt or of another kind.
    Source: W3C, "Portable Network Graphics (PNG) Specification", second edition, 2003; the Netpbm formats.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"could not read {path}: {error.strerror}") from error
    try:
        if data.startswith(SIGNATURE):
            return _read_png(data)
        if data[:2] in (b"P5", b"P6"):
            return _read_netpbm(data)
    except (ValueError, struct.error, zlib.error, IndexError, KeyError) as error:
        raise DataError(f"{path} is damaged or not supported: {error}; {_ADVICE}") from error
    raise DataError(f"{path} is no PNG, PGM or PPM file; {_ADVICE}")


def _read_netpbm(data: bytes) -> Pixels:
    header = re.match(rb"(P[56])((?:\s+|#[^\n]*\n)+)(\d+)((?:\s+|#[^\n]*\n)+)(\d+)((?:\s+|#[^\n]*\n)+)(\d+)\s", data)
    if header is None:
        raise ValueError("its header is incomplete")
    width, height, top = (int(header[i]) for i in (3, 5, 7))
    channels = 1 if header[1] == b"P5" else 3
    if top != 255:
        raise ValueError(f"its values go to {top}, expected 255")
    return _pixels(data[header.end() :], height, width, channels)


def _pixels(raw: bytes, height: int, width: int, channels: int) -> Pixels:
    size = height * width * channels
    if not 0 < size <= LARGEST or len(raw) < size:
        raise ValueError(f"it has {len(raw):,} bytes of pixels, expected {height} × {width} × {channels}")
    return np.frombuffer(raw, np.uint8, size).reshape(height, width, channels).transpose(2, 0, 1).copy()


def _read_png(data: bytes) -> Pixels:
    position, packed, header = 8, b"", None
    while True:
        length, kind = struct.unpack_from(">I4s", data, position)
        body = data[position + 8 : position + 8 + length]
        (checksum,) = struct.unpack_from(">I", data, position + 8 + length)
        if zlib.crc32(kind + body) != checksum:
            raise ValueError(f"the checksum of its {kind.decode('latin-1')} chunk is wrong")
        position += 12 + length
        if kind == b"IHDR":
            header = struct.unpack(">IIBBBBB", body)
        elif kind == b"IDAT":
            packed += body
        elif kind == b"IEND":
            break
    if header is None:
        raise ValueError("it has no header")
    width, height, depth, colour, _, _, interlaced = header
    if depth != 8 or colour not in _CHANNELS or interlaced:
        raise ValueError(f"bit depth {depth}, colour type {colour}{', interlaced' if interlaced else ''}")
    channels = _CHANNELS[colour]
    size = height * (1 + width * channels)
    if not 0 < size <= LARGEST:
        raise ValueError(f"its size is {width} × {height}")
    lines = zlib.decompressobj().decompress(packed, size)
    if len(lines) < size:
        raise ValueError(f"it has {len(lines):,} bytes of pixels, expected {size:,}")
    rows = np.frombuffer(lines, np.uint8, size).reshape(height, 1 + width * channels)
    return _pixels(_unfilter(rows, channels).tobytes(), height, width, channels)


def _unfilter(rows: Pixels, step: int) -> Pixels:
    """Undo the prediction of each line from the pixel to the left (a), above (b), and above to the left (c)."""
    out = np.zeros((len(rows) + 1, rows.shape[1] - 1 + step), np.uint8)  # a line and a pixel of zeros around
    for line, above, row in zip(out[1:], out[:-1], rows, strict=True):
        kind, values = int(row[0]), row[1:]
        if kind == 0:
            line[step:] = values
        elif kind == 1:
            line[step:] = values.reshape(-1, step).cumsum(0, dtype=np.uint8).ravel()
        elif kind == 2:
            line[step:] = values + above[step:]
        elif kind in (3, 4):
            _predict_line(line, above.tolist(), values.tolist(), step, paeth=kind == 4)
        else:
            raise ValueError(f"it has a line of filter type {kind}")
    return out[1:, step:]


def _predict_line(line: Pixels, above: list[int], values: list[int], step: int, paeth: bool) -> None:
    done = [0] * step
    for i, value in enumerate(values):
        a, b, c = done[i], above[i + step], above[i]
        if paeth:
            p = a + b - c
            da, db, dc = abs(p - a), abs(p - b), abs(p - c)
            guess = a if da <= db and da <= dc else b if db <= dc else c
        else:
            guess = (a + b) // 2
        done.append((value + guess) & 255)
    line[:] = done

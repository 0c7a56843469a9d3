"""Pixels as the bytes of a PNG file. Called by `data.drawing` and `interop.tensorboard`."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from byhand.core.errors import DataError

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def encoded(pixels: NDArray[np.uint8]) -> bytes:
    """The file of uint8 pixels (C, H, W), C = 1 for grey or 3 for RGB. Raises DataError for anything else.

    Source: W3C, "Portable Network Graphics (PNG) Specification", second edition, 2003.
    """
    if pixels.ndim != 3 or pixels.shape[0] not in (1, 3) or pixels.dtype != np.uint8:
        raise DataError(f"a picture is uint8 (C, H, W) with 1 or 3 channels, got {pixels.dtype} {pixels.shape}")
    channels, height, width = pixels.shape
    rows = pixels.transpose(1, 2, 0).reshape(height, -1)
    lines = np.concatenate([np.zeros((height, 1), np.uint8), rows], 1)  # a row begins with its filter: none
    header = struct.pack(">IIBBBBB", width, height, 8, 0 if channels == 1 else 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes())), (b"IEND", b""))
    return SIGNATURE + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )

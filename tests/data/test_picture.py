from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from byhand.core.errors import DataError
from byhand.data.picture import read_picture


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def filtered(pixels: np.ndarray, kinds: list[int]) -> bytes:
    """The reference: PNG's filters in their direct form, byte by byte."""
    height, width, channels = pixels.shape
    lines = pixels.reshape(height, width * channels).astype(int)
    out = b""
    for y in range(height):
        kind = kinds[y % len(kinds)]
        row = []
        for i in range(width * channels):
            a = lines[y, i - channels] if i >= channels else 0
            b = lines[y - 1, i] if y else 0
            c = lines[y - 1, i - channels] if y and i >= channels else 0
            nearest = min((a, b, c), key=lambda v: abs(a + b - c - v))
            row.append((lines[y, i] - [0, a, b, (a + b) // 2, nearest][kind]) % 256)
        out += bytes([kind, *row])
    return out


def png(pixels: np.ndarray, kinds: list[int] | None = None, depth: int = 8, interlaced: int = 0) -> bytes:
    height, width, channels = pixels.shape
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    packed = zlib.compress(filtered(pixels, kinds or [0]))
    parts = [chunk(b"IHDR", header), chunk(b"tEXt", b"a\0b"), chunk(b"IDAT", packed[:9]), chunk(b"IDAT", packed[9:])]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + chunk(b"IEND", b"")


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("kinds", [[0], [1], [2], [3], [4], [4, 3, 2, 1, 0]])
def test_png_of_every_filter_and_colour(tmp_path: Path, channels: int, kinds: list[int]) -> None:
    pixels = np.random.default_rng(channels).integers(0, 256, (7, 5, channels)).astype(np.uint8)
    path = tmp_path / "a.png"
    path.write_bytes(png(pixels, kinds))
    assert np.array_equal(read_picture(path), pixels.transpose(2, 0, 1))


@pytest.mark.parametrize("magic, channels", [(b"P5", 1), (b"P6", 3)])
def test_netpbm(tmp_path: Path, magic: bytes, channels: int) -> None:
    pixels = np.arange(6 * channels, dtype=np.uint8).reshape(2, 3, channels)
    path = tmp_path / "a.pgm"
    path.write_bytes(magic + b"\n# a remark\n3 2\n255\n" + pixels.tobytes())
    assert np.array_equal(read_picture(path), pixels.transpose(2, 0, 1))


GOOD = png(np.zeros((4, 4, 1), np.uint8))


@pytest.mark.parametrize(
    "data, message",
    [
        (b"hello", "no PNG, PGM or PPM"),
        (GOOD[:-20], "damaged"),
        (GOOD[:40], "damaged"),
        (GOOD.replace(b"tEXta", b"tEXtb"), "checksum"),
        (png(np.zeros((4, 4, 1), np.uint8), depth=16), "bit depth 16"),
        (png(np.zeros((4, 4, 1), np.uint8), interlaced=1), "interlaced"),
        (b"P5\n4 4\n255\n123", "expected 4 × 4 × 1"),
        (b"P5\n4 4\n65535\n" + bytes(32), "65535"),
        (b"P5\n4", "header"),
    ],
)
def test_what_cannot_be_read_is_one_clear_error(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "bad.png"
    path.write_bytes(data)
    with pytest.raises(DataError, match=message) as caught:
        read_picture(path)
    assert str(path) in str(caught.value)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        read_picture(tmp_path / "none.png")


def test_a_small_file_that_claims_to_be_huge(tmp_path: Path) -> None:
    header = struct.pack(">IIBBBBB", 2**31 - 1, 2**31 - 1, 8, 0, 0, 0, 0)
    path = tmp_path / "bomb.png"
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    with pytest.raises(DataError, match="its size is"):
        read_picture(path)

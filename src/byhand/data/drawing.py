"""Pictures of samples, and pictures as PNG files, without an image library. Called by `byhand sample`."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from byhand.core.errors import DataError
from byhand.core.variable import Array
from byhand.data.picture import Pixels
from byhand.interop.png import encoded


def write_png(path: str | os.PathLike[str], pixels: Pixels) -> None:
    """Write uint8 pixels (C, H, W), C = 1 for grey or 3 for RGB. Raises DataError if that cannot be done."""
    data = encoded(pixels)
    try:
        Path(path).write_bytes(data)
    except OSError as error:
        raise DataError(f"could not write {path}: {error.strerror}") from error


def tiled(images: Array, gap: int = 2, size: int = 480) -> Pixels:
    """Images (N, C, H, W) in [0, 1] beside and below each other, near to a square, enlarged to about `size` pixels."""
    across = int(np.ceil(np.sqrt(len(images) * images.shape[2] / images.shape[3])))
    factor = max(1, round(size / (across * images.shape[3])))
    images = images.repeat(factor, 2).repeat(factor, 3)
    count, channels, height, width = images.shape
    down = -(-count // across)
    canvas = np.full((channels, down * (height + gap) + gap, across * (width + gap) + gap), 128, np.uint8)
    for i, image in enumerate(np.clip(images, 0, 1)):
        top, left = gap + i // across * (height + gap), gap + i % across * (width + gap)
        canvas[:, top : top + height, left : left + width] = np.rint(255 * image)
    return canvas


def scattered(points: Array, size: int = 480) -> Pixels:
    """Points (N, 2) in a square around them, the second coordinate upward: dark dots of 3 × 3 on white."""
    low, high = points.min(0), points.max(0)
    reach = max(float((high - low).max()), 1e-6) * 0.55
    places: NDArray[np.int64] = np.rint((points - (low + high) / 2 + reach) / (2 * reach) * (size - 3)).astype(int) + 1
    canvas = np.full((1, size, size), 255, np.uint8)
    for dx in (-1, 0, 1):
        for dy in (-1, 0, 1):
            canvas[0, size - 1 - (places[:, 1] + dy), places[:, 0] + dx] = 32
    return canvas

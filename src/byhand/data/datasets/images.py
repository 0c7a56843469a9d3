"""From bytes to datasets of images. Called by every dataset of images here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from byhand.core.errors import DataError
from byhand.data.dataset import TensorDataset
from byhand.tensor import Tensor


def scaled(
    images: NDArray[np.uint8], out: NDArray[np.float32] | None = None, largest: int = 255
) -> NDArray[np.float32]:
    """Pixels 0 … `largest` as float32 in [0, 1]."""
    # a division, not a product with 1/255: these are the very numbers that torchvision's ToTensor gives
    return np.divide(images, np.float32(largest), out=out, dtype=np.float32)


def image_dataset(images: NDArray[np.float32], labels: NDArray[Any], classes: int, where: Path | str) -> TensorDataset:
    """Images (N, C, H, W) with their labels (N,) as int64. Raises DataError if they do not belong together."""
    if len(images) != len(labels):
        raise DataError(f"{where}: {len(images):,} images, but {len(labels):,} labels; these files are of two datasets")
    if not len(images):
        raise DataError(f"{where}: no images in it")
    if labels.min() < 0 or labels.max() >= classes:
        wrong = int(np.argmax((labels < 0) | (labels >= classes)))
        raise DataError(
            f"{where}: label {labels[wrong]} of sample {wrong} is outside of 0 … {classes - 1}; the file is corrupt"
        )
    return TensorDataset(Tensor(images), Tensor(labels.astype(np.int64)))

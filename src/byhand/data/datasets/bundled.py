"""The bundled digits: the dataset that is there without a network."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from byhand.data.dataset import TensorDataset
from byhand.data.datasets.images import image_dataset, scaled

FILE = Path(__file__).with_name("digits.npz")  # its origin and licence: digits.md beside it


def digits() -> TensorDataset:
    """1,797 handwritten digits of (1, 8, 8), float32 in [0, 1], with labels 0 … 9; bundled with the library.

    The test part of UCI's "Optical Recognition of Handwritten Digits", which scikit-learn ships, too: each pixel
    counts the ink in a 4 × 4 block, 0 … 16, here divided by 16.

    E. Alpaydin, C. Kaynak: Cascading classifiers, 1998. Data under CC BY 4.0.

    >>> import byhand
    >>> len(byhand.data.datasets.digits())
    1797
    """
    with np.load(FILE) as content:
        images, labels = content["images"], content["labels"]
    return image_dataset(scaled(images[:, None], largest=16), labels, 10, FILE)

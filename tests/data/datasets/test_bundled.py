from __future__ import annotations

import hashlib

import numpy as np

from byhand.data import TensorDataset
from byhand.data.datasets import digits
from byhand.data.datasets.bundled import FILE


def test_digits() -> None:
    data = digits()
    assert type(data) is TensorDataset
    x, y = data.tensors
    assert (x.shape, x.dtype) == ((1797, 1, 8, 8), np.float32)
    assert (y.shape, y.dtype) == ((1797,), np.int64)
    assert (x.array.min(), x.array.max()) == (0.0, 1.0)
    assert np.bincount(y.array).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    pixels = (x.array * 16).astype(np.uint8)
    assert np.array_equal(pixels / np.float32(16), x.array)
    assert pixels[0, 0, 0].tolist() == [0, 0, 5, 13, 9, 1, 0, 0]
    digest = hashlib.sha256(pixels.tobytes() + y.array.astype(np.uint8).tobytes()).hexdigest()
    assert digest == "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"


def test_digits_names_its_origin() -> None:
    text = FILE.with_name("digits.md").read_text("utf-8")
    for word in ("Alpaydin", "Kaynak", "UCI", "creativecommons.org/licenses/by/4.0", "1797"):
        assert word in text
    assert FILE.stat().st_size < 50_000

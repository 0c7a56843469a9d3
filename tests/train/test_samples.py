from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from byhand.core.errors import DataError
from byhand.train.samples import read_samples

IMAGE = (1, 3, 2)
PIXELS = np.arange(6, dtype=np.uint8).reshape(1, 3, 2) * 50
TABLE = {"columns": ["a", "b"], "target_name": "y"}


def pgm(path: Path, pixels: np.ndarray) -> Path:
    channels, height, width = pixels.shape
    header = f"P{5 if channels == 1 else 6}\n{width} {height}\n255\n".encode()
    path.write_bytes(header + pixels.transpose(1, 2, 0).tobytes())
    return path


def test_pictures(tmp_path: Path) -> None:
    x = read_samples(pgm(tmp_path / "a.pgm", PIXELS), IMAGE, {})
    assert x.shape == (1, *IMAGE) and x.dtype == np.float32
    assert np.array_equal(x[0], PIXELS.astype(np.float32) / np.float32(255))
    grey = pgm(tmp_path / "b.ppm", np.repeat(PIXELS, 3, 0))
    assert np.array_equal(read_samples(grey, IMAGE, {}), x)


def test_pictures_that_do_not_fit(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"is 2 × 3 grey, the network takes 28 × 28 grey; convert it first"):
        read_samples(pgm(tmp_path / "a.pgm", PIXELS), (1, 28, 28), {})
    colour = np.concatenate([PIXELS, PIXELS + 1, PIXELS])
    with pytest.raises(DataError, match="2 × 3 colour"):
        read_samples(pgm(tmp_path / "a.ppm", colour), IMAGE, {})
    with pytest.raises(DataError, match="rows of 6 numbers"):
        read_samples(pgm(tmp_path / "a.pgm", PIXELS), (6,), {})


@pytest.mark.parametrize("shape", [(5, 1, 3, 2), (5, 3, 2), (5, 6), (1, 3, 2), (3, 2)])
def test_arrays_of_every_sensible_shape(tmp_path: Path, shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(0).random(shape)
    np.save(tmp_path / "a.npy", values)
    x = read_samples(tmp_path / "a.npy", IMAGE, {})
    assert x.shape[1:] == IMAGE and np.array_equal(x.ravel(), values.astype(np.float32).ravel())
    np.savez(tmp_path / "a.npz", images=values, y=np.zeros(3))
    assert np.array_equal(read_samples(tmp_path / "a.npz", IMAGE, {}), x)


def test_uint8_images_are_scaled(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", PIXELS)
    assert read_samples(tmp_path / "a.npy", IMAGE, {}).max() == np.float32(250) / np.float32(255)


@pytest.mark.parametrize(
    "text", ["a,b\n1,2\n3,4\n", "b,y,a\n2,cat,1\n4,dog,3\n", "1,2\n3,4\n", "c,a,b\n0,1,2\n0,3,4\n"]
)
def test_tables_by_the_names_of_their_columns(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    assert np.array_equal(read_samples(tmp_path / "a.csv", (2,), TABLE), [[1, 2], [3, 4]])


def test_tables_that_do_not_fit(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,c,d\n1,2,3\n")
    with pytest.raises(DataError, match=r"3 columns, the network takes 2; missing: \['b'\]"):
        read_samples(tmp_path / "a.csv", (2,), TABLE)
    (tmp_path / "a.csv").write_text("a,b\n1,x\n")
    with pytest.raises(DataError, match="'x' is not a number"):
        read_samples(tmp_path / "a.csv", (2,), TABLE)


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_samples(tmp_path / "a.npy", IMAGE, {})
    (tmp_path / "a.docx").write_bytes(b"x")
    with pytest.raises(DataError, match=r"expected \.png"):
        read_samples(tmp_path / "a.docx", IMAGE, {})
    np.save(tmp_path / "a.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="never read"):
        read_samples(tmp_path / "a.npy", IMAGE, {})
    np.save(tmp_path / "a.npy", np.zeros((4, 7)))
    with pytest.raises(DataError, match=r"has the shape \(4, 7\), the network takes \(N, 1, 3, 2\)"):
        read_samples(tmp_path / "a.npy", IMAGE, {})
    np.save(tmp_path / "a.npy", np.full((2, 6), np.nan))
    with pytest.raises(DataError, match="sample 0 holds NaN"):
        read_samples(tmp_path / "a.npy", IMAGE, {})
    np.save(tmp_path / "a.npy", np.zeros((0, 6)))
    with pytest.raises(DataError, match="no sample"):
        read_samples(tmp_path / "a.npy", IMAGE, {})
    np.save(tmp_path / "a.npy", np.array(["a"]))
    with pytest.raises(DataError, match="expected numbers"):
        read_samples(tmp_path / "a.npy", IMAGE, {})
    np.savez(tmp_path / "a.npz", p=np.zeros(3), q=np.zeros(3))
    with pytest.raises(DataError, match="holds the arrays p, q"):
        read_samples(tmp_path / "a.npz", IMAGE, {})

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from byhand.core.errors import DataError
from byhand.data.drawing import scattered, tiled, write_png
from byhand.data.picture import read_picture


@pytest.mark.parametrize("channels", [1, 3])
def test_what_is_written_is_read_back(channels: int, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (channels, 5, 7), np.uint8)
    write_png(tmp_path / "a.png", pixels)
    assert np.array_equal(read_picture(tmp_path / "a.png"), pixels)


def test_what_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"uint8 \(C, H, W\) with 1 or 3 channels, got float64 \(1, 2, 2\)"):
        write_png(tmp_path / "a.png", np.zeros((1, 2, 2)))  # type: ignore[arg-type]
    with pytest.raises(DataError, match="could not write"):
        write_png(tmp_path / "gone" / "a.png", np.zeros((1, 2, 2), np.uint8))


def test_images_stand_in_rows() -> None:
    images = np.stack([np.full((1, 2, 2), level) for level in (0.0, 1.0, 2.0)])
    canvas = tiled(images, gap=1, size=4)
    assert canvas.shape == (1, 7, 7)
    assert (
        (canvas[0, 1:3, 1:3] == 0).all() and (canvas[0, 1:3, 4:6] == 255).all() and (canvas[0, 4:6, 1:3] == 255).all()
    )
    assert (canvas[0, 4:6, 4:6] == 128).all()
    assert tiled(images, size=480).shape == (1, 486, 486)


def test_points_are_dots_with_the_second_coordinate_upward() -> None:
    canvas = scattered(np.array([[0.0, 0.0], [1.0, 1.0]]), size=100)[0]
    dark = canvas < 255
    assert dark.sum() == 18
    assert dark[:50, 50:].sum() == dark[50:, :50].sum() == 9
    assert (scattered(np.zeros((3, 2)), size=20)[0] < 255).sum() == 9

"""Files for TensorBoard, read back by a reader of records and messages that stands here."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import byhand
from byhand.core.errors import DataError, UsageError
from byhand.data.picture import read_picture
from byhand.interop.tensorboard import checksum
from byhand.utils.tensorboard import SummaryWriter


def message(data: bytes) -> dict[int, list[Any]]:
    """The fields of a message by their places."""
    found: dict[int, list[Any]] = {}
    at = 0

    def varint() -> int:
        nonlocal at
        number = shift = 0
        while True:
            byte = data[at]
            at += 1
            number |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return number

    while at < len(data):
        key = varint()
        if key & 7 == 0:
            value: Any = varint()
        else:
            size = {1: 8, 5: 4}.get(key & 7) or varint()
            value = data[at : at + size]
            at += size
        found.setdefault(key >> 3, []).append(value)
    return found


def events(folder: Path) -> list[dict[int, list[Any]]]:
    (path,) = folder.glob("events.out.tfevents.*")
    data, found = path.read_bytes(), []
    while data:
        (size,) = struct.unpack("<Q", data[:8])
        assert struct.unpack("<I", data[8:12]) == (checksum(data[:8]),)
        body, (crc,) = data[12 : 12 + size], struct.unpack("<I", data[12 + size : 16 + size])
        assert crc == checksum(body)
        found.append(message(body))
        data = data[16 + size :]
    return found


def values(folder: Path) -> list[tuple[int, str, dict[int, list[Any]]]]:
    first, *rest = events(folder)
    assert first[3] == [b"brain.Event:2"]
    assert all(struct.unpack("<d", event[1][0])[0] > 0 for event in rest)
    parts = [(event.get(2, [0])[0], message(message(event[5][0])[1][0])) for event in rest]
    return [(step, value[1][0].decode(), value) for step, value in parts]


def test_the_checksum_is_that_of_the_standard() -> None:
    # RFC 3720: 32 zero bytes have the CRC-32C 8a9136aa, the digits 1 to 9 e3069283
    for data, crc in ((bytes(32), 0x8A9136AA), (b"123456789", 0xE3069283)):
        assert checksum(data) == ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def test_curves(tmp_path: Path) -> None:
    with SummaryWriter(tmp_path) as writer:
        writer.add_scalar("loss", byhand.tensor(0.5, requires_grad=True), 1)
        writer.add_scalar("loss", 0.25, global_step=300)
        writer.add_scalars("both/of", {"train": 1.0, "valid": np.float32(2)}, 7)
        writer.flush()
    found = [(step, tag, struct.unpack("<f", value[2][0])[0]) for step, tag, value in values(tmp_path)]
    assert found == [(1, "loss", 0.5), (300, "loss", 0.25)]
    for name, number in (("train", 1.0), ("valid", 2.0)):
        ((step, tag, value),) = values(tmp_path / f"both_of_{name}")
        assert (step, tag, struct.unpack("<f", value[2][0])[0]) == (7, "both/of", number)


def test_pictures_texts_and_spreads(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 4, 5), np.uint8)
    x = byhand.tensor([1.0, 2.0, 4.0])
    with SummaryWriter(tmp_path) as writer:
        writer.add_image("a", pixels, 2)
        writer.add_image("b", byhand.tensor(pixels.transpose(1, 2, 0) / 255), dataformats="HWC")
        writer.add_image("c", pixels[0], dataformats="HW")
        writer.add_text("notes", "**bold**", 3)
        writer.add_histogram("weights", x, 4, bins=3)
    images, (text, spread) = values(tmp_path)[:3], values(tmp_path)[3:]
    for (_, _, value), wanted in zip(images, (pixels, pixels, pixels[:1]), strict=True):
        image = message(value[4][0])
        assert (image[1], image[2], image[3]) == ([4], [5], [len(wanted)])
        (tmp_path / "x.png").write_bytes(image[4][0])
        assert np.array_equal(read_picture(tmp_path / "x.png"), wanted)
    assert text[:2] == (3, "notes/text_summary")
    assert message(text[2][8][0])[8] == [b"**bold**"] and b"text" in text[2][9][0]
    histogram = message(spread[2][5][0])
    assert [struct.unpack("<d", histogram[i][0])[0] for i in range(1, 6)] == [1, 4, 3, 7, 21]
    assert np.frombuffer(histogram[6][0]).tolist() == [1, 2, 3, 4] and np.frombuffer(histogram[7][0]).sum() == 3


def test_what_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    writer = SummaryWriter(comment="-mine")
    assert writer.log_dir.startswith("runs") and writer.log_dir.endswith("-mine")
    with pytest.warns(UserWarning, match="add_graph writes nothing"):
        writer.add_graph(byhand.nn.Linear(1, 1))
    with pytest.raises(DataError, match="HW does not fit"):
        writer.add_image("a", np.zeros((1, 2, 2)), dataformats="HW")
    with pytest.raises(UsageError, match="has no values"):
        writer.add_histogram("a", np.zeros(0))
    writer.close()
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="could not write"):
        SummaryWriter(tmp_path / "file")

"""`SummaryWriter`: the curves, pictures and texts of a training, as files that TensorBoard shows. Called by users.

A file is a row of records, each an "event" in the encoding of protocol buffers; what is needed of it stands here.
"""

from __future__ import annotations

import functools
import os
import struct
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Self

import numpy as np

from byhand.core.errors import DataError, UsageError
from byhand.core.variable import Array
from byhand.interop.png import encoded

_VARINT, _DOUBLE, _BYTES, _FLOAT = 0, 1, 2, 5  # the wire types of protocol buffers


def _varint(number: int) -> bytes:
    parts = bytearray()
    while number > 127:
        parts.append(number & 127 | 128)
        number >>= 7
    return bytes([*parts, number])


def _field(place: int, value: int | float | str | bytes, kind: int = _BYTES) -> bytes:
    """A field of a message: its place and type, then its value."""
    key = _varint(place << 3 | kind)
    if kind == _VARINT:
        return key + _varint(int(value))
    if kind in (_DOUBLE, _FLOAT):
        return key + struct.pack("<d" if kind == _DOUBLE else "<f", value)
    body = value.encode() if isinstance(value, str) else value
    assert isinstance(body, bytes)
    return key + _varint(len(body)) + body


@functools.cache
def _table() -> list[int]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ 0x82F63B78 * (byte & 1)
        table.append(byte)
    return table


def checksum(data: bytes) -> int:
    """CRC-32C (Castagnoli), turned and shifted as TensorFlow's records have it."""
    table, crc = _table(), 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 255] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _record(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", checksum(length)) + data + struct.pack("<I", checksum(data))


def _numbers(values: Any) -> Array:
    return np.asarray(getattr(values, "array", values))


class SummaryWriter:
    """Writes into a new file in `log_dir`, by default runs/DATE; close it, or use it in a `with` block.

    >>> import tempfile
    >>> with SummaryWriter(tempfile.mkdtemp()) as writer:
    ...     writer.add_scalar("loss", 0.5, global_step=1)
    """

    def __init__(
        self, log_dir: str | os.PathLike[str] | None = None, comment: str = "", purge_step: int | None = None,
        max_queue: int = 10, flush_secs: int = 120, filename_suffix: str = "",
    ) -> None:  # fmt: skip
        self.log_dir = str(log_dir or Path("runs") / (time.strftime("%b%d_%H-%M-%S") + comment))
        self._parts: dict[str, SummaryWriter] = {}
        path = Path(self.log_dir, f"events.out.tfevents.{time.time():.6f}.byhand.{os.getpid()}{filename_suffix}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file: BinaryIO = path.open("xb")
        except OSError as error:
            raise DataError(f"could not write {path}: {error.strerror}") from error
        self._event(_field(3, "brain.Event:2"), None, None)

    def _event(self, what: bytes, step: int | None, walltime: float | None) -> None:
        when = _field(1, time.time() if walltime is None else walltime, _DOUBLE)
        number = b"" if step is None else _field(2, int(step), _VARINT)
        self._file.write(_record(when + number + what))

    def _summary(self, tag: str, value: bytes, step: int | None, walltime: float | None) -> None:
        self._event(_field(5, _field(1, _field(1, tag) + value)), step, walltime)

    def add_scalar(
        self, tag: str, scalar_value: Any, global_step: int | None = None, walltime: float | None = None,
        new_style: bool = False, double_precision: bool = False,
    ) -> None:  # fmt: skip
        """A point of a curve."""
        value = _field(2, float(_numbers(scalar_value).reshape(())), _FLOAT)
        self._summary(tag, value, global_step, walltime)

    def add_scalars(
        self, main_tag: str, tag_scalar_dict: Mapping[str, Any], global_step: int | None = None,
        walltime: float | None = None,
    ) -> None:  # fmt: skip
        """Points of several curves in one plot; each has a folder of its own, as TensorBoard wants it."""
        for tag, value in tag_scalar_dict.items():
            name = f"{main_tag.replace('/', '_')}_{tag}"
            if name not in self._parts:
                self._parts[name] = SummaryWriter(Path(self.log_dir, name))
            self._parts[name].add_scalar(main_tag, value, global_step, walltime)

    def add_histogram(
        self, tag: str, values: Any, global_step: int | None = None, bins: Any = 30, walltime: float | None = None,
        max_bins: int | None = None,
    ) -> None:  # fmt: skip
        """How the values are spread. Raises UsageError if there are none."""
        x = _numbers(values).astype(np.float64).ravel()
        if not x.size:
            raise UsageError(f"add_histogram: {tag} has no values")
        counts, edges = np.histogram(x, 30 if bins == "tensorflow" else bins)
        moments = [x.min(), x.max(), x.size, x.sum(), (x * x).sum()]
        body = b"".join(_field(i, float(moment), _DOUBLE) for i, moment in enumerate(moments, 1))
        body += _field(6, edges.astype("<f8").tobytes()) + _field(7, np.append(0.0, counts).astype("<f8").tobytes())
        self._summary(tag, _field(5, body), global_step, walltime)

    def add_image(
        self, tag: str, img_tensor: Any, global_step: int | None = None, walltime: float | None = None,
        dataformats: str = "CHW",
    ) -> None:  # fmt: skip
        """A picture, uint8 or in [0, 1]; `dataformats` is CHW, HWC or HW. Raises DataError for another shape."""
        x = _numbers(img_tensor)
        if sorted(dataformats) not in (["C", "H", "W"], ["H", "W"]) or x.ndim != len(dataformats):
            raise DataError(f"add_image: {dataformats} does not fit a picture of shape {x.shape}")
        x = x[None] if "C" not in dataformats else x.transpose([dataformats.index(c) for c in "CHW"])
        pixels = x if x.dtype == np.uint8 else np.rint(255 * np.clip(x, 0, 1)).astype(np.uint8)
        sizes = zip((1, 2, 3), (*pixels.shape[1:], len(pixels)), strict=True)
        body = b"".join(_field(i, size, _VARINT) for i, size in sizes) + _field(4, encoded(pixels))
        self._summary(tag, _field(4, body), global_step, walltime)

    def add_text(
        self, tag: str, text_string: str, global_step: int | None = None, walltime: float | None = None
    ) -> None:
        """A text, in Markdown."""
        plugin = _field(9, _field(1, _field(1, "text")))
        shape = _field(2, _field(2, _field(1, 1, _VARINT)))
        tensor = _field(8, _field(1, 7, _VARINT) + shape + _field(8, text_string))
        self._summary(f"{tag}/text_summary", plugin + tensor, global_step, walltime)

    def add_graph(self, model: Any, input_to_model: Any = None, verbose: bool = False, **options: Any) -> None:
        """Left out, with a warning: `byhand.compile(step).show()` prints what a network computes."""
        warnings.warn("add_graph writes nothing; byhand.compile(step).show() prints what is computed", stacklevel=2)

    def flush(self) -> None:
        """Bring everything to the disk."""
        self._file.flush()
        for part in self._parts.values():
            part.flush()

    def close(self) -> None:
        """Bring everything to the disk, and write no more."""
        self._file.close()
        for part in self._parts.values():
            part.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

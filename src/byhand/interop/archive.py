"""The zip archive of a `.pt` file: `data.pkl`, one record for each storage, and their order. Called by `torch`."""

from __future__ import annotations

import io
import struct
import sys
import uuid
import zipfile
import zlib
from collections.abc import Mapping

import numpy as np

from byhand.core.errors import CheckpointError
from byhand.core.variable import Array

ALIGNMENT = 64
START_OF_TIME = (1980, 1, 1, 0, 0, 0)


class Archive:
    """The records of a `.pt` file, read from its bytes; `where` names it in errors.

    Raises CheckpointError for what is none, or damaged, or claims to hold more than there is.
    """

    def __init__(self, data: bytes, where: str) -> None:
        self.where = where
        if not data.startswith(b"PK"):
            raise CheckpointError(f"{where} {_what(data)}")
        try:
            self._records = {info.filename: info for info in zipfile.ZipFile(io.BytesIO(data)).infolist()}
        except Exception as error:  # damaged archives raise nearly anything
            raise damaged(where, error) from error
        found = [name for name in self._records if name.endswith("/data.pkl") and name.count("/") == 1]
        if any(name.endswith("/constants.pkl") for name in self._records):
            raise CheckpointError(
                f"{where} is a TorchScript archive, a program with its weights, and no program of a file is run; in "
                "PyTorch: torch.save(torch.jit.load(path).state_dict(), path)"
            )
        if len(found) != 1:
            raise CheckpointError(f"{where} is a zip archive, but not one of torch.save: it has no data.pkl")
        self._root = found[0].removesuffix("data.pkl")
        self._data, self._left = (
            memoryview(data),
            len(data),
        )  # what all records may hold together: they do not share bytes
        self.pickle = bytes(self._read("data.pkl"))
        big = f"{self._root}byteorder" in self._records and bytes(self._read("byteorder")) == b"big"
        self.swapped = big != (sys.byteorder == "big")

    def storage(self, key: str) -> Array:
        """The bytes of a storage, in memory of its own."""
        return np.frombuffer(self._read(f"data/{key}"), np.uint8).copy()

    def _read(self, name: str) -> memoryview:
        """The bytes of a record where they stand in the file: `ZipFile.read` would copy them twice."""
        info = self._records.get(self._root + name)
        if info is None:
            raise CheckpointError(f"{self.where} is damaged: it has no record {name!r}")
        if info.compress_type != zipfile.ZIP_STORED:
            raise CheckpointError(
                f"{self.where}: the record {name!r} is compressed, which torch.save never does; write the file again"
            )
        self._left -= info.file_size
        if self._left < 0:
            raise CheckpointError(f"{self.where} is damaged or hostile: its records claim more bytes than the file has")
        head = self._data[info.header_offset : info.header_offset + 30]
        if len(head) < 30 or bytes(head[:4]) != b"PK\x03\x04":
            raise damaged(self.where, f"the record {name!r} has no header")
        name_length, extra_length = struct.unpack("<HH", head[26:])
        start = info.header_offset + 30 + name_length + extra_length
        record = self._data[start : start + info.file_size]
        if len(record) != info.file_size or zlib.crc32(record) != info.CRC:
            raise damaged(self.where, f"the record {name!r} has another checksum")
        return record


def damaged(where: str, why: object) -> CheckpointError:
    """The error for what cannot be read."""
    return CheckpointError(f"{where} is damaged or truncated ({why}); get it again, or restore a copy")


def _what(data: bytes) -> str:
    """What a file is that is no zip archive, and what to do with it."""
    if not data:
        return "is empty"
    if data.startswith((b"\x80", b"(", b"]", b"}", b"c")):
        return "is a pickle, not a file of torch.save; load it with pickle if you trust it, and save its tensors"
    if data.startswith(b"\x89HDF"):
        return "is an HDF5 file, of Keras or h5py, not one of torch.save"
    if data.lstrip()[:1] == b"<":
        return "is a web page, not a file of torch.save: was it downloaded from the wrong address?"
    return "is no file of torch.save and no .safetensors file, or is damaged: it does not begin as they do"


def packed(pickled: bytes, storages: Mapping[str, bytes]) -> bytes:
    """The archive of a pickle and its storages by key, laid out as PyTorch does: uncompressed, and aligned."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        records = {
            "data.pkl": pickled,
            ".format_version": b"1",
            ".storage_alignment": str(ALIGNMENT).encode(),
            "byteorder": sys.byteorder.encode(),
            **{f"data/{key}": data for key, data in storages.items()},
            "version": b"3\n",
            ".data/serialization_id": str(uuid.uuid5(uuid.NAMESPACE_OID, repr(len(pickled))).int).encode(),
        }
        for name, data in records.items():
            info = zipfile.ZipInfo(f"archive/{name}", START_OF_TIME)
            head = target.tell() + 30 + len(info.filename) + 4
            padding = -head % ALIGNMENT
            info.extra = b"FB" + padding.to_bytes(2, "little") + b"Z" * padding
            archive.writestr(info, data)
    return target.getvalue()

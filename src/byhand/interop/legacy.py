"""The files that PyTorch wrote before 1.6: a row of pickles, and the storages after them. Called by `torch`."""

from __future__ import annotations

import io
import pickletools
import sys
from typing import Any, ClassVar

import numpy as np

from byhand.core.variable import Array
from byhand.interop.archive import damaged
from byhand.interop.pickles import Reader
from byhand.interop.torch_reader import PYTORCHS, TorchReader, item_size

MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19"  # the pickled number that such files begin with


def _nothing(*_: Any) -> None:
    return None


class Legacy:
    """A file of PyTorch before 1.6, with the interface of `Archive`.

    Five pickles (a magic number, a version, the machine, the object, the keys of its storages), and then each storage:
    the count of its numbers in eight bytes, and the numbers. How long each is stands in the object's pickle only.
    """

    def __init__(self, data: bytes, where: str) -> None:
        self.where = where
        self._file = io.BytesIO(data)
        try:
            _, _, machine, self.pickle, self._keys = (_next_pickle(self._file) for _ in range(5))
            little = Reader(machine, "utf-8").load()["little_endian"] is True
        except Exception as error:  # damaged pickles raise nearly anything
            raise damaged(where, error) from error
        self.swapped = little != (sys.byteorder == "little")
        self._storages: dict[str, bytes] | None = None

    def storage(self, key: str) -> Array:
        """The bytes of a storage, in memory of its own."""
        if self._storages is None:
            self._storages = self._read()
        return np.frombuffer(bytearray(self._storages[key]), np.uint8)

    def _read(self) -> dict[str, bytes]:
        sizes, found = _Sizes(self), {}
        sizes.load()
        swapped = np.dtype("i8").newbyteorder() if self.swapped else np.dtype("i8")
        for key in Reader(self._keys, "utf-8").load():
            count = int(np.frombuffer(self._file.read(8), swapped)[0])
            found[key] = self._file.read(max(0, count * sizes.found[key]))
        return found


class _Sizes(TorchReader):
    """Reads only how many bytes a number of each storage has."""

    names: ClassVar[dict[tuple[str, str], Any]] = {
        **PYTORCHS, **{name: _nothing for name in PYTORCHS if name[0] in ("torch._utils", "torch._tensor")}
    }  # fmt: skip

    def __init__(self, archive: Legacy) -> None:
        super().__init__(archive)
        self.found: dict[str, int] = {}

    def persistent_load(self, reference: Any) -> Any:
        _, kind, key, *_ = reference
        self.found[key] = item_size(self.kinds.get(kind.name, ""))

    def set_state(self, made: Any, state: Any) -> None:
        pass


def _next_pickle(file: io.BytesIO) -> bytes:
    """The bytes of the next pickle in a file."""
    start = file.tell()
    for _ in pickletools.genops(file):
        pass
    return file.getvalue()[start : file.tell()]

"""The pickle of a `.pt` file, written without PyTorch: what its restricted loader reads. Called by `torch`."""

from __future__ import annotations

import ctypes
import struct
from collections import Counter, OrderedDict
from typing import Any, NamedTuple

import numpy as np

from byhand.core.dtypes import device
from byhand.core.errors import CheckpointError
from byhand.core.variable import Array
from byhand.nn.parameter import Parameter
from byhand.tensor import Tensor

STORAGES = {
    "float64": "Double", "float32": "Float", "float16": "Half", "int64": "Long", "int32": "Int", "int16": "Short",
    "int8": "Char", "uint8": "Byte", "bool": "Bool", "complex64": "ComplexFloat", "complex128": "ComplexDouble",
}  # fmt: skip
WIDE = ("uint16", "uint32", "uint64")  # without a class of storages in PyTorch


class Place(NamedTuple):
    """Where an array lies: in which storage of how many numbers, from which, and with which steps."""

    key: str
    length: int
    offset: int
    strides: tuple[int, ...]


class Pickler:
    """Writes one object; `storages` are then the bytes that its tensors lie in, by key.

    Tensors that share memory share a storage, as tied weights should; memory that no tensor needs is not written.
    Raises CheckpointError, with the place, for anything but tensors, numbers, strings and Python's containers.
    """

    def __init__(self, value: Any) -> None:
        self.out = bytearray(b"\x80\x02")
        self.storages: dict[str, bytes] = {}
        self._inside: set[int] = set()
        self._arrays: dict[int, Array] = {}
        self._gather(value, "")
        self._places = self._placed()
        self._write(value)
        self.out += b"."

    def _gather(self, x: Any, path: str) -> None:
        """Find all tensors, and refuse what cannot be written, before anything is."""
        if isinstance(x, Tensor | np.ndarray):
            array = x.array if isinstance(x, Tensor) else x
            if array.dtype.name not in STORAGES and array.dtype.name not in WIDE:
                raise CheckpointError(f"{path or 'the tensor'} has the dtype {array.dtype}, which cannot be saved")
            if any(step < 0 or step % array.itemsize for step in array.strides) or not _is_dense(array):
                array = np.ascontiguousarray(array).reshape(array.shape)
            self._arrays[id(x)] = array
        elif isinstance(x, dict | list | tuple | set | frozenset):
            if id(x) in self._inside:
                raise CheckpointError(f"{path or 'the object'} contains itself; it cannot be saved")
            self._inside.add(id(x))
            for key, part in x.items() if isinstance(x, dict) else enumerate(x):
                self._gather(key, path)
                self._gather(part, f"{path}[{key!r}]")
            self._inside.remove(id(x))
        elif not isinstance(x, bool | int | float | str | bytes | np.generic | np.dtype | device | type(None)):
            raise CheckpointError(_unsaved(x, path))

    def _placed(self) -> dict[int, Place]:
        """Arrays of one dtype whose memory overlaps lie in one storage, each other one in its own."""
        spans = sorted((a.dtype.str, *_span(a), i) for i, a in self._arrays.items())
        places: dict[int, Place] = {}
        members: list[tuple[int, int]] = []
        low = end = 0
        for k, (kind, start, stop, i) in enumerate(spans):
            size = self._arrays[i].itemsize
            if not members:
                low, end = start, stop
            members.append((start, i))
            end = max(end, stop)
            following = spans[k + 1] if k + 1 < len(spans) else ("", 0, 0, 0)
            if following[0] == kind and following[1] < end and (following[1] - low) % size == 0:
                continue
            key = str(len(self.storages))
            self.storages[key] = ctypes.string_at(low, end - low)  # the arrays are alive, and cover all of it
            for first, member in members:
                steps = tuple(step // size for step in self._arrays[member].strides)
                places[member] = Place(key, (end - low) // size, (first - low) // size, steps)
            members = []
        return places

    def _write(self, x: Any) -> None:
        if isinstance(x, Tensor | np.ndarray):
            self._tensor(x)
        elif isinstance(x, np.dtype):
            self._name("torch", x.name)
        elif isinstance(x, np.generic):
            self._write(x.item())
        elif isinstance(x, device):
            self._call("torch", "device", "cpu")
        elif isinstance(x, Counter):
            self._call("collections", "Counter", dict(x))
        elif isinstance(x, dict):
            self.out += b"}" if not isinstance(x, OrderedDict) else b"ccollections\nOrderedDict\n)R"
            self.out += b"("
            for key, value in x.items():
                self._write(key)
                self._write(value)
            self.out += b"u"
        elif isinstance(x, list):
            self.out += b"]("
            for part in x:
                self._write(part)
            self.out += b"e"
        elif isinstance(x, tuple):
            self.out += b"("
            for part in x:
                self._write(part)
            self.out += b"t"
        elif isinstance(x, set | frozenset):
            self._call("__builtin__", "set", list(x))
        else:
            self._scalar(x)

    def _scalar(self, x: Any) -> None:
        if x is None:
            self.out += b"N"
        elif isinstance(x, bool):
            self.out += b"\x88" if x else b"\x89"
        elif isinstance(x, int) and -(2**31) <= x < 2**31:
            self.out += b"J" + struct.pack("<i", x)
        elif isinstance(x, int):
            size = x.bit_length() // 8 + 1
            head = b"\x8a" + bytes([size]) if size < 256 else b"\x8b" + struct.pack("<i", size)
            self.out += head + x.to_bytes(size, "little", signed=True)
        elif isinstance(x, float):
            self.out += b"G" + struct.pack(">d", x)
        elif isinstance(x, str):
            data = x.encode("utf-8", "surrogatepass")
            self.out += b"X" + struct.pack("<I", len(data)) + data
        else:
            self._call("_codecs", "encode", x.decode("latin1"), "latin1")

    def _name(self, module: str, name: str) -> None:
        self.out += f"c{module}\n{name}\n".encode("ascii")

    def _call(self, module: str, name: str, *arguments: Any) -> None:
        self._name(module, name)
        self._write(arguments)
        self.out += b"R"

    def _tensor(self, x: Any) -> None:
        array, place = self._arrays[id(x)], self._places[id(x)]
        wide = array.dtype.name in WIDE
        if isinstance(x, Parameter):
            self._name("torch._utils", "_rebuild_parameter")
            self.out += b"("
        self._name("torch._utils", "_rebuild_tensor_v3" if wide else "_rebuild_tensor_v2")
        self.out += b"(("
        self._write("storage")
        self._name(
            "torch.storage" if wide else "torch", "UntypedStorage" if wide else f"{STORAGES[array.dtype.name]}Storage"
        )
        self._write(place.key)
        self._write("cpu")
        self._write(place.length * (array.itemsize if wide else 1))
        self.out += b"tQ"
        tracked = isinstance(x, Tensor) and x.requires_grad and not isinstance(x, Parameter)
        parts: list[Any] = [place.offset, tuple(map(int, array.shape)), place.strides, tracked, OrderedDict()]
        for part in parts:
            self._write(part)
        if wide:
            self._write(array.dtype)
        self.out += b"tR"
        if isinstance(x, Parameter):
            self._write(x.requires_grad)
            self._write(OrderedDict())
            self.out += b"tR"


def _span(array: Array) -> tuple[int, int]:
    """The addresses where the array begins and ends; 0 if it has no elements."""
    return np.lib.array_utils.byte_bounds(array) if array.size else (0, 0)


def _is_dense(array: Array) -> bool:
    """Whether the array covers the memory that it spans, in whatever order of axes."""
    low, high = _span(array)
    return high - low == array.nbytes


def _unsaved(x: Any, path: str) -> str:
    kind = type(x).__name__
    place = path or "the object"
    if hasattr(x, "state_dict"):
        return (
            f"{place} is a {kind}: objects are not saved whole, since to load them would run code; save .state_dict()"
        )
    return f"{place} is a {kind}; what can be saved are tensors, numbers, strings, None and dicts and lists of them"

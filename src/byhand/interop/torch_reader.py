"""What is in the pickle of a `.pt` file: tensors over shared storages, in dictionaries and lists. Called by `torch`."""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import Any, ClassVar, Protocol

import numpy as np

from byhand.core.dtypes import device
from byhand.core.errors import CheckpointError
from byhand.core.variable import Array
from byhand.interop.archive import damaged
from byhand.interop.named_tensors import widened
from byhand.interop.pickled_arrays import ARRAYS, PickledArray, PickledDtype
from byhand.interop.pickles import Name, Reader, RefusedError
from byhand.nn.parameter import Parameter
from byhand.tensor import Tensor

STORAGES = {
    "Double": "f8", "Float": "f4", "Half": "f2", "BFloat16": "bfloat16", "Long": "i8", "Int": "i4", "Short": "i2",
    "Char": "i1", "Byte": "u1", "Bool": "?", "ComplexFloat": "c8", "ComplexDouble": "c16",
}  # fmt: skip
DTYPES = {
    "float64": "f8", "double": "f8", "float32": "f4", "float": "f4", "float16": "f2", "half": "f2", "int64": "i8",
    "long": "i8", "int32": "i4", "int": "i4", "int16": "i2", "short": "i2", "int8": "i1", "uint8": "u1",
    "uint16": "u2", "uint32": "u4", "uint64": "u8", "bool": "?", "bfloat16": "bfloat16",
    "complex64": "c8", "complex128": "c16",
}  # fmt: skip
MOST_REPEATED = 2**31  # elements of a tensor that repeats its storage, as `expand` makes them
FAMILIAR = (bool, int, float, complex, str, bytes, bytearray, type(None), np.dtype, device, Tensor, np.generic)


class Records(Protocol):
    """What a reader needs of a file: the pickle of the object, and the bytes of its storages by key."""

    where: str
    pickle: bytes
    swapped: bool

    def storage(self, key: str) -> Array: ...


def unpickled(archive: Records) -> Any:
    """The object that was saved. Raises CheckpointError for anything but tensors and Python's own plain values."""
    try:
        return _plain(TorchReader(archive).load())
    except RefusedError as error:
        raise CheckpointError(
            f"{archive.where} was refused: {error}, and nothing that a file names is run here. If a whole model or "
            "another object was saved, save its state_dict() instead, in PyTorch, where you trust the file: "
            "torch.save(torch.load(path, weights_only=False).state_dict(), path)"
        ) from error
    except CheckpointError:
        raise
    except Exception as error:  # damaged pickles raise nearly anything
        raise damaged(archive.where, error) from error


class _Dtype:
    """Stands for a dtype of PyTorch while its file is read."""

    __slots__ = ("code",)

    def __init__(self, code: str) -> None:
        self.code = code


class _Storage:
    """The bytes of one storage, seen as the numbers of one dtype or another; each is made once, so tensors share it."""

    __slots__ = ("code", "raw", "swapped", "views")

    def __init__(self, raw: Array, code: str, swapped: bool) -> None:
        self.raw, self.code, self.swapped = raw, code, swapped
        self.views: dict[str, Array] = {}

    def numbers(self, code: str) -> Array:
        if code not in self.views:
            kind = np.dtype("u2" if code == "bfloat16" else code)
            raw = self.raw[: len(self.raw) // kind.itemsize * kind.itemsize]
            values: Array = raw.view(kind.newbyteorder() if self.swapped else kind).astype(kind, copy=False)
            self.views[code] = widened(values) if code == "bfloat16" else values
        return self.views[code]


def item_size(code: str) -> int:
    """How many bytes a number of a storage has: one if it has no dtype."""
    return 1 if not code else 2 if code == "bfloat16" else np.dtype(code).itemsize


def _tensor(
    storage: Any, offset: Any, size: Any, stride: Any, requires_grad: Any = False, hooks: Any = None, *rest: Any
) -> Tensor:
    """`torch._utils._rebuild_tensor`, `_v2` and, with a dtype in `rest`, `_v3`: a view of a storage, checked first."""
    if not isinstance(storage, _Storage):
        raise RefusedError(f"a tensor is made of a {type(storage).__name__}, not of a storage")
    dtype = rest[0].code if rest and isinstance(rest[0], _Dtype) else storage.code
    if not dtype:
        raise RefusedError("a tensor is made of a storage without a dtype")
    numbers = storage.numbers(dtype)
    counts = (offset, *size, *stride)
    if len(size) != len(stride) or not all(type(n) is int and n >= 0 for n in counts):
        raise RefusedError(f"a tensor claims the shape {size} with strides {stride} and offset {offset}")
    count = 1
    for n in size:
        count *= n
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if count and (last >= len(numbers) or count > max(len(numbers), MOST_REPEATED)):
        raise RefusedError(
            f"a tensor of shape {tuple(size)} with strides {tuple(stride)} and offset {offset} claims more than the "
            f"{len(numbers)} numbers of its storage"
        )
    strides = [step * numbers.itemsize for step in stride]
    array = np.lib.stride_tricks.as_strided(numbers[offset:], size, strides) if count else np.empty(size, numbers.dtype)
    made = Tensor(array)
    return made.requires_grad_() if requires_grad is True and array.dtype.kind in "fc" else made


def _parameter(data: Any, requires_grad: Any = True, *_: Any) -> Parameter:
    if not isinstance(data, Tensor):
        raise RefusedError(f"a parameter is made of a {type(data).__name__}, not of a tensor")
    return Parameter(data.detach(), requires_grad=bool(requires_grad))


def _typed(make: Any, kind: Any, arguments: Any, *_: Any) -> Any:
    """A tensor with attributes of its own, which are left out."""
    if not isinstance(make, Name) or not isinstance(kind, Name) or kind.name not in ("Tensor", "Parameter"):
        raise RefusedError(
            f"it makes a tensor of the class {getattr(kind, 'module', '')}.{getattr(kind, 'name', kind)}"
        )
    return make(*arguments)


def _ordered(*items: Any) -> OrderedDict[Any, Any]:
    return OrderedDict(*items)


def _size(sizes: Any) -> tuple[Any, ...]:
    return tuple(sizes)


def _device(*_: Any) -> device:
    return device("cpu")


def _counter(counts: Any = ()) -> Counter[Any]:
    return Counter(dict(counts))


def _bytearray(data: Any = b"", encoding: Any = "latin1") -> bytearray:
    if isinstance(data, str) and encoding == "latin1":
        return bytearray(data, "latin1")
    if not isinstance(data, bytes | bytearray):
        raise RefusedError(f"a bytearray is made of a {type(data).__name__}")  # a number would be that many bytes
    return bytearray(data)


PYTORCHS: dict[tuple[str, str], Any] = {
    **ARRAYS,
    ("collections", "OrderedDict"): _ordered,
    ("collections", "Counter"): _counter,
    **{(builtins, "set"): set for builtins in ("builtins", "__builtin__")},
    **{(builtins, "bytearray"): _bytearray for builtins in ("builtins", "__builtin__")},
    ("torch", "Size"): _size,
    ("torch", "device"): _device,
    ("torch", "Tensor"): None,
    ("torch.nn.parameter", "Parameter"): None,
    ("torch._utils", "_rebuild_tensor"): _tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_tensor_v3"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch._utils", "_rebuild_parameter_with_state"): _parameter,
    ("torch._tensor", "_rebuild_from_type_v2"): _typed,
    ("torch.storage", "UntypedStorage"): None,
    **{("torch", f"{name}Storage"): None for name in STORAGES},
}


class TorchReader(Reader):
    """Builds tensors over the storages of an archive."""

    names = PYTORCHS
    kinds: ClassVar[dict[str, str]] = {f"{name}Storage": code for name, code in STORAGES.items()}

    def __init__(self, archive: Records) -> None:
        super().__init__(archive.pickle, "utf-8")
        self.archive = archive
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        if module == "torch" and name in DTYPES:
            return _Dtype(DTYPES[name])
        return super().find_class(module, name)

    def persistent_load(self, reference: Any) -> _Storage:
        kind, name, key, _, count, *view = reference
        if view not in ([], [None]):
            raise RefusedError("it has storages inside of storages, as PyTorch before 0.4 wrote them")
        if kind != "storage" or not isinstance(name, Name) or not isinstance(key, str) or type(count) is not int:
            raise RefusedError(f"it refers to {kind!r}, which is no storage")
        code = self.kinds.get(name.name, "")
        if key not in self.storages:
            self.storages[key] = _Storage(self.archive.storage(key), code, self.archive.swapped)
        storage = self.storages[key]
        if count * item_size(code) > len(storage.raw):
            raise CheckpointError(
                f"{self.archive.where} is damaged or truncated: the storage {key!r} should have {count:,} numbers, it "
                f"has {len(storage.raw):,} bytes"
            )
        return storage

    def set_state(self, made: Any, state: Any) -> None:
        if type(made) is OrderedDict and type(state) is dict and state.keys() <= {"_metadata"}:
            return  # the versions of modules, which nothing here depends on
        super().set_state(made, state)


def _plain(value: Any) -> Any:
    """The value with everything that stood for something replaced; raises RefusedError for what is no value."""
    seen: dict[int, Any] = {}

    def settled(x: Any, depth: int) -> Any:
        if isinstance(x, FAMILIAR):
            return x
        if isinstance(x, _Dtype):
            return np.dtype("f4" if x.code == "bfloat16" else x.code)
        if isinstance(x, PickledDtype):
            return np.dtype(x.code)
        if isinstance(x, PickledArray):
            return x.value if x.value.ndim else x.value[()]
        if id(x) in seen:
            return seen[id(x)]
        if depth > 100 or not isinstance(x, (dict, list, tuple, set, frozenset)):
            what = f"{x.module}.{x.name}" if isinstance(x, Name) else f"a {type(x).__name__}"
            raise RefusedError(f"it holds {what}" if depth <= 100 else "it is nested more than 100 deep")
        if isinstance(x, dict):
            seen[id(x)] = x
            for key in x:
                settled(key, depth + 1)
                x[key] = settled(x[key], depth + 1)
        elif isinstance(x, list):
            seen[id(x)] = x
            x[:] = [settled(part, depth + 1) for part in x]
        else:
            seen[id(x)] = type(x)(settled(part, depth + 1) for part in x)
        return seen[id(x)]

    return settled(value, 0)

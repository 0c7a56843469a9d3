"""The dtypes by PyTorch's names (they are NumPy's dtypes), the default one, and the device, which is the CPU."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np

from byhand.core.errors import DtypeError, UsageError

float16 = half = np.dtype(np.float16)
float32 = float = np.dtype(np.float32)
float64 = double = np.dtype(np.float64)
int8 = np.dtype(np.int8)
int16 = short = np.dtype(np.int16)
int32 = int = np.dtype(np.int32)
int64 = long = np.dtype(np.int64)
uint8 = np.dtype(np.uint8)
uint16 = np.dtype(np.uint16)
uint32 = np.dtype(np.uint32)
uint64 = np.dtype(np.uint64)
bool = np.dtype(np.bool_)
complex64 = cfloat = np.dtype(np.complex64)
complex128 = cdouble = np.dtype(np.complex128)


class _Absent:
    """A dtype of PyTorch's that NumPy has not: it can be named, as scripts do at their beginning, and not be used."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"{self.name}, which NumPy has not,"


bfloat16 = _Absent("bfloat16")


class _Default:
    dtype: np.dtype[Any] = float32


def get_default_dtype() -> np.dtype[Any]:
    """The dtype of tensors made from Python floats; float32 unless set."""
    return _Default.dtype


def set_default_dtype(dtype: Any) -> None:
    """Make tensors of Python floats have this dtype; raises DtypeError unless it is float32 or float64."""
    wanted = np.dtype(dtype)
    if wanted not in (float32, float64):
        raise DtypeError(f"the default dtype is float32 or float64, not {wanted}")
    _Default.dtype = wanted


def resolve(dtype: Any) -> np.dtype[Any]:
    """NumPy's dtype for what was given, the default one for None; raises DtypeError for what a tensor cannot hold."""
    if dtype is None:
        return _Default.dtype
    if dtype is builtins.float:
        return _Default.dtype
    try:
        found: np.dtype[Any] = np.dtype(dtype)
    except TypeError as error:
        raise DtypeError(f"{dtype!r} is no dtype; use byhand.float32, byhand.int64, …") from error
    if found.kind not in "fiubc":
        raise DtypeError(f"a tensor cannot hold {found}; use float32, float64, an integer type or bool")
    return found


def can_cast(from_: Any, to: Any) -> builtins.bool:
    """Whether values of one dtype can become another's without losing their kind: complex > float > integer > bool."""
    ranks = {"b": 0, "i": 1, "u": 1, "f": 2, "c": 3}
    return ranks[resolve(from_).kind] <= ranks[resolve(to).kind]


class device:
    """Where tensors live: always the CPU; other names are refused with a clear word.

    >>> import byhand
    >>> byhand.device("cpu")
    device(type='cpu')
    """

    def __init__(self, type: Any = "cpu", index: Any = None) -> None:
        check_device(type)
        self.type, self.index = "cpu", None

    def __repr__(self) -> str:
        return "device(type='cpu')"

    def __str__(self) -> str:
        return "cpu"

    def __eq__(self, other: object) -> Any:
        return str(other) == "cpu"

    def __hash__(self) -> Any:
        return hash("cpu")


def check_device(wanted: Any) -> None:
    """Raise UsageError unless the device is None or the CPU."""
    if wanted is None or isinstance(wanted, device):
        return
    if str(wanted).split(":")[0] != "cpu":
        raise UsageError(f"byhand computes on the CPU; there is no device {str(wanted)!r}: use 'cpu'")


class finfo:
    """The limits of a float dtype: eps, max, min, tiny."""

    def __init__(self, dtype: Any = None) -> None:
        found = np.finfo(resolve(dtype))
        self.bits, self.dtype = found.bits, str(found.dtype)
        self.eps, self.max, self.min = found.eps.item(), found.max.item(), found.min.item()
        self.tiny = self.smallest_normal = found.tiny.item()


class iinfo:
    """The limits of an integer dtype: max, min."""

    def __init__(self, dtype: Any) -> None:
        found = np.iinfo(resolve(dtype))
        self.bits, self.max, self.min, self.dtype = found.bits, found.max, found.min, str(found.dtype)


CPU = device()


class memory_format:
    """How PyTorch would lay out memory; byhand's layers choose that themselves, so it is accepted and ignored."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"byhand.{self.name}"


contiguous_format, preserve_format = memory_format("contiguous_format"), memory_format("preserve_format")
channels_last, channels_last_3d = memory_format("channels_last"), memory_format("channels_last_3d")
strided = memory_format("strided")

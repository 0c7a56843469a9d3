"""Arrays by name as the bytes of a `.safetensors` file, and back. Called by `interop.torch`, checkpoints and runs."""

from __future__ import annotations

from typing import Any

import numpy as np

from byhand.core.variable import Array

DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "|i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "|u1", "BOOL": "|b1",
}  # fmt: skip


def pack_tensors(tensors: dict[str, Array], metadata: dict[str, str] | None = None) -> bytes:
    """Arrays by name as the bytes of a safetensors file."""
    from safetensors.numpy import save  # here: `import byhand` should not pay for what only checkpoints need

    return save({name: np.array(array, order="C") for name, array in tensors.items()}, metadata)


def unpack_tensors(data: bytes) -> dict[str, Array]:
    """The reverse of `pack_tensors`: bit for bit the same arrays, but bfloat16, which NumPy has not, as float32.

    Raises ValueError for a dtype that NumPy has not, and what safetensors raises for a damaged file.
    """
    from safetensors import deserialize

    entries: list[tuple[str, dict[str, Any]]] = deserialize(data)  # type: ignore[no-untyped-call]
    return {name: _array(name, entry) for name, entry in entries}


def _array(name: str, entry: dict[str, Any]) -> Array:
    kind, shape, data = entry["dtype"], entry["shape"], entry["data"]
    if kind == "BF16":
        return widened(np.frombuffer(data, "<u2")).reshape(shape)
    if kind not in DTYPES:
        raise ValueError(f"{name!r} has the dtype {kind}, which there is not here; convert it to float32")
    return np.array(np.frombuffer(data, DTYPES[kind]).reshape(shape), dtype=np.dtype(DTYPES[kind]).newbyteorder("="))


def widened(halves: Array) -> Array:
    """bfloat16, given as its bits in uint16, as float32: the upper half of its bits."""
    return (halves.astype(np.uint32) << 16).view(np.float32)

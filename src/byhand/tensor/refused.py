"""What PyTorch's tensors can do and these cannot: methods that say why, and what to write instead. Part of `Tensor`."""

from __future__ import annotations

from typing import Any, NoReturn

from byhand.core.errors import UsageError
from byhand.tensor.part import Part

REASONS = {
    "the memory of a tensor is a NumPy array, with no storage of its own: see x.array": "storage untyped_storage",
    "the memory of a tensor keeps its size and place; write x = y.reshape(…), x.data = y, or x.copy_(y)": (
        "resize_ resize_as_ set_"
    ),
    "NumPy has no bfloat16; use x.float()": "bfloat16",
    "sparse tensors are out of scope": (
        "to_sparse to_sparse_coo to_sparse_csr to_sparse_csc to_sparse_bsr to_sparse_bsc sparse_mask sparse_resize_ "
        "coalesce crow_indices col_indices"
    ),
    "quantisation is out of scope": "dequantize int_repr q_scale q_zero_point qscheme",
    "byhand computes on the CPU, with NumPy": "to_mkldnn xpu mtia record_stream",
}


class Refused(Part):
    """Methods that raise UsageError with the reason."""

    __slots__ = ()


def _refusing(name: str, reason: str) -> Any:
    def refused(self: Any, *args: Any, **kwargs: Any) -> NoReturn:
        raise UsageError(f"Tensor.{name}: {reason}")

    refused.__name__, refused.__qualname__, refused.__doc__ = name, f"Tensor.{name}", f"Refused: {reason}."
    return refused


for _reason, _names in REASONS.items():
    for _name in _names.split():
        setattr(Refused, _name, _refusing(_name, _reason))

"""PyTorch's values as ours: tensors, and all that holds tensors. Called by `functions` and `modules`."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

import byhand
from byhand.tensor import Tensor

DTYPES = {
    getattr(torch, name): getattr(byhand, name)
    for name in ("float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool")
}


class UnconvertibleError(Exception):
    """A value that byhand has no counterpart of."""


def ours(x: Any) -> Any:
    """The same value for byhand; tensors keep whether they ask for a gradient."""
    if isinstance(x, torch.Tensor):
        return _tensor(x)
    if isinstance(x, torch.Size):
        return tuple(x)
    if isinstance(x, torch.dtype):
        if x not in DTYPES:
            raise UnconvertibleError(str(x))
        return DTYPES[x]
    if isinstance(x, (list, tuple)):
        parts = [ours(part) for part in x]
        return type(x)(*parts) if hasattr(x, "_fields") else type(x)(parts)
    if isinstance(x, dict):
        return {key: ours(value) for key, value in x.items()}
    if isinstance(x, torch.device):
        return "cpu"
    if isinstance(x, (torch.layout, torch.memory_format)):
        raise UnconvertibleError(str(x))
    return x


def _tensor(x: torch.Tensor) -> Tensor:
    if x.dtype not in DTYPES or x.layout is not torch.strided:
        raise UnconvertibleError(f"a tensor of {x.dtype}, {x.layout}")
    array = x.detach().resolve_neg().numpy(force=True)
    made = Tensor(array.copy("K") if array.ndim else np.array(array))
    return made.requires_grad_() if x.requires_grad else made


def leaves(x: Any, kind: type) -> list[Any]:
    """The tensors in a value, in order."""
    if isinstance(x, kind):
        return [x]
    if isinstance(x, dict):
        x = list(x.values())
    if isinstance(x, (list, tuple)):
        return [leaf for part in x for leaf in leaves(part, kind)]
    return []

"""PyTorch's values as ours: tensors, and all that holds tensors. Called by `functions` and `modules`."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

import byhand
from byhand import nn
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
    if isinstance(x, torch.nn.Module):
        return _module(x)
    if callable(x) and hasattr(torch.nn.functional, getattr(x, "__name__", "")):
        return getattr(nn.functional, x.__name__)
    if isinstance(x, (torch.layout, torch.memory_format)):
        raise UnconvertibleError(str(x))
    return x


def _module(x: torch.nn.Module) -> Any:
    """The same module with the same weights, of those that the databases hand to others."""
    options: dict[str, Any] = {}
    if isinstance(x, (torch.nn.TransformerEncoderLayer, torch.nn.TransformerDecoderLayer)):
        options = {
            "d_model": x.self_attn.embed_dim, "nhead": x.self_attn.num_heads, "dim_feedforward": x.linear1.out_features,
            "dropout": x.dropout.p, "batch_first": x.self_attn.batch_first,
            "norm_first": x.norm_first, "bias": x.linear1.bias is not None, "layer_norm_eps": x.norm1.eps,
            "activation": getattr(x.activation, "__name__", "relu"),
        }  # fmt: skip
    elif isinstance(x, torch.nn.LayerNorm):
        options = {"normalized_shape": tuple(x.normalized_shape), "eps": x.eps}
    made = getattr(nn, type(x).__name__)(**options).to(byhand.float64)
    made.load_state_dict({key: ours(value.detach()) for key, value in x.state_dict().items()})
    return made


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

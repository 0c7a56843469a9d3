"""How a file that stands alone begins: for each state the formula of its first value.

Weights are drawn as their layer draws them, from another stream of random numbers; what is all zeros or ones is written
so. Nothing here knows the classes of layers: a linear layer is what has `in_features`, a normalisation of the
data what has `mean` and `std`. Called by `byhand write`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from byhand.core.variable import Array


def initial_values(model: Any, scheme: str = "default") -> dict[str, str]:
    """For each parameter and buffer of a fresh model, by its path, the formula of its first value.

    scheme  how the weights of linear layers were drawn: default, normal, xavier, he or zeros
    """
    found: dict[str, str] = {}
    for path, module in model.named_modules():
        own = [*module._parameters.items(), *module._buffers.items()]
        for leaf, tensor in own:
            if tensor is not None:
                found[f"{path}.{leaf}" if path else leaf] = _formula(module, leaf, tensor.array, scheme)
    return found


def _formula(module: Any, leaf: str, array: Array, scheme: str) -> str:
    statistics = _statistics(module, leaf, array)
    if statistics is not None:
        return statistics
    if array.size and (array == array.flat[0]).all() and array.ndim + (leaf != "weight"):
        return _constant(array)
    shape = ", ".join(map(str, array.shape))
    if hasattr(module, "in_features"):
        return _drawn(module.in_features, shape, array, scheme)
    spread = float(array.std())
    uniform = abs(float(np.abs(array).max()) - math.sqrt(3) * spread) < 0.1 * spread
    return f"uniform({math.sqrt(3) * spread:.3g}, {shape})" if uniform else f"normal({spread:.3g}, {shape})"


def _drawn(inputs: int, shape: str, array: Array, scheme: str) -> str:
    """A weight or a bias of a linear layer."""
    match scheme if array.ndim > 1 or scheme in ("default", "normal") else "default":
        case "normal":
            return f"normal(1, {shape})"
        case "xavier":
            return f"uniform((6 / {sum(array.shape)}) ** 0.5, {shape})"
        case "he":
            return f"normal((2 / {inputs}) ** 0.5, {shape})"
    return f"uniform({inputs}**-0.5, {shape})"


def _statistics(module: Any, leaf: str, array: Array) -> str | None:
    """Mean and deviation of the training data, for a layer that standardizes by them."""
    if set(module._buffers) != {"mean", "std"}:
        return None
    data = "y" if type(module).__name__.startswith("De") else "x"
    axis = "axis=0" if array.ndim else ""
    if leaf == "mean":
        return f"{data}.mean({axis})"
    return f"np.where({data}.std({axis}) > 0, {data}.std({axis}), 1).astype(np.float32)"


def _constant(array: Array) -> str:
    value, dtype = array.flat[0].item(), f"np.{array.dtype.name}"
    size = array.shape[0] if array.ndim == 1 else array.shape
    if value in (0, 1):
        return f"np.{('zeros', 'ones')[int(value)]}({size}, {dtype})"
    return f"np.full({size}, {value!r}, {dtype})"


def kept(numbers: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers of an optimiser's group as programs name them: betas are beta1 and beta2, step is t."""
    found: dict[str, Any] = {}
    for key, value in numbers.items():
        if isinstance(value, tuple) and all(isinstance(v, int | float) for v in value):
            found |= {f"{key.removesuffix('s')}{i + 1}": v for i, v in enumerate(value)}
        elif type(value) in (int, float):
            found["t" if key == "step" else key] = value
    return found

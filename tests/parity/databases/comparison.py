"""Ours beside PyTorch's: values, gradients, second derivatives. Called by `functions` and `modules`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

import byhand
from byhand.tensor import Tensor
from parity.databases.conversion import leaves

TOLERANCE = 1e-9
SINGLE = 1e-5  # for results in float32 of entries that name that dtype


class DiffersError(Exception):
    """Our result is not PyTorch's."""


def same(mine: Any, other: Any, what: str, tolerance: float = TOLERANCE) -> None:
    """Raise DiffersError unless both hold the same numbers."""
    a, b = leaves(mine, Tensor), leaves(other, torch.Tensor)
    if isinstance(other, (bool, int, float)) or (isinstance(other, (list, tuple)) and not b):
        if mine != other and not (isinstance(other, float) and np.isclose(mine, other, equal_nan=True)):
            raise DiffersError(f"{what}: {mine!r}, PyTorch's {other!r}")
        return
    if len(a) != len(b):
        raise DiffersError(f"{what}: {len(a)} tensors, PyTorch's {len(b)}")
    for x, y in zip(a, b, strict=True):
        same_tensor(x, y, what, tolerance)


def same_tensor(x: Tensor, y: torch.Tensor, what: str, tolerance: float = TOLERANCE) -> None:
    """The same shape, dtype and values."""
    if x.shape != tuple(y.shape):
        raise DiffersError(f"{what}: shape {x.shape}, PyTorch's {tuple(y.shape)}")
    if str(x.dtype) != str(y.dtype).removeprefix("torch."):
        raise DiffersError(f"{what}: dtype {x.dtype}, PyTorch's {y.dtype}")
    theirs = y.detach().resolve_neg().numpy(force=True)
    tolerance = max(tolerance, SINGLE) if x.dtype == np.float32 else tolerance
    if not np.allclose(x.array, theirs, tolerance, tolerance, equal_nan=True):
        with np.errstate(all="ignore"):
            worst = np.nanmax(np.abs(np.subtract(x.array, theirs, dtype=np.float64)))
        raise DiffersError(f"{what}: off by {worst:.2g}")


def derivatives(mine: Any, other: Any, a: Sequence[Tensor], b: Sequence[torch.Tensor], second: bool) -> None:
    """The gradients of the results by these leaves, and those of the gradients, against random cotangents."""
    pairs = list(zip(leaves(mine, Tensor), leaves(other, torch.Tensor), strict=True))
    pairs = [(x, y) for x, y in pairs if y.requires_grad]
    if not pairs or not b:
        return
    rng = np.random.default_rng(0)
    weights = [rng.standard_normal(tuple(y.shape)) for _, y in pairs]
    for x, _ in pairs:
        if not x.requires_grad:
            raise DiffersError("the result does not ask for a gradient")
    how = {"create_graph": second, "allow_unused": True}
    ys, zs = [x for x, _ in pairs], [y for _, y in pairs]
    first = byhand.autograd.grad(ys, list(a), list(map(_like, weights, ys)), **how)
    others = [torch.tensor(w, dtype=z.dtype) for w, z in zip(weights, zs, strict=True)]
    expected = torch.autograd.grad(zs, list(b), others, **how)
    for i, (x, y) in enumerate(zip(first, expected, strict=True)):
        same_tensor(_full(x, a[i]), _full_torch(y, b[i]), f"the gradient by tensor {i}", 10 * TOLERANCE)
    if second:
        chosen = [(x, y) for x, y in zip(first, expected, strict=True) if x is not None and y is not None]
        chosen = [(x, y) for x, y in chosen if y.requires_grad]
        if chosen:
            _second(chosen, a, b, rng)


def _second(pairs: Sequence[tuple[Tensor, torch.Tensor]], a: Any, b: Any, rng: Any) -> None:
    weights = [rng.standard_normal(tuple(y.shape)) for _, y in pairs]
    others = [torch.tensor(w, dtype=y.dtype) for (_, y), w in zip(pairs, weights, strict=True)]
    try:
        expected = torch.autograd.grad([y for _, y in pairs], list(b), others, allow_unused=True)
    except RuntimeError as error:
        if "is not implemented" in str(error):  # PyTorch itself has no second derivative
            return
        raise
    mine = [x for x, _ in pairs]
    if not any(x.requires_grad for x in mine):
        second: Any = [None] * len(a)
    else:
        kept = [(x, w) for x, w in zip(mine, weights, strict=True) if x.requires_grad]
        second = byhand.autograd.grad([x for x, _ in kept], list(a), [_like(w, x) for x, w in kept], allow_unused=True)
    for i, (x, y) in enumerate(zip(second, expected, strict=True)):
        same_tensor(_full(x, a[i]), _full_torch(y, b[i]), f"the second derivative by tensor {i}", 100 * TOLERANCE)


def _like(weight: Any, x: Tensor) -> Tensor:
    return Tensor(np.asarray(weight)).to(x.dtype)


def _full(g: Any, x: Tensor) -> Tensor:
    return byhand.zeros_like(x).detach() if g is None else g


def _full_torch(g: Any, x: torch.Tensor) -> torch.Tensor:
    return torch.zeros_like(x) if g is None else g

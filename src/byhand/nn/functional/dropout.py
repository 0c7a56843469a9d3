"""Dropout: random zeros while training. Called by `nn.dropout`; draws from the default generator."""

from __future__ import annotations

from typing import Any

import numpy as np

from byhand.core.errors import DomainError, ShapeError
from byhand.ops import elementwise as e
from byhand.ops import random
from byhand.tensor import Tensor

# −scale · α of SELU, the value it takes far on the left
SATURATION = -1.7580993408473766


def check_probability(p: float, name: str) -> None:
    """Raise DomainError unless 0 ≤ p ≤ 1."""
    if not 0 <= p <= 1:
        raise DomainError(f"{name}: p is the probability that a value is dropped, from 0 to 1, not {p!r}")


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Set each value to 0 with probability p and divide the others by 1 − p, so that the mean stays; if training.

    Srivastava et al., Dropout: a simple way to prevent neural networks from overfitting, 2014.

    >>> import byhand
    >>> from byhand.nn import functional as F
    >>> F.dropout(byhand.ones(3), p=0.5, training=False)
    tensor([1., 1., 1.])
    """
    check_probability(p, "dropout")
    return _dropped(input, input.shape, p, training, inplace)


def _dropped(input: Tensor, shape: tuple[int, ...], p: float, training: bool, inplace: bool) -> Tensor:
    """`dropout` with a mask of this shape, which broadcasts."""
    if not training or p == 0:
        return input
    mask = _mask(shape, p, input.dtype)
    return input.mul_(mask) if inplace else e.mul(input, mask)


def dropout1d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """`dropout` of whole channels: of (N, C, L), or (C, L)."""
    return _channels_dropped("dropout1d", input, (2, 3), 2, p, training, inplace)


def dropout2d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """`dropout` of whole channels: of (N, C, H, W), or as in PyTorch (N, C, L).

    Tompson et al., Efficient object localization using convolutional networks, 2015.
    """
    return _channels_dropped("dropout2d", input, (3, 4), 0, p, training, inplace)


def dropout3d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """`dropout` of whole channels: of (N, C, D, H, W), or (C, D, H, W)."""
    return _channels_dropped("dropout3d", input, (4, 5), 4, p, training, inplace)


def _channels_dropped(
    name: str, input: Tensor, ndims: tuple[int, int], single: int, p: float, training: bool, inplace: bool
) -> Tensor:
    """Dropout of channels, axis 1, or axis 0 of an input of `single` axes."""
    check_probability(p, name)
    if len(input.shape) not in ndims:
        raise ShapeError(f"{name}: the input has shape {input.shape}; expected {ndims[0]} or {ndims[1]} axes")
    lead = 1 if len(input.shape) == single else 2
    return _dropped(input, _per_channel(input.shape, lead), p, training, inplace)


def _per_channel(shape: tuple[int, ...], lead: int) -> tuple[int, ...]:
    return (*shape[:lead], *(1,) * (len(shape) - lead))


def _mask(shape: tuple[int, ...], p: float, dtype: np.dtype[Any]) -> Any:
    """1 / (1 − p) where a value stays, 0 where it is dropped."""
    if p == 1:
        return np.zeros(shape, dtype)
    return e.mul(random.coins(1 - p, shape), dtype.type(1 / (1 - p)))


def alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """Dropout for SELU networks: dropped values take SELU's lower limit, and mean and variance stay 0 and 1.

    Klambauer et al., Self-normalizing neural networks, 2017.
    """
    check_probability(p, "alpha_dropout")
    return _saturated(input, input.shape, p, training, inplace)


def feature_alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """`alpha_dropout` of whole channels, of (N, C, …)."""
    check_probability(p, "feature_alpha_dropout")
    if training and len(input.shape) < 2:
        raise ShapeError(f"feature_alpha_dropout: the input has shape {input.shape}; expected (N, C, …)")
    return _saturated(input, _per_channel(input.shape, 2), p, training, inplace)


def _saturated(input: Tensor, shape: tuple[int, ...], p: float, training: bool, inplace: bool) -> Tensor:
    """`alpha_dropout` with a mask of this shape, which broadcasts."""
    if not training or p == 0:
        return input
    if p == 1:
        return input.mul_(0) if inplace else e.mul(input, 0)
    kept = random.coins(1 - p, shape)
    scale = ((SATURATION * SATURATION * p + 1) * (1 - p)) ** -0.5
    factor = e.mul(kept, input.dtype.type(scale))
    low = input.dtype.type(scale * SATURATION)
    offset = e.sub(e.select(kept, 0, low), input.dtype.type(scale * SATURATION * p))
    return input.mul_(factor).add_(offset) if inplace else input * factor + offset

"""Determinants of matrices (…, n, n). Called by users as `byhand.linalg` and `byhand`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from byhand.core.capture import rare, values
from byhand.core.op import OTHER, derive, op
from byhand.core.variable import Array
from byhand.ops import elementwise as e
from byhand.ops.decomposition import row, svd
from byhand.ops.linalg import flip_last
from byhand.ops.packing import unpack
from byhand.ops.reduce import any_over, others
from byhand.ops.solve import inverted, square
from byhand.ops.views import reshaped

if TYPE_CHECKING:
    from byhand.tensor import Tensor


@op(OTHER, name="det", expects="(…, n, n)")
def determinant(x: Array) -> Array:
    """det x"""
    return np.linalg.det(x)


@op(OTHER, name="slogdet", expects="(…, n, n)")
def sign_and_log(x: Array) -> Array:
    """The sign of det x and ln |det x|, side by side"""
    sign, log = np.linalg.slogdet(x)
    return np.stack([sign, log], -1)


def _single(x: Any) -> Any:
    """Numbers (…) as matrices (…, 1, 1)."""
    return reshaped(x, shape=(*x.shape, 1, 1))


def _cofactors(x: Any, out: Any) -> Any:
    """∂ det x / ∂ x = det x · x⁻ᵀ; where det x is 0, ± U diag(products of the other singular values) Vᵀ."""
    zero = any_over(values(out) == 0, axis=tuple(range(len(out.shape))), keepdims=False)
    if not rare(zero):
        return _single(out) * flip_last(inverted(x))
    u, s, vh = svd(x)
    sign = e.round(determinant(values(u)) * determinant(values(vh)))
    return _single(sign) * ((u * row(others(s, (len(s.shape) - 1,)))) @ vh)


derive(determinant, x=lambda g, x, out: _single(g) * _cofactors(x, out))
derive(sign_and_log, x=lambda g, x: _single(unpack(g, (), ())[1]) * flip_last(inverted(x)))


class SignLog(NamedTuple):
    """What `slogdet` returns."""

    sign: Tensor
    logabsdet: Tensor


def det(x: Any) -> Tensor:
    """The determinants of matrices (…, n, n); with a gradient for singular ones too.

    >>> import byhand
    >>> byhand.linalg.det(byhand.tensor([[2.0, 1.0], [0.0, 4.0]]))
    tensor(8.)
    """
    square(x, "det")
    return determinant(x)


def slogdet(x: Any) -> SignLog:
    """The sign of the determinant and ln |det x|, which neither overflows nor underflows."""
    square(x, "slogdet")
    return SignLog(*unpack(sign_and_log(x), (), ()))


def logdet(x: Any) -> Tensor:
    """ln det x; −∞ for singular matrices, NaN where the determinant is negative."""
    sign, log = slogdet(x)
    return e.select(sign < 0, math.nan, log)

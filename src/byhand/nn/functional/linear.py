"""Affine and bilinear maps, similarity and scaling of vectors. Called by `nn.linear` and by users."""

from __future__ import annotations

from byhand.core.errors import DtypeError, ShapeError
from byhand.ops import elementwise as e
from byhand.ops import linalg, reduce
from byhand.tensor import Tensor


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x Wᵀ + b: input (…, in), weight (out, in), bias (out) → (…, out).

    Raises ShapeError if the last axis of input is not `in`, DtypeError for integers.

    >>> import byhand
    >>> from byhand.nn import functional as F
    >>> F.linear(byhand.ones(2, 3), byhand.ones(4, 3), byhand.zeros(4)).shape
    (2, 4)
    """
    if input.dtype.kind != "f":
        raise DtypeError(f"linear takes floats, input is {input.dtype} of shape {input.shape}; use input.float()")
    if bias is None:
        return linalg.matmul(input, weight.T)
    return linalg.linear(input, weight, bias)


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """yₖ = x₁ᵀ Wₖ x₂ + bₖ: inputs (…, in1) and (…, in2), weight (out, in1, in2), bias (out) → (…, out)."""
    if input1.shape[:-1] != input2.shape[:-1] or (input1.shape[-1], input2.shape[-1]) != weight.shape[1:]:
        raise ShapeError(
            f"bilinear got inputs of shapes {input1.shape} and {input2.shape} and a weight of shape {weight.shape}; "
            "expected (…, in1), (…, in2) and (out, in1, in2)"
        )
    out: Tensor = linalg.einsum("ni,kij,nj->nk", linalg.rows(input1), weight, linalg.rows(input2))
    out = out.reshape((*input1.shape[:-1], weight.shape[0]))
    return out if bias is None else out + bias


def normalize(input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Tensor:
    """x / max(‖x‖ₚ, ε) along an axis."""
    return input / e.clip(reduce.norm(input, p, dim, keepdim=True), low=eps, high=None)

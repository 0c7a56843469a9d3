"""Neural networks that show their work: PyTorch's interface on NumPy.

`import byhand as torch` and `import byhand.nn as nn` let a PyTorch script for the CPU run. What stands here is what
`torch.…` names; each function is documented in its own module.
"""

from __future__ import annotations

import importlib
from math import e, inf, nan, pi
from typing import TYPE_CHECKING, Any

from byhand import autograd, nn
from byhand.core import errors
from byhand.core.dtypes import (
    bool, device, double, finfo, float, float16, float32, float64, get_default_dtype, half, iinfo, int, int8, int16,
    int32, int64, long, set_default_dtype, short, uint8, uint16, uint32, uint64,
)  # fmt: skip
from byhand.core.errors import ByhandError
from byhand.core.generator import Generator, default_generator, manual_seed
from byhand.core.tape import enable_grad, inference_mode, is_grad_enabled, no_grad, set_grad_enabled
from byhand.creation import (
    arange, as_tensor, asarray, empty, empty_like, eye, from_dlpack, from_numpy, full, full_like, is_floating_point,
    is_tensor, linspace, logspace, normal, numel, ones, ones_like, rand, rand_like, randint, randint_like, randn,
    randn_like, randperm, scalar_tensor, tensor, tril_indices, triu_indices, zeros, zeros_like,
)  # fmt: skip
from byhand.ops.activation import log_softmax, relu, sigmoid, softmax
from byhand.ops.compare import (
    allclose, bitwise_and, bitwise_left_shift, bitwise_not, bitwise_or, bitwise_right_shift, bitwise_xor, eq, equal, ge,
    gt, isclose, isfinite, isin, isinf, isnan, isneginf, isposinf, le, logical_and, logical_not, logical_or,
    logical_xor, lt, ne,
)  # fmt: skip
from byhand.ops.elementwise import (
    abs, ceil, clamp, clamp_max, clamp_min, clone, deg2rad, exp, exp2, expm1, floor, floor_divide, fmod, frac, log,
    log10, log1p, log2, logaddexp, logit, maximum, minimum, mul, nan_to_num, neg, pow, rad2deg, reciprocal, remainder,
    round, rsqrt, sign, sqrt, square, true_divide, trunc, where, xlogy,
)  # fmt: skip
from byhand.ops.index import (
    argwhere, gather, index_add, index_copy, index_fill, index_select, masked_fill, masked_select, nonzero,
    repeat_interleave, scatter, scatter_add, take, take_along_dim,
)  # fmt: skip
from byhand.ops.linalg import addmm, addmv, baddbmm, bmm, cdist, dot, einsum, inner, matmul, mm, mv, outer, tensordot
from byhand.ops.random import bernoulli, multinomial
from byhand.ops.reduce import (
    all, amax, amin, any, argmax, argmin, count_nonzero, dist, logsumexp, mean, nanmean, nansum, norm, prod, std,
    std_mean, sum, var, var_mean,
)  # fmt: skip
from byhand.ops.scale import add, addcdiv, addcmul, div, lerp, sub
from byhand.ops.scan import cummax, cummin, cumprod, cumsum, diff
from byhand.ops.shape import (
    atleast_1d, atleast_2d, broadcast_shapes, broadcast_tensors, broadcast_to, cat, chunk, column_stack, concat,
    concatenate, flatten, flip, fliplr, flipud, hstack, meshgrid, moveaxis, movedim, narrow, permute, ravel, reshape,
    roll, rot90, split, squeeze, stack, swapaxes, swapdims, t, tensor_split, tile, transpose, unbind, unflatten,
    unsqueeze, vstack,
)  # fmt: skip
from byhand.ops.sort import (
    aminmax, argsort, bincount, bucketize, histc, kthvalue, max, median, min, quantile, searchsorted, sort, topk,
    unique,
)  # fmt: skip
from byhand.ops.special import erf, erfc
from byhand.program import compile
from byhand.ops.trigonometry import (
    acos, acosh, asin, asinh, atan, atan2, atanh, cos, cosh, hypot, sin, sinh, tan, tanh,
)  # fmt: skip
from byhand.ops.triangle import diag, diag_embed, diagflat, diagonal, trace, tril, triu
from byhand.tensor import Tensor

if TYPE_CHECKING:
    from byhand import data, optim, train, utils

absolute, negative, multiply, divide, subtract, fix = abs, neg, mul, div, sub, trunc
arcsin, arccos, arctan, arctan2 = asin, acos, atan, atan2
arcsinh, arccosh, arctanh = asinh, acosh, atanh
sgn, vdot = sign, dot
greater, greater_equal, less, less_equal, not_equal = gt, ge, lt, le, ne
clip, ger, row_stack = clamp, outer, vstack

newaxis = None

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import a room when it is first entered: `import byhand` alone stays quick."""
    if name in ("data", "optim", "train", "utils"):
        return importlib.import_module(f"byhand.{name}")
    raise AttributeError(f"byhand has no {name!r}")


__all__ = [
    "ByhandError", "Generator", "Tensor", "abs", "absolute", "acos", "acosh", "add", "addcdiv", "addcmul", "addmm",
    "addmv", "all", "allclose", "amax", "amin", "aminmax", "any", "arange", "arccos", "arccosh", "arcsin", "arcsinh",
    "arctan", "arctan2", "arctanh", "argmax", "argmin", "argsort", "argwhere", "as_tensor", "asarray", "asin", "asinh",
    "atan", "atan2", "atanh", "atleast_1d", "atleast_2d", "autograd", "baddbmm", "bernoulli", "bincount", "bitwise_and",
    "bitwise_left_shift", "bitwise_not", "bitwise_or", "bitwise_right_shift", "bitwise_xor", "bmm", "bool",
    "broadcast_shapes", "broadcast_tensors", "broadcast_to", "bucketize", "cat", "cdist", "ceil", "chunk", "clamp",
    "clamp_max", "clamp_min", "clip", "clone", "column_stack", "compile", "concat", "concatenate", "cos", "cosh",
    "count_nonzero",
    "cummax", "cummin", "cumprod", "cumsum", "data", "default_generator", "deg2rad", "device", "diag", "diag_embed",
    "diagflat", "diagonal", "diff", "dist", "div", "divide", "dot", "double", "e", "einsum", "empty", "empty_like",
    "enable_grad", "eq", "equal", "erf", "erfc", "errors", "exp", "exp2", "expm1", "eye", "finfo", "fix", "flatten",
    "flip", "fliplr", "flipud", "float", "float16", "float32", "float64", "floor", "floor_divide", "fmod", "frac",
    "from_dlpack", "from_numpy", "full", "full_like", "gather", "ge", "ger", "get_default_dtype", "greater",
    "greater_equal", "gt", "half", "histc", "hstack", "hypot", "iinfo", "index_add", "index_copy", "index_fill",
    "index_select", "inf", "inference_mode", "inner", "int", "int16", "int32", "int64", "int8", "is_floating_point",
    "is_grad_enabled", "is_tensor", "isclose", "isfinite", "isin", "isinf", "isnan", "isneginf", "isposinf", "kthvalue",
    "le", "lerp", "less", "less_equal", "linspace", "log", "log10", "log1p", "log2", "log_softmax", "logaddexp",
    "logical_and", "logical_not", "logical_or", "logical_xor", "logit", "logspace", "logsumexp", "long", "lt",
    "manual_seed", "masked_fill", "masked_select", "matmul", "max", "maximum", "mean", "median", "meshgrid", "min",
    "minimum", "mm", "moveaxis", "movedim", "mul", "multinomial", "multiply", "mv", "nan", "nan_to_num", "nanmean",
    "nansum", "narrow", "ne", "neg", "negative", "newaxis", "nn", "no_grad", "nonzero", "norm", "normal", "not_equal",
    "numel", "ones", "ones_like", "optim", "outer", "permute", "pi", "pow", "prod", "quantile", "rad2deg", "rand",
    "rand_like", "randint", "randint_like", "randn", "randn_like", "randperm", "ravel", "reciprocal", "relu",
    "remainder", "repeat_interleave", "reshape", "roll", "rot90", "round", "row_stack", "rsqrt", "scalar_tensor",
    "scatter", "scatter_add", "searchsorted", "set_default_dtype", "set_grad_enabled", "sgn", "short", "sigmoid",
    "sign", "sin", "sinh", "softmax", "sort", "split", "sqrt", "square", "squeeze", "stack", "std", "std_mean", "sub",
    "subtract", "sum", "swapaxes", "swapdims", "t", "take", "take_along_dim", "tan", "tanh", "tensor", "tensor_split",
    "tensordot", "tile", "topk", "trace", "train", "transpose", "tril", "tril_indices", "triu", "triu_indices",
    "true_divide", "trunc", "uint16", "uint32", "uint64", "uint8", "unbind", "unflatten", "unique", "unsqueeze",
    "utils", "var", "var_mean", "vdot", "vstack", "where", "xlogy", "zeros", "zeros_like",
]  # fmt: skip

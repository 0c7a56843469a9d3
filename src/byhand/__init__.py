"""Neural networks that show their work: PyTorch's interface on NumPy.

`import byhand as torch` and `import byhand.nn as nn` let a PyTorch script for the CPU run. What stands here is what
`torch.…` names; each function is documented in its own module.
"""

from __future__ import annotations

from math import e, inf, nan, pi

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
    arange, as_tensor, asarray, empty, empty_like, eye, from_dlpack, from_numpy, full, full_like, is_tensor, linspace,
    logspace, normal, numel, ones, ones_like, rand, rand_like, randint, randint_like, randn, randn_like, randperm,
    scalar_tensor, tensor, tril_indices, triu_indices, zeros, zeros_like,
)  # fmt: skip
from byhand.ops.activation import log_softmax, relu, sigmoid, softmax
from byhand.ops.compare import (
    allclose, bitwise_and, bitwise_left_shift, bitwise_not, bitwise_or, bitwise_right_shift, bitwise_xor, eq, equal,
    ge, gt, isclose, isfinite, isinf, isnan, le, logical_and, logical_not, logical_or, logical_xor, lt, ne,
)  # fmt: skip
from byhand.ops.elementwise import (
    abs, ceil, clamp, clone, exp, exp2, expm1, floor, floor_divide, fmod, frac, log, log1p, log2, log10, logaddexp,
    maximum, minimum, mul, nan_to_num, neg, pow, reciprocal, remainder, round, rsqrt, sign, sqrt, square, true_divide,
    trunc, where, xlogy,
)  # fmt: skip
from byhand.ops.index import (
    gather, index_add, index_select, masked_fill, masked_select, nonzero, repeat_interleave, scatter, scatter_add, take,
    take_along_dim,
)  # fmt: skip
from byhand.ops.linalg import addmm, baddbmm, bmm, dot, einsum, inner, matmul, mm, mv, outer, tensordot
from byhand.ops.random import bernoulli, multinomial
from byhand.ops.reduce import (
    all, amax, amin, any, argmax, argmin, count_nonzero, logsumexp, mean, norm, prod, std, std_mean, sum, var, var_mean,
)  # fmt: skip
from byhand.ops.scale import add, addcdiv, addcmul, div, lerp, sub
from byhand.ops.scan import cummax, cummin, cumprod, cumsum, diff
from byhand.ops.shape import (
    broadcast_tensors, broadcast_to, cat, chunk, concat, concatenate, flatten, flip, fliplr, flipud, hstack, meshgrid,
    moveaxis, movedim, narrow, permute, reshape, roll, rot90, split, squeeze, stack, swapaxes, swapdims, t, tile,
    transpose, unbind, unflatten, unsqueeze, vstack,
)  # fmt: skip
from byhand.ops.sort import (
    argsort, bincount, histc, kthvalue, max, median, min, quantile, searchsorted, sort, topk, unique,
)  # fmt: skip
from byhand.ops.special import erf, erfc
from byhand.ops.trigonometry import (
    acos, acosh, asin, asinh, atan, atan2, atanh, cos, cosh, hypot, sin, sinh, tan, tanh,
)  # fmt: skip
from byhand.ops.triangle import diag, diag_embed, diagonal, trace, tril, triu
from byhand.tensor import Tensor

absolute, negative, multiply, divide, subtract, fix = abs, neg, mul, div, sub, trunc
arcsin, arccos, arctan, arctan2 = asin, acos, atan, atan2
greater, greater_equal, less, less_equal, not_equal = gt, ge, lt, le, ne
clip, ger, row_stack = clamp, outer, vstack

newaxis = None

__version__ = "0.1.0"

__all__ = [
    "ByhandError", "Generator", "Tensor", "abs", "absolute", "acos", "acosh", "add", "addcdiv", "addcmul", "addmm",
    "all", "allclose", "amax", "amin", "any", "arange", "arccos", "arcsin", "arctan", "arctan2", "argmax", "argmin",
    "argsort", "as_tensor", "asarray", "asin", "asinh", "atan", "atan2", "atanh", "autograd", "baddbmm", "bernoulli",
    "bincount", "bitwise_and", "bitwise_left_shift", "bitwise_not", "bitwise_or", "bitwise_right_shift", "bitwise_xor",
    "bmm", "bool", "broadcast_tensors", "broadcast_to", "cat", "ceil", "chunk", "clamp", "clip", "clone", "concat",
    "concatenate", "cos", "cosh", "count_nonzero", "cummax", "cummin", "cumprod", "cumsum", "default_generator",
    "device", "diag", "diag_embed", "diagonal", "diff", "div", "divide", "dot", "double", "e", "einsum", "empty",
    "empty_like", "enable_grad", "eq", "equal", "erf", "erfc", "errors", "exp", "exp2", "expm1", "eye", "finfo", "fix",
    "flatten", "flip", "fliplr", "flipud", "float", "float16", "float32", "float64", "floor", "floor_divide", "fmod",
    "frac", "from_dlpack", "from_numpy", "full", "full_like", "gather", "ge", "ger", "get_default_dtype", "greater",
    "greater_equal", "gt", "half", "histc", "hstack", "hypot", "iinfo", "index_add", "index_select", "inf",
    "inference_mode", "inner", "int", "int16", "int32", "int64", "int8", "is_grad_enabled", "is_tensor", "isclose",
    "isfinite", "isinf", "isnan", "kthvalue", "le", "lerp", "less", "less_equal", "linspace", "log", "log10", "log1p",
    "log2", "log_softmax", "logaddexp", "logical_and", "logical_not", "logical_or", "logical_xor", "logspace",
    "logsumexp", "long", "lt", "manual_seed", "masked_fill", "masked_select", "matmul", "max", "maximum", "mean",
    "median", "meshgrid", "min", "minimum", "mm", "moveaxis", "movedim", "mul", "multinomial", "multiply", "mv", "nan",
    "nan_to_num", "narrow", "ne", "neg", "negative", "newaxis", "nn", "no_grad", "nonzero", "norm", "normal",
    "not_equal", "numel", "ones", "ones_like", "outer", "permute", "pi", "pow", "prod", "quantile", "rand", "rand_like",
    "randint", "randint_like", "randn", "randn_like", "randperm", "reciprocal", "relu", "remainder",
    "repeat_interleave", "reshape", "roll", "rot90", "round", "row_stack", "rsqrt", "scalar_tensor", "scatter",
    "scatter_add", "searchsorted", "set_default_dtype", "set_grad_enabled", "short", "sigmoid", "sign", "sin", "sinh",
    "softmax", "sort", "split", "sqrt", "square", "squeeze", "stack", "std", "std_mean", "sub", "subtract", "sum",
    "swapaxes", "swapdims", "t", "take", "take_along_dim", "tan", "tanh", "tensor", "tensordot", "tile", "topk",
    "trace", "transpose", "tril", "tril_indices", "triu", "triu_indices", "true_divide", "trunc", "uint16", "uint32",
    "uint64", "uint8", "unbind", "unflatten", "unique", "unsqueeze", "var", "var_mean", "vstack", "where", "xlogy",
    "zeros", "zeros_like",
]  # fmt: skip

"""Neural networks that show their work: PyTorch's interface on NumPy.

`import byhand as torch` and `import byhand.nn as nn` let a PyTorch script for the CPU run. What stands here is what
`torch.…` names; each function is documented in its own module.
"""

from __future__ import annotations

import importlib
from math import e, inf, nan, pi
import types as _types
from typing import TYPE_CHECKING, Any

import numpy as np

from byhand.core import errors, keywords, scope
from byhand.core.dtypes import (
    bfloat16, bool, can_cast, cdouble, cfloat, channels_last, channels_last_3d, complex128, complex64,
    contiguous_format, device, double, finfo, float, float16, float32, float64, get_default_dtype, half, iinfo, int,
    int16, int32, int64, int8, long, memory_format, preserve_format, set_default_dtype, short, strided, uint16,
    uint32, uint64, uint8,
)  # fmt: skip
from byhand.core.errors import ByhandError
from byhand.core.generator import Generator, default_generator, manual_seed
from byhand.core.settings import (
    are_deterministic_algorithms_enabled, get_default_device, get_float32_matmul_precision, get_num_interop_threads,
    get_rng_state, initial_seed, seed, set_default_device, set_flush_denormal, set_float32_matmul_precision,
    set_num_interop_threads, set_rng_state, use_deterministic_algorithms,
)  # fmt: skip
from byhand.core.tape import enable_grad, inference_mode, is_grad_enabled, no_grad, set_grad_enabled
from byhand.creation import (
    arange, as_tensor, asarray, empty, empty_like, eye, from_dlpack, from_numpy, full, full_like, is_floating_point,
    is_nonzero, is_tensor, linspace, logspace, normal, numel, ones, ones_like, promote_types, rand, rand_like, randint,
    randint_like, randn, randn_like, randperm, result_type, scalar_tensor, tensor, tril_indices, triu_indices, zeros,
    zeros_like,
)  # fmt: skip
from byhand.ops.arithmetic import (
    copysign, float_power, fmax, fmin, frexp, gcd, heaviside, lcm, ldexp, logaddexp2, nextafter, positive, rsub,
    signbit, sinc,
)  # fmt: skip
from byhand.ops.bessel import i0
from byhand.ops.calculus import cumulative_trapezoid, gradient, logcumsumexp, trapezoid
from byhand.ops.combination import (
    atleast_3d, block_diag, cartesian_prod, combinations, dsplit, dstack, hsplit, meshgrid, vsplit,
)  # fmt: skip
from byhand.ops.gamma import digamma, lgamma, mvlgamma, polygamma
from byhand.ops.gaussian import erfinv
from byhand.ops.scattering import (
    as_strided, diagonal_scatter, fill, index_put, index_reduce, masked_scatter, put, scatter, scatter_reduce,
    select_scatter, slice_scatter, unravel_index,
)  # fmt: skip
from byhand.ops.statistics import (
    corrcoef, cov, histogram, histogramdd, mode, msort, nanmedian, nanquantile, quantile, unique_consecutive,
)  # fmt: skip
from byhand.ops.activation import log_softmax, relu, sigmoid, softmax
from byhand.ops.compare import (
    allclose, bitwise_and, bitwise_left_shift, bitwise_not, bitwise_or, bitwise_right_shift, bitwise_xor, eq, equal,
    ge, gt, isclose, isfinite, isin, isinf, isnan, isneginf, isposinf, le, logical_and, logical_not, logical_or,
    logical_xor, lt, ne,
)  # fmt: skip
from byhand.ops.elementwise import (
    abs, ceil, clamp, clamp_max, clamp_min, clone, deg2rad, exp, exp2, expm1, floor, floor_divide, fmod, frac, log,
    log10, log1p, log2, logaddexp, logit, maximum, minimum, mul, nan_to_num, neg, pow, rad2deg, reciprocal, remainder,
    round, rsqrt, sign, sqrt, square, true_divide, trunc, where, xlogy,
)  # fmt: skip
from byhand.ops.index import (
    argwhere, gather, index_add, index_copy, index_fill, index_select, masked_fill, masked_select, nonzero,
    repeat_interleave, scatter_add, take, take_along_dim,
)  # fmt: skip
from byhand.ops.complex import (
    angle, complex, conj, imag, is_complex, isreal, polar, real, view_as_complex, view_as_real,
)  # fmt: skip
from byhand.ops.determinant import det, logdet, slogdet
from byhand.ops.elimination import lu_unpack
from byhand.ops.linalg import addmm, addmv, baddbmm, bmm, cdist, dot, einsum, inner, matmul, mm, mv, outer, tensordot
from byhand.ops.older import cholesky, lu, lu_solve, norm, qr, svd, triangular_solve, vander
from byhand.ops.product import addbmm, addr, chain_matmul, cross, kron
from byhand.ops.random import bernoulli, multinomial, poisson
from byhand.ops.reduce import (
    all, amax, amin, any, argmax, argmin, count_nonzero, dist, logsumexp, mean, nanmean, nansum, prod, std, std_mean,
    sum, var, var_mean,
)  # fmt: skip
from byhand.ops.scale import add, addcdiv, addcmul, div, lerp, renorm, sub
from byhand.ops.scan import cummax, cummin, cumprod, cumsum, diff
from byhand.ops.shape import (
    atleast_1d, atleast_2d, broadcast_shapes, broadcast_tensors, broadcast_to, cat, chunk, column_stack, concat,
    concatenate, flatten, flip, fliplr, flipud, hstack, moveaxis, movedim, narrow, permute, ravel, reshape, roll,
    rot90, split, squeeze, stack, swapaxes, swapdims, t, tensor_split, tile, transpose, unbind, unflatten, unsqueeze,
    vstack,
)  # fmt: skip
from byhand.ops.sort import (
    aminmax, argsort, bincount, bucketize, histc, kthvalue, max, median, min, searchsorted, sort, topk, unique,
)  # fmt: skip
from byhand.ops.solve import cholesky_inverse, cholesky_solve, inverse, matrix_exp, matrix_power, pinverse
from byhand.ops.special import erf, erfc
from byhand.ops.trigonometry import acos, acosh, asin, asinh, atan, atan2, atanh, cos, cosh, hypot, sin, sinh, tan, tanh
from byhand.ops.triangle import diag, diag_embed, diagflat, diagonal, trace, tril, triu
from byhand.tensor import Tensor
from byhand.tensor.constructors import (
    BoolTensor, ByteTensor, CharTensor, DoubleTensor, FloatTensor, HalfTensor, IntTensor, LongTensor, range,
    set_default_tensor_type, ShortTensor,
)  # fmt: skip
from byhand.tensor.display import set_printoptions

if TYPE_CHECKING:
    from byhand import (
        accelerator, amp, autograd, backends, cuda, data, distributions, fft, func, interop, jit, linalg, models, nn,
        optim, special, train, utils,
    )  # fmt: skip
    from byhand.amp import GradScaler, autocast
    from byhand.core.threads import get_num_threads, set_num_threads
    from byhand.interop.torch import load, save
    from byhand.program import compile

absolute, negative, multiply, divide, subtract, fix = abs, neg, mul, div, sub, trunc
arcsin, arccos, arctan, arctan2 = asin, acos, atan, atan2
arcsinh, arccosh, arctanh = asinh, acosh, atanh
sgn, vdot = sign, dot
greater, greater_equal, less, less_equal, not_equal = gt, ge, lt, le, ne
clip, ger, row_stack = clamp, outer, vstack
trapz, split_with_sizes, unsafe_chunk, unsafe_split = trapezoid, split, chunk, split
resolve_conj, resolve_neg, conj_physical = positive, positive, conj

newaxis = None
Size: type = tuple
dtype = np.dtype

__version__ = "0.1.0"
version = _types.SimpleNamespace(__version__=__version__, cuda=None, hip=None)

_ROOMS = (
    "accelerator", "amp", "autograd", "backends", "cuda", "data", "distributed", "distributions", "fft", "func",
    "interop", "jit", "linalg", "models", "nn", "optim", "random", "special", "train", "utils",
)  # fmt: skip
_ABROAD = {  # functions that an `import byhand` need not load, and where they live
    "GradScaler": "amp", "autocast": "amp", "compile": "program", "get_num_threads": "core.threads",
    "load": "interop.torch", "save": "interop.torch", "set_num_threads": "core.threads", "vmap": "func",
}  # fmt: skip


_LAYERS = (  # functions of `nn.functional` that PyTorch has here as well
    "adaptive_avg_pool1d", "adaptive_max_pool1d", "alpha_dropout", "avg_pool1d", "bilinear", "celu", "channel_shuffle",
    "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d",
    "cosine_embedding_loss", "cosine_similarity", "dropout", "feature_alpha_dropout", "group_norm", "hardshrink",
    "hinge_embedding_loss", "layer_norm", "margin_ranking_loss", "max_pool1d", "max_pool2d", "max_pool3d",
    "pairwise_distance", "pdist", "pixel_shuffle", "pixel_unshuffle", "poisson_nll_loss", "prelu", "rms_norm", "rrelu",
    "selu", "threshold", "triplet_margin_loss",
)  # fmt: skip
_SPECTRUM = (
    "bartlett_window", "blackman_window", "hamming_window", "hann_window", "istft", "kaiser_window", "stft",
)  # fmt: skip
_METHODS = ("adjoint", "detach", "is_same_size", "is_signed", "select")  # and methods that are functions there


def __getattr__(name: str) -> Any:
    """Import a room when it is first entered: `import byhand` alone stays quick."""
    if name in _ROOMS:
        return importlib.import_module(f"byhand.{name}")
    if name in _ABROAD:
        found = globals()[name] = getattr(importlib.import_module(f"byhand.{_ABROAD[name]}"), name)
        return found
    if name in _SPECTRUM:
        return getattr(importlib.import_module("byhand.spectrum"), name)
    if name in _METHODS:
        return getattr(Tensor, name)
    if name in _LAYERS:
        return getattr(importlib.import_module("byhand.nn.functional"), name)
    if name.endswith("_") and not name.startswith("_") and hasattr(Tensor, name):
        return getattr(Tensor, name)  # the in-place functions are the methods: byhand.relu_(x)
    raise AttributeError(f"byhand has no {name!r}{scope.explanation(name)}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


__all__ = [
    "BoolTensor", "ByhandError", "ByteTensor", "CharTensor", "DoubleTensor", "FloatTensor", "Generator",
    "GradScaler", "HalfTensor", "IntTensor", "LongTensor", "ShortTensor", "Size", "Tensor", "abs", "absolute",
    "accelerator", "acos", "acosh", "add", "addbmm", "addcdiv", "addcmul", "addmm", "addmv", "addr", "all",
    "allclose", "amax", "amin", "aminmax", "amp", "angle", "any", "arange", "arccos", "arccosh", "arcsin",
    "arcsinh", "arctan", "arctan2", "arctanh", "are_deterministic_algorithms_enabled", "argmax", "argmin",
    "argsort", "argwhere", "as_strided", "as_tensor", "asarray", "asin", "asinh", "atan", "atan2", "atanh",
    "atleast_1d", "atleast_2d", "atleast_3d", "autocast", "autograd", "backends", "baddbmm", "bernoulli",
    "bfloat16", "bincount", "bitwise_and", "bitwise_left_shift", "bitwise_not", "bitwise_or", "bitwise_right_shift",
    "bitwise_xor", "block_diag", "bmm", "bool", "broadcast_shapes", "broadcast_tensors", "broadcast_to",
    "bucketize", "can_cast", "cartesian_prod", "cat", "cdist", "cdouble", "ceil", "cfloat", "chain_matmul",
    "channels_last", "channels_last_3d", "cholesky", "cholesky_inverse", "cholesky_solve", "chunk", "clamp",
    "clamp_max", "clamp_min", "clip", "clone", "column_stack", "combinations", "compile", "complex", "complex128",
    "complex64", "concat", "concatenate", "conj", "conj_physical", "contiguous_format", "copysign", "corrcoef",
    "cos", "cosh", "count_nonzero", "cov", "cross", "cuda", "cummax", "cummin", "cumprod", "cumsum",
    "cumulative_trapezoid", "data", "default_generator", "deg2rad", "det", "device", "diag", "diag_embed",
    "diagflat", "diagonal", "diagonal_scatter", "diff", "digamma", "dist", "distributions", "div", "divide", "dot",
    "double", "dsplit", "dstack", "dtype", "e", "einsum", "empty", "empty_like", "enable_grad", "eq", "equal",
    "erf", "erfc", "erfinv", "errors", "exp", "exp2", "expm1", "eye", "fft", "fill", "finfo", "fix", "flatten",
    "flip", "fliplr", "flipud", "float", "float16", "float32", "float64", "float_power", "floor", "floor_divide",
    "fmax", "fmin", "fmod", "frac", "frexp", "from_dlpack", "from_numpy", "full", "full_like", "func", "gather",
    "gcd", "ge", "ger", "get_default_device", "get_default_dtype", "get_float32_matmul_precision",
    "get_num_interop_threads", "get_num_threads", "get_rng_state", "gradient", "greater", "greater_equal", "gt",
    "half", "heaviside", "histc", "histogram", "histogramdd", "hsplit", "hstack", "hypot", "i0", "iinfo", "imag",
    "index_add", "index_copy", "index_fill", "index_put", "index_reduce", "index_select", "inf", "inference_mode",
    "initial_seed", "inner", "int", "int16", "int32", "int64", "int8", "interop", "inverse", "is_complex",
    "is_floating_point", "is_grad_enabled", "is_nonzero", "is_tensor", "isclose", "isfinite", "isin", "isinf",
    "isnan", "isneginf", "isposinf", "isreal", "jit", "kron", "kthvalue", "lcm", "ldexp", "le", "lerp", "less",
    "less_equal", "lgamma", "linalg", "linspace", "load", "log", "log10", "log1p", "log2", "log_softmax",
    "logaddexp", "logaddexp2", "logcumsumexp", "logdet", "logical_and", "logical_not", "logical_or", "logical_xor",
    "logit", "logspace", "logsumexp", "long", "lt", "lu", "lu_solve", "lu_unpack", "manual_seed", "masked_fill",
    "masked_scatter", "masked_select", "matmul", "matrix_exp", "matrix_power", "max", "maximum", "mean", "median",
    "memory_format", "meshgrid", "min", "minimum", "mm", "mode", "models", "moveaxis", "movedim", "msort", "mul",
    "multinomial", "multiply", "mv", "mvlgamma", "nan", "nan_to_num", "nanmean", "nanmedian", "nanquantile",
    "nansum", "narrow", "ne", "neg", "negative", "newaxis", "nextafter", "nn", "no_grad", "nonzero", "norm",
    "normal", "not_equal", "numel", "ones", "ones_like", "optim", "outer", "permute", "pi", "pinverse", "poisson",
    "polar", "polygamma", "positive", "pow", "preserve_format", "prod", "promote_types", "put", "qr", "quantile",
    "rad2deg", "rand", "rand_like", "randint", "randint_like", "randn", "randn_like", "randperm", "range", "ravel",
    "real", "reciprocal", "relu", "remainder", "renorm", "repeat_interleave", "reshape", "resolve_conj",
    "resolve_neg", "result_type", "roll", "rot90", "round", "row_stack", "rsqrt", "rsub", "save", "scalar_tensor",
    "scatter", "scatter_add", "scatter_reduce", "searchsorted", "seed", "select_scatter", "set_default_device",
    "set_default_dtype", "set_default_tensor_type", "set_flush_denormal", "set_float32_matmul_precision",
    "set_grad_enabled", "set_num_interop_threads", "set_num_threads", "set_printoptions", "set_rng_state", "sgn",
    "short", "sigmoid", "sign", "signbit", "sin", "sinc", "sinh", "slice_scatter", "slogdet", "softmax", "sort",
    "special", "split", "split_with_sizes", "sqrt", "square", "squeeze", "stack", "std", "std_mean", "strided",
    "sub", "subtract", "sum", "svd", "swapaxes", "swapdims", "t", "take", "take_along_dim", "tan", "tanh", "tensor",
    "tensor_split", "tensordot", "tile", "topk", "trace", "train", "transpose", "trapezoid", "trapz",
    "triangular_solve", "tril", "tril_indices", "triu", "triu_indices", "true_divide", "trunc", "uint16", "uint32",
    "uint64", "uint8", "unbind", "unflatten", "unique", "unique_consecutive", "unravel_index", "unsafe_chunk",
    "unsafe_split", "unsqueeze", "use_deterministic_algorithms", "utils", "vander", "var", "var_mean", "vdot",
    "version", "view_as_complex", "view_as_real", "vmap", "vsplit", "vstack", "where", "xlogy", "zeros",
    "zeros_like",
]  # fmt: skip

keywords.rename([globals()[name] for name in __all__ if name in globals()])

"""The table of calls that `test_tensor` makes in byhand and in PyTorch: function or method name → arguments.

Arrays become tensors (float64 ones ask for gradients), `D(name)` the dtype of that name in each library, everything
else is passed as it is. A call whose first argument is an array is made as a method too, and in place where there is
a method of that name with `_`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from laws.sample import spread


class D:
    """A dtype by name, to be looked up in the library that is called."""

    def __init__(self, name: str) -> None:
        self.name = name


class U:
    """An operand that asks for no gradient."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array


class Call:
    """Positional and keyword arguments."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.args, self.kwargs = args, kwargs


c = Call

POINT, NONE = np.array(0.7), np.zeros((0, 3))
V, M, C = spread(3), spread(2, 3), spread(2, 3, 4)
W = spread(3, low=-1.2, high=1.4)
POSITIVE, INNER = spread(2, 3, low=0.3, high=2.5), spread(2, 3, low=-0.9, high=0.9)
SQUARE, WIDE = spread(3, 3), spread(3, 4)
BATCH, BATCH2 = spread(2, 3, 4), spread(2, 4, 3)
KINKS = np.array([[0.0, -0.0, 1.0], [-1.0, 2.0, -2.0]])
TIES = np.array([[1.0, 3.0, 3.0], [2.0, 2.0, 0.0]])
ZEROS = np.array([[2.0, 0.0, 3.0], [0.0, 0.0, 5.0]])
ODD = np.array([1.0, np.nan, np.inf, -np.inf, -3.5])
N, P = np.array([[5, -3, 0], [12, 7, -8]]), np.array([3, 2, 6])
B, Q = np.array([[True, False, True], [False, False, True]]), np.array([True, True, False])
I2 = np.array([[0, 2, 1, 0], [1, 1, 0, 2]])
ROWS = np.array([0, 2, 2])

plain = [c(M), c(POINT), c(NONE), c(M.T), c(C)]
inside = [c(INNER), c(INNER.T), c(np.array(0.3)), c(NONE)]
layouts = [c(M), c(M.T), c(C)]
above = [c(POSITIVE), c(POSITIVE.T), c(np.array(1.3)), c(NONE)]
pairs = [c(M, V), c(C, spread(3, 1)), c(M, 2.5), c(POINT, M), c(NONE, V), c(M, POINT), c(M[:, :1], M[0])]
whole = [c(N, P), c(N, 3), c(P, P)]
dims = [
    c(C), c(C, 1), c(C, -1), c(C, dim=(0, 2)), c(C, 1, True), c(C, dim=2, keepdim=True), c(C, axis=1), c(M.T, 0),
    c(C, axis=(0, 1), keepdims=True), c(POINT), c(POINT, 0), c(NONE, 1),
]  # fmt: skip
one_dim = [c(C, 1), c(C, -1), c(C, dim=0), c(M.T, 0), c(POINT, 0), c(spread(5), 0)]

CALLS: dict[str, list[Call]] = {
    # elementwise
    **dict.fromkeys(
        (
            "neg negative exp exp2 expm1 sin cos sinh cosh tanh asinh arcsinh atan arctan erf erfc sigmoid square "
            "floor ceil trunc fix frac clone positive deg2rad rad2deg softsign expit sinc signbit isreal"
        ).split(),
        plain,
    ),
    **dict.fromkeys("asin arcsin acos arccos atanh arctanh tan erfinv".split(), inside),
    **dict.fromkeys("sqrt rsqrt reciprocal log log2 log10 log1p lgamma digamma".split(), above),
    "logit": [c(0.2 + POSITIVE / 4), c(POSITIVE, eps=0.2), c(POSITIVE, 0.4)],
    "acosh": [c(POSITIVE + 1)], "arccosh": [c(POSITIVE + 1)],
    **{name: [*plain, c(KINKS), c(N)] for name in ("abs", "absolute", "sign", "sgn")},
    "relu": [*plain, c(KINKS), c(N)],
    "round": [*plain, c(M, decimals=1), c(10 * M, decimals=-1)],
    "add": [*pairs, *whole, c(M, V, alpha=2.5), c(M, 3, alpha=2), c(N, P, alpha=3)],
    "sub": [*pairs, *whole, c(M, V, alpha=2.5)], "subtract": [*pairs, *whole],
    **{name: [*pairs, *whole] for name in ("mul", "multiply", "true_divide")},
    **{
        name: [*pairs, c(M, V, rounding_mode="floor"), c(M, V, rounding_mode="trunc"), c(N, P)]
        for name in ("div", "divide")
    },
    "pow": [
        c(POSITIVE, V), c(POSITIVE, 2.5), c(M, 2), c(M, 3), c(M, 0), c(ZEROS, 2), c(ZEROS, 1), c(2.0, M), c(N, 2),
        c(ZEROS, np.array([2.0, 0.0, 1.0])), c(POSITIVE, -1), c(POSITIVE, 0.5),
    ],
    "float_power": [c(POSITIVE, V), c(POSITIVE, 2.5)],
    "floor_divide": [c(U(M), U(V)), c(U(M), 0.5), c(N, P), c(N, 3)],
    "remainder": [c(M, V), c(M, 0.5), c(N, P), c(N, -3)], "fmod": [c(M, V), c(M, 0.5), c(N, P), c(N, -3)],
    **{name: [c(M, V), c(C, spread(3, 1)), c(M, POINT)] for name in ("atan2", "arctan2", "hypot", "logaddexp",
        "logaddexp2", "copysign")},
    "xlogy": [c(M, POSITIVE), c(ZEROS, POSITIVE), c(M, 2.5)],
    **{name: [c(M, V), c(TIES, np.array([1.0, 2.0, 3.0])), c(N, P)] for name in ("maximum", "minimum")},
    **{name: [c(M, V), c(M, POINT)] for name in ("fmax", "fmin")},
    "where": [c(B, M, V), c(B, M, 0.5), c(B, 0.5, M), c(Q, C.swapaxes(1, 2), POINT), c(B), c(N)],
    **{
        name: [c(M, -1.0, 0.5), c(KINKS, -1, 1), c(KINKS, 0), c(M, max=0.5), c(M, min=-0.5), c(M, V - 1, V + 1),
            c(M, max=V), c(N, -2, 6)]
        for name in ("clamp", "clip")
    },
    "clamp_min": [c(M, 0.1), c(KINKS, 0.0)], "clamp_max": [c(M, 0.1), c(KINKS, 0.0)],
    "nan_to_num": [c(ODD), c(ODD, 1.0), c(ODD, nan=2.0, posinf=3.0, neginf=4.0), c(M)],
    "lerp": [c(M, V, 0.3), c(M, V, POINT), c(M, V, spread(2, 1))],
    "addcmul": [c(M, V, W), c(M, V, W, value=0.5)], "addcdiv": [c(M, V, W + 2), c(M, V, W + 2, value=0.5)],
    # comparison and logic
    **{
        name: [c(M, V), c(TIES, 2.0), c(N, P), c(N, 5), c(M, POINT)]
        for name in "eq ne lt le gt ge less less_equal greater greater_equal not_equal".split()
    },
    **{name: [c(N, P), c(N, 3), c(B, Q)] for name in ("bitwise_and", "bitwise_or", "bitwise_xor")},
    "bitwise_not": [c(N), c(B)],
    **{name: [c(N, P), c(N, 2)] for name in ("bitwise_left_shift", "bitwise_right_shift")},
    **{name: [c(N, P), c(B, Q), c(U(M), U(ZEROS))] for name in ("logical_and", "logical_or", "logical_xor")},
    "logical_not": [c(N), c(B), c(U(ZEROS))],
    **{name: [c(ODD), c(N)] for name in ("isnan", "isinf", "isfinite", "isneginf", "isposinf")},
    "isclose": [c(M, M + 1e-9), c(M, V), c(ODD, ODD), c(ODD, ODD, equal_nan=True), c(M, M + 0.01, atol=0.1),
        c(M, M + 0.01, 0.5)],
    "allclose": [c(M, M + 1e-9), c(M, V), c(ODD, ODD, equal_nan=True), c(M, M + 0.01, atol=0.1)],
    "equal": [c(M, M.copy()), c(M, V), c(N, N.copy())],
    # reductions
    **dict.fromkeys(("sum", "mean", "nansum", "nanmean"), dims),
    **{name: [c(C, 1), c(C, (0, 2)), c(C, dim=-1, keepdim=True), c(TIES, 1), c(TIES), c(N, 0)] for name in ("amax",
        "amin")},
    "prod": [c(M), c(M, 0), c(C, -1, True), c(ZEROS), c(ZEROS, 1), c(ZEROS, 0), c(POINT), c(N), c(NONE, 0)],
    **{name: [c(B), c(B, 0), c(B, 1, True), c(N, -1), c(NONE, 0), c(ZEROS)] for name in ("any", "all")},
    **{name: [c(C), c(C, 1), c(C, -1, True), c(TIES, 1), c(C, dim=0, keepdim=True), c(N, 0)] for name in ("argmax",
        "argmin")},
    "count_nonzero": [c(ZEROS), c(ZEROS, 1), c(ZEROS, (0, 1)), c(N, 0), c(B)],
    **{
        name: [*dims[:8], c(C, (0, 2), keepdim=True), c(C, 1, correction=0), c(C, False), c(C, 1, False),
            c(C, 1, unbiased=False, keepdim=True)]
        for name in ("var", "std")
    },
    **{name: [c(C), c(C, 1), c(C, (0, 2), keepdim=True), c(C, 1, correction=0), c(C, 1, False)] for name in ("var_mean",
        "std_mean")},
    "logsumexp": [c(C, 1), c(C, (0, 2)), c(C, -1, True), c(800 * M, 0), c(POINT, 0),
        c(U(np.array([-np.inf, -np.inf])), 0)],
    "norm": [
        c(C), c(C, 2, 1), c(C, 1, (0, 2)), c(C, 3, -1, True), c(C, float("inf")), c(C, -float("inf"), 1), c(C, 0, 1),
        c(C, "fro"), c(C, 2.5, dim=0), c(C, dim=1), c(ZEROS * 0), c(ZEROS * 0, 2, 1),
    ],
    # scans, order
    "cumsum": [*one_dim, c(N, 1), c(B, 0), c(NONE, 0)], "cumprod": [*one_dim, c(ZEROS, 1), c(ZEROS, 0), c(N, 1)],
    **{name: [*one_dim[:4], c(TIES, 1), c(TIES, 0)] for name in ("cummax", "cummin")},
    "logcumsumexp": one_dim[:4],
    "diff": [c(C), c(C, 2), c(C, 1, 0), c(C, n=1, dim=1), c(N)],
    **{
        name: [c(C), c(C, 1), c(C, -1, True), c(C, dim=0, keepdim=True), c(M, V), c(TIES), c(POINT), c(N), c(N, 1)]
        for name in ("max", "min")
    },
    "aminmax": [c(M), c(M, dim=1)],
    "sort": [c(C), c(C, 1), c(C, -1, True), c(C, 0, descending=True), c(TIES, stable=True), c(N), c(POINT)],
    "argsort": [c(C), c(C, 1), c(C, -1, True), c(C, 0, descending=True), c(TIES, stable=True), c(N)],
    "msort": [c(M)],
    "topk": [c(C, 2), c(C, 1, 1), c(C, 3, -1, False), c(C, 2, 0, largest=True), c(C, 0)],
    "kthvalue": [c(C, 2), c(C, 1, 1), c(C, 2, -1, True), c(C, 2, dim=0, keepdim=True)],
    "median": [c(spread(2, 4)), c(C, 1), c(C, -1, True), c(spread(5))],
    "quantile": [c(C, 0.3), c(C, 0.5, 1), c(C, U(np.array([0.1, 0.9])), 1), c(C, 0.25, dim=-1, keepdim=True), c(V, 1.0),
        c(C, 0.3, keepdim=True)],
    "unique": [c(N), c(ROWS, return_inverse=True), c(ROWS, return_inverse=True, return_counts=True),
        c(ROWS, return_counts=True), c(N[[0, 0]], dim=0)],
    "bincount": [c(ROWS), c(ROWS, minlength=5)],
    "histc": [c(M, 4), c(M, bins=4, min=-1, max=1)],
    "searchsorted": [c(np.sort(V), M), c(np.sort(V), V, right=True),
        c(np.array([1, 3, 3, 5]), np.array([[3, 4], [0, 9]]))],
    "bucketize": [c(M, np.sort(V)), c(V, np.sort(V), right=True)],
    # products
    "matmul": [
        c(M, WIDE), c(V, W), c(M, V), c(V, WIDE), c(BATCH, BATCH2), c(BATCH, spread(4, 2)), c(M, BATCH),
        c(BATCH, spread(4)),
        c(V, BATCH), c(spread(2, 1, 2, 3), BATCH), c(NONE, WIDE), c(N, P), c(SQUARE.T, WIDE),
    ],
    "mm": [c(M, WIDE), c(SQUARE.T, WIDE), c(NONE, WIDE)], "bmm": [c(BATCH, BATCH2)], "mv": [c(M, V)], "dot": [c(V, W)],
    "vdot": [c(V, W)],
    "outer": [c(V, W), c(V, spread(2))], "ger": [c(V, W)], "inner": [c(V, W), c(M, V), c(M, spread(4, 3)),
        c(C, spread(2, 4)), c(M, POINT)],
    "tensordot": [c(C, C, 3), c(C, spread(4, 2), 1), c(C, C, ([0, 2], [0, 2])),
        c(C, spread(3, 2), dims=([1, 0], [0, 1]))],
    "addmm": [c(spread(2, 4), M, WIDE), c(spread(4), M, WIDE, beta=0.5, alpha=2.0)],
    "addmv": [c(spread(2), M, V)], "addbmm": [c(SQUARE[:, :3], BATCH, BATCH2)],
    "baddbmm": [c(spread(2, 3, 3), BATCH, BATCH2), c(spread(2, 3, 3), BATCH, BATCH2, beta=0.5, alpha=2.0)],
    "einsum": [
        c("ij,jk->ik", M, WIDE), c("ij,jk", M, WIDE), c("ij->ji", M), c("ii->i", SQUARE), c("ii", SQUARE), c("ij->", M),
        c("i,j->ij", V, W),
        c("bij,bjk->bik", BATCH, BATCH2), c("...ij,...jk->...ik", BATCH, BATCH2),
        c("bij,kj,bl->bikl", C, WIDE[:2], M[:, :2]), c("...j,j", C, spread(4)),
        c("ij,ij->i", M, M), c("ijk->kj", C), c("i->", V), c("iij->j", spread(2, 2, 3)), c("a b, b -> a", M, V),
        c("...i->...", C),
    ],
    "kron": [c(M, SQUARE)], "cdist": [c(M, SQUARE), c(M, SQUARE, 1.0), c(C, spread(2, 5, 4)),
        c(spread(30, 3), spread(4, 3))], "cross": [c(M, SQUARE[:2], dim=1)],
    "det": [c(SQUARE)], "inverse": [c(SQUARE)], "logdet": [c(SQUARE @ SQUARE.T + np.eye(3))],
    "matrix_power": [c(SQUARE, 3)], "matrix_exp": [c(SQUARE), c(np.stack([SQUARE, 9 * SQUARE]))],
    "slogdet": [c(SQUARE)], "pinverse": [c(M), c(SQUARE)], "addr": [c(M, spread(2), V, beta=0.5, alpha=2.0)],
    # shape
    "reshape": [c(C, (4, 6)), c(C, (-1,)), c(C, [2, -1]), c(C.T, (6, 4)), c(NONE, (3, 0)), c(POINT, (1, 1))],
    "ravel": [c(C), c(C.T)],
    "flatten": [c(C), c(C, 1), c(C, 0, 1), c(C, start_dim=1, end_dim=-1), c(POINT), c(C.T)],
    "unflatten": [c(C, 2, (2, 2)), c(C, 0, (2, -1)), c(C, -1, [2, 2])],
    "squeeze": [c(spread(1, 3, 1)), c(spread(1, 3, 1), 0), c(spread(1, 3, 1), -1), c(spread(1, 3, 1), (0, 2)), c(M, 0),
        c(POINT)],
    "unsqueeze": [c(M, 0), c(M, 1), c(M, -1), c(M, -3), c(POINT, 0)],
    "permute": [c(C, (2, 0, 1)), c(C, (-1, 0, 1)), c(M, (1, 0))],
    "transpose": [c(C, 0, 1), c(C, -1, 0), c(M, 0, 0), c(POINT, 0, -1)],
    **{name: [c(C, 0, 1), c(C, -1, 0)] for name in ("swapaxes", "swapdims")},
    "t": [c(M), c(V), c(POINT)], "adjoint": [c(M), c(C)],
    **{name: [c(C, 0, 2), c(C, (0, 1), (2, 0)), c(C, -1, 0)] for name in ("movedim", "moveaxis")},
    "flip": [c(C, (0, 2)), c(C, (1,)), c(C, [-1])], "fliplr": [c(M)], "flipud": [c(M)],
    "roll": [c(C, 1), c(C, 2, 1), c(C, (1, -2), (0, 2)), c(C, shifts=-1, dims=-1)],
    "rot90": [c(M), c(M, 2), c(M, -1), c(C, 1, (1, 2)), c(C, 3, [2, 0]), c(M, 0)],
    **{name: [c(SQUARE), c(C, 1), c(C, diagonal=-1), c(WIDE, -1)] for name in ("tril", "triu")},
    "diagonal": [c(WIDE), c(WIDE, 1), c(WIDE, -1), c(C, 0, 1, 2), c(C, 1, -1, 0), c(C, offset=-1, dim1=0, dim2=2)],
    "diag": [c(V), c(V, 1), c(V, -2), c(WIDE), c(WIDE, -1)],
    "diag_embed": [c(M), c(M, 1), c(V, -2)], "diagflat": [c(V), c(M, 1)],
    "trace": [c(SQUARE), c(WIDE)],
    "broadcast_to": [c(V, (2, 3)), c(POINT, (2, 2)), c(M[:, :1], (2, 5))],
    "broadcast_tensors": [c(M, V, POINT)], "broadcast_shapes": [c((2, 1), (3,)), c((1,), (4, 1))],
    "tile": [c(M, (2, 1)), c(M, (2,)), c(V, (2, 2))],
    **{name: [c([M, M], 0), c([C, C[:, :1]], 1), c([C, C], dim=-1), c((M,)), c([M, M], axis=1),
        c([np.zeros(0), V])] for name in ("cat", "concat", "concatenate")},
    "stack": [c([M, M]), c([M, M], 1), c([V, W], dim=-1), c((POINT, POINT))],
    "hstack": [c([V, W]), c([M, M]), c([POINT, POINT])], "vstack": [c([V, W]), c([M, V]), c([POINT, POINT])],
    "row_stack": [c([V, W])],
    "dstack": [c([V, W]), c([M, M])], "column_stack": [c([V, W]), c([M, M[:, :1]])],
    "narrow": [c(C, 1, 0, 2), c(C, -1, 1, 2), c(C, 0, 2, 0), c(C, 2, -2, 2)],
    "split": [c(C, 2, 1), c(C, (1, 3), 2), c(C, 5), c(C, [1, 1], dim=0), c(NONE, 2)],
    "chunk": [c(C, 2, 1), c(C, 3, -1), c(spread(7), 3), c(C, 2, dim=2)],
    "tensor_split": [c(C, 2, 2), c(spread(7), 3), c(spread(7), (2, 5))],
    "unbind": [c(C), c(C, 1), c(C, dim=-1)],
    "meshgrid": [c(V, spread(2), indexing="ij"), c(V, spread(2), indexing="xy"), c([V, W], indexing="ij")],
    "atleast_1d": [c(POINT), c(V)], "atleast_2d": [c(V), c(C)], "cartesian_prod": [c(V, W)], "combinations": [c(V, 2)],
    "view_as_real": [], "block_diag": [c(M, SQUARE)],
    # index
    "gather": [c(WIDE, 0, I2), c(WIDE, 1, I2), c(C, -1, I2.reshape(2, 2, 2))],
    "scatter": [c(WIDE, 0, I2 * 0 + [[0], [1]], spread(2, 4)), c(WIDE, 1, np.array([[0, 3], [2, 1]]), 5.0),
        c(WIDE, 0, I2 * 0 + [[2], [1]], value=5.0), c(WIDE, 0, np.array([[0, 1]]), U(spread(3, 4)))],
    "scatter_add": [c(WIDE, 0, I2, spread(2, 4)), c(WIDE, 1, I2, U(spread(3, 5))),
        c(WIDE, -1, I2[:, :2], spread(2, 2))],
    "index_select": [c(C, 1, ROWS), c(C, -1, ROWS)],
    "index_add": [c(WIDE, 0, ROWS, spread(3, 4)), c(C, 1, ROWS, spread(2, 3, 4), alpha=0.5)],
    "index_copy": [c(WIDE, 0, np.array([2, 0]), spread(2, 4))], "index_fill": [c(WIDE, 1, np.array([0, 2]), 3.0)],
    "masked_fill": [c(M, B, 5.0), c(M, Q, -1.0), c(M, B, POINT)],
    "masked_select": [c(M, B), c(M, Q), c(V, B)], "masked_scatter": [c(M, B, spread(6))],
    "nonzero": [c(N), c(ZEROS), c(N, as_tuple=True)], "argwhere": [c(N)],
    "take": [c(WIDE, ROWS), c(WIDE, I2)],
    "take_along_dim": [c(WIDE, I2[:1], 0), c(WIDE, I2, 0), c(WIDE, I2)],
    "repeat_interleave": [c(M, 2), c(C, 2, 1), c(V, np.array([1, 0, 2])), c(C, np.array([1, 2, 0]), 1),
        c(C, 3, dim=-1)],
    # activations of the top level
    "softmax": [c(C, 1), c(C, -1), c(C, dim=0), c(800 * M, 1)], "log_softmax": [c(C, 1), c(C, -1), c(800 * M, 1)],
    # creation
    "zeros": [c(2, 3), c((2, 3)), c([2]), c(2, dtype=D("int64")), c(()), c(2, 3, dtype=D("bool"))],
    "ones": [c(2, 3), c((2, 3)), c(2, dtype=D("int64"))],
    "full": [c((2, 3), 1.5), c((2,), 3), c((2,), True), c((), 2.0, dtype=D("float64"))],
    **{name: [c(M), c(N), c(M, dtype=D("int32"))] for name in ("zeros_like", "ones_like")},
    "full_like": [c(M, 2.5), c(N, 3), c(N, 1.5, dtype=D("float64"))],
    "arange": [c(5), c(2, 7), c(1, 8, 2), c(5, 0, -2), c(0.0, 1.0, 0.25), c(3, dtype=D("float64")), c(2.5),
        c(start=1, end=4)],
    "linspace": [c(0, 1, 5), c(-1.0, 2.0, steps=4, dtype=D("float64")), c(3, 3, 1), c(start=0, end=1, steps=3)],
    "logspace": [c(0, 2, 3), c(0, 2, 3, 2.0, dtype=D("float64")), c(0, 1, steps=2, base=3)],
    "eye": [c(3), c(2, 4), c(2, dtype=D("float64"))],
    "tensor": [c([1.0, 2.0]), c([[1, 2]]), c(True), c(3), c([True, False]), c([1, 2.5]), c(2, dtype=D("float64")),
        c([]), c([[], []]), c(V.tolist())],
    "as_tensor": [c([1.0, 2.0]), c(3), c([1, 2], dtype=D("float64"))], "asarray": [c([1.0, 2.0]), c([1, 2])],
    "scalar_tensor": [c(2.0), c(3)],
    "tril_indices": [c(3, 3), c(3, 4, 1), c(4, 2, -1)], "triu_indices": [c(3, 3), c(3, 4, 1), c(4, 2, -1)],
    "is_tensor": [c(M), c(3)], "numel": [c(C)], "is_floating_point": [c(M), c(N)], "is_nonzero": [c(POINT)],
    "vander": [c(V)], "heaviside": [c(KINKS, POINT)], "trapezoid": [c(C), c(M, V), c(M, dx=0.5)], "cov": [c(M)],
    "corrcoef": [c(WIDE)],
    "result_type": [], "celu": [c(M)], "selu": [c(M)], "prelu": [c(M, np.array([0.25]))],
    "cosine_similarity": [c(M, spread(2, 3))], "pairwise_distance": [c(M, spread(2, 3))],
    "isin": [c(N, P), c(N, 5)], "dist": [c(M, V), c(M, V, 3)], "renorm": [], "rsub": [c(M, V), c(M, 2.0)],
    "nanmedian": [c(spread(5))], "nanquantile": [], "mode": [], "cumulative_trapezoid": [c(M)], "gradient": [],
    "unique_consecutive": [c(ROWS), c(ROWS, return_counts=True)], "count": [],
    "square_": [],
}  # fmt: skip
CALLS = {name: calls for name, calls in CALLS.items() if calls}

# Methods that have no function of their name.
METHODS: dict[str, list[Call]] = {
    "view": [c(C, 4, 6), c(C, (4, 6)), c(C, -1), c(C, [2, -1]), c(NONE, 3, 0)],
    "reshape": [c(C, 4, 6), c(C, -1), c(C.T, 6, -1)], "permute": [c(C, 2, 0, 1), c(C, [2, 0, 1])],
    "flip": [c(C, 0, 2), c(C, 1)],
    "view_as": [c(M, spread(3, 2))], "reshape_as": [c(M, spread(3, 2))],
    "expand": [c(V, 2, 3), c(V, (2, 3)), c(M[:, :1], -1, 5), c(M[:, :1], 4, 2, 5), c(POINT, 2), c(V, -1)],
    "expand_as": [c(V, M)], "repeat": [c(M, 2, 1), c(V, 2, 2), c(M, (1, 2)), c(M, 3, 1, 2)],
    "tile": [c(M, 2), c(M, 2, 1)],
    "where": [c(M, B, V), c(M, B, 0.5)], "type_as": [c(M, N), c(N, M)],
    "to": [c(M, D("float32")), c(M, "cpu"), c(M, N), c(M, dtype=D("float64"))],
    **{name: [c(M), c(N), c(B)] for name in ("float", "double", "int", "long", "bool", "half", "byte", "short")},
    **dict.fromkeys(
        (
            "contiguous dim numel nelement ndimension size stride is_contiguous element_size detach cpu "
            "is_floating_point is_complex tolist"
        ).split(),
        layouts,
    ),
    "item": [c(POINT), c(np.array([[3]]))], "size": [c(C, 1), c(C, -1)], "stride": [c(C, 1)],
    "new_zeros": [c(M, 2, 3), c(N, (2,)), c(M, 2, dtype=D("int64"))], "new_ones": [c(M, 2, 3), c(N, (2,))],
    "new_full": [c(M, (2, 3), 1.5), c(N, (2,), 3)], "new_tensor": [c(M, [1.0, 2.0]), c(N, [1, 2])],
    "sum_to_size": [c(M, 1, 3)], "select": [c(C, 1, 2)], "unfold": [],
}  # fmt: skip
METHODS = {name: calls for name, calls in METHODS.items() if calls}

# In-place methods whose function takes other arguments, or that have none.
IN_PLACE: dict[str, list[Call]] = {
    "copy_": [c(M, V), c(M, spread(2, 3)), c(M, 2.0)], "fill_": [c(M, 2.5), c(M, POINT)], "zero_": [c(M)],
    "fill_diagonal_": [c(SQUARE, 3.0), c(WIDE, 0.5)], "squeeze_": [c(spread(1, 3, 1)), c(spread(1, 3, 1), 0)],
    "unsqueeze_": [c(M, 0), c(M, -1)], "t_": [c(M)], "index_add_": [c(WIDE, 0, ROWS, spread(3, 4))],
    "masked_fill_": [c(M, B, 2.0)], "scatter_": [c(WIDE, 1, np.array([[0, 3], [2, 1]]), 5.0)],
    "scatter_add_": [c(WIDE, 0, I2, spread(2, 4))], "multiply_": [c(M, V)], "clip_": [c(M, -1, 1)],
    "detach_": [], "swapaxes_": [c(C, 0, 1)], "transpose_": [c(C, 0, 1)],
}  # fmt: skip
IN_PLACE = {name: calls for name, calls in IN_PLACE.items() if calls}

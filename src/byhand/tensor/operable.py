"""Operators, and the methods that are functions of the same name. Part of `Tensor`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from byhand.core.errors import DomainError
from byhand.ops import (
    activation,
    arithmetic,
    bessel,
    calculus,
    combination,
    compare,
    complex,
    determinant,
    gamma,
    gaussian,
    index,
    linalg,
    older,
    product,
    random,
    reduce,
    scale,
    scan,
    scattering,
    shape,
    solve,
    special,
    statistics,
    triangle,
)  # fmt: skip
from byhand.ops import elementwise as e
from byhand.ops import sort as sorting
from byhand.ops import trigonometry as trig
from byhand.ops.axes import one
from byhand.tensor.part import Part

if TYPE_CHECKING:
    from byhand.tensor import Tensor
    from byhand.tensor.part import Method


class Operable(Part):
    """A tensor as an operand."""

    __slots__ = ()

    # `Method` is said here since mypy meets these operators in the rules of the very ops that are assigned
    __getitem__: Method = index.getitem
    __add__: Method = e.add
    __radd__: Method = e.add
    __sub__: Method = e.sub
    __mul__: Method = e.mul
    __rmul__: Method = e.mul
    __truediv__: Method = e.true_divide
    __floordiv__: Method = e.floor_divide
    __mod__: Method = e.remainder
    __pow__: Method = e.pow
    __matmul__: Method = linalg.matmul
    __neg__: Method = e.neg
    __abs__: Method = e.abs
    __invert__: Method = compare.bitwise_not
    __and__: Method = compare.bitwise_and
    __rand__: Method = compare.bitwise_and
    __or__: Method = compare.bitwise_or
    __ror__: Method = compare.bitwise_or
    __xor__: Method = compare.bitwise_xor
    __rxor__: Method = compare.bitwise_xor
    __lshift__: Method = compare.bitwise_left_shift
    __rshift__: Method = compare.bitwise_right_shift
    __lt__: Method = compare.lt
    __le__: Method = compare.le
    __gt__: Method = compare.gt
    __ge__: Method = compare.ge
    __eq__ = compare.eq  # type: ignore[assignment]
    __ne__ = compare.ne  # type: ignore[assignment]

    def __pos__(self) -> Self:
        return self

    def __rsub__(self, other: Any) -> Tensor:
        return e.sub(other, self)

    def __rtruediv__(self, other: Any) -> Tensor:
        return e.true_divide(other, self)

    __rdiv__ = __rtruediv__

    def __rfloordiv__(self, other: Any) -> Tensor:
        return e.floor_divide(other, self)

    def __rmod__(self, other: Any) -> Tensor:
        return e.remainder(other, self)

    def __rpow__(self, other: Any) -> Tensor:
        return e.pow(other, self)

    def __rmatmul__(self, other: Any) -> Tensor:
        return linalg.matmul(other, self)

    # methods that are functions

    add, sub, mul, div = scale.add, scale.sub, e.mul, scale.div
    subtract, multiply, divide, true_divide = scale.sub, e.mul, scale.div, e.true_divide
    neg, negative, pow, square, sqrt, rsqrt, reciprocal = e.neg, e.neg, e.pow, e.square, e.sqrt, e.rsqrt, e.reciprocal
    abs, absolute, sign, sgn, frac = e.abs, e.abs, e.sign, e.sign, e.frac
    exp, exp2, expm1, log, log2, log10, log1p = e.exp, e.exp2, e.expm1, e.log, e.log2, e.log10, e.log1p
    logaddexp, xlogy, hypot, atan2, arctan2 = e.logaddexp, e.xlogy, trig.hypot, trig.atan2, trig.atan2
    sin, cos, tan, asin, acos, atan = trig.sin, trig.cos, trig.tan, trig.asin, trig.acos, trig.atan
    arcsin, arccos, arctan = trig.asin, trig.acos, trig.atan
    arcsinh, arccosh, arctanh = trig.asinh, trig.acosh, trig.atanh
    deg2rad, rad2deg, logit = e.deg2rad, e.rad2deg, e.logit
    sinh, cosh, tanh, asinh, acosh, atanh = trig.sinh, trig.cosh, trig.tanh, trig.asinh, trig.acosh, trig.atanh
    floor, ceil, trunc, fix, round = e.floor, e.ceil, e.trunc, e.trunc, e.round
    floor_divide, remainder, fmod = e.floor_divide, e.remainder, e.fmod
    maximum, minimum, clamp, clip, nan_to_num = e.maximum, e.minimum, e.clamp, e.clamp, e.nan_to_num
    clamp_min, clamp_max = e.clamp_min, e.clamp_max
    erf, erfc = special.erf, special.erfc
    relu, sigmoid = activation.relu, activation.sigmoid
    softmax, log_softmax = activation.softmax, activation.log_softmax
    addcmul, addcdiv, lerp = scale.addcmul, scale.addcdiv, scale.lerp
    eq, ne, lt, le, gt, ge = compare.eq, compare.ne, compare.lt, compare.le, compare.gt, compare.ge
    less, less_equal, greater, greater_equal, not_equal = compare.lt, compare.le, compare.gt, compare.ge, compare.ne
    logical_and, logical_or = compare.logical_and, compare.logical_or
    logical_xor, logical_not = compare.logical_xor, compare.logical_not
    bitwise_and, bitwise_or = compare.bitwise_and, compare.bitwise_or
    bitwise_xor, bitwise_not = compare.bitwise_xor, compare.bitwise_not
    bitwise_left_shift, bitwise_right_shift = compare.bitwise_left_shift, compare.bitwise_right_shift
    isnan, isinf, isfinite = compare.isnan, compare.isinf, compare.isfinite
    isposinf, isneginf = compare.isposinf, compare.isneginf
    isclose, allclose, equal = compare.isclose, compare.allclose, compare.equal
    sum, mean, prod, amax, amin, any, all = (
        reduce.sum, reduce.mean, reduce.prod, reduce.amax, reduce.amin, reduce.any, reduce.all,
    )  # fmt: skip
    argmax, argmin, count_nonzero, logsumexp, norm = (
        reduce.argmax, reduce.argmin, reduce.count_nonzero, reduce.logsumexp, older.norm,
    )  # fmt: skip
    var, std, nansum, nanmean, dist = reduce.var, reduce.std, reduce.nansum, reduce.nanmean, reduce.dist
    max, min, sort, argsort, topk = sorting.max, sorting.min, sorting.sort, sorting.argsort, sorting.topk
    kthvalue, median, quantile, unique, bincount, histc = (
        sorting.kthvalue, sorting.median, statistics.quantile, sorting.unique, sorting.bincount, sorting.histc,
    )  # fmt: skip
    cumsum, cumprod, cummax, cummin, diff = scan.cumsum, scan.cumprod, scan.cummax, scan.cummin, scan.diff
    matmul, mm, bmm, mv, dot, outer, ger, inner = (
        linalg.matmul, linalg.mm, linalg.bmm, linalg.mv, linalg.dot, linalg.outer, linalg.outer, linalg.inner,
    )  # fmt: skip
    conj, angle = complex.conj, complex.angle
    det, logdet, slogdet, inverse, pinverse = (
        determinant.det, determinant.logdet, determinant.slogdet, solve.inverse, solve.pinverse,
    )  # fmt: skip
    matrix_power, matrix_exp, cholesky, qr, svd = (
        solve.matrix_power, solve.matrix_exp, older.cholesky, older.qr, older.svd,
    )  # fmt: skip
    cross, kron, addr, addbmm = product.cross, product.kron, product.addr, product.addbmm
    vdot, addmm, addmv, baddbmm = linalg.dot, linalg.addmm, linalg.addmv, linalg.baddbmm
    reshape, view, flatten, unflatten = shape.reshape, shape.view, shape.flatten, shape.unflatten
    ravel, tensor_split = shape.ravel, shape.tensor_split
    squeeze, unsqueeze, permute, transpose, t = shape.squeeze, shape.unsqueeze, shape.permute, shape.transpose, shape.t
    swapaxes, swapdims, movedim, moveaxis = shape.transpose, shape.transpose, shape.movedim, shape.movedim
    flip, fliplr, flipud, roll, rot90 = shape.flip, shape.fliplr, shape.flipud, shape.roll, shape.rot90
    tril, triu, trace = triangle.tril, triangle.triu, triangle.trace
    diagflat = triangle.diagflat
    diagonal, diag, diag_embed = triangle.diagonal, triangle.diag, triangle.diag_embed
    expand, expand_as, broadcast_to = shape.expand, shape.expand_as, shape.broadcast_to
    repeat, tile, narrow, split, chunk, unbind = (
        shape.repeat, shape.tile, shape.narrow, shape.split, shape.chunk, shape.unbind,
    )  # fmt: skip
    gather, scatter, scatter_add, take, take_along_dim = (
        index.gather, scattering.scatter, index.scatter_add, index.take, index.take_along_dim,
    )  # fmt: skip
    index_select, index_add, masked_fill, masked_select, nonzero, repeat_interleave = (
        index.index_select, index.index_add, index.masked_fill, index.masked_select, index.nonzero,
        index.repeat_interleave,
    )  # fmt: skip
    argwhere, index_fill, index_copy, aminmax = index.argwhere, index.index_fill, index.index_copy, sorting.aminmax
    copysign, signbit, nextafter, heaviside = (
        arithmetic.copysign, arithmetic.signbit, arithmetic.nextafter, arithmetic.heaviside,
    )  # fmt: skip
    gcd, lcm, fmax, fmin, frexp, ldexp = (
        arithmetic.gcd, arithmetic.lcm, arithmetic.fmax, arithmetic.fmin, arithmetic.frexp, arithmetic.ldexp,
    )  # fmt: skip
    logaddexp2, float_power, positive, sinc = (
        arithmetic.logaddexp2, arithmetic.float_power, arithmetic.positive, arithmetic.sinc,
    )  # fmt: skip
    erfinv, i0, lgamma, digamma, mvlgamma = (
        gaussian.erfinv, bessel.i0, gamma.lgamma, gamma.digamma, gamma.mvlgamma,
    )  # fmt: skip
    logcumsumexp, renorm = calculus.logcumsumexp, scale.renorm
    scatter_reduce, index_reduce, index_put, put, masked_scatter = (
        scattering.scatter_reduce, scattering.index_reduce, scattering.index_put, scattering.put,
        scattering.masked_scatter,
    )  # fmt: skip
    select_scatter, slice_scatter, diagonal_scatter = (
        scattering.select_scatter, scattering.slice_scatter, scattering.diagonal_scatter,
    )  # fmt: skip
    as_strided, unfold = scattering.as_strided, scattering.unfold
    nanmedian, nanquantile, mode, msort = (
        statistics.nanmedian, statistics.nanquantile, statistics.mode, statistics.msort,
    )  # fmt: skip
    cov, corrcoef, histogram, unique_consecutive = (
        statistics.cov, statistics.corrcoef, statistics.histogram, statistics.unique_consecutive,
    )  # fmt: skip
    hsplit, vsplit, dsplit, sum_to_size = (
        combination.hsplit, combination.vsplit, combination.dsplit, combination.sum_to_size,
    )  # fmt: skip
    unsafe_chunk, unsafe_split, conj_physical, prelu = shape.chunk, shape.split, complex.conj, activation.prelu
    cholesky_inverse, cholesky_solve, lu_solve, triangular_solve = (
        solve.cholesky_inverse, solve.cholesky_solve, older.lu_solve, older.triangular_solve,
    )  # fmt: skip
    isreal, split_with_sizes, resolve_conj, resolve_neg = (
        complex.isreal, shape.split, arithmetic.positive, arithmetic.positive,
    )  # fmt: skip
    bernoulli, multinomial = random.bernoulli, random.multinomial

    def where(self, condition: Any, other: Any) -> Tensor:
        """Itself where the condition holds, else other."""
        return e.select(condition, self, other)

    def polygamma(self, n: int) -> Tensor:
        """The n-th derivative of `digamma`."""
        return gamma.polygamma(n, self)

    def adjoint(self) -> Tensor:
        """The last two axes exchanged, and conjugated if complex."""
        return self.mH

    def view_as(self, other: Tensor) -> Tensor:
        """A view in the shape of another tensor."""
        return self.view(other.shape)

    def reshape_as(self, other: Tensor) -> Tensor:
        """In the shape of another tensor."""
        return self.reshape(other.shape)

    def select(self, dim: int, index: int) -> Tensor:
        """One place of an axis, without that axis; a view."""
        axis = one(dim, self.array.ndim, "select")
        if not -self.shape[axis] <= index < self.shape[axis]:
            raise DomainError(f"select: place {index} lies outside of axis {axis} of shape {self.shape}")
        return self[(slice(None),) * axis + (index,)]

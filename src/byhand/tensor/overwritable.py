"""The in-place methods: `add_`, `x[i] = v`, `+=` and so on, by way of `byhand.ops.inplace`. Part of `Tensor`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np

from byhand.core.recorder import wrap
from byhand.core.variable import Variable
from byhand.ops import (
    activation,
    arithmetic,
    bessel,
    compare,
    gamma,
    gaussian,
    index,
    inplace,
    linalg,
    product,
    random,
    scale,
    scan,
    scattering,
    special,
    triangle,
)  # fmt: skip
from byhand.ops import elementwise as e
from byhand.ops import trigonometry as trig
from byhand.tensor.part import Part

if TYPE_CHECKING:
    from byhand.tensor import Tensor


X = TypeVar("X", bound=Variable)


def _in_place(function: Any) -> Callable[..., Tensor]:
    """The method that writes what an op computes into the tensor itself."""

    def method(self: Tensor, *others: Any, **attrs: Any) -> Tensor:
        changed: Tensor = inplace.change(self, function, *others, **attrs)
        return changed

    method.__name__ = method.__qualname__ = f"{function.op.name}_"
    method.__doc__ = f"self ← {function.__doc__.splitlines()[0]}, in place"
    return method


def _change(x: X, function: Any, *others: Any) -> X:
    changed: X = inplace.change(x, function, *others)
    return changed


def _stored(function: Any) -> Callable[..., Tensor]:
    """The method that writes what a function of several ops computes into the tensor itself."""

    def method(self: Tensor, *others: Any, **attrs: Any) -> Tensor:
        # of a clone, since rules read what is overwritten here
        return _change(self, inplace.copied, function(self.clone(), *others, **attrs))

    method.__name__ = method.__qualname__ = f"{function.__name__}_"
    method.__doc__ = f"self ← {function.__doc__.splitlines()[0]}, in place"
    return method


class Overwritable(Part):
    """What changes a tensor in its own memory."""

    __slots__ = ()

    def __setitem__(self, key: Any, value: Any) -> None:
        place, arrays = index.resolved(key, self.array.ndim)
        basic, place = index.integers_first(place, arrays) if arrays else (None, place)
        inplace.assign(self if basic is None else index.sliced(self, index=basic), place, arrays, value)

    def add_(self, other: Any, *, alpha: float = 1) -> Self:
        """self ← self + alpha · other"""
        if alpha != 1 and inplace.accumulated(self, np.multiply, other, alpha, 1):
            return self
        return _change(self, e.add, other if alpha == 1 else other * alpha)

    def sub_(self, other: Any, *, alpha: float = 1) -> Self:
        """self ← self − alpha · other"""
        return _change(self, e.sub, other if alpha == 1 else other * alpha)

    def div_(self, other: Any, *, rounding_mode: str | None = None) -> Self:
        """self ← self / other"""
        if rounding_mode is not None:
            return _change(self, inplace.copied, scale.div(self, other, rounding_mode=rounding_mode))
        return _change(self, e.true_divide, other)

    def addcmul_(self, tensor1: Any, tensor2: Any, *, value: float = 1) -> Self:
        """self ← self + value · tensor1 · tensor2"""
        if inplace.accumulated(self, np.multiply, tensor1, tensor2, value):
            return self
        product = tensor1 * tensor2
        return _change(self, e.add, product if value == 1 else product.mul_(value))

    def addcdiv_(self, tensor1: Any, tensor2: Any, *, value: float = 1) -> Self:
        """self ← self + value · tensor1 / tensor2"""
        if inplace.accumulated(self, np.true_divide, tensor1, tensor2, value):
            return self
        quotient = tensor1 / tensor2
        return _change(self, e.add, quotient if value == 1 else quotient * value)

    def lerp_(self, end: Any, weight: Any) -> Self:
        """self ← self + weight · (end − self)"""
        if isinstance(weight, (int, float)) and inplace.accumulated(self, np.subtract, end, self, weight):
            return self
        step = end - self
        return _change(self, e.add, step.mul_(weight) if isinstance(weight, (int, float)) else step * weight)

    def copy_(self, source: Any) -> Self:
        """self ← source, broadcast and converted"""
        return _change(self, inplace.copied, source)

    def fill_(self, value: Any) -> Self:
        """self ← value everywhere"""
        return _change(self, inplace.copied, value)

    def zero_(self) -> Self:
        """self ← 0"""
        return _change(self, inplace.copied, 0)

    def clamp_(self, min: Any = None, max: Any = None) -> Self:
        """self ← self kept within min and max"""
        return _change(self, inplace.copied, self.clone().clamp(min, max))

    clip_ = clamp_

    def masked_fill_(self, mask: Any, value: Any) -> Self:
        """self ← value where the mask holds"""
        return _change(self, inplace.copied, self.masked_fill(mask, value))

    def index_add_(self, dim: int, index: Any, source: Any, *, alpha: float = 1) -> Self:
        """self ← self with slices of source added at these places of an axis"""
        return _change(self, inplace.copied, self.index_add(dim, index, source, alpha=alpha))

    def scatter_add_(self, dim: int, index: Any, src: Any) -> Self:
        """self ← self with src added at index along an axis"""
        return _change(self, inplace.copied, self.scatter_add(dim, index, src))

    def fill_diagonal_(self, value: float) -> Self:
        """self ← self with this value on the main diagonal"""
        self.diagonal().copy_(value)
        return self

    def normal_(self, mean: float = 0, std: float = 1, *, generator: Any = None) -> Self:
        """self ← values of a normal distribution"""
        drawn = wrap(random.standard_normal(self.shape, self.dtype, generator))
        return _change(self, inplace.copied, drawn.mul_(std).add_(mean))

    def uniform_(self, from_: float = 0, to: float = 1, *, generator: Any = None, **bounds: float) -> Self:
        """self ← uniform values of [from, to)"""
        low = bounds.get("from", from_)
        drawn = wrap(random.uniform(self.shape, self.dtype, generator))
        return _change(self, inplace.copied, drawn.mul_(to - low).add_(low))

    def bernoulli_(self, p: float = 0.5, *, generator: Any = None) -> Self:
        """self ← 1 with probability p, else 0"""
        return _change(self, inplace.copied, wrap(random.coins(p, self.shape, generator)))

    def random_(self, from_: int = 0, to: int | None = None, *, generator: Any = None, **bounds: int) -> Self:
        """self ← integers from `from` to `to` − 1 (0 to `from` − 1 if that is alone, else all)"""
        low = bounds.get("from", from_)
        if to is None:
            whole = 2 ** (np.finfo(self.dtype).nmant + 1) if self.dtype.kind == "f" else np.iinfo(self.dtype).max
            low, to = (0, low) if low else (0, int(whole))
        drawn = random.integers(low, to, self.shape, None, generator)
        return _change(self, inplace.copied, wrap(drawn))

    def exponential_(self, lambd: float = 1, *, generator: Any = None) -> Self:
        """self ← values of the exponential distribution of this rate"""
        return self._drawn(lambda u: -e.log1p(-u) / lambd, generator)

    def cauchy_(self, median: float = 0, sigma: float = 1, *, generator: Any = None) -> Self:
        """self ← values of the Cauchy distribution of this median and scale"""
        return self._drawn(lambda u: median + sigma * trig.tan(np.pi * (u - 0.5)), generator)

    def geometric_(self, p: float, *, generator: Any = None) -> Self:
        """self ← how many trials, each a success with probability p, it takes to the first success"""
        return self._drawn(lambda u: e.floor(e.log1p(-u) / float(np.log1p(-p))) + 1, generator)

    def log_normal_(self, mean: float = 1, std: float = 2, *, generator: Any = None) -> Self:
        """self ← e to the values of a normal distribution"""
        drawn = wrap(random.standard_normal(self.shape, np.dtype(np.float64), generator))
        return _change(self, inplace.copied, e.exp(drawn * std + mean))

    def apply_(self, function: Callable[[Any], Any]) -> Self:
        """self ← the function of each value, a Python number; slow, and without a gradient"""
        values = [function(v) for v in self.array.ravel().tolist()]
        return _change(self, inplace.copied, np.array(values).reshape(self.shape))

    def _drawn(self, of: Callable[[Any], Any], generator: Any) -> Self:
        """self ← a function of uniform values of [0, 1)"""
        drawn = wrap(random.uniform(self.shape, np.dtype(np.float64), generator))
        return _change(self, inplace.copied, of(drawn))

    __iadd__, __isub__, __itruediv__ = add_, sub_, div_
    mul_ = multiply_ = __imul__ = _in_place(e.mul)
    pow_ = __ipow__ = _in_place(e.pow)
    floor_divide_ = __ifloordiv__ = _in_place(e.floor_divide)
    remainder_ = __imod__ = _in_place(e.remainder)
    __iand__, __ior__, __ixor__ = (
        _in_place(compare.bitwise_and), _in_place(compare.bitwise_or), _in_place(compare.bitwise_xor),
    )  # fmt: skip
    neg_, abs_, sign_ = _in_place(e.neg), _in_place(e.abs), _in_place(e.sign)
    square_, sqrt_, rsqrt_ = _in_place(e.square), _in_place(e.sqrt), _in_place(e.rsqrt)
    reciprocal_, exp_, expm1_ = _in_place(e.reciprocal), _in_place(e.exp), _in_place(e.expm1)
    log_, log2_, log10_, log1p_ = _in_place(e.log), _in_place(e.log2), _in_place(e.log10), _in_place(e.log1p)
    sin_, cos_, tan_ = _in_place(trig.sin), _in_place(trig.cos), _in_place(trig.tan)
    sinh_, cosh_, tanh_ = _in_place(trig.sinh), _in_place(trig.cosh), _in_place(trig.tanh)
    floor_, ceil_, trunc_ = _in_place(e.floor), _in_place(e.ceil), _in_place(e.trunc)
    relu_, sigmoid_ = _in_place(activation.relu), _in_place(activation.sigmoid)
    maximum_, minimum_ = _in_place(e.maximum), _in_place(e.minimum)
    exp2_, erf_, erfc_, fmod_ = _in_place(e.exp2), _in_place(special.erf), _in_place(special.erfc), _in_place(e.fmod)
    asin_, acos_, atan_ = _in_place(trig.asin), _in_place(trig.acos), _in_place(trig.atan)
    atan2_ = _in_place(trig.atan2)
    asinh_, acosh_, atanh_ = _in_place(trig.asinh), _in_place(trig.acosh), _in_place(trig.atanh)
    bitwise_and_, bitwise_or_, bitwise_xor_ = __iand__, __ior__, __ixor__
    bitwise_not_, logical_not_ = _in_place(compare.bitwise_not), _stored(compare.logical_not)
    logical_and_, logical_or_, logical_xor_ = (
        _stored(compare.logical_and), _stored(compare.logical_or), _stored(compare.logical_xor),
    )  # fmt: skip
    negative_, absolute_, subtract_, divide_, true_divide_ = neg_, abs_, sub_, div_, _in_place(e.true_divide)
    round_, frac_, nan_to_num_ = _stored(e.round), _stored(e.frac), _stored(e.nan_to_num)
    clamp_min_, clamp_max_ = _stored(e.clamp_min), _stored(e.clamp_max)
    tril_, triu_, cumsum_, cumprod_ = (
        _stored(triangle.tril), _stored(triangle.triu), _stored(scan.cumsum), _stored(scan.cumprod),
    )  # fmt: skip
    index_fill_, index_copy_ = _stored(index.index_fill), _stored(index.index_copy)
    scatter_ = _stored(scattering.scatter)
    scatter_reduce_, index_reduce_, index_put_, put_, masked_scatter_ = (
        _stored(scattering.scatter_reduce), _stored(scattering.index_reduce), _stored(scattering.index_put),
        _stored(scattering.put), _stored(scattering.masked_scatter),
    )  # fmt: skip
    copysign_, hypot_, xlogy_, float_power_ = (
        _stored(arithmetic.copysign), _stored(trig.hypot), _stored(e.xlogy), _stored(arithmetic.float_power),
    )  # fmt: skip
    logit_, sinc_, erfinv_, lgamma_, digamma_ = (
        _stored(e.logit), _stored(arithmetic.sinc), _stored(gaussian.erfinv), _stored(gamma.lgamma),
        _stored(gamma.digamma),
    )  # fmt: skip
    heaviside_, gcd_, lcm_, ldexp_, renorm_ = (
        _stored(arithmetic.heaviside), _stored(arithmetic.gcd), _stored(arithmetic.lcm), _stored(arithmetic.ldexp),
        _stored(scale.renorm),
    )  # fmt: skip
    eq_, ne_, lt_, le_, gt_, ge_ = map(
        _stored, (compare.eq, compare.ne, compare.lt, compare.le, compare.gt, compare.ge)
    )
    addmm_, addmv_, addr_, baddbmm_, addbmm_ = map(
        _stored, (linalg.addmm, linalg.addmv, product.addr, linalg.baddbmm, product.addbmm)
    )
    bitwise_left_shift_, bitwise_right_shift_, sgn_, i0_, nextafter_ = map(
        _stored, (compare.bitwise_left_shift, compare.bitwise_right_shift, e.sign, bessel.i0, arithmetic.nextafter)
    )
    deg2rad_, rad2deg_ = _stored(e.deg2rad), _stored(e.rad2deg)
    arcsin_, arccos_, arctan_, arctan2_, fix_ = asin_, acos_, atan_, atan2_, trunc_
    arcsinh_, arccosh_, arctanh_ = asinh_, acosh_, atanh_
    greater_, greater_equal_, less_, less_equal_, not_equal_ = gt_, ge_, lt_, le_, ne_

    def unsqueeze_(self, dim: int) -> Self:
        """self with a new axis of size 1"""
        return self._reshape_(self.unsqueeze(dim))

    def squeeze_(self, dim: Any = None) -> Self:
        """self without axes of size 1"""
        return self._reshape_(self.squeeze(dim))

    def t_(self) -> Self:
        """self transposed"""
        return self._reshape_(self.t())

    def transpose_(self, dim0: int, dim1: int) -> Self:
        """self with two axes exchanged"""
        return self._reshape_(self.transpose(dim0, dim1))

    swapaxes_ = swapdims_ = transpose_

    def _reshape_(self, view: Tensor) -> Self:
        inplace.turn(self, view)
        return self

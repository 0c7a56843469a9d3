"""The class `Tensor`: an array that remembers how it was computed. Its operators and methods are the ops.

A method is the function of the same name with the tensor as its first argument; only what has no function of its own
is written here. In-place methods (`add_`, `x[i] = v`) go through `byhand.ops.inplace`.
"""

from __future__ import annotations

import copy
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from byhand.core import dtypes
from byhand.core import gradient as gradients
from byhand.core.errors import DomainError, DtypeError, GraphError, ShapeError, UsageError
from byhand.core.recorder import announce
from byhand.core.tape import Node, leaf
from byhand.core.variable import Array, Variable
from byhand.display import text_of
from byhand.ops import activation, compare, inplace, linalg, random, reduce, scale, special
from byhand.ops import elementwise as e
from byhand.ops import index as indexing
from byhand.ops import scan as scans
from byhand.ops import shape as shapes
from byhand.ops import sort as sorting
from byhand.ops.axes import shape_of
from byhand.ops.views import diagonal_of, expanded, narrowed, permuted, reshaped


class Handle:
    """What `register_hook` returns; `remove()` takes the hook away."""

    def __init__(self, hooks: list[Any], hook: Any) -> None:
        self._hooks, self._hook = hooks, hook

    def remove(self) -> None:
        """Take the hook away; twice is fine."""
        if self._hook in self._hooks:
            self._hooks.remove(self._hook)


class _Keeper:
    """The hook of `retain_grad`: keeps a copy of what passes on the node."""

    def __init__(self, node: Node) -> None:
        self._node = weakref.ref(node)

    def __call__(self, g: Tensor) -> None:
        node = self._node()
        if node is not None:
            node.grad = Tensor(g.array.copy(), g.node) if node.grad is None else node.grad + g  # type: ignore[operator]


def _in_place(function: Any) -> Callable[..., Tensor]:
    """The method that writes what an op computes into the tensor itself."""

    def method(self: Tensor, *others: Any, **attrs: Any) -> Tensor:
        changed: Tensor = inplace.change(self, function, *others, **attrs)
        return changed

    method.__name__ = method.__qualname__ = f"{function.op.name}_"
    method.__doc__ = f"self ← {function.__doc__}, in place"
    return method


def _change(x: Tensor, function: Any, *others: Any) -> Tensor:
    changed: Tensor = inplace.change(x, function, *others)
    return changed


def _names_dtype(target: Any) -> bool:
    return isinstance(target, str) and target.split(":")[0] not in ("cpu", "cuda", "mps", "xpu", "meta")


class Tensor(Variable):
    """An array with gradients. Make one with `byhand.tensor`, `zeros`, `randn`, …

    `Tensor(array)` wraps an array without a copy. `.array` is the NumPy array underneath.

    >>> import byhand
    >>> x = byhand.tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4.])
    """

    __slots__ = ()
    __array_ufunc__ = None  # so that `np_array * tensor` reaches __rmul__

    # what it is

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes of the axes."""
        return self.array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The NumPy dtype; `byhand.float32` and its like are the same objects."""
        return self.array.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.array.ndim

    @property
    def device(self) -> dtypes.device:
        """The CPU."""
        return dtypes.CPU

    @property
    def itemsize(self) -> int:
        """The bytes of one value."""
        return self.array.itemsize

    @property
    def nbytes(self) -> int:
        """The bytes of all values."""
        return self.array.nbytes

    @property
    def T(self) -> Tensor:
        """The axes in reverse order; a view."""
        return permuted(self, axes=tuple(range(self.array.ndim))[::-1])

    @property
    def mT(self) -> Tensor:
        """The last two axes exchanged; a view."""
        if self.array.ndim < 2:
            raise ShapeError(f"mT needs at least two axes, the shape is {self.shape}")
        return linalg.flip_last(self)

    def size(self, dim: int | None = None) -> Any:
        """The shape, or the size of one axis. (NumPy's `size` is `numel()`.)"""
        return self.array.shape if dim is None else self.array.shape[dim]

    def dim(self) -> int:
        """The number of axes."""
        return self.array.ndim

    def numel(self) -> int:
        """The number of values."""
        return self.array.size

    nelement = numel
    ndimension = dim

    def element_size(self) -> int:
        """The bytes of one value."""
        return self.array.itemsize

    def stride(self, dim: int | None = None) -> Any:
        """How many values apart neighbours along each axis are."""
        steps = tuple(s // self.array.itemsize for s in self.array.strides)
        return steps if dim is None else steps[dim]

    def is_contiguous(self) -> bool:
        """Whether the values lie in C order."""
        return bool(self.array.flags.c_contiguous)

    def contiguous(self) -> Tensor:
        """Itself if its values lie in C order, else a copy that does."""
        return self if self.array.flags.c_contiguous else shapes.compact(self)

    def is_floating_point(self) -> bool:
        """Whether the dtype is a float."""
        return self.array.dtype.kind == "f"

    def is_complex(self) -> bool:
        """False: there are no complex tensors."""
        return False

    def data_ptr(self) -> int:
        """The address of the first value."""
        return int(self.array.__array_interface__["data"][0])

    # its values

    def item(self) -> Any:
        """The one value as a Python number; raises ShapeError if there are several."""
        if self.array.size != 1:
            raise ShapeError(f"item() is for one value; this tensor has shape {self.shape}: use tolist()")
        return self.array.item()

    def tolist(self) -> Any:
        """The values as nested lists."""
        return self.array.tolist()

    def numpy(self, *, force: bool = False) -> Array:
        """The array underneath, sharing memory; raises GraphError if a gradient is tracked, unless forced."""
        if self.node is not None and not force:
            raise GraphError("numpy() on a tensor that requires a gradient; use tensor.detach().numpy()")
        return self.array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def __dlpack__(self, **options: Any) -> Any:
        return self.numpy().__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self.array.__dlpack_device__()

    def __bool__(self) -> bool:
        if self.array.size != 1:
            raise ShapeError(f"the truth of a tensor of shape {self.shape} is ambiguous; use .any() or .all()")
        return bool(self.array.item())

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if self.array.dtype.kind not in "iub":
            raise DtypeError(f"only an integer tensor can be an index, not one of {self.dtype}")
        return int(self.item())

    def __format__(self, spec: str) -> str:
        return format(self.array.item(), spec) if spec and self.array.ndim == 0 else format(repr(self), spec)

    def __len__(self) -> int:
        if not self.array.ndim:
            raise DtypeError("len() of a tensor without axes")
        return len(self.array)

    def __iter__(self) -> Iterator[Tensor]:
        if not self.array.ndim:
            raise DtypeError("a tensor without axes cannot be iterated over")
        return iter(self.unbind(0))

    def __contains__(self, value: Any) -> bool:
        return bool((self.array == getattr(value, "array", value)).any())

    def __repr__(self) -> str:
        notes = []
        if self.node is not None:
            notes = [f"grad_fn=<{self.node.op.name}>" if self.node.op is not None else "requires_grad=True"]
        return text_of(self.array, notes)

    __hash__ = object.__hash__

    def __reduce__(self) -> Any:
        if self.node is not None and self.node.op is not None:
            raise GraphError("only leaf tensors can be pickled or copied; detach() it first")
        return _rebuild, (type(self), self.array, self.requires_grad, self.__dict__ if hasattr(self, "__dict__") else None)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if self.node is not None and self.node.op is not None:
            raise GraphError("only leaf tensors can be deep-copied; use detach().clone()")
        if id(self) not in memo:
            extra = copy.deepcopy(self.__dict__, memo) if hasattr(self, "__dict__") else None
            made = memo[id(self)] = _rebuild(type(self), self.array.copy(), self.requires_grad, extra)
            if self.grad is not None:
                made.grad = Tensor(self.grad.array.copy())
        found: Tensor = memo[id(self)]
        return found

    # its gradient

    @property
    def requires_grad(self) -> bool:
        """Whether operations on it are recorded."""
        return self.node is not None

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        self.requires_grad_(wanted)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Start or stop asking for a gradient; raises DtypeError for integers, GraphError for computed tensors."""
        if requires_grad and self.node is None:
            if self.array.dtype.kind != "f":
                raise DtypeError(f"only float tensors have gradients, this one is {self.dtype}; use .float() first")
            kept = self.grad
            self.node = leaf(self.array.shape, self.array.dtype)
            self.node.grad = kept
        elif not requires_grad and self.node is not None:
            if self.node.op is not None:
                raise GraphError("requires_grad can be turned off for leaf tensors only; use detach()")
            kept, self.node = self.node.grad, None
            self.idle_grad = kept
        return self

    @property
    def grad(self) -> Tensor | None:
        """The gradient that `backward` gathered here, or None."""
        node = self.node
        if node is not None:
            return node.grad  # type: ignore[return-value]
        try:
            return self.idle_grad  # type: ignore[return-value]
        except AttributeError:
            return None

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None:
            if not isinstance(value, Tensor):
                raise DtypeError(f"a gradient is a tensor or None, not {type(value).__name__}")
            if value.shape != self.shape:
                raise ShapeError(f"a gradient of shape {value.shape} does not fit a tensor of shape {self.shape}")
        if self.node is not None:
            self.node.grad = value
        else:
            self.idle_grad = value

    @property
    def is_leaf(self) -> bool:
        """Whether it was made rather than computed by recorded operations."""
        return self.node is None or self.node.op is None

    @property
    def grad_fn(self) -> Node | None:
        """The tape entry that computed it, or None for leaves."""
        return None if self.node is None or self.node.op is None else self.node

    @property
    def data(self) -> Tensor:
        """The same memory without a gradient."""
        return Tensor(self.array)

    @data.setter
    def data(self, value: Tensor) -> None:
        array = value.array if isinstance(value, Tensor) else np.asarray(value)
        self.array = array
        if self.node is not None and self.node.op is None:
            self.node.shape, self.node.dtype = array.shape, array.dtype

    def detach(self) -> Tensor:
        """The same memory, cut off from what computed it."""
        return Tensor(self.array)

    def detach_(self) -> Tensor:
        """Forget what computed it."""
        self.node, self.source = None, None
        return self

    def backward(
        self, gradient: Any = None, retain_graph: bool | None = None, create_graph: bool = False, inputs: Any = None
    ) -> None:
        """Add the gradient of this tensor (one number, unless `gradient` is given) to `.grad` of the leaves.

        Raises GraphError if nothing was recorded, or if the graph was walked before without retain_graph.
        """
        gradients.backward(self, None if gradient is None else [gradient], retain_graph, create_graph, inputs)

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> Handle:
        """Call `hook(grad)` whenever a gradient arrives here; what it returns replaces the gradient."""
        if self.node is None:
            raise GraphError("register_hook needs a tensor that requires a gradient")
        hooks = self.node.hooks
        if hooks is None:
            hooks = self.node.hooks = []
        hooks.append(hook)
        return Handle(hooks, hook)

    def retain_grad(self) -> None:
        """Keep the gradient of a computed tensor in `.grad` too."""
        node = self.node
        if node is None:
            raise GraphError("retain_grad needs a tensor that requires a gradient")
        if node.op is not None:
            self.register_hook(_Keeper(node))

    # in-place

    def __setitem__(self, key: Any, value: Any) -> None:
        place, arrays = indexing.resolved(key, self.array.ndim)
        inplace.assign(self, place, arrays, value)

    def add_(self, other: Any, *, alpha: float = 1) -> Tensor:
        """self ← self + alpha · other"""
        if alpha != 1 and inplace.accumulated(self, np.multiply, other, alpha, 1):
            return self
        return _change(self, e.add, other if alpha == 1 else other * alpha)

    def sub_(self, other: Any, *, alpha: float = 1) -> Tensor:
        """self ← self − alpha · other"""
        return _change(self, e.sub, other if alpha == 1 else other * alpha)

    def div_(self, other: Any, *, rounding_mode: str | None = None) -> Tensor:
        """self ← self / other"""
        if rounding_mode is not None:
            return _change(self, inplace.copied, scale.div(self, other, rounding_mode=rounding_mode))
        return _change(self, e.true_divide, other)

    def addcmul_(self, tensor1: Any, tensor2: Any, *, value: float = 1) -> Tensor:
        """self ← self + value · tensor1 · tensor2"""
        if inplace.accumulated(self, np.multiply, tensor1, tensor2, value):
            return self
        product = tensor1 * tensor2
        return _change(self, e.add, product if value == 1 else product.mul_(value))

    def addcdiv_(self, tensor1: Any, tensor2: Any, *, value: float = 1) -> Tensor:
        """self ← self + value · tensor1 / tensor2"""
        if inplace.accumulated(self, np.true_divide, tensor1, tensor2, value):
            return self
        quotient = tensor1 / tensor2
        return _change(self, e.add, quotient if value == 1 else quotient.mul_(value))

    def lerp_(self, end: Any, weight: Any) -> Tensor:
        """self ← self + weight · (end − self)"""
        if isinstance(weight, (int, float)) and inplace.accumulated(self, np.subtract, end, self, weight):
            return self
        step = end - self
        return _change(self, e.add, step.mul_(weight) if isinstance(weight, (int, float)) else step * weight)

    def copy_(self, source: Any) -> Tensor:
        """self ← source, broadcast and converted"""
        return _change(self, inplace.copied, source)

    def fill_(self, value: Any) -> Tensor:
        """self ← value everywhere"""
        return _change(self, inplace.copied, value)

    def zero_(self) -> Tensor:
        """self ← 0"""
        return _change(self, inplace.copied, 0)

    def clamp_(self, min: Any = None, max: Any = None) -> Tensor:
        """self ← self kept within min and max"""
        return _change(self, inplace.copied, self.clamp(min, max))

    clip_ = clamp_

    def masked_fill_(self, mask: Any, value: Any) -> Tensor:
        """self ← value where the mask holds"""
        return _change(self, inplace.copied, self.masked_fill(mask, value))

    def index_add_(self, dim: int, index: Any, source: Any, *, alpha: float = 1) -> Tensor:
        """self ← self with slices of source added at these places of an axis"""
        return _change(self, inplace.copied, self.index_add(dim, index, source, alpha=alpha))

    def scatter_add_(self, dim: int, index: Any, src: Any) -> Tensor:
        """self ← self with src added at index along an axis"""
        return _change(self, inplace.copied, self.scatter_add(dim, index, src))

    def scatter_(self, dim: int, index: Any, src: Any = None, *, value: Any = None) -> Tensor:
        """self ← self with src written at index along an axis"""
        return _change(self, inplace.copied, self.scatter(dim, index, src, value=value))

    def fill_diagonal_(self, value: float) -> Tensor:
        """self ← self with this value on the main diagonal"""
        self.diagonal().copy_(value)
        return self

    def normal_(self, mean: float = 0, std: float = 1, *, generator: Any = None) -> Tensor:
        """self ← values of a normal distribution"""
        drawn = random.standard_normal(self.shape, self.dtype, generator)
        drawn *= std
        drawn += mean
        return _change(self, inplace.copied, Tensor(drawn))

    def uniform_(self, from_: float = 0, to: float = 1, *, generator: Any = None, **bounds: float) -> Tensor:
        """self ← uniform values of [from, to)"""
        low = bounds.get("from", from_)
        drawn = random.uniform(self.shape, self.dtype, generator)
        drawn *= to - low
        drawn += low
        return _change(self, inplace.copied, Tensor(drawn))

    def bernoulli_(self, p: float = 0.5, *, generator: Any = None) -> Tensor:
        """self ← 1 with probability p, else 0"""
        return _change(self, inplace.copied, Tensor(random.coins(p, self.shape, generator)))

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
    sin_, cos_, tan_ = _in_place(e.sin), _in_place(e.cos), _in_place(e.tan)
    sinh_, cosh_, tanh_ = _in_place(e.sinh), _in_place(e.cosh), _in_place(e.tanh)
    floor_, ceil_, trunc_ = _in_place(e.floor), _in_place(e.ceil), _in_place(e.trunc)
    relu_, sigmoid_ = _in_place(activation.relu), _in_place(activation.sigmoid)
    maximum_, minimum_ = _in_place(e.maximum), _in_place(e.minimum)

    def unsqueeze_(self, dim: int) -> Tensor:
        """self with a new axis of size 1"""
        return self._reshape_(self.unsqueeze(dim))

    def squeeze_(self, dim: Any = None) -> Tensor:
        """self without axes of size 1"""
        return self._reshape_(self.squeeze(dim))

    def t_(self) -> Tensor:
        """self transposed"""
        return self._reshape_(self.t())

    def _reshape_(self, view: Tensor) -> Tensor:
        self.array, self.node, self.source = view.array, view.node, None
        return self

    # conversion

    def to(self, *targets: Any, dtype: Any = None, device: Any = None, copy: bool = False, **ignored: Any) -> Tensor:
        """Itself, or converted to a dtype; a device must be the CPU.

        >>> import byhand
        >>> byhand.tensor([1, 2]).to(byhand.float64).dtype
        dtype('float64')
        """
        for target in targets:
            if isinstance(target, (dtypes.device, str)) and not _names_dtype(target):
                dtypes.check_device(target)
            elif isinstance(target, Tensor):
                dtype = target.dtype
            elif not isinstance(target, bool):
                dtype = target
        dtypes.check_device(device)
        wanted = self.array.dtype if dtype is None else dtypes.resolve(dtype)
        if wanted == self.array.dtype:
            return self.clone() if copy else self
        if wanted.kind != "f" and self.node is not None:
            return e.cast(Tensor(self.array), dtype=wanted)
        return e.cast(self, dtype=wanted)

    def type(self, dtype: Any = None) -> Any:
        """The dtype's name, or itself converted."""
        return str(self.dtype) if dtype is None else self.to(dtype)

    def type_as(self, other: Tensor) -> Tensor:
        """Converted to the dtype of another tensor."""
        return self.to(other.dtype)

    def half(self) -> Tensor:
        """Converted to float16."""
        return self.to(np.float16)

    def float(self) -> Tensor:
        """Converted to float32."""
        return self.to(np.float32)

    def double(self) -> Tensor:
        """Converted to float64."""
        return self.to(np.float64)

    def int(self) -> Tensor:
        """Converted to int32."""
        return self.to(np.int32)

    def long(self) -> Tensor:
        """Converted to int64."""
        return self.to(np.int64)

    def bool(self) -> Tensor:
        """Converted to bool."""
        return self.to(np.bool_)

    def byte(self) -> Tensor:
        """Converted to uint8."""
        return self.to(np.uint8)

    def cpu(self) -> Tensor:
        """Itself."""
        return self

    def cuda(self, *_: Any, **__: Any) -> Tensor:
        """Refused: byhand computes on the CPU."""
        raise UsageError("byhand computes on the CPU; leave .cuda() out, or write .to('cpu')")

    def clone(self) -> Tensor:
        """A copy; gradients pass through."""
        return e.clone(self)

    def new_zeros(self, *size: Any, dtype: Any = None, device: Any = None) -> Tensor:
        """Zeros of this shape, with this tensor's dtype unless another is given."""
        return Tensor(np.zeros(shape_of(size), dtype or self.dtype))

    def new_ones(self, *size: Any, dtype: Any = None, device: Any = None) -> Tensor:
        """Ones of this shape, with this tensor's dtype unless another is given."""
        return Tensor(np.ones(shape_of(size), dtype or self.dtype))

    def new_full(self, size: Sequence[int], value: Any, dtype: Any = None, device: Any = None) -> Tensor:
        """One value in this shape, with this tensor's dtype unless another is given."""
        return Tensor(np.full(tuple(size), value, dtype or self.dtype))

    def new_empty(self, *size: Any, dtype: Any = None, device: Any = None) -> Tensor:
        """An unfilled tensor of this shape, with this tensor's dtype unless another is given."""
        return Tensor(np.empty(shape_of(size), dtype or self.dtype))

    def new_tensor(self, data: Any, dtype: Any = None, device: Any = None) -> Tensor:
        """A tensor of the data, with this tensor's dtype unless another is given."""
        return Tensor(np.array(getattr(data, "array", data), dtype=dtype or self.dtype))

    def view_as(self, other: Tensor) -> Tensor:
        """A view in the shape of another tensor."""
        return self.view(other.shape)

    def reshape_as(self, other: Tensor) -> Tensor:
        """In the shape of another tensor."""
        return self.reshape(other.shape)

    def select(self, dim: int, index: int) -> Tensor:
        """One place of an axis, without that axis; a view."""
        axis = shapes.one(dim, self.array.ndim, "select")
        if not -self.shape[axis] <= index < self.shape[axis]:
            raise DomainError(f"select: place {index} lies outside of axis {axis} of shape {self.shape}")
        return self[(slice(None),) * axis + (index,)]

    # operators

    __getitem__ = indexing.getitem
    __add__ = __radd__ = e.add
    __sub__ = e.sub
    __mul__ = __rmul__ = e.mul
    __truediv__ = e.true_divide
    __floordiv__ = e.floor_divide
    __mod__ = e.remainder
    __pow__ = e.pow
    __matmul__ = linalg.matmul
    __neg__ = e.neg
    __abs__ = e.abs
    __invert__ = compare.bitwise_not
    __and__ = __rand__ = compare.bitwise_and
    __or__ = __ror__ = compare.bitwise_or
    __xor__ = __rxor__ = compare.bitwise_xor
    __lshift__, __rshift__ = compare.bitwise_left_shift, compare.bitwise_right_shift
    __eq__ = compare.eq  # type: ignore[assignment]
    __ne__ = compare.ne  # type: ignore[assignment]
    __lt__, __le__, __gt__, __ge__ = compare.lt, compare.le, compare.gt, compare.ge

    def __pos__(self) -> Tensor:
        return self

    def __rsub__(self, other: Any) -> Tensor:
        return e.sub(other, self)

    def __rtruediv__(self, other: Any) -> Tensor:
        return e.true_divide(other, self)

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
    abs, absolute, sign, frac = e.abs, e.abs, e.sign, e.frac
    exp, exp2, expm1, log, log2, log10, log1p = e.exp, e.exp2, e.expm1, e.log, e.log2, e.log10, e.log1p
    logaddexp, xlogy, hypot, atan2, arctan2 = e.logaddexp, e.xlogy, e.hypot, e.atan2, e.atan2
    sin, cos, tan, asin, acos, atan = e.sin, e.cos, e.tan, e.asin, e.acos, e.atan
    arcsin, arccos, arctan = e.asin, e.acos, e.atan
    sinh, cosh, tanh, asinh, acosh, atanh = e.sinh, e.cosh, e.tanh, e.asinh, e.acosh, e.atanh
    floor, ceil, trunc, fix, round = e.floor, e.ceil, e.trunc, e.trunc, e.round
    floor_divide, remainder, fmod = e.floor_divide, e.remainder, e.fmod
    maximum, minimum, clamp, clip, nan_to_num = e.maximum, e.minimum, e.clamp, e.clamp, e.nan_to_num
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
    isnan, isinf, isfinite = compare.isnan, compare.isinf, compare.isfinite
    isclose, allclose, equal = compare.isclose, compare.allclose, compare.equal
    sum, mean, prod, amax, amin, any, all = (
        reduce.sum, reduce.mean, reduce.prod, reduce.amax, reduce.amin, reduce.any, reduce.all,
    )  # fmt: skip
    argmax, argmin, count_nonzero, logsumexp, norm = (
        reduce.argmax, reduce.argmin, reduce.count_nonzero, reduce.logsumexp, reduce.norm,
    )  # fmt: skip
    var, std = reduce.var, reduce.std
    max, min, sort, argsort, topk = sorting.max, sorting.min, sorting.sort, sorting.argsort, sorting.topk
    kthvalue, median, quantile, unique, bincount, histc = (
        sorting.kthvalue, sorting.median, sorting.quantile, sorting.unique, sorting.bincount, sorting.histc,
    )  # fmt: skip
    cumsum, cumprod, cummax, cummin, diff = scans.cumsum, scans.cumprod, scans.cummax, scans.cummin, scans.diff
    matmul, mm, bmm, mv, dot, outer, ger, inner = (
        linalg.matmul, linalg.mm, linalg.bmm, linalg.mv, linalg.dot, linalg.outer, linalg.outer, linalg.inner,
    )  # fmt: skip
    addmm, baddbmm = linalg.addmm, linalg.baddbmm
    reshape, view, flatten, unflatten = shapes.reshape, shapes.view, shapes.flatten, shapes.unflatten
    squeeze, unsqueeze, permute, transpose, t = shapes.squeeze, shapes.unsqueeze, shapes.permute, shapes.transpose, shapes.t
    swapaxes, swapdims, movedim, moveaxis = shapes.transpose, shapes.transpose, shapes.movedim, shapes.movedim
    flip, fliplr, flipud, roll, rot90 = shapes.flip, shapes.fliplr, shapes.flipud, shapes.roll, shapes.rot90
    tril, triu, diagonal, diag, trace = shapes.tril, shapes.triu, shapes.diagonal, shapes.diag, shapes.trace
    diag_embed, expand, expand_as, broadcast_to = shapes.diag_embed, shapes.expand, shapes.expand_as, shapes.broadcast_to
    repeat, tile, narrow, split, chunk, unbind = (
        shapes.repeat, shapes.tile, shapes.narrow, shapes.split, shapes.chunk, shapes.unbind,
    )  # fmt: skip
    gather, scatter, scatter_add, take, take_along_dim = (
        indexing.gather, indexing.scatter, indexing.scatter_add, indexing.take, indexing.take_along_dim,
    )  # fmt: skip
    index_select, index_add, masked_fill, masked_select, nonzero, repeat_interleave = (
        indexing.index_select, indexing.index_add, indexing.masked_fill, indexing.masked_select, indexing.nonzero,
        indexing.repeat_interleave,
    )  # fmt: skip
    bernoulli, multinomial = random.bernoulli, random.multinomial

    def where(self, condition: Any, other: Any) -> Tensor:
        """self where the condition holds, else other"""
        return e.select(condition, self, other)


def _rebuild(kind: type[Tensor], array: Array, requires_grad: bool, extra: dict[str, Any] | None) -> Tensor:
    """A tensor from its parts, for copy and pickle."""
    made = kind.__new__(kind)
    Variable.__init__(made, array)
    if extra:
        made.__dict__.update(extra)
    return made.requires_grad_() if requires_grad else made


announce(Tensor)
inplace.know_views(reshaped, permuted, expanded, narrowed, diagonal_of, indexing.sliced)

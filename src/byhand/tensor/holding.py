"""What a tensor is and what it holds: shape, dtype, values, and Python's protocols. Part of `Tensor`."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from byhand.core import dtypes
from byhand.core.capture import look
from byhand.core.errors import DtypeError, GraphError, ShapeError
from byhand.core.recorder import wrap
from byhand.core.variable import Array, Variable
from byhand.ops import complex, linalg, shape
from byhand.ops.views import permuted
from byhand.tensor.display import text_of
from byhand.tensor.part import Part

if TYPE_CHECKING:
    from byhand.tensor import Tensor


class Holding(Part):
    """The properties of a tensor, and its values as Python and NumPy see them."""

    __slots__ = ()
    __array_ufunc__ = None  # so that `np_array * tensor` reaches __rmul__

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes of the axes."""
        sizes: tuple[int, ...] = self.array.shape
        return sizes

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

    @property
    def mH(self) -> Tensor:
        """The last two axes exchanged, and conjugated if complex."""
        return complex.conj(self.mT)

    @property
    def H(self) -> Tensor:
        """The conjugate transpose of a matrix."""
        return complex.conj(self.t())

    @property
    def real(self) -> Tensor:
        """The real part; of a real tensor itself."""
        return complex.real(self)

    @property
    def imag(self) -> Tensor:
        """The imaginary part of a complex tensor."""
        return complex.imag(self)

    # PyTorch's questions about where and how the values lie
    is_cpu = True
    is_cuda = is_mps = is_xpu = is_meta = is_sparse = is_quantized = is_nested = is_mkldnn = False
    layout = dtypes.strided

    def get_device(self) -> int:
        """−1, as PyTorch says of the CPU."""
        return -1

    def is_signed(self) -> bool:
        """Whether the dtype has negative values."""
        return self.array.dtype.kind in "ifc"

    def is_nonzero(self) -> bool:
        """Whether its one value is not 0; raises ShapeError if there are several."""
        return bool(self)

    def is_same_size(self, other: Tensor) -> bool:
        """Whether both have the same shape."""
        return self.shape == other.shape

    def share_memory_(self) -> Self:
        """Itself: memory is not shared between processes."""
        return self

    pin_memory = to_dense = share_memory_

    def is_pinned(self, device: Any = None) -> bool:
        """False: memory is pinned for GPUs."""
        return False

    is_shared = is_inference = is_conj = is_neg = is_pinned

    def size(self, dim: int | None = None) -> Any:
        """The shape, or the size of one axis; what NumPy calls size is `numel()`."""
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

    def storage_offset(self) -> int:
        """How many values of the array that owns the memory lie before its first."""
        owner = self.array
        while isinstance(owner.base, np.ndarray):
            owner = owner.base
        return (self.data_ptr() - int(owner.__array_interface__["data"][0])) // self.array.itemsize

    def is_contiguous(self) -> bool:
        """Whether the values lie in C order."""
        return bool(self.array.flags.c_contiguous)

    def contiguous(self, memory_format: Any = None) -> Tensor:
        """Itself if its values lie in C order, else a copy that does; itself for PyTorch's channels_last."""
        if memory_format in (dtypes.channels_last, dtypes.channels_last_3d):
            return self  # type: ignore[return-value]
        return self if self.array.flags.c_contiguous else shape.compact(self)  # type: ignore[return-value]

    def is_floating_point(self) -> bool:
        """Whether the dtype is a float."""
        return self.array.dtype.kind == "f"

    def is_complex(self) -> bool:
        """Whether the dtype is complex."""
        return self.array.dtype.kind == "c"

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
        look(self, "turned into a NumPy array")
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
        return bool(self.array)

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if self.array.dtype.kind not in "iub":
            raise DtypeError(f"only an integer tensor can be an index, not one of {self.dtype}")
        return int(self.item())

    def __format__(self, spec: str) -> str:
        look(self, "printed")
        return format(self.array.item() if self.array.ndim == 0 else repr(self), spec)

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
        look(self, "printed")
        notes = []
        if self.node is not None:
            notes = [f"grad_fn=<{self.node.op.name}>" if self.node.op is not None else "requires_grad=True"]
        return text_of(self.array, notes)

    __hash__ = object.__hash__

    def __reduce__(self) -> Any:
        if self.node is not None and self.node.op is not None:
            raise GraphError("only leaf tensors can be pickled or copied; detach() it first")
        return _rebuild, (
            type(self),
            self.array,
            self.requires_grad,
            self.__dict__ if hasattr(self, "__dict__") else None,
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if self.node is not None and self.node.op is not None:
            raise GraphError("only leaf tensors can be deep-copied; use detach().clone()")
        if id(self) not in memo:
            extra = copy.deepcopy(self.__dict__, memo) if hasattr(self, "__dict__") else None
            made = memo[id(self)] = _rebuild(type(self), self.array.copy(order="K"), self.requires_grad, extra)
            if self.grad is not None:
                made.grad = wrap(self.grad.array.copy(order="K"))
        found: Tensor = memo[id(self)]
        return found


def _rebuild(kind: Any, array: Array, requires_grad: bool, extra: dict[str, Any] | None) -> Any:
    """A tensor from its parts, for copy and pickle."""
    made = kind.__new__(kind)
    Variable.__init__(made, array)
    if extra:
        made.__dict__.update(extra)
    return made.requires_grad_() if requires_grad else made

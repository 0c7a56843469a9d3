"""Conversions and new tensors of the same kind: dtype, device, copies. Part of `Tensor`."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from byhand.core import dtypes
from byhand.core.capture import refuse, stands_in
from byhand.core.errors import UsageError
from byhand.core.recorder import wrap
from byhand.core.variable import Variable
from byhand.ops import elementwise as e
from byhand.ops.axes import shape_of
from byhand.tensor.part import Part

if TYPE_CHECKING:
    from byhand.tensor import Tensor


def _names_dtype(target: Any) -> bool:
    return isinstance(target, str) and target.split(":")[0] not in ("cpu", "cuda", "mps", "xpu", "meta")


class Convertible(Part):
    """A tensor in other dtypes."""

    __slots__ = ()

    def to(
        self, *targets: Any, dtype: Any = None, device: Any = None, copy: builtins.bool = False, **ignored: Any
    ) -> Tensor:
        """Itself, or converted to a dtype; a device must be the CPU.

        >>> import byhand
        >>> byhand.tensor([1, 2]).to(byhand.float64).dtype
        dtype('float64')
        """
        for target in targets:
            if isinstance(target, (dtypes.device, str)) and not _names_dtype(target):
                dtypes.check_device(target)
            elif isinstance(target, Variable):
                dtype = target.array.dtype
            elif not isinstance(target, bool):
                dtype = target
        dtypes.check_device(device)
        wanted = self.array.dtype if dtype is None else dtypes.resolve(dtype)
        if wanted == self.array.dtype:
            return self.clone() if copy else self  # type: ignore[return-value]
        if wanted.kind not in "fc" and self.node is not None:
            return e.cast(wrap(self.array), dtype=wanted)
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

    def short(self) -> Tensor:
        """Converted to int16."""
        return self.to(np.int16)

    def bool(self) -> Tensor:
        """Converted to bool."""
        return self.to(np.bool_)

    def char(self) -> Tensor:
        """Converted to int8."""
        return self.to(np.int8)

    def byte(self) -> Tensor:
        """Converted to uint8."""
        return self.to(np.uint8)

    def cpu(self) -> Self:
        """Itself."""
        return self

    def cuda(self, *_: Any, **__: Any) -> Tensor:
        """Refused: byhand computes on the CPU."""
        raise UsageError("byhand computes on the CPU; leave .cuda() out, or write .to('cpu')")

    def clone(self) -> Tensor:
        """A copy; gradients pass through."""
        return e.clone(self)

    def new_zeros(self, *size: Any, dtype: Any = None, requires_grad: builtins.bool = False, **where: Any) -> Tensor:
        """Zeros of this shape, with this tensor's dtype unless another is given."""
        return self._new(np.zeros, size, dtype, requires_grad, where)

    def new_ones(self, *size: Any, dtype: Any = None, requires_grad: builtins.bool = False, **where: Any) -> Tensor:
        """Ones of this shape, with this tensor's dtype unless another is given."""
        return self._new(np.ones, size, dtype, requires_grad, where)

    def new_empty(self, *size: Any, dtype: Any = None, requires_grad: builtins.bool = False, **where: Any) -> Tensor:
        """An unfilled tensor of this shape, with this tensor's dtype unless another is given."""
        return self._new(np.empty, size, dtype, requires_grad, where)

    def new_full(
        self, size: Any, fill_value: Any, dtype: Any = None, requires_grad: builtins.bool = False, **where: Any
    ) -> Tensor:
        """One value in this shape, with this tensor's dtype unless another is given."""
        value = getattr(fill_value, "array", fill_value)
        return self._new(lambda shape, kind: np.full(shape, value, kind), (size,), dtype, requires_grad, where)

    def new(self, *data: Any) -> Tensor:
        """PyTorch's old constructor: of sizes, or of values, in this tensor's dtype."""
        if len(data) == 1 and not isinstance(data[0], int):
            return self.new_tensor(data[0])
        return self.new_empty(data)

    def _new(self, make: Any, size: Any, dtype: Any, requires_grad: builtins.bool, where: dict[str, Any]) -> Tensor:
        """`where` is what PyTorch says of memory: the device must be the CPU, the rest has no effect."""
        dtypes.check_device(where.pop("device", None))
        size = (where.pop("size"),) if "size" in where else size
        if not where.keys() <= {"layout", "pin_memory"}:
            raise UsageError(f"a new tensor got the unknown keyword {', '.join(where)}")
        made = wrap(make(shape_of(size), self.dtype if dtype is None else dtypes.resolve(dtype)))
        return made.requires_grad_() if requires_grad else made

    def new_tensor(
        self, data: Any, dtype: Any = None, device: Any = None, requires_grad: builtins.bool = False
    ) -> Tensor:
        """A tensor of the data, with this tensor's dtype unless another is given."""
        if stands_in(data):
            refuse("made from values of the step; use clone() or byhand.stack", "the result of new_tensor")
        kind = self.dtype if dtype is None else dtypes.resolve(dtype)
        made = wrap(np.array(getattr(data, "array", data), dtype=kind))
        return made.requires_grad_() if requires_grad else made

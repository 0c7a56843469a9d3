"""Conversions and new tensors of the same kind: dtype, device, copies. Part of `Tensor`."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
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

    def new_zeros(self, *size: Any, dtype: Any = None, device: Any = None) -> Tensor:
        """Zeros of this shape, with this tensor's dtype unless another is given."""
        return wrap(np.zeros(shape_of(size), dtype or self.dtype))

    def new_ones(self, *size: Any, dtype: Any = None, device: Any = None) -> Tensor:
        """Ones of this shape, with this tensor's dtype unless another is given."""
        return wrap(np.ones(shape_of(size), dtype or self.dtype))

    def new_full(self, size: Sequence[builtins.int], value: Any, dtype: Any = None, device: Any = None) -> Tensor:
        """One value in this shape, with this tensor's dtype unless another is given."""
        return wrap(np.full(tuple(size), value, dtype or self.dtype))

    def new_empty(self, *size: Any, dtype: Any = None, device: Any = None) -> Tensor:
        """An unfilled tensor of this shape, with this tensor's dtype unless another is given."""
        return wrap(np.empty(shape_of(size), dtype or self.dtype))

    def new_tensor(self, data: Any, dtype: Any = None, device: Any = None) -> Tensor:
        """A tensor of the data, with this tensor's dtype unless another is given."""
        if stands_in(data):
            refuse("made from values of the step; use clone() or byhand.stack", "the result of new_tensor")
        return wrap(np.array(getattr(data, "array", data), dtype=dtype or self.dtype))

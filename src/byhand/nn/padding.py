"""Padding layers: zeros, a constant, the mirror image, the border or the other end, around the last axes.

The layers of a family differ in `nd`, how many axes they pad. Called by users.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from byhand.nn import functional as F
from byhand.nn.module import Module
from byhand.ops.axes import each
from byhand.tensor import Tensor


class _Pad(Module):
    """The widths, (before, after) for the last axis first, or one number for all of them; negative ones crop."""

    nd: ClassVar[int]
    mode: ClassVar[str]

    def __init__(self, padding: int | Sequence[int]) -> None:
        super().__init__()
        self.padding = each(padding, 2 * self.nd, self._get_name(), "padding")

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, self.mode)

    def extra_repr(self) -> str:
        return f"{self.padding}"

    def expects(self) -> str:
        inner = ", ".join("DHW"[3 - self.nd :]) if self.nd > 1 else "L"
        return f"(N, C, {inner}) or (C, {inner})"


class _ConstantPad(_Pad):
    mode = "constant"

    def __init__(self, padding: int | Sequence[int], value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, self.mode, self.value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPad):
    """`value` around the last axis."""

    nd = 1


class ConstantPad2d(_ConstantPad):
    """`value` around the last two axes."""

    nd = 2


class ConstantPad3d(_ConstantPad):
    """`value` around the last three axes."""

    nd = 3


class _ZeroPad(_ConstantPad):
    def __init__(self, padding: int | Sequence[int]) -> None:
        super().__init__(padding, 0.0)

    extra_repr = _Pad.extra_repr


class ZeroPad1d(_ZeroPad):
    """Zeros around the last axis."""

    nd = 1


class ZeroPad2d(_ZeroPad):
    """Zeros around the last two axes.

    >>> import byhand
    >>> from byhand import nn
    >>> nn.ZeroPad2d((1, 1, 2, 0))(byhand.ones(1, 3, 4, 4)).shape
    (1, 3, 6, 6)
    """

    nd = 2


class ZeroPad3d(_ZeroPad):
    """Zeros around the last three axes."""

    nd = 3


class _ReflectionPad(_Pad):
    mode = "reflect"


class ReflectionPad1d(_ReflectionPad):
    """The mirror image around the last axis, without the value at the border itself."""

    nd = 1


class ReflectionPad2d(_ReflectionPad):
    """The mirror image around the last two axes, without the values at the border themselves."""

    nd = 2


class ReflectionPad3d(_ReflectionPad):
    """The mirror image around the last three axes, without the values at the border themselves."""

    nd = 3


class _ReplicationPad(_Pad):
    mode = "replicate"


class ReplicationPad1d(_ReplicationPad):
    """The value at the border around the last axis."""

    nd = 1


class ReplicationPad2d(_ReplicationPad):
    """The values at the border around the last two axes."""

    nd = 2


class ReplicationPad3d(_ReplicationPad):
    """The values at the border around the last three axes."""

    nd = 3


class _CircularPad(_Pad):
    mode = "circular"


class CircularPad1d(_CircularPad):
    """The values from the other end around the last axis."""

    nd = 1


class CircularPad2d(_CircularPad):
    """The values from the other end around the last two axes."""

    nd = 2


class CircularPad3d(_CircularPad):
    """The values from the other end around the last three axes."""

    nd = 3

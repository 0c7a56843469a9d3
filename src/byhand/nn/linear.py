"""Affine layers: `Linear`, `Bilinear`, and `Identity`, which changes nothing. Called by users."""

from __future__ import annotations

import math
from typing import Any

from byhand.core.errors import UsageError
from byhand.creation import empty
from byhand.nn import functional as F
from byhand.nn import init
from byhand.nn.module import Module
from byhand.nn.parameter import Parameter
from byhand.tensor import Tensor


def check_sizes(name: str, **sizes: Any) -> None:
    """Raise UsageError unless all sizes are integers that are not negative."""
    for size, value in sizes.items():
        if isinstance(value, bool) or not hasattr(value, "__index__") or value < 0:
            raise UsageError(f"{name}: {size} is a number of values, not {value!r}")


class Identity(Module):
    """Returns its input; takes any arguments, so that it can stand in the place of any layer."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Any) -> Any:
        return input


class Linear(Module):
    """x Wᵀ + b: (…, in_features) → (…, out_features).

    weight  (out_features, in_features), drawn from U(−1/√in_features, 1/√in_features)
    bias    (out_features), drawn likewise; absent with bias=False

    >>> import byhand
    >>> from byhand import nn
    >>> nn.Linear(784, 30)(byhand.zeros(50, 784)).shape
    (50, 30)
    """

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        check_sizes("Linear", in_features=in_features, out_features=out_features)
        self.in_features, self.out_features = in_features, out_features
        # (out, in) for users, in memory (in, out): then x @ weight.T and its gradient read along rows, which takes
        # 44 µs in place of 60 for 784 → 30, a batch of 50 and two threads; with one thread little
        self.weight = Parameter(empty(in_features, out_features, device=device, dtype=dtype).array.T.copy(order="K"))
        self.register_parameter("bias", Parameter(empty(out_features, device=device, dtype=dtype)) if bias else None)
        self.reset_parameters()

    bias: Parameter | None

    def reset_parameters(self) -> None:
        """Draw the parameters anew, as PyTorch does: He's uniform values with a = √5 are U(±1/√in_features)."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(self.in_features) if self.in_features else 0
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Tensor) -> Tensor:
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"

    def describe(self) -> str:
        return f"{self._get_name()}({self.in_features} → {self.out_features})"

    def expects(self) -> str:
        return f"(..., {self.in_features})"


class Bilinear(Module):
    """yₖ = x₁ᵀ Wₖ x₂ + bₖ: (…, in1_features) and (…, in2_features) → (…, out_features).

    weight  (out_features, in1_features, in2_features), drawn from U(±1/√in1_features)
    bias    (out_features), drawn likewise; absent with bias=False
    """

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if in1_features <= 0:
            raise UsageError(f"Bilinear: in1_features must be positive, got {in1_features}")
        check_sizes("Bilinear", in2_features=in2_features, out_features=out_features)
        self.in1_features, self.in2_features, self.out_features = in1_features, in2_features, out_features
        self.weight = Parameter(empty(out_features, in1_features, in2_features, device=device, dtype=dtype))
        self.register_parameter("bias", Parameter(empty(out_features, device=device, dtype=dtype)) if bias else None)
        self.reset_parameters()

    bias: Parameter | None

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        bound = 1 / math.sqrt(self.in1_features)
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input1: Tensor, input2: Tensor) -> Tensor:
        return F.bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        sizes = f"in1_features={self.in1_features}, in2_features={self.in2_features}"
        return f"{sizes}, out_features={self.out_features}, bias={self.bias is not None}"

    def expects(self) -> str:
        return f"(..., {self.in1_features}) and (..., {self.in2_features})"

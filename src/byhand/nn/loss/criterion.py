"""What all losses share as modules: reduction, weight of classes, margin. Called by the losses beside it."""

from __future__ import annotations

from byhand.core.errors import ByhandError
from byhand.nn.functional.reduction import REDUCTIONS, chosen
from byhand.nn.module import Module
from byhand.tensor import Tensor


class Loss(Module):
    """A loss with its reduction: "mean", "sum" or "none"; `size_average` and `reduce` are PyTorch's older words."""

    allowed = REDUCTIONS

    def __init__(self, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = chosen(reduction, size_average, reduce, self.allowed)

    def _explained(self, error: ByhandError) -> bool:  # the function's error says it all, under the user's own name
        name, _, message = str(error.args[0]).partition(": ")
        error.args = (f"{self._get_name()}: {message if name.isidentifier() else error.args[0]}",)
        return True


class WeightedLoss(Loss):
    """A loss with a weight for each class, a buffer: it is saved and cast with the module."""

    weight: Tensor | None

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.register_buffer("weight", weight)


class MarginLoss(Loss):
    """A loss for targets 1 and −1 with a margin."""

    def __init__(
        self,
        margin: float = 0.0,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.margin = margin

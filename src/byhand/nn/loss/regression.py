"""Losses of regression as layers. Called by users."""

from __future__ import annotations

from typing import Any

from byhand.nn import functional as F
from byhand.nn.loss.criterion import Loss
from byhand.tensor import Tensor


class MSELoss(Loss):
    """(x − t)²: see `functional.mse_loss`.

    >>> import byhand
    >>> from byhand import nn
    >>> nn.MSELoss()(byhand.tensor([1.0, 2.0]), byhand.tensor([1.0, 4.0]))
    tensor(2.)
    """

    def forward(self, input: Tensor, target: Tensor) -> Any:
        return F.mse_loss(input, target, None, None, self.reduction)


class L1Loss(Loss):
    """|x − t|: see `functional.l1_loss`."""

    def forward(self, input: Tensor, target: Tensor) -> Any:
        return F.l1_loss(input, target, None, None, self.reduction)


class SmoothL1Loss(Loss):
    """d² / 2β where d = |x − t| < β, else d − β/2: see `functional.smooth_l1_loss`."""

    def __init__(
        self,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        beta: float = 1.0,
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.beta = beta

    def forward(self, input: Tensor, target: Tensor) -> Any:
        return F.smooth_l1_loss(input, target, None, None, self.reduction, self.beta)


class HuberLoss(Loss):
    """d² / 2 where d = |x − t| ≤ δ, else δ (d − δ/2): see `functional.huber_loss`."""

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(None, None, reduction)
        self.delta = delta

    def forward(self, input: Tensor, target: Tensor) -> Any:
        return F.huber_loss(input, target, self.reduction, self.delta)


class PoissonNLLLoss(Loss):
    """eˣ − t x for counts t and the logarithm x of their rate: see `functional.poisson_nll_loss`."""

    def __init__(
        self,
        log_input: bool = True,
        full: bool = False,
        size_average: bool | None = None,
        eps: float = 1e-8,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.log_input, self.full, self.eps = log_input, full, eps

    def forward(self, log_input: Tensor, target: Tensor) -> Any:
        return F.poisson_nll_loss(log_input, target, self.log_input, self.full, None, self.eps, None, self.reduction)


class GaussianNLLLoss(Loss):
    """(ln v + (x − t)² / v) / 2 with a variance v that the network predicts too: see `functional.gaussian_nll_loss`."""

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> None:
        super().__init__(None, None, reduction)
        self.full, self.eps = full, eps

    def forward(self, input: Tensor, target: Tensor, var: Tensor | float) -> Any:
        return F.gaussian_nll_loss(input, target, var, self.full, self.eps, self.reduction)

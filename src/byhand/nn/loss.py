"""Losses as modules: each keeps its arguments and calls the function of its kind in `nn.functional`.

Called by users and by `byhand.train.fit`. Formulas, shapes and sources stand with the functions.
"""

from __future__ import annotations

from typing import Any

from byhand.core.errors import ByhandError, UsageError
from byhand.nn import functional as F
from byhand.nn.functional.reduction import REDUCTIONS, chosen
from byhand.nn.module import Module
from byhand.tensor import Tensor


class _Loss(Module):
    """A loss with its reduction: "mean", "sum" or "none"; `size_average` and `reduce` are PyTorch's older words."""

    allowed = REDUCTIONS

    def __init__(self, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = chosen(reduction, size_average, reduce, self.allowed)

    def _explained(self, error: ByhandError) -> bool:  # the function's error says it all, under the user's own name
        name, _, message = str(error.args[0]).partition(": ")
        error.args = (f"{self._get_name()}: {message if name.isidentifier() else error.args[0]}",)
        return True


class _WeightedLoss(_Loss):
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


class CrossEntropyLoss(_WeightedLoss):
    """−ln softmax(x)[label] of logits (N, C): see `functional.cross_entropy`.

    >>> import byhand
    >>> from byhand import nn
    >>> nn.CrossEntropyLoss()(byhand.tensor([[2.0, 0.0]]), byhand.tensor([0]))
    tensor(0.1269)
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        ignore_index: int = -100,
        reduce: bool | None = None,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        if not 0 <= label_smoothing <= 1:
            raise UsageError(f"CrossEntropyLoss: label_smoothing lies between 0 and 1, got {label_smoothing}")
        self.ignore_index, self.label_smoothing = ignore_index, label_smoothing

    def forward(self, input: Tensor, target: Tensor) -> Any:
        return F.cross_entropy(
            input, target, self.weight, None, self.ignore_index, None, self.reduction, self.label_smoothing
        )


class NLLLoss(_WeightedLoss):
    """−x[label] of log-probabilities (N, C), as `LogSoftmax` returns them: see `functional.nll_loss`."""

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        ignore_index: int = -100,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        self.ignore_index = ignore_index

    def forward(self, input: Tensor, target: Tensor) -> Any:
        return F.nll_loss(input, target, self.weight, None, self.ignore_index, None, self.reduction)


class MultiMarginLoss(_WeightedLoss):
    """Σ max(0, margin − x[label] + x[j])ᵖ / C, the courses' SVM hinge loss: see `functional.multi_margin_loss`."""

    def __init__(
        self,
        p: int = 1,
        margin: float = 1.0,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        if p not in (1, 2):
            raise UsageError(f"MultiMarginLoss: p is 1 or 2, not {p!r}")
        self.p, self.margin = p, margin

    def forward(self, input: Tensor, target: Tensor) -> Any:
        return F.multi_margin_loss(input, target, self.p, self.margin, self.weight, reduction=self.reduction)


class BCELoss(_WeightedLoss):
    """−t ln x − (1 − t) ln(1 − x) of probabilities: see `functional.binary_cross_entropy`."""

    def forward(self, input: Tensor, target: Tensor) -> Any:
        return F.binary_cross_entropy(input, target, self.weight, reduction=self.reduction)


class BCEWithLogitsLoss(_WeightedLoss):
    """The same of logits, exact also where the sigmoid is 0 or 1: see `functional.binary_cross_entropy_with_logits`."""

    pos_weight: Tensor | None

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        pos_weight: Tensor | None = None,
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, input: Tensor, target: Tensor) -> Any:
        return F.binary_cross_entropy_with_logits(
            input, target, self.weight, None, None, self.reduction, self.pos_weight
        )


class KLDivLoss(_Loss):
    """t (ln t − x) of log-probabilities x; reduction may be "batchmean": see `functional.kl_div`."""

    allowed = (*REDUCTIONS, "batchmean")

    def __init__(
        self,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        log_target: bool = False,
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.log_target = log_target

    def forward(self, input: Tensor, target: Tensor) -> Any:
        return F.kl_div(input, target, None, None, self.reduction, self.log_target)


class MSELoss(_Loss):
    """(x − t)²: see `functional.mse_loss`.

    >>> import byhand
    >>> from byhand import nn
    >>> nn.MSELoss()(byhand.tensor([1.0, 2.0]), byhand.tensor([1.0, 4.0]))
    tensor(2.)
    """

    def forward(self, input: Tensor, target: Tensor) -> Any:
        return F.mse_loss(input, target, None, None, self.reduction)


class L1Loss(_Loss):
    """|x − t|: see `functional.l1_loss`."""

    def forward(self, input: Tensor, target: Tensor) -> Any:
        return F.l1_loss(input, target, None, None, self.reduction)


class SmoothL1Loss(_Loss):
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


class HuberLoss(_Loss):
    """d² / 2 where d = |x − t| ≤ δ, else δ (d − δ/2): see `functional.huber_loss`."""

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(None, None, reduction)
        self.delta = delta

    def forward(self, input: Tensor, target: Tensor) -> Any:
        return F.huber_loss(input, target, self.reduction, self.delta)


class PoissonNLLLoss(_Loss):
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


class GaussianNLLLoss(_Loss):
    """(ln v + (x − t)² / v) / 2 with a variance v that the network predicts too: see `functional.gaussian_nll_loss`."""

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> None:
        super().__init__(None, None, reduction)
        self.full, self.eps = full, eps

    def forward(self, input: Tensor, target: Tensor, var: Tensor | float) -> Any:
        return F.gaussian_nll_loss(input, target, var, self.full, self.eps, self.reduction)


class _MarginLoss(_Loss):
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


class HingeEmbeddingLoss(_MarginLoss):
    """x where the target is 1, max(0, margin − x) where it is −1: see `functional.hinge_embedding_loss`."""

    def __init__(
        self,
        margin: float = 1.0,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(margin, size_average, reduce, reduction)

    def forward(self, input: Tensor, target: Tensor) -> Any:
        return F.hinge_embedding_loss(input, target, self.margin, None, None, self.reduction)


class SoftMarginLoss(_Loss):
    """ln(1 + e^(−t x)) for targets 1 and −1: see `functional.soft_margin_loss`."""

    def forward(self, input: Tensor, target: Tensor) -> Any:
        return F.soft_margin_loss(input, target, None, None, self.reduction)


class MarginRankingLoss(_MarginLoss):
    """max(0, −t (x₁ − x₂) + margin): see `functional.margin_ranking_loss`."""

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Any:
        return F.margin_ranking_loss(input1, input2, target, self.margin, None, None, self.reduction)


class CosineEmbeddingLoss(_MarginLoss):
    """1 − cos(x₁, x₂) where the target is 1, else what exceeds margin: see `functional.cosine_embedding_loss`."""

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Any:
        return F.cosine_embedding_loss(input1, input2, target, self.margin, None, None, self.reduction)

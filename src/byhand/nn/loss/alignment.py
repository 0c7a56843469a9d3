"""`CTCLoss` as a layer. Called by users."""

from __future__ import annotations

from typing import Any

from byhand.nn import functional as F
from byhand.nn.loss.criterion import Loss
from byhand.tensor import Tensor


class CTCLoss(Loss):
    """−ln of the probability of a sequence of labels over all its alignments with time: see `functional.ctc_loss`."""

    def __init__(self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False) -> None:
        super().__init__(None, None, reduction)
        self.blank, self.zero_infinity = blank, zero_infinity

    def forward(self, log_probs: Tensor, targets: Tensor, input_lengths: Any, target_lengths: Any) -> Any:
        return F.ctc_loss(
            log_probs, targets, input_lengths, target_lengths, self.blank, self.reduction, self.zero_infinity
        )

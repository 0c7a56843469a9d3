"""SparseAdam, refused: there are no sparse gradients here."""

from __future__ import annotations

from typing import Any

from byhand.core.errors import UsageError
from byhand.optim.optimizer import Optimizer


class SparseAdam(Optimizer):
    """Adam for sparse gradients in PyTorch. This library has none, so it raises `UsageError` that names what to use."""

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        maximize: bool = False,
    ) -> None:
        raise UsageError(
            "SparseAdam: it updates from sparse gradients only, and sparse tensors are out of this library's scope; "
            "use Adam(params, lr), with Embedding(..., sparse=False)"
        )

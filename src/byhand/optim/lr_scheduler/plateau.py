"""A schedule that looks at the training: smaller steps when a measure stops getting better."""

from __future__ import annotations

import math
from typing import Any, Literal, SupportsFloat

from byhand.core.errors import UsageError
from byhand.optim.interval import ANY, DECAY, NONNEGATIVE
from byhand.optim.lr_scheduler.scheduler import (
    LRScheduler,
    check_optimizer,
    current_lrs,
    one_of,
    per_group,
    refuse_in_programs,
)
from byhand.optim.optimizer import Optimizer


class ReduceLROnPlateau(LRScheduler):
    """Times `factor` when the measure given to `step` has not got better for more than `patience` epochs.

    Better is a < best · (1 − threshold) for `mode="min"`, a > best · (1 + threshold) for `"max"`; with
    `threshold_mode="abs"` best ∓ threshold. After a reduction `cooldown` epochs are not counted. The rate does not
    fall below `min_lr` (one, or one for each group), nor change by less than `eps`. NaN counts as not better.

    >>> import byhand
    >>> optimizer = byhand.optim.SGD([byhand.ones(2, requires_grad=True)], lr=0.5)
    >>> scheduler = byhand.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=0)
    >>> for loss in (1.0, 0.9, 0.95):
    ...     scheduler.step(loss)
    >>> scheduler.get_last_lr()
    [0.25]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: Literal["min", "max"] = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: Literal["rel", "abs"] = "rel",
        cooldown: int = 0,
        min_lr: float | list[float] = 0,
        eps: float = 1e-8,
    ) -> None:
        check_optimizer(self, optimizer)
        self.optimizer = optimizer
        self.mode = one_of(self, "mode", mode, "min", "max")
        self.threshold_mode = one_of(self, "threshold_mode", threshold_mode, "rel", "abs")
        self.factor = DECAY.check(self._name, "factor", factor)
        self.patience = NONNEGATIVE.check(self._name, "patience", patience)
        self.threshold = ANY.check(self._name, "threshold", threshold)
        self.cooldown = NONNEGATIVE.check(self._name, "cooldown", cooldown)
        self.eps = NONNEGATIVE.check(self._name, "eps", eps)
        lowest = per_group(self, "min_lr", optimizer, min_lr)
        self.min_lrs = [NONNEGATIVE.check(self._name, "min_lr", lr) for lr in lowest]
        self.default_min_lr = None if isinstance(min_lr, (list, tuple)) else self.min_lrs[0]
        self.last_epoch = 0
        self._last_lr = current_lrs(optimizer)
        self._reset()

    @property
    def mode_worse(self) -> float:
        """What every measure is better than."""
        return math.inf if self.mode == "min" else -math.inf

    @property
    def in_cooldown(self) -> bool:
        """Whether epochs without progress are not counted at present."""
        return self.cooldown_counter > 0

    def _reset(self) -> None:
        self.best = self.mode_worse
        self.cooldown_counter: float = 0
        self.num_bad_epochs = 0

    def step(self, metrics: SupportsFloat, epoch: int | None = None) -> None:  # type: ignore[override]
        """Take note of this epoch's `metrics` (a number or a tensor of one element); reduce the rate if it is time."""
        refuse_in_programs()
        current = float(metrics)
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        if self._is_better(current, self.best):
            self.best = current
            self.num_bad_epochs = 0
        else:
            self.num_bad_epochs += 1
        if self.in_cooldown:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce_lr()
            self.cooldown_counter = self.cooldown
            self.num_bad_epochs = 0
        self._last_lr = current_lrs(self.optimizer)

    def _reduce_lr(self) -> None:
        groups = self.optimizer.param_groups
        if len(groups) != len(self.min_lrs):
            if self.default_min_lr is None:
                raise UsageError(
                    f"{self._name}: min_lr was given for {len(self.min_lrs)} parameter groups, the optimizer now has "
                    f"{len(groups)}; extend scheduler.min_lrs"
                )
            self.min_lrs = [self.default_min_lr] * len(groups)
        for group, lowest in zip(groups, self.min_lrs, strict=True):
            lr = max(group["lr"] * self.factor, lowest)
            if group["lr"] - lr > self.eps:
                group["lr"] = lr

    def _is_better(self, a: float, best: float) -> bool:
        sign = 1 if self.mode == "min" else -1
        if self.threshold_mode == "abs":
            return sign * a < sign * best - self.threshold
        return sign * a < sign * (best * (1.0 - sign * self.threshold))

    def state_dict(self) -> dict[str, Any]:
        """As in `LRScheduler`; `best` is None as long as there is none, since JSON has no infinity."""
        state = super().state_dict()
        return {**state, "best": None if math.isinf(self.best) else self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        if state_dict["best"] is None:
            self.best = self.mode_worse

"""Schedules along a cosine: once down, or again and again with restarts."""

from __future__ import annotations

import math

from byhand.core.errors import UsageError
from byhand.optim.interval import ANY
from byhand.optim.lr_scheduler.scheduler import (
    LRScheduler,
    current_lrs,
    positive,
    positive_int,
    refuse_in_programs,
)
from byhand.optim.optimizer import Optimizer


class CosineAnnealingLR(LRScheduler):
    """Half a cosine from the initial rate down to `eta_min` in `T_max` epochs (and up again in as many).

    lr = eta_min + (base_lr − eta_min) · (1 + cos(π · epoch / T_max)) / 2

    Source: Loshchilov and Hutter, SGDR: stochastic gradient descent with warm restarts (2017).
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        self.T_max = positive(self, "T_max", T_max)
        self.eta_min = ANY.check(self._name, "eta_min", eta_min)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The current rate moved along the curve: (lr − eta_min) times the ratio of two neighbouring points."""
        lrs = current_lrs(self.optimizer)
        if self._is_initial:
            return lrs
        if self._step_count == 1 and self.last_epoch > 0:
            return self._get_closed_form_lr()
        if (self.last_epoch - 1 - self.T_max) % (2 * self.T_max) == 0:  # on the way up from eta_min: no ratio
            rise = (1 - math.cos(math.pi / self.T_max)) / 2
            return [lr + (base - self.eta_min) * rise for base, lr in zip(self.base_lrs, lrs, strict=True)]
        ratio = (1 + math.cos(math.pi * self.last_epoch / self.T_max)) / (
            1 + math.cos(math.pi * (self.last_epoch - 1) / self.T_max)
        )
        return [ratio * (lr - self.eta_min) + self.eta_min for lr in lrs]

    def _get_closed_form_lr(self) -> list[float]:
        height = (1 + math.cos(math.pi * self.last_epoch / self.T_max)) / 2
        return [self.eta_min + (lr - self.eta_min) * height for lr in self.base_lrs]


class CosineAnnealingWarmRestarts(LRScheduler):
    """Half a cosine in `T_0` epochs, then from the top again, each time `T_mult` times as long.

    lr = eta_min + (base_lr − eta_min) · (1 + cos(π · T_cur / T_i)) / 2, where T_cur counts since the last restart and
    T_i is the length of the present period. `step(epoch)` may be given a fraction, such as epoch + batch / batches.

    Source: Loshchilov and Hutter, SGDR: stochastic gradient descent with warm restarts (2017).
    """

    def __init__(
        self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        self.T_0 = self.T_i = positive_int(self, "T_0", T_0)
        self.T_mult = positive_int(self, "T_mult", T_mult)
        self.eta_min = ANY.check(self._name, "eta_min", eta_min)
        self.T_cur: float = last_epoch
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The point T_cur of the present cosine."""
        height = (1 + math.cos(math.pi * self.T_cur / self.T_i)) / 2
        return [self.eta_min + (lr - self.eta_min) * height for lr in self.base_lrs]

    def step(self, epoch: float | None = None) -> None:
        """Go on by one, or to `epoch`, which may be a fraction."""
        refuse_in_programs()
        if epoch is None and self.last_epoch < 0:
            epoch = 0
        self._step_count += 1
        if epoch is not None:
            self._update_lr(epoch)
            return
        self.T_cur += 1
        if self.T_cur >= self.T_i:
            self.T_cur %= self.T_i
            self.T_i *= self.T_mult
        self.last_epoch += 1
        self._set_lr(self.get_lr())

    def _update_lr(self, epoch: float | None = None) -> None:
        if epoch is None or not epoch >= 0:
            raise UsageError(f"{self._name}: epoch must be a number >= 0; got {epoch!r}")
        periods = self._periods_before(epoch)
        self.T_i = self.T_0 * self.T_mult**periods
        if self.T_mult == 1:
            self.T_cur = epoch % self.T_0
        else:
            self.T_cur = epoch - self.T_0 * (self.T_mult**periods - 1) // (self.T_mult - 1)
        self.last_epoch = math.floor(epoch)
        self._set_lr(self.get_lr())

    def _periods_before(self, epoch: float) -> int:
        """How many whole periods end at or before `epoch`; 0 where all are equally long."""
        periods, end, length = 0, self.T_0, self.T_0
        while self.T_mult > 1 and epoch >= end:
            length *= self.T_mult
            end += length
            periods += 1
        return periods

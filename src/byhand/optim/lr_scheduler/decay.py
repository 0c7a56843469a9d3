"""Schedules given by a factor: a function of the epoch, steps, an exponential, a line, a polynomial."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from byhand.core.errors import UsageError
from byhand.optim.interval import FRACTION, NONNEGATIVE, Interval
from byhand.optim.lr_scheduler.scheduler import (
    LRScheduler,
    check_optimizer,
    current_lrs,
    function_state,
    per_group,
    plain,
    positive,
    positive_int,
)
from byhand.optim.optimizer import Optimizer

Factor = Callable[[int], float]


class _FunctionLR(LRScheduler):
    """A factor from a Python function (or one for each parameter group); functions are not saved."""

    hidden = LRScheduler.hidden | {"lr_lambdas"}

    def __init__(self, optimizer: Optimizer, lr_lambda: Factor | list[Factor], last_epoch: int = -1) -> None:
        check_optimizer(self, optimizer)
        self.lr_lambdas: list[Any] = per_group(self, "lr_lambda", optimizer, lr_lambda)
        for function in self.lr_lambdas:
            if not callable(function):
                raise UsageError(f"{self._name}: lr_lambda must be a function of the epoch; got {function!r}")
        super().__init__(optimizer, last_epoch)

    def state_dict(self) -> dict[str, Any]:
        """As in `LRScheduler`; of callable objects in `lr_lambdas` the attributes, of functions None."""
        return {**super().state_dict(), "lr_lambdas": [function_state(f) for f in self.lr_lambdas]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.check_state(state_dict)
        entries = plain(state_dict)
        for function, attributes in zip(self.lr_lambdas, entries.pop("lr_lambdas"), strict=True):
            if attributes:
                function.__dict__.update(attributes)
        self.__dict__.update(entries)


class LambdaLR(_FunctionLR):
    """The initial rate times a function of the epoch: lr = base_lr · f(epoch).

    >>> import byhand
    >>> optimizer = byhand.optim.SGD([byhand.ones(2, requires_grad=True)], lr=0.5)
    >>> scheduler = byhand.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 1 / (1 + epoch))
    >>> optimizer.step(); scheduler.step(); scheduler.get_last_lr()
    [0.25]
    """

    def get_lr(self) -> list[float]:
        """base_lr · f(epoch)."""
        return [lr * f(self.last_epoch) for f, lr in zip(self.lr_lambdas, self.base_lrs, strict=True)]


class MultiplicativeLR(_FunctionLR):
    """The current rate times a function of the epoch: lr ← lr · f(epoch)."""

    def get_lr(self) -> list[float]:
        """`lr` · f(epoch)."""
        lrs = current_lrs(self.optimizer)
        if self._is_initial:
            return lrs
        return [lr * f(self.last_epoch) for f, lr in zip(self.lr_lambdas, lrs, strict=True)]


class StepLR(LRScheduler):
    """Times `gamma` every `step_size` epochs: lr = base_lr · gamma^⌊epoch / step_size⌋."""

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        self.step_size = positive_int(self, "step_size", step_size)
        self.gamma = NONNEGATIVE.check(self._name, "gamma", gamma)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """`lr` · gamma in every `step_size`-th epoch, lr in the others."""
        if self.last_epoch == 0 or self.last_epoch % self.step_size:
            return current_lrs(self.optimizer)
        return [lr * self.gamma for lr in current_lrs(self.optimizer)]

    def _get_closed_form_lr(self) -> list[float]:
        return [lr * self.gamma ** (self.last_epoch // self.step_size) for lr in self.base_lrs]


class MultiStepLR(LRScheduler):
    """Times `gamma` at each of the epochs in `milestones`."""

    def __init__(
        self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.milestones = Counter(int(m) for m in milestones)
        self.gamma = NONNEGATIVE.check(self._name, "gamma", gamma)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """`lr` · gamma at a milestone (as often as it is listed), lr in between."""
        if self.last_epoch not in self.milestones:
            return current_lrs(self.optimizer)
        factor = self.gamma ** self.milestones[self.last_epoch]
        return [lr * factor for lr in current_lrs(self.optimizer)]

    def _get_closed_form_lr(self) -> list[float]:
        passed = bisect_right(sorted(self.milestones.elements()), self.last_epoch)
        return [lr * self.gamma**passed for lr in self.base_lrs]

    def state_dict(self) -> dict[str, Any]:
        """As in `LRScheduler`, `milestones` as a sorted list."""
        return {**super().state_dict(), "milestones": sorted(self.milestones.elements())}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self.milestones = Counter(state_dict["milestones"])


class ConstantLR(LRScheduler):
    """Times `factor` during the first `total_iters` epochs, then the full rate."""

    def __init__(
        self, optimizer: Optimizer, factor: float = 1.0 / 3, total_iters: int = 5, last_epoch: int = -1
    ) -> None:
        self.factor = FRACTION.check(self._name, "factor", factor)
        self.total_iters = NONNEGATIVE.check(self._name, "total_iters", total_iters)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """`lr` · factor at the start, lr / factor at `total_iters`, lr in between."""
        lrs = current_lrs(self.optimizer)
        if self.last_epoch == 0:
            return [lr * self.factor for lr in lrs]
        if self.last_epoch != self.total_iters:
            return lrs
        if self.factor == 0:  # nothing is left to divide
            return list(self.base_lrs)
        return [lr * (1.0 / self.factor) for lr in lrs]

    def _get_closed_form_lr(self) -> list[float]:
        return [lr * (self.factor + (self.last_epoch >= self.total_iters) * (1 - self.factor)) for lr in self.base_lrs]


class LinearLR(LRScheduler):
    """A line from `start_factor` to `end_factor` over `total_iters` epochs, constant after it.

    With the defaults it is a warm-up. A warm-up and then a decay, as for transformers:

    >>> import byhand
    >>> from byhand.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR
    >>> optimizer = byhand.optim.SGD([byhand.ones(2, requires_grad=True)], lr=0.8)
    >>> warm_up = LinearLR(optimizer, start_factor=0.25, total_iters=3)
    >>> decay = CosineAnnealingLR(optimizer, T_max=4)
    >>> scheduler = SequentialLR(optimizer, [warm_up, decay], milestones=[3])
    >>> for _ in range(8):
    ...     print(round(scheduler.get_last_lr()[0], 4), end=" ")
    ...     optimizer.step()
    ...     scheduler.step()
    0.2 0.4 0.6 0.8 0.6828 0.4 0.1172 0.0
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        self.start_factor = Interval(0, 1, low_open=True).check(self._name, "start_factor", start_factor)
        self.end_factor = FRACTION.check(self._name, "end_factor", end_factor)
        self.total_iters = positive(self, "total_iters", total_iters)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """`lr` times the ratio of two neighbouring points of the line."""
        lrs = current_lrs(self.optimizer)
        if self.last_epoch == 0:
            return [lr * self.start_factor for lr in lrs]
        if self._is_initial or self.last_epoch > self.total_iters:
            return lrs
        rise = self.end_factor - self.start_factor
        ratio = 1.0 + rise / (self.total_iters * self.start_factor + (self.last_epoch - 1) * rise)
        return [lr * ratio for lr in lrs]

    def _get_closed_form_lr(self) -> list[float]:
        rise = self.end_factor - self.start_factor
        factor = self.start_factor + rise * min(self.total_iters, self.last_epoch) / self.total_iters
        return [lr * factor for lr in self.base_lrs]


class ExponentialLR(LRScheduler):
    """Times `gamma` every epoch: lr = base_lr · gamma^epoch."""

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = NONNEGATIVE.check(self._name, "gamma", gamma)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The current `lr` times gamma."""
        if self._is_initial:
            return current_lrs(self.optimizer)
        return [lr * self.gamma for lr in current_lrs(self.optimizer)]

    def _get_closed_form_lr(self) -> list[float]:
        return [lr * self.gamma**self.last_epoch for lr in self.base_lrs]


class PolynomialLR(LRScheduler):
    """A power of the remaining share: lr = base_lr · (1 − epoch / total_iters)^power, 0 after `total_iters`."""

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1) -> None:
        self.total_iters = positive(self, "total_iters", total_iters)
        self.power = NONNEGATIVE.check(self._name, "power", power)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """`lr` times the ratio of two neighbouring points of the curve."""
        lrs = current_lrs(self.optimizer)
        if self._is_initial or self.last_epoch > self.total_iters:
            return lrs
        left = 1.0 - self.last_epoch / self.total_iters
        ratio = (left / (1.0 - (self.last_epoch - 1) / self.total_iters)) ** self.power
        return [lr * ratio for lr in lrs]

    def _get_closed_form_lr(self) -> list[float]:
        factor = (1.0 - min(self.total_iters, self.last_epoch) / self.total_iters) ** self.power
        return [lr * factor for lr in self.base_lrs]

"""Schedules that go up and down, with the momentum going the other way: `CyclicLR` and `OneCycleLR`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from byhand.core.errors import UsageError
from byhand.optim.interval import DECAY, FRACTION, NONNEGATIVE
from byhand.optim.lr_scheduler.scheduler import (
    LRScheduler,
    check_optimizer,
    function_state,
    one_of,
    per_group,
    plain,
    positive,
    positive_int,
)
from byhand.optim.optimizer import Optimizer


class _MomentumCycle(LRScheduler):
    """A schedule that also sets `momentum`, or the first of `betas`, in every parameter group."""

    cycle_momentum: bool
    use_beta1: bool

    def _begin_momentum(self, base: Any, peak: Any, first: bool) -> tuple[list[float], list[float]]:
        """The lowest and the highest momentum of each group; written into the groups when `first`."""
        optimizer = self.optimizer
        if "momentum" not in optimizer.defaults and "betas" not in optimizer.defaults:
            raise UsageError(
                f"{self._name}: {type(optimizer).__name__} has neither momentum nor betas; pass cycle_momentum=False"
            )
        self.use_beta1 = "betas" in optimizer.defaults
        bases = [DECAY.check(self._name, "base_momentum", m) for m in self._per_group("base_momentum", base)]
        peaks = [DECAY.check(self._name, "max_momentum", m) for m in self._per_group("max_momentum", peak)]
        if first:
            for group, low, high in zip(optimizer.param_groups, bases, peaks, strict=True):
                self._set_momentum(group, high)
                group["max_momentum"] = high
                group["base_momentum"] = low
        return bases, peaks

    def _set_momentum(self, group: dict[str, Any], momentum: float) -> None:
        if self.use_beta1:
            group["betas"] = (momentum, *group["betas"][1:])
        else:
            group["momentum"] = momentum

    def _per_group(self, name: str, value: Any) -> list[Any]:
        return per_group(self, name, self.optimizer, value)

    def _rates(self, name: str, value: Any) -> list[float]:
        return [NONNEGATIVE.check(self._name, name, lr) for lr in self._per_group(name, value)]


class CyclicLR(_MomentumCycle):
    """Up from `base_lr` to `max_lr` in `step_size_up` steps, down again in `step_size_down`, and so on.

    In cycle c = ⌊1 + step / (up + down)⌋, with the height h of the triangle in 0 … 1:

        lr = base_lr + (max_lr − base_lr) · h · scale

    scale is 1 (`triangular`), 2^(1−c) (`triangular2`), gamma^step (`exp_range`), or `scale_fn` of c
    (`scale_mode="cycle"`) or of the step (`"iterations"`). With `cycle_momentum` the momentum falls from `max_momentum`
    to `base_momentum` while the rate rises. One step a batch.

    Source: Smith, Cyclical learning rates for training neural networks (2017).
    """

    hidden = LRScheduler.hidden | {"_scale_fn_custom"}

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: float | list[float],
        max_lr: float | list[float],
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: Literal["triangular", "triangular2", "exp_range"] = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: Literal["cycle", "iterations"] = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.8,
        max_momentum: float | list[float] = 0.9,
        last_epoch: int = -1,
    ) -> None:
        check_optimizer(self, optimizer)
        self.optimizer = optimizer
        base_lrs = self._rates("base_lr", base_lr)
        self.max_lrs = self._rates("max_lr", max_lr)
        up = positive(self, "step_size_up", step_size_up)
        down = up if step_size_down is None else positive(self, "step_size_down", step_size_down)
        self.total_size = float(up + down)
        self.step_ratio = up / self.total_size
        if scale_fn is None:
            one_of(self, "mode", mode, "triangular", "triangular2", "exp_range")
        one_of(self, "scale_mode", scale_mode, "cycle", "iterations")
        self.mode = mode
        self.gamma = NONNEGATIVE.check(self._name, "gamma", gamma)
        self._scale_fn_custom = scale_fn
        self.scale_mode = scale_mode if scale_fn else "iterations" if mode == "exp_range" else "cycle"
        self.cycle_momentum = cycle_momentum
        first = last_epoch == -1
        if cycle_momentum:
            self.base_momentums, self.max_momentums = self._begin_momentum(base_momentum, max_momentum, first)
        if first:
            for group, lr in zip(optimizer.param_groups, base_lrs, strict=True):
                group["lr"] = lr
        super().__init__(optimizer, last_epoch)
        self.base_lrs = base_lrs

    def scale_fn(self, x: float) -> float:
        """The factor on the height, at cycle or step `x`."""
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        if self.mode == "triangular":
            return 1.0
        return 1 / 2.0 ** (x - 1) if self.mode == "triangular2" else float(self.gamma**x)

    def get_lr(self) -> list[float]:
        """The rates at this step; sets the momentum too."""
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        x = 1.0 + self.last_epoch / self.total_size - cycle
        height = x / self.step_ratio if x <= self.step_ratio else (x - 1) / (self.step_ratio - 1)
        height *= self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            momenta = zip(self.optimizer.param_groups, self.base_momentums, self.max_momentums, strict=True)
            for group, low, high in momenta:
                self._set_momentum(group, high - (high - low) * height)
        return [low + (high - low) * height for low, high in zip(self.base_lrs, self.max_lrs, strict=True)]

    def state_dict(self) -> dict[str, Any]:
        """As in `LRScheduler`; of a callable object as `scale_fn` the attributes."""
        return {**super().state_dict(), "scale_fn": function_state(self._scale_fn_custom)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.check_state(state_dict)
        entries = plain(state_dict)
        attributes = entries.pop("scale_fn")
        if attributes and self._scale_fn_custom is not None:
            self._scale_fn_custom.__dict__.update(attributes)
        self.__dict__.update(entries)


class _Phase(NamedTuple):
    """A stretch of `OneCycleLR` that ends at `end`; the names are keys of the parameter groups."""

    end: float
    start_lr: str
    end_lr: str
    start_momentum: str
    end_momentum: str


class OneCycleLR(_MomentumCycle):
    """One cycle over a whole training: up to `max_lr`, then down to far below the start. One step a batch.

    From max_lr / div_factor up to max_lr during the share `pct_start` of the `total_steps` (or epochs ·
    steps_per_epoch), then down to max_lr / div_factor / final_div_factor; with `three_phase` first down to the start
    in as many steps. `anneal_strategy` is the form of each stretch, "cos" or "linear". With `cycle_momentum` the
    momentum (β₁ of Adam) goes from `max_momentum` to `base_momentum` and back.

    Source: Smith and Topin, Super-convergence: very fast training of neural networks using large learning rates
    (2018).
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | list[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: Literal["cos", "linear"] = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.85,
        max_momentum: float | list[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        check_optimizer(self, optimizer)
        self.optimizer = optimizer
        if total_steps is None:
            if epochs is None or steps_per_epoch is None:
                raise UsageError("OneCycleLR: give total_steps, or both epochs and steps_per_epoch")
            total_steps = positive_int(self, "epochs", epochs) * positive_int(self, "steps_per_epoch", steps_per_epoch)
        self.total_steps = positive_int(self, "total_steps", total_steps)
        self.pct_start = FRACTION.check(self._name, "pct_start", pct_start)
        self.anneal_strategy = one_of(self, "anneal_strategy", anneal_strategy, "cos", "linear")
        self.three_phase = three_phase
        positive(self, "div_factor", div_factor)
        positive(self, "final_div_factor", final_div_factor)
        self.cycle_momentum = cycle_momentum
        max_lrs = self._rates("max_lr", max_lr)
        first = last_epoch == -1
        if cycle_momentum:
            self._begin_momentum(base_momentum, max_momentum, first)
        if first:
            for group, lr in zip(optimizer.param_groups, max_lrs, strict=True):
                group["initial_lr"] = lr / div_factor
                group["max_lr"] = lr
                group["min_lr"] = group["initial_lr"] / final_div_factor
        super().__init__(optimizer, last_epoch)

    def _phases(self) -> list[_Phase]:
        up = _Phase(self.pct_start * self.total_steps - 1, "initial_lr", "max_lr", "max_momentum", "base_momentum")
        last = self.total_steps - 1
        if not self.three_phase:
            return [up, _Phase(last, "max_lr", "min_lr", "base_momentum", "max_momentum")]
        down = _Phase(
            2 * self.pct_start * self.total_steps - 2, "max_lr", "initial_lr", up.end_momentum, "max_momentum"
        )
        return [up, down, _Phase(last, "initial_lr", "min_lr", "max_momentum", "max_momentum")]

    def get_lr(self) -> list[float]:
        """The rates at this step; sets the momentum too."""
        if self.last_epoch > self.total_steps:
            raise UsageError(
                f"OneCycleLR: step {self.last_epoch} of a schedule of total_steps={self.total_steps}; "
                "give it the number of all training steps, epochs · batches"
            )
        start = 0.0
        phases = self._phases()
        for phase in phases:
            if self.last_epoch <= phase.end:
                break
            start = phase.end
        else:
            start = phases[-2].end
        length = phase.end - start
        share = (self.last_epoch - start) / length if length else 1.0
        for group in self.optimizer.param_groups if self.cycle_momentum else ():
            self._set_momentum(group, self._anneal(group[phase.start_momentum], group[phase.end_momentum], share))
        return [
            self._anneal(group[phase.start_lr], group[phase.end_lr], share) for group in self.optimizer.param_groups
        ]

    def _anneal(self, start: float, end: float, share: float) -> float:
        if self.anneal_strategy == "linear":
            return (end - start) * share + start
        return end + (start - end) / 2.0 * (math.cos(math.pi * share) + 1)

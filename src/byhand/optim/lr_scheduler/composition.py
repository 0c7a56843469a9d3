"""Schedules made of schedules: one after the other, or all at once."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from byhand.core.errors import CheckpointError, UsageError
from byhand.optim.lr_scheduler.plateau import ReduceLROnPlateau
from byhand.optim.lr_scheduler.scheduler import LRScheduler, current_lrs, plain, refuse_in_programs
from byhand.optim.optimizer import Optimizer


class _Composition(LRScheduler):
    """What schedules of schedules share: the check of their parts, and saving them."""

    hidden = LRScheduler.hidden | {"_schedulers", "_step_count"}

    _schedulers: list[LRScheduler]

    def _take(self, schedulers: Any, optimizer: Optimizer | None) -> None:
        """Keep `schedulers`; raises `UsageError` unless all can be stepped alike and belong to `optimizer`."""
        if not isinstance(schedulers, Sequence) or not schedulers:
            raise UsageError(f"{self._name}: schedulers must be a list of at least one scheduler; got {schedulers!r}")
        for i, scheduler in enumerate(schedulers):
            kind = type(scheduler).__name__
            if not isinstance(scheduler, LRScheduler):
                raise UsageError(f"{self._name}: schedulers[{i}] must be a scheduler; got a {kind}")
            if isinstance(scheduler, ReduceLROnPlateau):
                raise UsageError(
                    f"{self._name}: schedulers[{i}] is a ReduceLROnPlateau, whose step needs a measure; "
                    "step it on its own"
                )
            if scheduler.optimizer is not (optimizer or schedulers[0].optimizer):
                raise UsageError(f"{self._name}: schedulers[{i}], a {kind}, belongs to another optimizer")
        self._schedulers = list(schedulers)
        self.optimizer = optimizer or schedulers[0].optimizer

    def _undo_initial_step(self) -> None:
        for scheduler in self._schedulers:
            scheduler._undo_initial_step()

    def state_dict(self) -> dict[str, Any]:
        """As in `LRScheduler`, with the state of each part."""
        return {**super().state_dict(), "_schedulers": [s.state_dict() for s in self._schedulers]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.check_state(state_dict)
        entries = plain(state_dict)
        for scheduler, state in zip(self._schedulers, entries.pop("_schedulers"), strict=True):
            scheduler.load_state_dict(state)
        self.__dict__.update(entries)

    def check_state(self, state_dict: Any) -> None:
        """As in `LRScheduler`, and the same for each part."""
        super().check_state(state_dict)
        states = state_dict["_schedulers"]
        if len(states) != len(self._schedulers):
            raise CheckpointError(
                f"{self._name}: the state_dict is of {len(states)} schedulers, this one has {len(self._schedulers)}"
            )
        for scheduler, state in zip(self._schedulers, states, strict=True):
            scheduler.check_state(state)


class SequentialLR(_Composition):
    """One schedule after the other: `schedulers[i + 1]` begins, from the initial rate, at epoch `milestones[i]`.

    `LinearLR` shows a warm-up followed by a decay.
    """

    def __init__(
        self, optimizer: Optimizer, schedulers: Sequence[LRScheduler], milestones: list[int], last_epoch: int = -1
    ) -> None:
        self._take(schedulers, optimizer)
        if len(milestones) != len(schedulers) - 1 or sorted(milestones) != list(milestones):
            raise UsageError(
                f"SequentialLR: {len(schedulers)} schedulers need {len(schedulers) - 1} milestones in rising order, "
                f"the epochs where the next begins; got {list(milestones)}"
            )
        self._milestones = list(milestones)
        self.last_epoch = last_epoch + 1
        self._undo_initial_step()
        self._begin(bisect_right(self._milestones, 0))

    def _begin(self, i: int) -> None:
        """Set the initial rates and start part `i`: its own constructor did, but later ones have overwritten it."""
        for group in self.optimizer.param_groups:
            group["lr"] = group["initial_lr"]
        self._schedulers[i]._initial_step()
        self._last_lr = self._schedulers[i].get_last_lr()

    def step(self) -> None:  # type: ignore[override]
        """Go on by one."""
        refuse_in_programs()
        self.last_epoch += 1
        i = bisect_right(self._milestones, self.last_epoch)
        scheduler = self._schedulers[i]
        if i > 0 and self._milestones[i - 1] == self.last_epoch:
            scheduler._restart()
        else:
            scheduler.step()
        self._last_lr = scheduler.get_last_lr()

    def _initial_step(self) -> None:
        self.last_epoch = 0
        self._begin(bisect_right(self._milestones, 0))

    def _restart(self) -> None:
        self._initial_step()


class ChainedScheduler(_Composition):
    """All schedules at once: each step of it is one step of each, and their factors multiply."""

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None) -> None:
        self._take(schedulers, optimizer)
        self._last_lr = current_lrs(self.optimizer)

    def step(self) -> None:  # type: ignore[override]
        """Go on by one."""
        for scheduler in self._schedulers:
            scheduler.step()
        self._last_lr = current_lrs(self.optimizer)

    def _initial_step(self) -> None:
        for scheduler in self._schedulers:
            scheduler._initial_step()
        self._last_lr = current_lrs(self.optimizer)

    def _restart(self) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = group["initial_lr"]
        self._initial_step()

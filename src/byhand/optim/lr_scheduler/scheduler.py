"""`LRScheduler`: what all schedules share, and how one is written.

A training loop calls `optimizer.step()` and then `scheduler.step()`; checkpoints call `state_dict`.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable
from types import FunctionType
from typing import Any, ClassVar

from byhand.core.capture import refuse
from byhand.core.errors import CheckpointError, UsageError
from byhand.optim.interval import Interval
from byhand.optim.optimizer import Optimizer


def refuse_in_programs() -> None:
    """Raise CaptureError in a step that is being captured: a program reads the learning rate, and changes nothing."""
    refuse("moved on inside of the step; call scheduler.step() after the compiled step", "the schedule")


class LRScheduler:
    """The base of all schedules: after each `step()` it sets `lr` in every parameter group of `optimizer`.

    A subclass implements `get_lr()`: the new learning rates from `self.last_epoch`, `self.base_lrs` and the current
    `group["lr"]`. Rules that multiply the current value can be chained. `_get_closed_form_lr()`, where there is one,
    gives the same from `last_epoch` alone; `step(epoch)` and `SequentialLR` use it.

    last_epoch   −1 to start; the number of steps already taken to continue, then each group needs `initial_lr`
    base_lrs     the learning rates that the schedule started from, one for each group

    >>> import byhand
    >>> optimizer = byhand.optim.SGD([byhand.ones(2, requires_grad=True)], lr=1.0)
    >>> class Inverse(byhand.optim.lr_scheduler.LRScheduler):
    ...     def get_lr(self):
    ...         return [lr / (1 + self.last_epoch) for lr in self.base_lrs]
    >>> scheduler = Inverse(optimizer)
    >>> optimizer.step(); scheduler.step()
    >>> scheduler.get_last_lr()
    [0.5]
    """

    hidden: ClassVar[frozenset[str]] = frozenset({"optimizer", "_is_initial"})
    """Attributes that `state_dict` leaves out."""

    optimizer: Optimizer
    base_lrs: list[float]
    last_epoch: int
    _last_lr: list[float]
    _is_initial: bool = False
    _step_count: int = 0

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        check_optimizer(self, optimizer)
        self.optimizer = optimizer
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise UsageError(
                    f"{self._name}: last_epoch={last_epoch} continues a schedule, but param_groups[{i}] has no "
                    "'initial_lr'; load the optimizer's state_dict first, or start with last_epoch=-1"
                )
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._initial_step()

    def get_last_lr(self) -> list[float]:
        """The learning rates that the last step set, one for each parameter group."""
        return self._last_lr

    def get_lr(self) -> list[float]:
        """The learning rates of the epoch `last_epoch`; called by `step`. To read them use `get_last_lr`."""
        raise NotImplementedError(f"{self._name} must implement get_lr()")

    def step(self, epoch: int | None = None) -> None:
        """Go on by one (or to `epoch`) and set the learning rates; call it after `optimizer.step()`."""
        refuse_in_programs()
        if self._step_count == 1 and not self.optimizer._stepped:
            warnings.warn(
                "lr_scheduler.step() was called before optimizer.step(): the first learning rate of the schedule is "
                "skipped. Call optimizer.step() first.",
                UserWarning,
                stacklevel=2,
            )
        self._step_count += 1
        self._update_lr(epoch)

    def state_dict(self) -> dict[str, Any]:
        """All that is needed to continue, as plain Python values; functions and the optimizer are left out."""
        return {key: plain(value) for key, value in self.__dict__.items() if key not in self.hidden}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a `state_dict`; the optimizer's learning rate comes with the optimizer's own.

        Raises `CheckpointError`, and changes nothing, when it was saved by another kind of schedule.
        """
        self.check_state(state_dict)
        self.__dict__.update(plain(state_dict))

    def check_state(self, state_dict: Any) -> None:
        """Raise `CheckpointError` unless `state_dict` has this schedule's entries, for as many parameter groups."""
        expected = self.state_dict()
        if not isinstance(state_dict, dict) or state_dict.keys() != expected.keys():
            got = ", ".join(map(str, state_dict)) if isinstance(state_dict, dict) else type(state_dict).__name__
            raise CheckpointError(
                f"{self._name}: the state_dict has {got}, expected {', '.join(expected)}; "
                "it was saved by another kind of scheduler"
            )
        for key in ("base_lrs", "_last_lr"):
            if key in expected and len(state_dict[key]) != len(expected[key]):
                raise CheckpointError(
                    f"{self._name}: the state_dict is of {len(state_dict[key])} parameter groups ({key}), "
                    f"this scheduler has {len(expected[key])}"
                )

    @property
    def _name(self) -> str:
        return type(self).__name__

    def _initial_step(self) -> None:
        """Set the learning rates of the first epoch."""
        self._step_count = 0
        self._is_initial = True
        try:
            self.step()
        finally:
            self._is_initial = False

    def _undo_initial_step(self) -> None:
        self.last_epoch = max(self.last_epoch - 1, -1)

    def _restart(self) -> None:
        """Begin at epoch 0, from the optimizer's initial learning rates: its turn in a `SequentialLR` has come."""
        self._update_lr(0)

    def _update_lr(self, epoch: int | None = None) -> None:
        if epoch is None:
            self.last_epoch += 1
            values = self.get_lr()
        else:
            self.last_epoch = epoch
            values = getattr(self, "_get_closed_form_lr", self.get_lr)()
        self._set_lr(values)

    def _set_lr(self, values: Iterable[float]) -> None:
        for group, value in zip(self.optimizer.param_groups, values, strict=True):
            lr = float(value)
            if not math.isfinite(lr):
                raise UsageError(f"{self._name}: the learning rate of epoch {self.last_epoch} is {lr}")
            group["lr"] = lr
        self._last_lr = current_lrs(self.optimizer)


def current_lrs(optimizer: Optimizer) -> list[float]:
    """The learning rate of each parameter group."""
    return [group["lr"] for group in optimizer.param_groups]


def check_optimizer(scheduler: object, optimizer: Any) -> None:
    """Raise `UsageError` unless `optimizer` is an `Optimizer`."""
    if not isinstance(optimizer, Optimizer):
        raise UsageError(
            f"{type(scheduler).__name__}: optimizer must be an Optimizer, such as SGD(model.parameters(), lr=0.1); "
            f"got a {type(optimizer).__name__}"
        )


def per_group(scheduler: object, name: str, optimizer: Optimizer, value: Any) -> list[Any]:
    """`value` for each parameter group: a list has to have one entry for each, anything else is repeated."""
    count = len(optimizer.param_groups)
    if not isinstance(value, (list, tuple)):
        return [value] * count
    if len(value) != count:
        raise UsageError(
            f"{type(scheduler).__name__}: {name} has {len(value)} values, the optimizer has {count} parameter groups; "
            "give one for each, or a single one for all"
        )
    return list(value)


def one_of(scheduler: object, name: str, value: str, *known: str) -> str:
    """`value` when it is one of the `known` words; raises `UsageError` otherwise."""
    if value not in known:
        words = f"{', '.join(map(repr, known[:-1]))} or {known[-1]!r}"
        raise UsageError(f"{type(scheduler).__name__}: {name} must be {words}; got {value!r}")
    return value


def positive(scheduler: object, name: str, value: Any) -> float:
    """`value` when it is a number > 0; raises `UsageError` otherwise."""
    return Interval(0, low_open=True).check(type(scheduler).__name__, name, value)


def positive_int(scheduler: object, name: str, value: Any) -> int:
    """`value` when it is a whole number >= 1; raises `UsageError` otherwise."""
    if isinstance(value, bool) or not hasattr(value, "__index__") or value < 1:
        raise UsageError(f"{type(scheduler).__name__}: {name} must be a whole number >= 1; got {value!r}")
    return int(value)


def plain(value: Any) -> Any:
    """A copy of `value` that no longer shares lists or dictionaries with it."""
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    return value


def function_state(function: Callable[..., Any] | None) -> dict[str, Any] | None:
    """The attributes of a callable object; a function has none worth saving."""
    if function is None or isinstance(function, FunctionType):
        return None
    return plain(getattr(function, "__dict__", None)) or None

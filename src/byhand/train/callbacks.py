"""Callbacks: what may happen around the steps of training. Seven hooks, each given the `Training`.

`fit` makes some of these from its arguments (`scheduler=`, `clip_norm=`, `out=`); others go into `callbacks=`. A
callback with a memory gives it in `state_dict`, so that a resumed run stops and restores where an unbroken one would.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from byhand.core.capture import insist, values
from byhand.core.errors import ByhandError, CheckpointError, UsageError
from byhand.core.variable import Variable
from byhand.interop.file import flush_file
from byhand.nn.utils import clip_grad_norm_
from byhand.ops.compare import isfinite, logical_not
from byhand.optim.lr_scheduler import OneCycleLR, ReduceLROnPlateau
from byhand.program.traced_array import plain
from byhand.train import checkpoint
from byhand.train.history import History

if TYPE_CHECKING:
    import os

    from byhand.nn.module import Module
    from byhand.tensor import Tensor
    from byhand.train.training import Training


class DivergenceError(ByhandError, ArithmeticError):
    """The loss or the weights are no longer finite: training cannot go on."""


class Callback:
    """The base of all callbacks: override the hooks you need.

    on_train_begin, on_epoch_begin, on_batch_begin, on_backward_end (gradients are there, the step is not taken),
    on_batch_end, on_epoch_end (`training.record` is the epoch's line of the history), on_train_end.
    """

    def on_train_begin(self, training: Training) -> None:
        """Before the first epoch, also of a resumed run."""

    def on_epoch_begin(self, training: Training) -> None:
        """Before an epoch; not when it is resumed in the middle."""

    def on_batch_begin(self, training: Training) -> None:
        """Before a batch `training.x`, `training.y` goes forward."""

    def on_backward_end(self, training: Training) -> None:
        """Between backward and the optimiser's step."""

    def in_step(self, training: Training, loss: Tensor) -> None:
        """What stands for `on_backward_end` in a compiled step: operations on tensors, which may not look at values.

        It is called once, while the step is captured. A callback with an `on_backward_end` alone keeps training eager.
        """

    def on_batch_end(self, training: Training) -> None:
        """After the optimiser's step."""

    def on_epoch_end(self, training: Training) -> None:
        """After the epoch's record went into the history."""

    def on_train_end(self, training: Training) -> None:
        """After the last epoch; not after an error or an interrupt."""

    def state_dict(self) -> dict[str, Any]:
        """What the callback must remember over a resume."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state_dict`."""

    def overrides(self, hook: str) -> bool:
        """Whether this class has its own `hook`."""
        return getattr(type(self), hook) is not getattr(Callback, hook)


class _Watching(Callback):
    """The best value so far of one column of the history."""

    def __init__(self, metric: str | None, mode: str | None, min_delta: float = 0.0) -> None:
        if mode not in (None, "min", "max"):
            raise UsageError(f'{type(self).__name__}: mode is "min" or "max", got {mode!r}')
        self.metric, self.mode, self.min_delta = metric, mode, min_delta
        self.best: float | None = None
        self.best_epoch = 0

    def _improved(self, training: Training) -> bool:
        value, mode = watched(training, self.metric, type(self).__name__)
        if math.isnan(value):
            return False
        sign = 1.0 if (self.mode or mode) == "min" else -1.0
        if self.best is not None and not sign * value < sign * self.best - self.min_delta:
            return False
        self.best, self.best_epoch = value, training.epoch
        return True

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "best_epoch": self.best_epoch}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.best, self.best_epoch = state["best"], state["best_epoch"]


def watched(training: Training, metric: str | None, who: str) -> tuple[float, str]:
    """The watched value of this epoch and whether less ("min") or more ("max") of it is better."""
    record = training.record
    name = metric or ("valid_loss" if "valid_loss" in record else "loss")
    if name not in record:
        raise UsageError(f"{who} watches {name!r}, but an epoch's record has {', '.join(record)}; is `valid` missing?")
    return float(record[name]), "min" if "loss" in name else "max"


class EarlyStopping(_Watching):
    """Stop after `patience` epochs without an improvement of `metric` by more than `min_delta`.

    `metric` is a column of the history, by default "valid_loss", or "loss" without validation. `mode` is "min" for
    losses and "max" for everything else.
    """

    def __init__(
        self, patience: int = 10, metric: str | None = None, mode: str | None = None, min_delta: float = 0.0
    ) -> None:
        super().__init__(metric, mode, min_delta)
        if patience < 1:
            raise UsageError(f"EarlyStopping: patience must be 1 or more, got {patience}")
        self.patience = patience

    def on_epoch_end(self, training: Training) -> None:
        if not self._improved(training) and training.epoch - self.best_epoch >= self.patience:
            training.stop(f"no improvement for {self.patience} epochs, the best was epoch {self.best_epoch}")


class BestWeights(_Watching):
    """Keep the weights of the best epoch, and put them back at the end."""

    def __init__(self, metric: str | None = None, mode: str | None = None) -> None:
        super().__init__(metric, mode)
        self.weights: dict[str, Any] | None = None

    def on_epoch_end(self, training: Training) -> None:
        if self._improved(training):
            self.weights = {name: x.array.copy() for name, x in _tensors(training.model)}

    def on_train_end(self, training: Training) -> None:
        if self.weights is not None:
            for name, tensor in _tensors(training.model):
                tensor.array[...] = self.weights[name]

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"weights": self.weights}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        self.weights = state["weights"]


def _tensors(model: Module) -> list[tuple[str, Variable]]:
    return [(name, x) for name, x in model.state_dict().items() if isinstance(x, Variable)]


class Scheduling(Callback):
    """Step a learning-rate schedule after each epoch or batch.

    `per` is "epoch" or "batch" (by default "batch" for OneCycleLR, which is made for it, else "epoch").
    `ReduceLROnPlateau` is given `metric`, by default "valid_loss", or "loss" without validation.
    """

    def __init__(self, scheduler: Any, per: str | None = None, metric: str | None = None) -> None:
        if per not in (None, "epoch", "batch"):
            raise UsageError(f'Scheduling: per is "epoch" or "batch", got {per!r}')
        self.scheduler, self.metric = scheduler, metric
        self.plateau = isinstance(scheduler, ReduceLROnPlateau)
        self.per = per or ("batch" if isinstance(scheduler, OneCycleLR) else "epoch")

    def on_batch_end(self, training: Training) -> None:
        if self.per == "batch":
            if self.plateau:
                self.scheduler.step(training.batch_loss)
            else:
                self.scheduler.step()

    def on_epoch_end(self, training: Training) -> None:
        if self.per == "epoch":
            if self.plateau:
                self.scheduler.step(watched(training, self.metric, "Scheduling")[0])
            else:
                self.scheduler.step()

    def overrides(self, hook: str) -> bool:
        return hook == f"on_{self.per}_end"

    def state_dict(self) -> dict[str, Any]:
        return {"scheduler": self.scheduler.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.scheduler.load_state_dict(state["scheduler"])


class GradientClipping(Callback):
    """Scale the gradients down so that their norm over all parameters is at most `max_norm`.

    g ← g · min(1, max_norm / ‖g‖). Source: Pascanu, Mikolov, Bengio, "On the difficulty of training recurrent neural
    networks", 2013.
    """

    def __init__(self, max_norm: float, norm_type: float = 2.0) -> None:
        if not max_norm > 0:
            raise UsageError(f"GradientClipping: max_norm must be positive, got {max_norm}")
        self.max_norm, self.norm_type = max_norm, norm_type

    def on_train_begin(self, training: Training) -> None:
        self.parameters = list(training.model.parameters())

    def on_backward_end(self, training: Training) -> None:
        clip_grad_norm_(self.parameters, self.max_norm, self.norm_type)

    def in_step(self, training: Training, loss: Tensor) -> None:
        self.on_backward_end(training)


class TerminateOnNaN(Callback):
    """End the run with a DivergenceError as soon as the loss is NaN or infinite: nothing after that can be of use.

    The error names the epoch, the batch and the modules whose weights are no longer finite. The last checkpoint stays.
    """

    def on_backward_end(self, training: Training) -> None:
        if not math.isfinite(training.batch_loss):
            raise self._diagnosis(training, training.batch_loss)

    def in_step(self, training: Training, loss: Tensor) -> None:
        found = values(loss)
        insist(logical_not(isfinite(found)), lambda loss: self._diagnosis(training, float(loss)), loss)

    def on_epoch_end(self, training: Training) -> None:
        if not_finite(training.model):
            raise self._diagnosis(training, training.batch_loss, f"the end of epoch {training.epoch}")

    def _diagnosis(self, training: Training, loss: float, where: str = "") -> DivergenceError:
        where = where or f"epoch {training.epoch + 1}, batch {training.batch + 1}"
        bad = not_finite(training.model)
        x = getattr(training.x, "array", training.x)
        if isinstance(x, np.ndarray) and x.dtype.kind == "f" and not np.isfinite(x).all():
            row = int(np.argwhere(~np.isfinite(x))[0][0])
            why = f"the batch's input is not finite (first in its sample {row}). Clean the data: byhand does not guess"
        elif bad:
            why = (
                f"the weights of {', '.join(bad)} are no longer finite. Lower the learning rate, or clip the gradients"
            )
        else:
            why = "all weights are still finite, the loss overflowed. Lower the learning rate, or scale the data"
        return DivergenceError(f"the loss became {loss} in {where}: {why}.")


def not_finite(model: Module) -> list[str]:
    """The parameters of `model` that hold a NaN or an infinity, as "layer (weight)"."""
    found = []
    for name, parameter in model.named_parameters():
        if not np.isfinite(plain(parameter.array)).all():  # perhaps while the step is captured
            path, _, last = name.rpartition(".")
            found.append(f"{path} ({last})" if path else last)
    return found


class Checkpointing(Callback):
    """Save everything at the end of each epoch and every `every_seconds` or `every_batches` in between.

    The end of an epoch is passed over if `least_seconds` have not gone by since the last save, but for the last epoch:
    waiting for the disk would otherwise be most of what a run with epochs of milliseconds does.

    Writes `checkpoint.json` with its tensors and `history.jsonl` in `folder`. Weights that are not finite are not
    saved, so that the last good checkpoint stays. `fit(..., out=folder)` makes one of these.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        every_seconds: float | None = 30.0,
        every_batches: int | None = None,
        every_epochs: int = 1,
        least_seconds: float = 0.0,
    ) -> None:
        if every_epochs < 1 or (every_batches is not None and every_batches < 1):
            raise UsageError("Checkpointing: every_epochs and every_batches must be 1 or more")
        self.folder = Path(folder)
        self.every_seconds, self.every_batches, self.every_epochs = every_seconds, every_batches, every_epochs
        self.least_seconds = least_seconds

    @property
    def history_path(self) -> Path:
        """The history beside the checkpoint."""
        return self.folder / "history.jsonl"

    def on_train_begin(self, training: Training) -> None:
        self._saved = time.monotonic()
        if not checkpoint.exists(self.folder):
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise CheckpointError(f"could not make the folder {self.folder}: {error.strerror}") from error
            training.history.save(self.history_path)
            self.save(training)

    def on_batch_end(self, training: Training) -> None:
        by_count = self.every_batches is not None and training.step % self.every_batches == 0
        if by_count or (self.every_seconds is not None and time.monotonic() - self._saved >= self.every_seconds):
            self.save(training)

    def on_epoch_end(self, training: Training) -> None:
        training.history.append_to(self.history_path)
        due = training.epoch % self.every_epochs == 0 and time.monotonic() - self._saved >= self.least_seconds
        if due or training.epoch >= training.epochs or training.stopped:
            self.save(training)

    def save(self, training: Training) -> None:
        """Save now, whatever the time."""
        if not not_finite(training.model):
            flush_file(self.history_path)  # a checkpoint of five epochs needs five records, also after a power cut
            checkpoint.save(self.folder, training.state_dict())
        self._saved = time.monotonic()

    def restore(self, training: Training) -> bool:
        """Put `training` where the folder's checkpoint left it. False if there is none yet."""
        if not checkpoint.exists(self.folder):
            return False
        state = checkpoint.load(self.folder)
        history = History.load(self.history_path)
        complete = state["history"]
        if len(history) < complete:
            raise CheckpointError(
                f"{self.history_path} has {len(history)} records, but {complete} epochs were complete at the "
                "checkpoint; restore the file from a copy"
            )
        training.load_state_dict(state, str(self.folder / checkpoint.COMMIT))
        training.history.records[:] = history.records[:complete]
        training.history.save(self.history_path)  # drops a torn line, and epochs that will be run again
        return True

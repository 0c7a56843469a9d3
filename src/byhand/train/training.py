"""`Training`: the loop itself, and all that callbacks may look at and a checkpoint must hold.

Made by `fit`, handed to every hook of a callback. `evaluate`, the pass without learning, stands here too.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from byhand.core.errors import CheckpointError, DataError
from byhand.core.generator import default_generator
from byhand.core.tape import no_grad
from byhand.train import checkpoint
from byhand.train.history import History, Record
from byhand.train.metrics import Mean, Metric
from byhand.train.step import Step

if TYPE_CHECKING:
    from byhand.nn.module import Module
    from byhand.optim.optimizer import Optimizer
    from byhand.train.callbacks import Callback

Loss = Callable[[Any, Any], Any]
HOOKS = (
    "on_train_begin",
    "on_epoch_begin",
    "on_batch_begin",
    "on_backward_end",
    "on_batch_end",
    "on_epoch_end",
    "on_train_end",
)


def nothing() -> None:
    """Between two batches of a pass that nobody can interrupt."""


def pair(batch: Any) -> tuple[Any, Any]:
    """The (x, y) of a batch. Raises DataError for anything else."""
    if isinstance(batch, tuple | list) and len(batch) == 2:
        return batch[0], batch[1]
    got = f"{len(batch)} parts" if isinstance(batch, tuple | list) else type(batch).__name__
    raise DataError(f"a batch should be a pair (x, y), the loader gave {got}; see collate_fn of DataLoader")


@dataclass
class Training:
    """The state of a training run.

    epoch      how many epochs are complete: in hooks of a batch the running epoch is `epoch + 1`
    batch      how many batches of the running epoch are complete; `step` counts them over all epochs
    x, y       the running batch; `output`, `batch_loss` what the model made of it (if compiled, without its graph)
    record     what the epoch's end will write into the history
    stopped    why the run ended before its last epoch, None if it did not
    compile    whether the step is compiled, or the dialect it is compiled to; `running` says what came of it
    """

    model: Module
    loader: Iterable[Any]
    valid: Iterable[Any] | None
    loss: Loss
    optimizer: Optimizer
    epochs: int
    metrics: dict[str, Metric]
    callbacks: Sequence[Callback] = ()
    config: dict[str, Any] = field(default_factory=dict)
    history: History = field(default_factory=History)
    between: Callable[[], None] = nothing
    compile: bool | str = True
    epoch: int = 0
    batch: int = 0
    step: int = 0
    elapsed: float = 0.0
    stopped: str | None = None
    record: Record = field(default_factory=dict)
    batch_loss: float = 0.0
    x: Any = None
    y: Any = None
    output: Any = None

    def __post_init__(self) -> None:
        self._mean = Mean()
        self._valid_metrics = copy.deepcopy(self.metrics)  # an interrupt may save the others during validation
        self._clock = time.perf_counter()
        self._resumed: dict[str, Any] | None = None
        self._exhausted = False
        # only what a callback overrides is called: an empty hook in a loop of 20 µs steps would be felt
        self._hooks = {hook: [getattr(c, hook) for c in self.callbacks if c.overrides(hook)] for hook in HOOKS}
        self._step = Step(self)

    @property
    def running(self) -> str:
        """How the steps run, in words: "compiled: loops (llvmlite 0.45.1)", "eager: a parameter has hooks"."""
        return self._step.runs

    def stop(self, reason: str) -> None:
        """End the run after this epoch."""
        self.stopped = reason

    def run(self) -> History:
        """Train until `epochs` are complete or a callback stops the run."""
        self.emit("on_train_begin")
        # NumPy's warnings about overflow say less than the error that `TerminateOnNaN` raises, and come before it
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            while self.epoch < self.epochs and self.stopped is None:
                self._run_epoch()
        self.emit("on_train_end")
        self.model.eval()
        return self.history

    def emit(self, hook: str) -> None:
        """Call this hook of every callback."""
        for function in self._hooks[hook]:
            function(self)

    def _run_epoch(self) -> None:
        batches = self._batches()
        self.model.train()
        self._clock = time.perf_counter() - self.elapsed
        self._step.begin_epoch()
        before, after = self._hooks["on_batch_begin"], self._hooks["on_batch_end"]
        metrics = list(self.metrics.values())
        for self.x, self.y in batches:
            for function in before:
                function(self)
            self._step()
            self._mean.update(self.batch_loss, len(self.x))
            for metric in metrics:
                metric.update(self.output, self.y)
            self.batch += 1
            self.step += 1
            for function in after:
                function(self)
            self.between()
        self._exhausted = True  # an interrupt may still save, during validation
        self._finish_epoch()

    def _batches(self) -> Iterator[tuple[Any, Any]]:
        """The batches still to come in this epoch, with the generator where it was when the checkpoint was made."""
        state, self._resumed = self._resumed, None
        self._exhausted = False
        if state is None:
            self.elapsed = 0.0
            for metric in (self._mean, *self.metrics.values()):
                metric.reset()
            self.emit("on_epoch_begin")
            return map(pair, self.loader)
        batches = iter(()) if state["exhausted"] else iter(self.loader)
        default_generator.set_state(state["random"])
        return map(pair, batches)

    def _finish_epoch(self) -> None:
        if self.batch == 0:
            raise DataError("the training data gave no batch: it is empty, or drop_last dropped its only batch")
        record: Record = {"epoch": self.epoch + 1, "loss": self._mean.compute()}
        record |= {name: metric.compute() for name, metric in self.metrics.items()}
        if self.valid is not None:
            found = evaluate(self.model, self.valid, self.loss, self._valid_metrics, between=self.between)
            record |= {f"valid_{name}": value for name, value in found.items()}
        record["lr"] = float(self.optimizer.param_groups[0]["lr"])
        record["seconds"] = round(time.perf_counter() - self._clock, 6)
        self.record = {key: value.tolist() if hasattr(value, "tolist") else value for key, value in record.items()}
        self.history.records.append(self.record)  # not a copy: what a callback adds to it is kept
        self.epoch, self.batch = self.epoch + 1, 0
        self.emit("on_epoch_end")

    # --- checkpoints ---

    def state_dict(self) -> dict[str, Any]:
        """Everything that decides how training goes on."""
        model = self.model.state_dict()
        running = self.batch > 0
        return {
            "config": self.config,
            "fingerprint": checkpoint.fingerprint(model),
            "position": {"epoch": self.epoch, "batch": self.batch, "step": self.step, "stopped": self.stopped},
            "history": len(self.history),
            "random": default_generator.get_state(),
            "loader": self._loader_state(running),
            "running": self._running_state() if running else None,
            "optimizer": {"class": type(self.optimizer).__name__, "state": self.optimizer.state_dict()},
            "step": self._step.state_dict(),
            "callbacks": {key: callback.state_dict() for key, callback in self._keyed_callbacks()},
            "model": dict(model),
        }

    def _loader_state(self, running: bool) -> dict[str, Any] | None:
        if hasattr(self.loader, "state_dict"):
            state: dict[str, Any] = self.loader.state_dict()
            # between epochs only its own generator matters, even if somebody else took a batch from it before
            return state if running else state | {"order": None, "batches": 0}
        if running and not self._exhausted:
            raise CheckpointError(
                f"a {type(self.loader).__name__} cannot say where it is in the epoch; "
                "train from a byhand.data.DataLoader, or save at the end of epochs only"
            )
        return None

    def _running_state(self) -> dict[str, Any]:
        metrics = {name: metric.state_dict() for name, metric in self.metrics.items()}
        seconds = time.perf_counter() - self._clock
        return {"mean": self._mean.state_dict(), "metrics": metrics, "elapsed": seconds, "exhausted": self._exhausted}

    def _keyed_callbacks(self) -> Iterator[tuple[str, Callback]]:
        seen: dict[str, int] = {}
        for callback in self.callbacks:
            name = type(callback).__name__
            seen[name] = seen.get(name, 0) + 1
            yield (name if seen[name] == 1 else f"{name}#{seen[name]}"), callback

    def load_state_dict(self, state: Mapping[str, Any], where: str = "the checkpoint") -> None:
        """Go on from `state_dict`. Raises CheckpointError if it is of another model or optimiser."""
        checkpoint.check_fingerprint(state["fingerprint"], checkpoint.fingerprint(self.model.state_dict()), where)
        ours, theirs = type(self.optimizer).__name__, state["optimizer"]["class"]
        if ours != theirs:
            raise CheckpointError(f"{where} was written by the optimiser {theirs}, this run uses {ours}")
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"]["state"])
        for key, callback in self._keyed_callbacks():
            if state["callbacks"].get(key):
                callback.load_state_dict(state["callbacks"][key])
        self._step.load_state_dict(state.get("step"))
        position = state["position"]
        self.epoch, self.batch, self.step = position["epoch"], position["batch"], position["step"]
        self.stopped = position["stopped"]
        default_generator.set_state(state["random"])
        if state["loader"] is not None:
            self.loader.load_state_dict(state["loader"])  # type: ignore[attr-defined]
        running = state["running"]
        if running is not None:
            self._resumed = {"exhausted": running["exhausted"], "random": state["random"]}
            self.elapsed = running["elapsed"]
            self._mean.load_state_dict(running["mean"])
            for name, metric in self.metrics.items():
                if name not in running["metrics"]:
                    raise CheckpointError(f"{where} was written without the metric {name!r}; use the same metrics")
                metric.load_state_dict(running["metrics"][name])


def evaluate(
    model: Module,
    data: Iterable[Any],
    loss: Loss | None = None,
    metrics: Mapping[str, Metric] | None = None,
    *,
    between: Callable[[], None] = nothing,
) -> dict[str, Any]:
    """The mean loss and the metrics of `model` over `data`, in eval mode, without recording anything.

    `data` yields batches (x, y). The model's mode is restored. Raises DataError if there is no batch.
    """
    metrics = metrics or {}
    mean, training = Mean(), model.training
    for metric in metrics.values():
        metric.reset()
    model.eval()
    seen = 0
    try:
        with no_grad():
            for batch in data:
                x, y = pair(batch)
                output = model(x)
                if loss is not None:
                    mean.update(loss(output, y).item(), len(x))
                for metric in metrics.values():
                    metric.update(output, y)
                seen += 1
                between()
    finally:
        model.train(training)
    if not seen:
        raise DataError("there is nothing to evaluate on: the data gave no batch")
    found: dict[str, Any] = {} if loss is None else {"loss": mean.compute()}
    return found | {name: metric.compute() for name, metric in metrics.items()}

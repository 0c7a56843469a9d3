"""What `fit` shows while it runs: how the steps run, a bar with throughput and remaining time, one line an epoch.

Made by `fit`. On a terminal (and in notebooks) the bar is rich's; elsewhere only the lines are printed, so that a log
stays readable.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from byhand.train.callbacks import Callback

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress

    from byhand.train.training import Training

REFRESH = 0.1  # seconds between two updates of the bar: a terminal is slower than a small network's step


def epoch_line(record: Mapping[str, Any], epochs: int, samples: float) -> str:
    """One epoch as text: `epoch  3/40  loss 0.1234  accuracy 0.9700  ...  0.05 s  24,000 samples/s`."""
    width = len(str(epochs))
    parts = [f"epoch {record['epoch']:{width}d}/{epochs}"]
    for key, value in record.items():
        if isinstance(value, float) and key not in ("lr", "seconds"):
            parts.append(f"{key} {value:.4f}")
    seconds = record.get("seconds", 0.0)
    parts.append(f"{seconds:.2f} s")
    if samples and seconds:
        parts.append(f"{samples / seconds:,.0f} samples/s")
    return "  ".join(parts)


class Progress(Callback):
    """Shows a run; a context manager, so that an error or an interrupt leaves the terminal as it was."""

    def __init__(self, stream: Any = None) -> None:
        self.stream = stream
        self.bar: RichProgress | None = None
        self.samples = 0  # of the running epoch
        self.seen = 0  # since this process began
        self.drawn = 0.0

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Take the bar away."""
        if self.bar is not None:
            self.bar.stop()
            self.bar = None

    def on_train_begin(self, training: Training) -> None:
        stream = self.stream or sys.stdout
        self.started, self.first_step = time.monotonic(), training.step
        self.announced = False
        if not _is_terminal(stream):
            return
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        columns = [TextColumn("{task.description}"), BarColumn(bar_width=None), TextColumn("{task.fields[pace]}")]
        console = Console(file=stream)
        self.bar = Progress(*columns, console=console, transient=True, auto_refresh=False, expand=True)
        total = _length(training.loader)
        self.task = self.bar.add_task("", total=total * training.epochs if total else None, pace="")
        self.bar.start()
        self._draw(training)

    def on_epoch_begin(self, training: Training) -> None:
        self.samples = 0

    def on_batch_end(self, training: Training) -> None:
        if not self.announced:  # not before: the first step shows whether it can be compiled
            self.announced = True
            self._print(f"runs   {training.running}")
        n = len(training.x)
        self.samples += n
        self.seen += n
        if self.bar is not None and time.monotonic() - self.drawn >= REFRESH:
            self._draw(training)

    def _draw(self, training: Training) -> None:
        assert self.bar is not None
        self.drawn = time.monotonic()
        length, elapsed = _length(training.loader), max(self.drawn - self.started, 1e-9)
        pace = f"{self.seen / elapsed:,.0f} samples/s"
        done = training.epoch * length + training.batch if length else None
        steps = training.step - self.first_step
        if length and done is not None and steps:
            pace += f" · {_clock((length * training.epochs - done) * elapsed / steps)} left"
        batches = f"batch {training.batch}/{length}" if length else f"batch {training.batch}"
        text = f"epoch {min(training.epoch + 1, training.epochs)}/{training.epochs} · {batches}"
        self.bar.update(self.task, completed=done, description=text, pace=pace)
        self.bar.refresh()

    def on_epoch_end(self, training: Training) -> None:
        self._print(epoch_line(training.record, training.epochs, self.samples))
        if self.bar is not None:
            self._draw(training)

    def _print(self, line: str) -> None:
        if self.bar is not None:
            self.bar.console.print(line, highlight=False, soft_wrap=True)
        else:
            print(line, file=self.stream or sys.stdout, flush=True)

    def on_train_end(self, training: Training) -> None:
        self.close()
        if training.stopped:
            print(f"stopped: {training.stopped}", file=self.stream or sys.stdout, flush=True)

    def state_dict(self) -> dict[str, Any]:
        return {"samples": self.samples}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.samples = state["samples"]


def _is_terminal(stream: Any) -> bool:
    from rich.console import Console

    console = Console(file=stream)
    return console.is_jupyter or (console.is_terminal and not console.is_dumb_terminal)


def _length(loader: Any) -> int | None:
    try:
        return len(loader)
    except TypeError:
        return None


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"

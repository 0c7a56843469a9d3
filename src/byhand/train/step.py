"""`Step`: what training does with one batch, from the forward pass to the update; compiled where that is possible.

Made by `Training`. All steps of a run are rounded alike, whether the program was captured at the first batch or at the
first one after a resume: what was captured is undone, and the program is run for that batch too (`replay`).
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Sequence
from importlib import metadata
from typing import TYPE_CHECKING, Any

from byhand.core.errors import CaptureError, UsageError
from byhand.nn.hooks import EVERYWHERE
from byhand.program.step import DIALECTS, Compiled, default_dialect

if TYPE_CHECKING:
    from byhand.nn.module import Module
    from byhand.optim.optimizer import Optimizer
    from byhand.train.callbacks import Callback
    from byhand.train.training import Training

MOST_SHAPES = 8  # of batches that get a program: sentences of any length must not be compiled one by one
MOST_PROGRAMS = 32  # of one run: more of them mean that something in the step changes all the time

Shapes = tuple[tuple[int, ...], ...]


def resolved(compile: bool | str) -> str:
    """The dialect that `fit(compile=...)` asks for. Raises UsageError for a name that is none."""
    if isinstance(compile, str):
        if compile not in DIALECTS:
            raise UsageError(f"compile is True, False or one of {', '.join(DIALECTS)}, not {compile!r}")
        return compile
    return default_dialect() if compile else "eager"


def described(dialect: str, reason: str = "") -> str:
    """A dialect as `fit` announces it, as in "compiled: loops (Numba 0.61.0)"; `reason` says why it is eager."""
    if dialect == "loops":
        return f"compiled: loops (Numba {metadata.version('numba')})"
    if dialect == "eager":
        return f"eager: {reason}" if reason else "eager"
    return f"compiled: {dialect} NumPy"


def learn(
    model: Module, loss: Callable[[Any, Any], Any], optimizer: Optimizer, hooks: Sequence[Any], x: Any, y: Any
) -> tuple[Any, Any]:
    """One step in the form that is captured; returns the loss and the model's output."""
    output = model(x)
    value = loss(output, y)
    optimizer.zero_grad()
    value.backward()
    for hook in hooks:
        hook(value)
    optimizer.step()
    return value, output


class Step:
    """The step of a training, called once a batch.

    dialect   how it runs: "loops", "planned", "longhand" or "eager"
    reason    why it runs eagerly although it was to be compiled, else ""
    """

    def __init__(self, training: Training) -> None:
        self.training = training
        self.free = training.compile is True  # to go on as a resumed run began
        self.dialect, self.reason = resolved(training.compile), ""
        self.shapes: list[Shapes] = []
        self._compiled: Compiled | None = None
        watching = [c for c in training.callbacks if c.overrides("on_backward_end") and not c.overrides("in_step")]
        if watching and self.dialect != "eager":
            self._give_up(f"{type(watching[0]).__name__} looks between backward and update")

    @property
    def runs(self) -> str:
        """The dialect in words, and why if it is eager against expectation."""
        return described(self.dialect, self.reason)

    def begin_epoch(self) -> None:
        """Look for what a program would not call."""
        training = self.training
        self._compiled = None if self.dialect == "eager" or self._hooked() else (self._compiled or self._compile())
        
    def _hooked(self) -> bool:
        """Whether somebody watches the model, its parameters or the optimiser."""
        optimizer, modules = self.training.optimizer, list(self.training.model.modules())
        return bool(
            EVERYWHERE
            or any(module._hooks for module in modules)
            or any(p.node is not None and p.node.hooks for p in self.training.model.parameters())
            or optimizer._before_step
            or optimizer._after_step
        )

    def _compile(self) -> Compiled:
        training = self.training
        hooks = [functools.partial(c.in_step, training) for c in training.callbacks if c.overrides("in_step")]
        step = functools.partial(learn, training.model, training.loss, training.optimizer, hooks)
        # callbacks of a user's own may look at gradients after the step
        keep_grads = any(not type(c).__module__.startswith("byhand.") for c in training.callbacks)
        return Compiled(step, self.dialect, None, keep_grads, (), replay=True)

    def __call__(self) -> None:
        """Learn from the running batch."""
        training, compiled = self.training, self._compiled
        if compiled is not None and self._has_program(training.x, training.y):
            try:
                loss, training.output = compiled(training.x, training.y)
                training.batch_loss = loss.item()
                return
            except CaptureError as error:
                self._give_up("the step cannot be captured")
                warnings.warn(f"training runs eagerly: {error}", stacklevel=2)
        self._learn_eagerly()

    def _learn_eagerly(self) -> None:
        training = self.training
        output = training.output = training.model(training.x)
        loss = training.loss(output, training.y)
        training.batch_loss = loss.item()
        training.optimizer.zero_grad()
        loss.backward()
        training.emit("on_backward_end")
        training.optimizer.step()

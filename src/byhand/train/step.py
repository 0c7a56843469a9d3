"""`Step`: what training does with one batch, from the forward pass to the update; compiled where that is possible.

Made by `Training`. All steps of a run are rounded alike, whether the program was captured at the first batch or at the
first one after a resume: what was captured is undone, and the program is run for that batch too (`replay`).
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np

from byhand.core.errors import CaptureError, UsageError
from byhand.data.whole import written_together
from byhand.nn.hooks import EVERYWHERE
from byhand.program.step import DIALECTS, Compiled, default_dialect
from byhand.program.tree import flatten

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
    """A dialect as `fit` announces it, as in "compiled: loops (llvmlite 0.45.1)"; `reason` says why it is eager."""
    if dialect == "loops":
        return f"compiled: loops (llvmlite {metadata.version('llvmlite')})"
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

    dialect   how it is to run: "loops", "planned", "longhand" or "eager"
    reason    why it runs eagerly all the same, "" if it does not
    shapes    of the batches that are compiled, in the order in which they came
    """

    def __init__(self, training: Training) -> None:
        self.training = training
        self.free = training.compile is True  # to go on as a resumed run began
        self.dialect, self.reason = resolved(training.compile), ""
        self.shapes: list[Any] = []
        self._compiled: Compiled | None = None
        self._latest: Any = None
        watching = [c for c in training.callbacks if c.overrides("on_backward_end") and not _fits_in_step(c)]
        if watching and self.dialect != "eager":
            self._give_up(f"{type(watching[0]).__name__} looks between backward and update")

    @property
    def runs(self) -> str:
        """The dialect in words, and why if it is eager against expectation."""
        return described("eager" if self.reason else self.dialect, self.reason)

    def begin_epoch(self) -> None:
        """Look for whatever a program would not call; there may be less or more of it than in the epoch before."""
        if self.dialect == "eager":
            return
        watched = self._watched()
        self.reason = f"{watched} has hooks" if watched else ""
        if self._compiled is None and not watched:
            self._compiled = self._compile()

    def __call__(self) -> None:
        """Learn from the running batch."""
        training, compiled = self.training, self._compiled
        if compiled is None or self.reason or not self._has_program():
            self._learn_eagerly()
            return
        try:
            loss, training.output = compiled(training.x, training.y)
        except CaptureError as error:
            warnings.warn(f"training runs eagerly: {str(error).splitlines()[0]}", stacklevel=2)
            self._give_up("the step cannot be captured")
            self._learn_eagerly()
            return
        training.batch_loss = loss.item()
        if compiled.latest is not self._latest:
            self._latest = compiled.latest
            if sum(map(len, compiled.entries.values())) > MOST_PROGRAMS:
                self._give_up("a number in the step changes all the time")

    def _learn_eagerly(self) -> None:
        training = self.training
        output = training.output = training.model(training.x)
        loss = training.loss(output, training.y)
        training.batch_loss = loss.item()
        training.optimizer.zero_grad()
        loss.backward()
        training.emit("on_backward_end")
        training.optimizer.step()

    def _compile(self) -> Compiled:
        training = self.training
        hooks = [functools.partial(c.in_step, training) for c in training.callbacks if c.overrides("in_step")]
        step = functools.partial(learn, training.model, training.loss, training.optimizer, hooks)
        # callbacks of a user's own may look at gradients after the step
        keep_grads = any(not type(c).__module__.startswith("byhand.") for c in training.callbacks)
        return Compiled(step, self.dialect, None, keep_grads, (), replay=True)

    def _watched(self) -> str:
        """Who has hooks: the model, a parameter, the optimiser, or nobody."""
        optimizer, model = self.training.optimizer, self.training.model
        if EVERYWHERE or any(module._hooks for module in model.modules()):
            return "the model"
        if any(p.node is not None and p.node.hooks for p in model.parameters()):
            return "a parameter"
        return "the optimiser" if optimizer._before_step or optimizer._after_step else ""

    def _has_program(self) -> bool:
        """Whether batches of these shapes are compiled: the first few kinds are."""
        x, y = self.training.x, self.training.y
        shapes: Any
        try:
            shapes = x.array.shape, y.array.shape
        except AttributeError:
            shapes = _shapes((x, y))
        if shapes in self.shapes:
            return True
        if shapes is None:
            self._give_up("a batch holds something else than tensors")
            return False
        if len(self.shapes) < MOST_SHAPES:
            self.shapes.append(shapes)
            return True
        return False

    def _give_up(self, reason: str) -> None:
        self.dialect, self.reason, self._compiled = "eager", reason, None

    def state_dict(self) -> dict[str, Any]:
        """What decides how the steps to come are rounded."""
        return {"dialect": self.dialect, "reason": self.reason, "shapes": self.shapes}

    def load_state_dict(self, state: Mapping[str, Any] | None) -> None:
        """Go on as the run began, unless `fit(compile=...)` names a dialect. Older checkpoints are of eager runs."""
        self.shapes = list(state["shapes"]) if state else []
        if not self.free or self.dialect == "eager":
            return
        self.dialect, self.reason = (state["dialect"], state["reason"]) if state else ("eager", "")
        if self.dialect == "loops" and default_dialect() != "loops":
            self.dialect = "planned"
            warnings.warn(
                "this run began in the dialect loops, for which llvmlite is missing here (byhand[fast]): it goes on "
                "in planned, and will end some last bits away",
                stacklevel=2,
            )


def _fits_in_step(callback: Callback) -> bool:
    """Whether its `in_step` speaks for its `on_backward_end`: a subclass may have replaced the latter alone."""
    return callback.overrides("in_step") and written_together(type(callback), "in_step", "on_backward_end")


def _shapes(tree: Any) -> Shapes | None:
    """The shapes of all arrays in nested containers, None if anything else is among them."""
    leaves = [getattr(leaf, "array", leaf) for leaf in flatten(tree)[0]]
    return tuple(leaf.shape for leaf in leaves) if all(isinstance(leaf, np.ndarray) for leaf in leaves) else None

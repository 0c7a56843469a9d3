"""`fit`: train a model. The one function that most scripts, the command line and the benchmarks' real jobs call.

It turns its arguments into a `Training` and callbacks: everything it does can be had from those two by hand.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np

from byhand.core.errors import DataError, UsageError
from byhand.core.generator import default_generator
from byhand.core.variable import Array, Variable
from byhand.data.dataset import Dataset, TensorDataset
from byhand.data.loader import DataLoader
from byhand.nn import CrossEntropyLoss, MSELoss
from byhand.optim import Adam
from byhand.tensor import Tensor
from byhand.train.callbacks import Callback, Checkpointing, GradientClipping, Scheduling, TerminateOnNaN
from byhand.train.history import History
from byhand.train.interrupt import Interrupt
from byhand.train.metrics import R2, Accuracy, Metric, named
from byhand.train.progress import Progress
from byhand.train.run import Run
from byhand.train.step import resolved
from byhand.train.training import Loss, Training

if TYPE_CHECKING:
    from byhand.nn.module import Module
    from byhand.optim.optimizer import Optimizer

PathLike = str | os.PathLike[str]


def fit(
    model: Module,
    train: Any,
    valid: Any = None,
    loss: Loss | None = None,
    optimizer: Optimizer | None = None,
    *,
    epochs: int = 10,
    batch_size: int = 32,
    callbacks: Sequence[Callback] = (),
    metrics: Mapping[str, Metric] | Iterable[Metric] | None = None,
    scheduler: Any = None,
    clip_norm: float | None = None,
    out: PathLike | None = None,
    resume: bool = False,
    save_every_seconds: float | None = 30.0,
    save_every_batches: int | None = None,
    config: dict[str, Any] | None = None,
    seed: int | None = None,
    compile: bool | str = True,
    progress: bool = True,
) -> History:
    """Train `model` on `train` for `epochs`, and return the history of losses and metrics.

    train, valid   a DataLoader, a Dataset, or a pair (x, y) of arrays or tensors; the last two are batched by
                   `batch_size`, `train` in random order. NumPy floats take the dtype of the model's parameters
    loss           a function of (output, y); by default cross-entropy for integer y, else the mean squared error
    optimizer      by default Adam over all parameters
    metrics        by default accuracy for integer y, R² for floats; computed on `train` while it learns, and on `valid`
    scheduler      a schedule of byhand.optim.lr_scheduler, or a `Scheduling` for when it is to step
    clip_norm      the largest norm of all gradients together
    out            a folder for checkpoints, history, final weights and a plot; `resume=True` goes on from what is there
    compile        whether the step is compiled (see `byhand.compile`), or the dialect: "loops", "planned", "longhand".
                   By default it is, as a resumed run has begun, and where a step cannot be captured it runs eagerly
    seed           for shuffling and dropout: `byhand.manual_seed(seed)`

    A run with `out` that is killed at any moment and started again with `resume=True` ends bit for bit where it would
    have ended. Ctrl-C saves, then raises KeyboardInterrupt. The model is in eval mode afterwards.

    Raises DataError for empty or non-finite data, DivergenceError when the loss is no longer finite, UsageError for an
    `out` that holds a run unless `resume`, CheckpointError for a checkpoint of another model or a full disk.

    >>> import byhand
    >>> from byhand import nn
    >>> _ = byhand.manual_seed(0)
    >>> x = byhand.randn(64, 2)
    >>> history = fit(nn.Linear(2, 2), (x, (x[:, 0] > 0).long()), epochs=20, progress=False, seed=0)
    >>> len(history), history[-1, "loss"] < history[0, "loss"]
    (20, True)
    """
    if epochs < 0:
        raise UsageError(f"epochs must be 0 or more, got {epochs}")
    if resume and out is None:
        raise UsageError("resume=True needs the folder of the run: fit(..., out=FOLDER, resume=True)")
    if seed is not None:
        default_generator.manual_seed(seed)
    loader = as_loader(train, model, batch_size, shuffle=True, name="train")
    validation = None if valid is None else as_loader(valid, model, batch_size, shuffle=False, name="valid")
    labels = (loss is None or metrics is None) and has_labels(loader)
    loss = loss or (CrossEntropyLoss() if labels else MSELoss())
    chosen = named(metrics) if metrics is not None else _default_metrics(loss, labels)
    optimizer = optimizer or Adam(model.parameters())
    config = config or {"model": None, "description": repr(model), "compile": resolved(compile)}
    run = None if out is None else Run.open(out, config, resume=resume)
    with ExitStack() as stack:
        bar = stack.enter_context(Progress()) if progress else None
        own = [Checkpointing(run.path, save_every_seconds, save_every_batches, least_seconds=0.25)] if run else []
        hooks = _ordered([*callbacks, *own], scheduler, clip_norm, bar)
        training = Training(
            model, loader, validation, loss, optimizer, epochs, chosen, hooks, config=config, compile=compile
        )
        saving = next((c for c in hooks if isinstance(c, Checkpointing)), None)
        if resume and saving is not None:
            saving.restore(training)
        if saving is not None:
            training.between = _saving_interrupt(stack.enter_context(Interrupt()), saving, training)
        history = training.run()
    if run is not None:
        run.finish(model, history)
    return history


def _default_metrics(loss: Any, labels: bool) -> dict[str, Metric]:
    if labels:
        return named([Accuracy()])
    return named([R2()]) if isinstance(loss, MSELoss) else {}


def _ordered(
    callbacks: Sequence[Callback], scheduler: Any, clip_norm: float | None, bar: Callback | None
) -> list[Callback]:
    """Saving comes last, so that a checkpoint holds what every other callback did at the same moment."""
    for callback in callbacks:
        if not isinstance(callback, Callback):
            raise UsageError(f"callbacks: expected objects of byhand.train callbacks, got {callback!r}")
    hooks: list[Callback] = [TerminateOnNaN()]
    if clip_norm is not None:
        hooks.append(GradientClipping(clip_norm))
    if scheduler is not None:
        hooks.append(scheduler if isinstance(scheduler, Scheduling) else Scheduling(scheduler))
    hooks += [c for c in callbacks if not isinstance(c, Checkpointing | TerminateOnNaN)]
    hooks += [] if bar is None else [bar]
    return hooks + [c for c in callbacks if isinstance(c, Checkpointing)]


def _saving_interrupt(interrupt: Interrupt, saving: Checkpointing, training: Training) -> Callable[[], None]:
    def between() -> None:
        if interrupt.requested:
            saving.save(training)
            raise KeyboardInterrupt

    return between


def as_loader(data: Any, model: Module, batch_size: int, *, shuffle: bool, name: str) -> Iterable[Any]:
    """Batches of (x, y) from a DataLoader, a Dataset or a pair of arrays. Raises DataError for what cannot be used."""
    if isinstance(data, tuple | list) and len(data) == 2:
        data = TensorDataset(*(_as_tensor(part, model) for part in data))
    if isinstance(data, TensorDataset):
        check_finite(data, name)
    if isinstance(data, Dataset):
        if len(data) == 0:  # type: ignore[arg-type]  # a dataset with indices has a length
            raise DataError(f"{name}: the dataset is empty")
        return DataLoader(data, batch_size=batch_size, shuffle=shuffle)
    if isinstance(data, Tensor | np.ndarray):
        raise UsageError(f"{name}: expected a pair (x, y), a Dataset or a DataLoader, got one array of {data.shape}")
    if not isinstance(data, Iterable):
        raise UsageError(f"{name}: expected a DataLoader, a Dataset or a pair (x, y), got {type(data).__name__}")
    return data


def _as_tensor(part: Any, model: Module) -> Tensor:
    if isinstance(part, Tensor):
        return part
    array = np.asarray(part)
    if array.dtype.kind == "f":
        parameter = next(iter(model.parameters()), None)
        array = array.astype(np.float32 if parameter is None else parameter.array.dtype)
    elif array.dtype.kind not in "iub":
        raise DataError(f"data of dtype {array.dtype} cannot be trained on; expected numbers")
    return Tensor(array)


def check_finite(data: TensorDataset, name: str) -> None:
    """Raise DataError if an input or a target is NaN or infinite, with the first such sample."""
    for part, tensor in zip(("x", "y"), data.tensors, strict=False):
        array = tensor.array
        # one pass without temporaries: a sum is finite unless a summand is not
        if array.dtype.kind == "f" and array.size and not np.isfinite(array.sum(dtype=np.float64)):
            bad = ~np.isfinite(array.reshape(len(array), -1)).all(1)
            if bad.any():
                first = int(bad.argmax())
                raise DataError(
                    f"{name}: {int(bad.sum()):,} of {len(array):,} samples of {part} hold NaN or infinity, the "
                    f"first is sample {first}; drop or fill them: byhand does not guess"
                )


def has_labels(loader: Iterable[Any]) -> bool:
    """Whether the targets of a loader are integers, that is classes."""
    dataset = getattr(loader, "dataset", None)
    while dataset is not None and hasattr(dataset, "dataset"):  # a Subset, perhaps of a Subset
        dataset = dataset.dataset
    if isinstance(dataset, TensorDataset):
        return _dtype(dataset.tensors[-1]).kind in "iu"
    if dataset is not None and hasattr(dataset, "__getitem__"):
        return _dtype(dataset[0][1]).kind in "iu"
    raise UsageError("cannot tell whether the targets are classes or numbers; give loss= and metrics=")


def _dtype(value: Any) -> Any:
    array: Array = value.array if isinstance(value, Variable) else np.asarray(value)
    return array.dtype

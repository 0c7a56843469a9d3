"""Averages of models: `AveragedModel`, the schedule `SWALR` and `update_bn`, under PyTorch's path.

A training loop calls `averaged.update_parameters(model)` after its steps and evaluates `averaged` in the end.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

from byhand.core.errors import UsageError
from byhand.core.tape import no_grad
from byhand.creation import tensor
from byhand.nn.module import Module
from byhand.nn.normalization import _BatchNorm
from byhand.optim.interval import FRACTION, NONNEGATIVE
from byhand.optim.lr_scheduler.scheduler import LRScheduler, check_optimizer, one_of, per_group
from byhand.optim.optimizer import Optimizer
from byhand.tensor import Tensor

Average = Callable[[Tensor, Tensor, Any], Tensor]
MultiAverage = Callable[[Sequence[Tensor], Sequence[Tensor], Any], None]


def get_swa_avg_fn() -> Average:
    """The plain mean of all models, for one tensor: mean + (new − mean) / (count + 1)."""

    def mean(averaged: Tensor, current: Tensor, count: Any) -> Tensor:
        with no_grad():
            found: Tensor = averaged + (current - averaged) / (count + 1)
        return found

    return mean


def get_ema_avg_fn(decay: float = 0.999) -> Average:
    """The exponential moving average, for one tensor: decay · average + (1 − decay) · new."""
    decay = FRACTION.check("get_ema_avg_fn", "decay", decay)

    def moving(averaged: Tensor, current: Tensor, count: Any) -> Tensor:
        with no_grad():
            return decay * averaged + (1 - decay) * current

    return moving


def get_swa_multi_avg_fn() -> MultiAverage:
    """`get_swa_avg_fn` for lists of tensors, in place."""
    return _in_place(get_swa_avg_fn())


def get_ema_multi_avg_fn(decay: float = 0.999) -> MultiAverage:
    """`get_ema_avg_fn` for lists of tensors, in place."""
    return _in_place(get_ema_avg_fn(decay))


def _in_place(average: Average) -> MultiAverage:
    def update(averaged: Sequence[Tensor], current: Sequence[Tensor], count: Any) -> None:
        with no_grad():
            for mean, new in zip(averaged, current, strict=True):
                mean.copy_(average(mean, new, count))

    return update


class AveragedModel(Module):
    """A copy of a model whose parameters are an average over the course of its training.

    The first `update_parameters` copies; each later one averages: the plain mean unless one of these says otherwise.

    avg_fn        average(averaged, current, count) -> the new average of one tensor
    multi_avg_fn  the same for lists of tensors, in place: `get_ema_multi_avg_fn(0.999)`
    use_buffers   average the buffers too; otherwise they are copied

    Raises `UsageError` if both functions are given. The functions are not in the `state_dict`; `n_averaged` is.

    Sources: Izmailov et al., Averaging weights leads to wider optima and better generalization (2018); Polyak and
    Juditsky, Acceleration of stochastic approximation by averaging (1992).

    >>> import byhand
    >>> model = byhand.nn.Linear(1, 1, bias=False)
    >>> averaged = byhand.optim.swa_utils.AveragedModel(model)
    >>> for value in (1.0, 2.0, 6.0):
    ...     with byhand.no_grad():
    ...         _ = model.weight.fill_(value)
    ...     averaged.update_parameters(model)
    >>> averaged(byhand.ones(1, 1)).item()
    3.0
    """

    module: Module
    n_averaged: Tensor

    def __init__(
        self,
        model: Module,
        device: Any = None,
        avg_fn: Average | None = None,
        multi_avg_fn: MultiAverage | None = None,
        use_buffers: bool = False,
    ) -> None:
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise UsageError("AveragedModel: only one of avg_fn and multi_avg_fn should be provided")
        self.module = copy.deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        self.register_buffer("n_averaged", tensor(0))
        self.avg_fn, self.multi_avg_fn, self.use_buffers = avg_fn, multi_avg_fn, use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.module(*args, **kwargs)

    def update_parameters(self, model: Module) -> None:
        """Take the present parameters of `model` into the average."""
        pairs: list[tuple[Tensor, Tensor]] = [*zip(self.module.parameters(), model.parameters(), strict=True)]
        buffers: list[tuple[Tensor, Tensor]] = [*zip(self.module.buffers(), model.buffers(), strict=True)]
        if self.use_buffers:
            pairs, buffers = pairs + buffers, []
        pairs = [(mean.detach(), new.detach()) for mean, new in pairs]
        with no_grad():
            if self.n_averaged.item() == 0:
                for mean, new in pairs:
                    mean.copy_(new)
            elif self.multi_avg_fn is None:
                average = self.avg_fn or get_swa_avg_fn()
                for mean, new in pairs:
                    mean.copy_(average(mean, new, self.n_averaged))
            else:  # one call for each dtype, as PyTorch does it
                for dtype in dict.fromkeys(mean.dtype for mean, _ in pairs):
                    means, news = zip(*[pair for pair in pairs if pair[0].dtype == dtype], strict=True)
                    self.multi_avg_fn(list(means), list(news), self.n_averaged)
            for mean, new in buffers:
                mean.copy_(new)
            self.n_averaged.add_(1)


def update_bn(loader: Iterable[Any], model: Module, device: Any = None) -> None:
    """Compute the running statistics of all batch normalisations anew, in one pass over the batches of `loader`.

    A batch is a tensor, or a list or tuple whose first element is what the model takes.
    """
    momenta = {m: m.momentum for m in model.modules() if isinstance(m, _BatchNorm)}
    if not momenta:
        return
    was_training = model.training
    model.train()
    for module in momenta:
        module.reset_running_stats()
        module.momentum = None  # the plain average of all batches
    with no_grad():
        for batch in loader:
            x = batch[0] if isinstance(batch, (list, tuple)) else batch
            model(x if device is None else x.to(device))
    for module, momentum in momenta.items():
        module.momentum = momentum
    model.train(was_training)


class SWALR(LRScheduler):
    """From the present rate to `swa_lr` in `anneal_epochs` steps, and there it stays; one rate, or one for each group.

    With a = min(1, step / anneal_epochs), along a cosine (1 − cos(π a)) / 2 unless `anneal_strategy` is "linear":

        lr = swa_lr · a + (the rate at the start) · (1 − a)

    The rate at the start is worked out from the present one, so that another schedule may have been stepped before.

    Source: Izmailov et al., Averaging weights leads to wider optima and better generalization (2018).
    """

    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: float | list[float],
        anneal_epochs: int = 10,
        anneal_strategy: Literal["cos", "linear"] = "cos",
        last_epoch: int = -1,
    ) -> None:
        check_optimizer(self, optimizer)
        rates = [NONNEGATIVE.check(self._name, "swa_lr", lr) for lr in per_group(self, "swa_lr", optimizer, swa_lr)]
        self._anneal_strategy = one_of(self, "anneal_strategy", anneal_strategy, "cos", "linear")
        if not hasattr(anneal_epochs, "__index__") or anneal_epochs < 0:
            raise UsageError(f"SWALR: anneal_epochs must be a whole number >= 0; got {anneal_epochs!r}")
        self.anneal_epochs = anneal_epochs
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["swa_lr"] = rate
        super().__init__(optimizer, last_epoch)

    def _share(self, step: int) -> float:
        a = max(0.0, min(1.0, step / max(1, self.anneal_epochs)))
        return a if self._anneal_strategy == "linear" else (1 - math.cos(math.pi * a)) / 2

    def get_lr(self) -> list[float]:
        """The next point of the curve from the present rate's own start."""
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        before, now = self._share(step - 1), self._share(step)
        rates = []
        for group in self.optimizer.param_groups:
            target = group["swa_lr"]
            start = target if before == 1 else (group["lr"] - before * target) / (1 - before)
            rates.append(target * now + start * (1 - now))
        return rates


__all__ = [
    "SWALR",
    "AveragedModel",
    "get_ema_avg_fn",
    "get_ema_multi_avg_fn",
    "get_swa_avg_fn",
    "get_swa_multi_avg_fn",
    "update_bn",
]

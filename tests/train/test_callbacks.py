from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import byhand
from byhand import nn, optim
from byhand.core.errors import UsageError
from byhand.train import (
    BestWeights,
    Callback,
    Checkpointing,
    EarlyStopping,
    GradientClipping,
    History,
    Scheduling,
    TerminateOnNaN,
    Training,
    checkpoint,
    fit,
)
from byhand.train.callbacks import not_finite
from byhand.train.training import HOOKS
from train.networks import TRAIN, VALID, bits, network


def quiet(*args: Any, **options: Any) -> History:
    return fit(*args, **{"progress": False, "seed": 1, **options})


class Recorder(Callback):
    def __init__(self) -> None:
        self.seen: list[tuple[str, int, int]] = []

    def __getattribute__(self, name: str) -> Any:
        if name not in HOOKS:
            return super().__getattribute__(name)
        return lambda training: self.seen.append((name, training.epoch, training.batch))

    def overrides(self, hook: str) -> bool:
        return hook in HOOKS


def test_hooks_and_their_order() -> None:
    recorder = Recorder()
    quiet(network(), TRAIN, epochs=2, batch_size=25, callbacks=[recorder])
    batch = ["on_batch_begin", "on_backward_end", "on_batch_end"]
    names = [name for name, _, _ in recorder.seen]
    epoch = ["on_epoch_begin", *batch, *batch, "on_epoch_end"]
    assert names == ["on_train_begin", *epoch, *epoch, "on_train_end"]
    assert ("on_batch_end", 1, 2) in recorder.seen and ("on_epoch_end", 2, 0) in recorder.seen
    assert set(names) == set(HOOKS) and len(HOOKS) == 7


class Script(Callback):
    """Puts given values into the record, so that the callbacks after it see them."""

    def __init__(self, values: list[float], key: str = "valid_loss") -> None:
        self.values, self.key = values, key
        self.weights: list[Any] = []

    def on_epoch_end(self, training: Training) -> None:
        training.record[self.key] = self.values[training.epoch - 1]
        self.weights.append(bits(training.model))


def test_early_stopping_counts_from_the_best_epoch() -> None:
    values = [0.5, 0.4, 0.45, 0.39, 0.41, 0.40, 0.5, 0.6]
    history = quiet(network(), TRAIN, epochs=8, callbacks=[Script(values), EarlyStopping(3)])
    assert len(history) == 7
    better = quiet(network(), TRAIN, epochs=8, callbacks=[Script(values, "accuracy"), EarlyStopping(3, "accuracy")])
    assert len(better) == 4
    strict = quiet(network(), TRAIN, epochs=8, callbacks=[Script(values), EarlyStopping(2, min_delta=0.05)])
    assert len(strict) == 4


@pytest.mark.parametrize("mode, best", [("min", 1), ("max", 3), (None, 1)])
def test_best_weights_come_back(mode: str | None, best: int) -> None:
    script, model = Script([0.3, 0.1, 0.2, 0.9]), network()
    quiet(model, TRAIN, VALID, epochs=4, callbacks=[script, BestWeights(mode=mode)])
    assert bits(model) == script.weights[best]
    assert bits(model) != script.weights[2]


def test_nan_is_never_an_improvement() -> None:
    script, model = Script([0.3, float("nan"), 0.2]), network()
    quiet(model, TRAIN, epochs=3, callbacks=[script, BestWeights("valid_loss")])
    assert bits(model) == script.weights[2]


def test_a_metric_that_is_not_there_is_named() -> None:
    with pytest.raises(UsageError, match="EarlyStopping watches 'valid_f1', but an epoch's record has epoch, loss"):
        quiet(network(), TRAIN, callbacks=[EarlyStopping(metric="valid_f1")])
    assert len(quiet(network(), TRAIN, callbacks=[EarlyStopping(), BestWeights()], epochs=2)) == 2


def test_clipping_bounds_the_norm() -> None:
    class Norm(Callback):
        norms: list[float] = []

        def on_backward_end(self, training: Training) -> None:
            grads = [p.grad.array for p in training.model.parameters()]
            self.norms.append(float(np.sqrt(sum((g * g).sum() for g in grads))))

    quiet(network(), TRAIN, callbacks=[GradientClipping(0.05), norm := Norm()], epochs=2)
    assert max(norm.norms) == pytest.approx(0.05, rel=1e-3)
    clipped, other = network(), network()
    quiet(clipped, TRAIN, clip_norm=0.05, epochs=2)
    quiet(other, TRAIN, callbacks=[GradientClipping(0.05)], epochs=2)
    assert bits(clipped) == bits(other)


def test_schedules_per_batch_per_epoch_and_by_a_metric() -> None:
    model = network()
    optimizer = optim.SGD(model.parameters(), 1.0)
    per_batch = Scheduling(optim.lr_scheduler.ExponentialLR(optimizer, 0.5), per="batch")
    assert quiet(model, TRAIN, optimizer=optimizer, batch_size=25, scheduler=per_batch, epochs=2)["lr"] == [
        0.25,
        0.0625,
    ]

    cycle = optim.lr_scheduler.OneCycleLR(optim.SGD(model.parameters(), 1.0), 1.0, total_steps=9)
    assert Scheduling(cycle).per == "batch"

    optimizer = optim.SGD(model.parameters(), 1.0)
    plateau = optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.1, patience=0)
    script = Script([1.0, 2.0, 3.0, 0.5], "valid_loss")
    scheduling = Scheduling(plateau, metric="valid_loss")
    history = quiet(model, TRAIN, optimizer=optimizer, callbacks=[script, scheduling], epochs=4)
    assert history["lr"] == pytest.approx([1.0, 1.0, 0.1, 0.01])


def test_short_epochs_are_not_all_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved: list[int] = []
    monkeypatch.setattr(checkpoint, "save", lambda folder, state: saved.append(state["position"]["epoch"]))
    for least in (0.0, 60.0):
        quiet(network(), TRAIN, epochs=4, callbacks=[Checkpointing(tmp_path / str(least), least_seconds=least)])
    assert saved == [0, 1, 2, 3, 4, 0, 4]


def test_arguments_that_make_no_sense() -> None:
    scheduler = optim.lr_scheduler.StepLR(optim.SGD(network().parameters(), 1.0), 1)
    for make, message in (
        (lambda: EarlyStopping(0), "patience"),
        (lambda: EarlyStopping(mode="best"), "mode"),
        (lambda: Scheduling(scheduler, per="step"), "per is"),
        (lambda: GradientClipping(0.0), "max_norm"),
        (lambda: Checkpointing("x", every_batches=0), "every_batches"),
    ):
        with pytest.raises(UsageError, match=message):
            make()


def test_not_finite_names_modules() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    assert not_finite(model) == []
    model[1].bias.array[0] = np.nan
    model[0].weight.array[1, 1] = np.inf
    assert not_finite(model) == ["0 (weight)", "1 (bias)"]


def test_weights_that_turn_nan_in_the_last_step_of_an_epoch_are_noticed() -> None:
    class Poison(Callback):
        def on_batch_end(self, training: Training) -> None:
            if training.step == 4:
                training.model[3].weight.array[0, 0] = np.nan

    with pytest.raises(byhand.train.DivergenceError, match=r"the end of epoch 2: the weights of 3 \(weight\)"):
        quiet(network(), TRAIN, batch_size=25, callbacks=[Poison()])
    assert TerminateOnNaN().overrides("on_backward_end") and not TerminateOnNaN().overrides("on_batch_end")

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import byhand
from byhand import nn, optim
from byhand.core.errors import CheckpointError, DataError, UsageError
from byhand.data import DataLoader, Subset, TensorDataset
from byhand.train import (
    R2,
    Accuracy,
    BestWeights,
    Callback,
    Checkpointing,
    DivergenceError,
    EarlyStopping,
    History,
    Run,
    Scheduling,
    Training,
    evaluate,
    fit,
)
from train.networks import TRAIN, VALID, X, Y, bits, network, timeless


def quiet(*args: Any, **options: Any) -> History:
    return fit(*args, **{"progress": False, "seed": 1, **options})


def test_it_learns_and_records() -> None:
    model = network()
    history = quiet(model, TRAIN, VALID, epochs=30, optimizer=optim.Adam(model.parameters(), lr=0.05))
    assert history.keys == ["epoch", "loss", "accuracy", "valid_loss", "valid_accuracy", "lr", "seconds"]
    assert history["epoch"] == list(range(1, 31))
    assert history[-1, "loss"] < 0.6 * history[0, "loss"]
    assert not model.training


def test_a_step_is_the_step_one_would_write() -> None:
    """Against a loop by hand: same batches, same losses, same weights."""
    model, other = network(dropout=0.0), network(dropout=0.0)
    optimizer = optim.SGD(model.parameters(), 0.1)
    history = quiet(model, TRAIN, optimizer=optimizer, batch_size=16, epochs=2, compile=False)
    byhand.manual_seed(1)
    optimizer = optim.SGD(other.parameters(), 0.1)
    loader = DataLoader(TensorDataset(*map(byhand.tensor, TRAIN)), 16, shuffle=True)
    for epoch in range(2):
        total = right = 0.0
        for x, y in loader:
            output = other(x)
            loss = nn.functional.cross_entropy(output, y)
            total += loss.item() * len(x)
            right += float((output.array.argmax(1) == y.array).sum())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        assert history[epoch, "loss"] == total / 50
        assert history[epoch, "accuracy"] == right / 50
    assert bits(model) == bits(other)


def test_validation_is_the_model_in_eval_mode_and_changes_nothing() -> None:
    model = network(dropout=0.9)
    history = quiet(model, TRAIN, VALID, epochs=1)
    found = evaluate(model, DataLoader(TensorDataset(*map(byhand.tensor, VALID)), 7), nn.CrossEntropyLoss())
    assert found["loss"] == pytest.approx(history[0, "valid_loss"], rel=1e-6)
    alone = network(dropout=0.9)
    quiet(alone, TRAIN, epochs=1)
    assert bits(alone) == bits(model)


def test_evaluate_restores_the_mode_and_records_nothing() -> None:
    model = network().train()
    seen = []

    def loss(output: Any, y: Any) -> Any:
        seen.append((output.requires_grad, model.training))
        return nn.functional.cross_entropy(output, y)

    evaluate(model, [tuple(map(byhand.tensor, VALID))], loss)
    assert seen == [(False, False)] and model.training
    with pytest.raises(DataError, match="nothing to evaluate"):
        evaluate(model, [], loss)


def test_numbers_get_the_squared_error_and_r2() -> None:
    model = nn.Linear(4, 1)
    target = (X @ np.array([1.0, -2.0, 0.5, 0.0])).astype(np.float64)[:, None]  # float64 takes the model's dtype
    history = quiet(model, (X, target), epochs=60, optimizer=optim.Adam(model.parameters(), 0.1))
    assert history[-1, "r2"] > 0.99
    assert model.weight.dtype == np.float32


def test_every_form_of_data() -> None:
    tensors = TensorDataset(*map(byhand.tensor, TRAIN))
    results = []
    for data in (TRAIN, list(TRAIN), tuple(map(byhand.tensor, TRAIN)), tensors, DataLoader(tensors, 32, shuffle=True)):
        model = network()
        quiet(model, data, epochs=1)
        results.append(bits(model))
    assert all(result == results[0] for result in results)
    subset = Subset(tensors, list(range(20)))
    assert quiet(network(), subset, epochs=1).keys[:3] == ["epoch", "loss", "accuracy"]
    batches = [(x, y) for x, y in DataLoader(tensors, 10)]
    assert len(quiet(network(), batches, loss=nn.CrossEntropyLoss(), metrics=[], epochs=2)) == 2


def test_metrics_by_name_or_in_a_list() -> None:
    assert "valid_score" in quiet(network(), TRAIN, VALID, metrics={"score": Accuracy()}, epochs=1).keys
    assert quiet(network(), TRAIN, metrics=[], epochs=1).keys == ["epoch", "loss", "lr", "seconds"]
    with pytest.raises(UsageError, match="two are called"):
        quiet(network(), TRAIN, metrics=[Accuracy(), Accuracy()])
    assert "r2" not in quiet(nn.Linear(4, 2), TRAIN, loss=nn.CrossEntropyLoss(), metrics=[], epochs=1).keys
    assert R2().name == "r2"


@pytest.mark.parametrize(
    "data, error, message",
    [
        ((X[:0], Y[:0]), DataError, "empty"),
        ((np.where(X[7, 2] == X, np.nan, X), Y), DataError, "train: 1 of 70 samples of x hold NaN.*sample 7"),
        (X, UsageError, "got one array"),
        (3, UsageError, "got int"),
        ((X, np.array(["a"] * 70)), DataError, "cannot be trained on"),
        ([1, 2, 3], UsageError, "cannot tell"),
        ([(X, Y, Y)], UsageError, "cannot tell"),
    ],
)
def test_bad_data(data: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        quiet(network(), data)


def test_bad_batches_and_arguments() -> None:
    with pytest.raises(DataError, match="should be a pair"):
        quiet(network(), [(X, Y, Y)], loss=nn.CrossEntropyLoss(), metrics=[])
    with pytest.raises(DataError, match="gave no batch"):
        quiet(network(), DataLoader(TensorDataset(*map(byhand.tensor, TRAIN)), 64, drop_last=True))
    with pytest.raises(UsageError, match="epochs"):
        quiet(network(), TRAIN, epochs=-1)
    with pytest.raises(UsageError, match="needs the folder"):
        quiet(network(), TRAIN, resume=True)
    with pytest.raises(UsageError, match="expected objects"):
        quiet(network(), TRAIN, callbacks=[print])


def test_labels_out_of_range_are_an_error_and_not_a_wrong_loss() -> None:
    with pytest.raises(byhand.core.errors.ByhandError, match="7"):
        quiet(network(), (X, np.full(70, 7)))


# --- checkpoints and resuming ---


class CrashError(Exception):
    pass


class Crash(Callback):
    """Fails after so many steps: stands before Checkpointing, so that this step is not saved."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_batch_end(self, training: Training) -> None:
        if training.step == self.step:
            raise CrashError


def job(folder: Path | None, crash: int | None = None, generator: bool = False, **options: Any) -> tuple[Any, History]:
    model = network()
    optimizer = optim.Adam(model.parameters(), lr=0.02)
    own = byhand.core.generator.Generator().manual_seed(9) if generator else None
    loader = DataLoader(TensorDataset(*map(byhand.tensor, TRAIN)), 16, shuffle=True, generator=own)
    steps = 4 * 3
    history = quiet(
        model,
        loader,
        VALID,
        optimizer=optimizer,
        epochs=3,
        scheduler=optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=steps),
        callbacks=[BestWeights(), *([] if crash is None else [Crash(crash)])],
        out=folder,
        **options,
    )
    return bits(model), history


@pytest.mark.parametrize("generator", [False, True])
@pytest.mark.parametrize("step", range(1, 13))
def test_resuming_after_any_batch_changes_no_bit(tmp_path: Path, step: int, generator: bool) -> None:
    expected = job(None, generator=generator)
    with pytest.raises(CrashError):
        job(tmp_path / "run", crash=step, generator=generator, save_every_batches=1)
    weights, history = job(tmp_path / "run", generator=generator, resume=True, save_every_batches=1)
    assert weights == expected[0]
    assert timeless(history) == timeless(expected[1])
    assert timeless(History.load(tmp_path / "run" / "history.jsonl")) == timeless(history)


def test_resuming_twice_and_after_the_end(tmp_path: Path) -> None:
    expected = job(None)
    for step in (2, 7):
        with pytest.raises(CrashError):
            job(tmp_path, crash=step, resume=True, save_every_batches=1)
    for _ in range(2):
        weights, history = job(tmp_path, resume=True)
        assert weights == expected[0] and timeless(history) == timeless(expected[1])


def test_saving_changes_nothing(tmp_path: Path) -> None:
    assert job(tmp_path, save_every_batches=1)[0] == job(None)[0]


def test_an_epoch_saved_only_at_its_end_is_begun_again(tmp_path: Path) -> None:
    with pytest.raises(CrashError):
        job(tmp_path, crash=6, save_every_seconds=None)
    assert job(tmp_path, resume=True)[0] == job(None)[0]


def test_saving_by_the_clock(tmp_path: Path) -> None:
    with pytest.raises(CrashError):
        job(tmp_path, crash=3, save_every_seconds=0.0)
    state = byhand.train.checkpoint.load(tmp_path)
    assert state["position"]["batch"] == 2


def test_a_run_is_not_overwritten_by_accident(tmp_path: Path) -> None:
    job(tmp_path)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    with pytest.raises(UsageError, match="already holds a run"):
        job(tmp_path)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_the_folder_has_everything(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    weights, _ = job(tmp_path)
    names = {p.name for p in tmp_path.iterdir()}
    assert {"config.json", "history.jsonl", "checkpoint.json", "model.safetensors", "plot.png"} < names
    model = Run.load(tmp_path).model(network(seed=8))
    assert bits(model) == weights
    with pytest.raises(UsageError, match="trained from Python"):
        Run.load(tmp_path).model()


def test_a_checkpoint_of_another_model(tmp_path: Path) -> None:
    quiet(network(), TRAIN, epochs=1, out=tmp_path)
    with pytest.raises(CheckpointError) as caught:
        quiet(network(hidden=5), TRAIN, epochs=2, out=tmp_path, resume=True)
    assert "0.weight: float32 (8, 4) in the checkpoint, float32 (5, 4) in the model" in str(caught.value)
    model = network()
    with pytest.raises(CheckpointError, match="written by the optimiser Adam, this run uses SGD"):
        quiet(model, TRAIN, optimizer=optim.SGD(model.parameters(), 0.1), out=tmp_path, resume=True)
    with pytest.raises(CheckpointError, match=r"0\.weight"):
        Run.load(tmp_path).model(network(hidden=3))


def test_a_lost_history_is_an_error(tmp_path: Path) -> None:
    quiet(network(), TRAIN, epochs=2, out=tmp_path)
    (tmp_path / "history.jsonl").write_text('{"epoch": 1}\n')
    with pytest.raises(CheckpointError, match="has 1 records, but 2 epochs were complete"):
        quiet(network(), TRAIN, epochs=3, out=tmp_path, resume=True)


def test_a_full_disk_ends_the_run_with_the_last_checkpoint_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = os.replace, 0

    def full(*args: Any) -> None:
        nonlocal calls
        calls += 1
        if calls > 8:
            raise OSError(28, "No space left on device")
        real(*args)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(CheckpointError, match="No space left"):
        job(tmp_path, save_every_batches=1)
    monkeypatch.undo()
    assert job(tmp_path, resume=True)[0] == job(None)[0]


def test_more_epochs_later(tmp_path: Path) -> None:
    quiet(network(), TRAIN, epochs=2, out=tmp_path)
    history = quiet(network(), TRAIN, epochs=5, out=tmp_path, resume=True)
    assert history["epoch"] == [1, 2, 3, 4, 5]
    model = network()
    quiet(model, TRAIN, epochs=5)
    assert bits(Run.load(tmp_path).model(network(3))) == bits(model)


def test_the_best_weights_are_remembered_over_a_resume(tmp_path: Path) -> None:
    class Worse(Callback):
        def on_epoch_end(self, training: Training) -> None:
            training.record["score"] = training.epoch

    def worsening(crash: int, **options: Any) -> dict[str, bytes]:
        model = network()
        callbacks = [Worse(), BestWeights("score", "min"), Crash(crash)]
        quiet(model, TRAIN, epochs=3, batch_size=25, callbacks=callbacks, **options)
        return bits(model)

    with pytest.raises(CrashError):
        worsening(5, out=tmp_path, save_every_batches=1)
    first = network()
    quiet(first, TRAIN, epochs=1, batch_size=25)
    assert worsening(99, out=tmp_path, resume=True) == bits(first)


def test_a_loader_that_somebody_has_looked_into(tmp_path: Path) -> None:
    def looked(crash: int, **options: Any) -> dict[str, bytes]:
        model = network()
        loader = DataLoader(TensorDataset(*map(byhand.tensor, TRAIN)), 16, shuffle=True)
        if crash == 1:
            next(iter(loader))
        quiet(model, loader, epochs=1, callbacks=[Crash(crash)], save_every_seconds=None, **options)
        return bits(model)

    with pytest.raises(CrashError):
        looked(1, out=tmp_path)
    assert looked(99, out=tmp_path, resume=True) == looked(99)


def test_a_run_that_stopped_early_stays_stopped(tmp_path: Path) -> None:
    def stopping(**options: Any) -> History:
        model = network(dropout=0.0)
        calm = optim.SGD(model.parameters(), 1e-9)  # accuracy cannot improve
        return quiet(model, TRAIN, optimizer=calm, epochs=9, callbacks=[EarlyStopping(2, "accuracy")], **options)

    first = stopping(out=tmp_path)
    assert len(first) == 3
    assert timeless(stopping(out=tmp_path, resume=True)) == timeless(first)
    assert byhand.train.checkpoint.load(tmp_path)["position"]["stopped"].startswith("no improvement for 2 epochs")


class Stream:
    """Batches from a source that cannot say where it is."""

    def __iter__(self) -> Iterator[Any]:
        yield from DataLoader(TensorDataset(*map(byhand.tensor, TRAIN)), 16)


def test_a_stream_resumes_at_its_epochs(tmp_path: Path) -> None:
    options = {"loss": nn.CrossEntropyLoss(), "metrics": [], "out": tmp_path, "save_every_seconds": None}
    with pytest.raises(CrashError):
        quiet(network(), Stream(), epochs=3, callbacks=[Crash(6)], **options)
    model, unbroken = network(), network()
    quiet(model, Stream(), epochs=3, resume=True, **options)
    quiet(unbroken, Stream(), epochs=3, **{**options, "out": None})
    assert bits(model) == bits(unbroken)
    with pytest.raises(CheckpointError, match="cannot say where it is"):
        quiet(network(), Stream(), **{**options, "out": tmp_path / "b", "save_every_batches": 1})


# --- interrupts ---


class PressCtrlC(Callback):
    def __init__(self, step: int, times: int = 1) -> None:
        self.step, self.times = step, times

    def on_batch_begin(self, training: Training) -> None:
        if training.step == self.step:
            for _ in range(self.times):
                signal.raise_signal(signal.SIGINT)


def test_ctrl_c_finishes_the_step_and_saves(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        quiet(network(), TRAIN, epochs=3, batch_size=16, callbacks=[PressCtrlC(5)], out=tmp_path)
    assert signal.getsignal(signal.SIGINT) is before
    assert byhand.train.checkpoint.load(tmp_path)["position"] == {"epoch": 1, "batch": 2, "step": 6, "stopped": None}
    model, unbroken = network(), network()
    quiet(model, TRAIN, epochs=3, batch_size=16, out=tmp_path, resume=True)
    quiet(unbroken, TRAIN, epochs=3, batch_size=16)
    assert bits(model) == bits(unbroken)


def test_ctrl_c_during_validation(tmp_path: Path) -> None:
    class Press(nn.Module):
        def forward(self, x: Any) -> Any:
            if not self.training:
                signal.raise_signal(signal.SIGINT)
            return x

    def model(last: nn.Module) -> nn.Sequential:
        return nn.Sequential(network(), last)

    expected = quiet(unbroken := model(nn.Identity()), TRAIN, VALID, epochs=2)
    with pytest.raises(KeyboardInterrupt):
        quiet(model(Press()), TRAIN, VALID, epochs=2, out=tmp_path)
    history = quiet(again := model(nn.Identity()), TRAIN, VALID, epochs=2, out=tmp_path, resume=True)
    assert bits(again) == bits(unbroken) and timeless(history) == timeless(expected)


def test_a_second_ctrl_c_does_not_wait(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        quiet(network(), TRAIN, callbacks=[PressCtrlC(1, times=2)], out=tmp_path, save_every_seconds=None)
    assert byhand.train.checkpoint.load(tmp_path)["position"]["step"] == 0


def test_fit_works_in_a_thread_where_signals_cannot_be_caught(tmp_path: Path) -> None:
    lengths: list[int] = []
    thread = threading.Thread(target=lambda: lengths.append(len(quiet(network(), TRAIN, epochs=2, out=tmp_path))))
    thread.start()
    thread.join()
    assert lengths == [2]


# --- what goes wrong ---


class Poison(Callback):
    """A step that went wrong."""

    def on_batch_end(self, training: Training) -> None:
        if training.step == 3:
            training.model[3].weight.array[0, 0] = np.nan


def test_divergence_names_place_and_cause(tmp_path: Path) -> None:
    message = r"became nan in epoch 2, batch 2: the weights of 3 \(weight\) are no longer finite\. Lower the learning"
    with pytest.raises(DivergenceError, match=message):
        quiet(network(), TRAIN, batch_size=25, callbacks=[Poison()], out=tmp_path, save_every_batches=1)
    kept = Run.load(tmp_path).weights()
    assert all(np.isfinite(array).all() for array in kept.values()), "the last good checkpoint stays"
    assert byhand.train.checkpoint.load(tmp_path)["position"]["step"] == 2


def test_a_loss_that_overflows_is_told_apart() -> None:
    model = network()
    diverged = pytest.raises(DivergenceError, match=r"in epoch 1, batch 2: .*Lower the learning rate")
    with np.errstate(all="ignore"), diverged:
        quiet(model, TRAIN, batch_size=25, optimizer=optim.SGD(model.parameters(), 1e38))


def test_a_bad_batch_is_blamed_on_the_data() -> None:
    bad = X.copy()
    bad[3, 1] = np.inf
    loader = DataLoader(TensorDataset(byhand.tensor(bad), byhand.tensor(Y)), 10)
    finite = pytest.raises(DivergenceError, match=r"batch 1: the batch's input is not finite .*its sample 3")
    with np.errstate(all="ignore"), finite:
        quiet(nn.Linear(4, 2), loader)


def test_scheduling_and_own_checkpointing(tmp_path: Path) -> None:
    model = network()
    optimizer = optim.SGD(model.parameters(), 1.0)
    schedule = Scheduling(optim.lr_scheduler.ExponentialLR(optimizer, 0.5))
    saving = Checkpointing(tmp_path, every_epochs=2)
    history = quiet(model, TRAIN, optimizer=optimizer, scheduler=schedule, callbacks=[saving], epochs=3)
    assert history["lr"] == [1.0, 0.5, 0.25]
    assert byhand.train.checkpoint.load(tmp_path)["position"]["epoch"] == 3

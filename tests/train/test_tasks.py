"""What networks are trained for besides labels and numbers: forecasts, rebuilt and made-up samples, rewards."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

import byhand
from byhand import nn
from byhand.core.errors import UsageError
from byhand.data.datasets import WindyLine
from byhand.interop.named_tensors import unpack_tensors
from byhand.train.callbacks import Checkpointing
from byhand.train.job import Job
from byhand.train.recipe import Recipe, recipe_for
from byhand.train.tasks.acting import Episodes, advantages, played, policy_loss

SMALL = {
    "sine_waves": Recipe(model="gru:4", epochs=2, batch_size=64, schedule="warmup"),
    "windy_line": Recipe(model="mlp:4", epochs=2, batch_size=70),
    "ring": Recipe(model="gan:8,2", epochs=2, batch_size=3000, schedule="restarts", momentum=0.5),
    "digits": Recipe(model="vae:8,2", epochs=2, batch_size=256, optimizer="radam", patience=2),
}
MEASURED = {
    "sine_waves": {"loss", "r2"},
    "windy_line": {"loss", "reward"},
    "ring": {"loss", "precision", "recall"},
    "digits": {"loss"},
}


class Killed(BaseException):
    pass


def weights(run: Path) -> dict[str, bytes]:
    return {k: v.tobytes() for k, v in unpack_tensors((run / "model.safetensors").read_bytes()).items()}


@pytest.mark.parametrize("dataset", SMALL)
def test_a_run_is_measured_and_a_killed_one_goes_on_bit_for_bit(
    dataset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = dataclasses.replace(SMALL[dataset], dialect="planned")
    whole = Job.new(tmp_path / "whole", dataset, recipe).train(progress=False)
    assert set(whole["test"]) == MEASURED[dataset]
    assert all(np.isfinite(value) for value in whole["test"].values())

    saves, save = [], Checkpointing.save

    def die(self: Checkpointing, training: object) -> None:
        save(self, training)  # type: ignore[arg-type]
        saves.append(training)
        if len(saves) == 3:
            raise Killed

    job = Job.new(tmp_path / "run", dataset, recipe)
    with monkeypatch.context() as patch:
        patch.setattr(Checkpointing, "save", die)
        with pytest.raises(Killed):
            job.train(progress=False, save_every_seconds=0.0)
    assert Job.load(tmp_path / "run").train(progress=False) == whole
    assert weights(tmp_path / "run") == weights(tmp_path / "whole")

    loaded = Job.load(tmp_path / "run")
    assert loaded.evaluate(loaded.part("test")) == whole["test"]


def test_policy_gradient_keeps_the_cart_on_the_line(tmp_path: Path) -> None:
    recipe = recipe_for("windy_line").replace(epochs=6, dialect="planned")
    job = Job.new(tmp_path / "run", "windy_line", recipe)
    result = job.train(progress=False)
    history = job.run.history["reward"]
    assert history[0] < 60 < 100 < result["test"]["reward"]
    assert job.classes == ["left", "right"]
    left, right = job.run.predict(np.array([[0.9, 0.1], [-0.9, -0.1]], np.float32)).argmax(1)
    assert (left, right) == (0, 1)


def test_the_weights_of_actions() -> None:
    rewards = np.array([[1, 1], [1, 0], [1, 0]], np.float32)
    counted = np.array([[True, True], [True, False], [True, False]])
    weights = advantages(rewards, counted)
    assert (weights[1:, 1] == 0).all()
    assert weights[counted].sum() == pytest.approx(0, abs=1e-6)
    assert weights[0, 0] > weights[1, 0] > weights[2, 0] == weights[0, 1]


def test_the_loss_is_minus_the_weighted_log_probability() -> None:
    scores, actions = byhand.randn(5, 2), byhand.tensor([0, 1, 1, 0, 1])
    weights = byhand.randn(5)
    chances = nn.functional.log_softmax(scores, 1).gather(1, actions[:, None])[:, 0]
    assert policy_loss(scores, (actions, weights, None)).item() == pytest.approx(-(weights * chances).sum().item())


def test_episodes_end_outside_and_are_of_one_shape() -> None:
    byhand.manual_seed(0)
    world = WindyLine(episodes=5)
    always_right = nn.Linear(2, 2)
    nn.init.zeros_(always_right.weight)
    always_right.bias.data = byhand.tensor([-50.0, 50.0])
    states, (actions, weights, rewards) = played(world, always_right, 3)
    assert states.shape == (600, 2) and actions.shape == weights.shape == (600,)
    assert (actions.array == 1).all() and (rewards.array < 30).all()
    assert ((weights.array.reshape(200, 3) != 0).sum(0) <= rewards.array).all()
    batches = list(Episodes(world, always_right, 2))
    assert len(batches) == len(Episodes(world, always_right, 2)) == 3
    assert [len(acted[2]) for _, acted in batches] == [2, 2, 1]


@pytest.mark.parametrize(
    "dataset, options, message",
    [
        ("moons", {"model": "vae"}, "make up images, and moons is points"),
        ("sine_waves", {"model": "gan"}, "make up images or points, and sine_waves is series"),
        ("sine_waves", {"model": "mlp:3"}, "choose rnn, lstm or gru"),
        ("sine_waves", {"model": "gru", "dropout": 0.1}, "gru of a series has no dropout"),
        ("windy_line", {"loss": "mse"}, "has a loss of its own"),
        ("windy_line", {"standardize": True}, "no data to standardize by"),
        ("ring", {"model": "gan", "label_smoothing": 0.1}, "has a loss of its own"),
        ("ring", {"model": "gan", "patience": 3}, "patience goes by the loss, which says little of gan"),
        ("windy_line", {"patience": 3}, "patience goes by the loss"),
        ("ring", {"model": "gan:1,2,3"}, "more sizes than the 2"),
    ],
)
def test_what_does_not_fit_together(dataset: str, options: dict[str, object], message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message):
        Job.new(tmp_path / "run", dataset, Recipe(**options))  # type: ignore[arg-type]
    assert not (tmp_path / "run").exists()


def test_reports_name_their_unit() -> None:
    from byhand.train.tasks import task_for

    lines = task_for(Recipe(model="vae"), "images", True).report({"loss": 104.25})
    assert lines == ["test loss 104.2500 nats an image (the negative evidence bound)"]
    assert task_for(Recipe(), "table", False).report({"loss": 1.0, "r2": 0.5}) == ["test r2 0.5000"]

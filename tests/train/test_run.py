from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import byhand
from byhand import nn
from byhand.core.errors import CheckpointError, DataError, UsageError
from byhand.data import DataLoader, TensorDataset
from byhand.train import Accuracy, Run, evaluate, fit, predict
from byhand.train.run import softmax
from train.networks import TRAIN, VALID, X, Y, bits, network

SPEC = {"spec": "mlp:5", "input_shape": [4], "outputs": 2, "classes": ["no", "yes"], "activation": "tanh"}


def trained(folder: Path, **options: Any) -> nn.Module:
    run = Run(folder, {"model": SPEC})
    byhand.manual_seed(0)
    model = run.build()
    fit(model, TRAIN, VALID, epochs=2, out=folder, config=run.config, seed=0, progress=False, **options)
    return model


def test_a_run_builds_its_model_again(tmp_path: Path) -> None:
    model = trained(tmp_path)
    run = Run.load(tmp_path)
    assert run.is_finished and run.classes == ["no", "yes"]
    again = run.model()
    assert bits(again) == bits(model) and not again.training
    assert len(run.history) == 2


def test_evaluate_and_predict(tmp_path: Path) -> None:
    model = trained(tmp_path)
    run = Run.load(tmp_path)
    data = DataLoader(TensorDataset(*map(byhand.tensor, (X, Y))), 16)
    loss = nn.CrossEntropyLoss()
    expected = evaluate(model, data, loss, {"accuracy": Accuracy()})
    assert run.evaluate(data, loss, {"accuracy": Accuracy()}) == expected
    scores = run.predict(X)
    assert scores.shape == (70, 2)
    assert np.mean(scores.argmax(1) == Y) == expected["accuracy"]
    assert np.allclose(predict(model, byhand.tensor(X), batch_size=7), scores, atol=1e-6)
    with pytest.raises(DataError, match="no sample"):
        run.predict(X[:0])


def test_predicting_does_not_drop_and_restores_the_mode() -> None:
    model = network(dropout=0.9).train()
    assert np.array_equal(predict(model, X), predict(model, X))
    assert model.training


def test_an_unfinished_run_gives_its_last_checkpoint(tmp_path: Path) -> None:
    model = trained(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    run = Run.load(tmp_path)
    assert not run.is_finished
    assert bits(run.model()) == bits(model)


def test_folders_that_are_no_runs(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no run"):
        Run.load(tmp_path / "none")
    with pytest.raises(DataError, match="is not the folder of a run: it has no config"):
        Run.load(tmp_path)
    for text in ("{", "[]"):
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(DataError, match="config"):
            Run.load(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="could not make the folder"):
        Run.open(tmp_path / "file" / "run", {})


def test_opening_keeps_what_is_there(tmp_path: Path) -> None:
    Run.open(tmp_path / "run", {"a": 1})
    with pytest.raises(UsageError, match="already holds a run"):
        Run.open(tmp_path / "run", {"a": 2})
    assert Run.open(tmp_path / "run", {"a": 2}, resume=True).config == {"a": 1}
    assert json.loads((tmp_path / "run" / "config.json").read_text()) == {"a": 1}


def test_weights_of_another_model(tmp_path: Path) -> None:
    trained(tmp_path)
    with pytest.raises(CheckpointError, match=r"fc1\.weight: float32 \(5, 4\) in the checkpoint, absent in the model"):
        Run.load(tmp_path).model(nn.Linear(4, 2))
    (tmp_path / "model.safetensors").write_bytes(b"\xff" * 30)
    with pytest.raises(CheckpointError, match=r"model\.safetensors is damaged"):
        Run.load(tmp_path).model()


def test_softmax_of_large_scores() -> None:
    p = softmax(np.array([[1000.0, 1000.0, -1000.0]], np.float32))
    assert np.array_equal(p, [[0.5, 0.5, 0.0]])

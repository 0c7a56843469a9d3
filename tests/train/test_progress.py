from __future__ import annotations

import io

import pytest

from byhand import optim
from byhand.train import EarlyStopping, Progress, fit
from byhand.train.progress import epoch_line
from train.networks import TRAIN, VALID, network


def test_plain_lines_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    fit(network(), TRAIN, VALID, epochs=2, seed=0, callbacks=[EarlyStopping(5)])
    first, *lines = capsys.readouterr().out.splitlines()
    assert first == "runs   compiled: planned NumPy"
    assert len(lines) == 2
    assert lines[0].startswith("epoch 1/2  loss 0.") and "valid_accuracy" in lines[1] and "samples/s" in lines[1]


def test_why_it_stopped_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    model = network()
    fit(model, TRAIN, epochs=9, optimizer=optim.SGD(model.parameters(), 0.0), callbacks=[EarlyStopping(2, "accuracy")])
    assert "stopped: no improvement for 2 epochs" in capsys.readouterr().out


def test_a_bar_on_a_terminal() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    model = network()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TERM", "xterm")
        patch.delenv("NO_COLOR", raising=False)
        patch.setattr("byhand.train.progress.REFRESH", 0.0)
        bar = Progress(stream)
        fit(model, TRAIN, epochs=2, callbacks=[bar], progress=False, seed=0)
    text = stream.getvalue()
    assert text.count("runs   compiled: planned NumPy") == 1
    assert "epoch 1/2  loss" in text and "batch 1/2" in text and "samples/s" in text and "left" in text
    assert bar.bar is None


def test_an_epoch_as_a_line() -> None:
    record = {"epoch": 3, "loss": 0.5, "accuracy": 0.25, "confusion": [[1]], "lr": 0.1, "seconds": 2.0}
    assert epoch_line(record, 40, 1000) == "epoch  3/40  loss 0.5000  accuracy 0.2500  2.00 s  500 samples/s"

from __future__ import annotations

import builtins
import json
from pathlib import Path
from typing import Any

import pytest

from byhand.core.errors import CheckpointError, DataError, UsageError
from byhand.train.history import History

RECORDS = [
    {"epoch": 1, "loss": 0.1 + 0.2, "valid_loss": 0.9},
    {"epoch": 2, "loss": 1e-17, "valid_loss": 0.5, "note": "x"},
    {"epoch": 3, "loss": 0.25, "valid_loss": 0.7},
]
HISTORY = History(RECORDS)


def test_every_way_to_index() -> None:
    assert HISTORY["loss"] == [0.1 + 0.2, 1e-17, 0.25]
    assert HISTORY[-1] == RECORDS[2]
    assert HISTORY[-1, "loss"] == 0.25
    assert HISTORY[1:] == History(RECORDS[1:])
    assert HISTORY[:2, "valid_loss"] == [0.9, 0.5]
    assert HISTORY["note"] == [None, "x", None]
    assert len(HISTORY) == 3 and list(HISTORY) == RECORDS
    assert HISTORY.keys == ["epoch", "loss", "valid_loss", "note"]


def test_a_column_that_is_not_there() -> None:
    with pytest.raises(KeyError, match="did you mean 'valid_loss'"):
        HISTORY["valid_los"]
    with pytest.raises(IndexError):
        HISTORY[7]
    assert History()["loss"] == []


def test_best() -> None:
    assert HISTORY.best()["epoch"] == 2
    assert HISTORY.best("valid_loss", "max")["epoch"] == 1
    assert HISTORY.best("epoch")["epoch"] == 3
    with pytest.raises(UsageError, match="empty"):
        History().best()


def test_saved_and_loaded_exactly(tmp_path: Path) -> None:
    HISTORY.save(tmp_path / "h.jsonl")
    assert History.load(tmp_path / "h.jsonl") == HISTORY


def test_a_torn_last_line_is_dropped_wherever_it_tears(tmp_path: Path) -> None:
    path = tmp_path / "h.jsonl"
    HISTORY.save(path)
    data = path.read_bytes()
    start = data.rindex(b"{")
    for cut in range(start, len(data) - 1):
        path.write_bytes(data[:cut])
        assert len(History.load(path)) == (3 if cut == len(data) - 1 else 2)


def test_a_broken_line_in_the_middle_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "h.jsonl"
    path.write_text('{"epoch": 1}\n{"epo\n{"epoch": 3}\n')
    with pytest.raises(DataError, match=r"h\.jsonl, line 2"):
        History.load(path)
    path.write_text('{"epoch": 1}\n17\n')
    with pytest.raises(DataError, match="line 2"):
        History.load(path)
    with pytest.raises(DataError, match="could not read"):
        History.load(tmp_path / "none")


def test_appending_adds_a_line(tmp_path: Path) -> None:
    path = tmp_path / "h.jsonl"
    history = History()
    for record in RECORDS:
        history.append(record)
        history.append_to(path)
    assert History.load(path) == HISTORY
    assert [json.loads(line) for line in path.read_text().splitlines()] == RECORDS
    with pytest.raises(CheckpointError, match="could not add epoch 3"):
        history.append_to(tmp_path / "no" / "h.jsonl")


def test_a_record_is_copied() -> None:
    record = {"epoch": 1}
    history = History()
    history.append(record)
    record["epoch"] = 9
    assert history[0, "epoch"] == 1


def test_plot(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    figure = HISTORY.plot(tmp_path / "plot.png", keys=["loss", "valid_loss", "epoch"])
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
    assert [len(axes.lines) for axes in figure.axes] == [2, 1]
    assert list(figure.axes[0].lines[1].get_ydata()) == [0.9, 0.5, 0.7]
    assert len(HISTORY.plot().axes) == 1
    with pytest.raises(UsageError, match="empty"):
        History().plot()
    with pytest.raises(UsageError, match="none of epoch"):
        History([{"epoch": 1}]).plot()


def test_plot_without_matplotlib_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UsageError, match=r"byhand\[plot\]"):
        HISTORY.plot()


def test_repr() -> None:
    assert repr(History()) == "History(no epochs yet)"
    assert repr(HISTORY) == "History(3 epochs; last: loss 0.25, valid_loss 0.7)"

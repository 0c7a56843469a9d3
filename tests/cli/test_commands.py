from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import pytest

from byhand.cli.guard import explain, guarded
from byhand.core.errors import DataError
from byhand.data import datasets


def test_datasets(byhand: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = byhand("datasets")
    assert answer.status == 0
    assert all(name in answer.out for name in datasets.names())
    assert "BYHAND_DATA" in answer.out
    rows = byhand("datasets", "--json").json
    assert rows[0] == {**rows[0], "name": "digits", "present": True}
    monkeypatch.setenv("BYHAND_DATA", "elsewhere")
    assert "BYHAND_DATA=elsewhere" in byhand("datasets").out


def test_version_and_help(byhand: Any) -> None:
    assert byhand("--version").out.startswith("byhand ")
    assert byhand("--help").status == 0
    assert byhand("train", "-h").status == 0
    assert byhand().status == 2


def test_bench_hands_on_its_options(byhand: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    module = types.ModuleType("byhand.bench")
    module.main = lambda *arguments: seen.append(arguments) or 1  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "byhand.bench", module)
    assert byhand("bench", "steps", "--rounds", 3, "--json", "a.json", "--quick").status == 1
    assert byhand("bench").status == 1
    assert seen == [(["steps"], 3, Path("a.json"), True), ([], 9, None, False)]


@pytest.mark.parametrize(
    "error, status, message",
    [
        (DataError("the file is broken"), 1, "error: the file is broken"),
        (KeyboardInterrupt(), 130, "interrupted: saved"),
        (MemoryError("8 GiB"), 1, "out of memory: 8 GiB"),
        (FileNotFoundError(2, "No such file or directory", "x.csv"), 1, "x.csv: No such file or directory"),
        (ZeroDivisionError("oops"), 1, "ZeroDivisionError: oops\n  (the command with --debug shows where)"),
    ],
)
def test_every_error_is_a_message(
    error: BaseException, status: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    import typer

    with pytest.raises(typer.Exit) as caught, guarded(interrupted="saved"):
        raise error
    assert caught.value.exit_code == status
    assert message in capsys.readouterr().err


def test_notes_are_shown() -> None:
    error = DataError("broken")
    error.add_note("while reading sample 3")
    assert explain(error) == "broken\n  while reading sample 3"

from __future__ import annotations

import io

import pytest
from rich.console import Console

from byhand.bench.tables import Row, Table, duration, show, size, verdict


def printed(table: Table, width: int = 140) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    show(table, console)
    return console.file.getvalue()


def test_prints_every_column_of_a_row():
    text = printed(Table("Steps", [Row("a step", "61 µs · by hand 50 µs", "≤ 1.35 ×", 1.2201, 1.2, True)], ["a note"]))
    for piece in ("Steps", "a step", "61 µs · by hand 50 µs", "≤ 1.35 ×", "1.220", "1.200", "yes", "a note"):
        assert piece in text


@pytest.mark.parametrize("reached, word, other", [(True, "yes", "no"), (False, "no", "yes")])
def test_verdict_is_spelled_out(reached, word, other):
    text = printed(Table("T", [Row("x", "1", reached=reached)]))
    assert f" {word} " in text
    assert f" {other} " not in text


def test_no_verdict_without_a_measurement():
    assert verdict(None) == ""
    text = printed(Table("T", [Row("x", "PyTorch not installed", "≤ 2 ×")]))
    assert "PyTorch not installed" in text
    assert " yes " not in text and " no " not in text


def test_a_narrow_terminal_cuts_nothing_off():
    text = printed(Table("T", [Row("w" * 30, "m" * 30, "≤ 1.35 ×", 1.234, 1.5, False)]), width=70)
    assert text.count("w") - "what".count("w") == 30
    assert "1.234" in text and "1.500" in text


def test_markup_in_a_note_is_text():
    assert "images[order[i : i + 50]]" in printed(Table("T", notes=["images[order[i : i + 50]]"]))


def test_a_table_becomes_plain_data():
    table = Table("T", [Row("x", "1", ratio=0.5, reached=True)], ["n"], {"a": {"b": "1"}}, {"seconds": {"x": [1.0]}})
    assert table.as_dict() == {
        "title": "T",
        "rows": [{"what": "x", "measured": "1", "must": "", "ratio": 0.5, "of_medians": None, "reached": True}],
        "notes": ["n"],
        "times": {"a": {"b": "1"}},
        "details": {"seconds": {"x": [1.0]}},
    }


def test_an_overview_stands_above_the_rows():
    times = {"first": {"fast": "1.25", "slow": "2.5"}, "second": {"slow": "3.75"}}
    text = printed(Table("The title", [Row("a row", "1")], times=times))
    assert text.count("The title") == 1
    assert text.index("The title") < text.index("slow") < text.index("3.75") < text.index("a row")
    lines = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.strip()}
    assert lines["first"] == ["1.25", "2.5"] and lines["second"] == ["–", "3.75"]


def test_units():
    assert [duration(s) for s in (2.0, 0.5, 0.0004, 4.2e-7)] == ["2.0 s", "500.0 ms", "400.0 µs", "0.42 µs"]
    assert duration(-3e-7) == "-0.30 µs"
    assert [size(n) for n in (950, 190_000, 2_340_000)] == ["0.9 kB", "190.0 kB", "2.34 MB"]

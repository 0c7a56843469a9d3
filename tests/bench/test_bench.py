from __future__ import annotations

import json

import pytest

from byhand import bench
from byhand.bench.tables import Row, Table
from byhand.core.errors import DataError, UsageError


@pytest.fixture
def asked(monkeypatch):
    """Sections that measure nothing and remember how they were called."""
    calls: dict[str, tuple[int, bool]] = {}

    def section(name: str):
        def run(rounds: int, quick: bool) -> Table:
            calls[name] = rounds, quick
            return Table(name.upper(), [Row("a", "1", reached=True), Row("b", "2", reached=False), Row("c", "3")])

        return run

    monkeypatch.setattr(bench, "SECTIONS", {name: section(name) for name in bench.SECTIONS})
    return calls


def test_all_sections_without_names(asked, capsys):
    assert bench.main([]) == 0
    assert list(asked) == ["steps", "compiled", "breadth", "overhead", "memory", "loading", "jobs"]
    assert set(asked.values()) == {(9, False)}
    assert "7 of 14 numbers reached" in capsys.readouterr().out


def test_names_select_sections(asked, capsys):
    bench.main(["jobs", "steps"], rounds=11)
    assert asked == {"jobs": (11, False), "steps": (11, False)}
    out = capsys.readouterr().out
    assert out.index("JOBS") < out.index("STEPS")
    assert "MEMORY" not in out


def test_quick_takes_few_rounds(asked):
    bench.main(["steps"], quick=True)
    assert asked == {"steps": (bench.QUICK_ROUNDS, True)}
    bench.main(["memory"], rounds=1, quick=True)
    assert asked["memory"] == (1, True)


def test_unknown_section_names_the_known_ones(asked):
    with pytest.raises(
        UsageError, match=r"no section 'speed'.*steps, compiled, breadth, overhead, memory, loading, jobs"
    ):
        bench.main(["steps", "speed"])
    assert asked == {}, "nothing is measured before the names are checked"


def test_json_holds_machine_and_rows(asked, tmp_path):
    path = tmp_path / "bench.json"
    bench.main(["loading"], json=path)
    report = json.loads(path.read_text("utf-8"))
    assert report["rounds"] == 9
    assert report["machine"].keys() == {"CPUs", "Python", "NumPy", "BLAS", "PyTorch", "JAX", "llvmlite", "load"}
    assert [row["what"] for row in report["sections"]["loading"]["rows"]] == ["a", "b", "c"]


def test_json_that_cannot_be_written_is_one_clear_error(asked, tmp_path):
    with pytest.raises(DataError, match="cannot write"):
        bench.main(["loading"], json=tmp_path / "nowhere" / "bench.json")


def test_machine_line_names_no_machine():
    import platform

    about = " ".join(bench.machine().values())
    assert "/" not in about
    assert platform.node() not in about
